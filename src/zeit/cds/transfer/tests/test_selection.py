"""Which files a run exchanges, and what it tells of the others."""
import unittest

import zope.event

from zeit.cds.events import FileSkipped, Outcome
from zeit.cds.feed import Feed
from zeit.cds.interfaces import Entry
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.selection import Selection


class Choosing(unittest.TestCase):

    def setUp(self):
        self.outcome, self.events = Outcome(), []
        zope.event.subscribers.append(self.events.append)
        self.addCleanup(zope.event.subscribers.remove, self.events.append)

    def selection(self, told=1000, objections=(), **settings):
        feed = Feed(store_dir='/spool', hostname='host', user='user', **settings)
        self.selected = Selection(
            feed, self.outcome, lambda entry: dict(objections).get(entry.name, (None, False)), told)
        return self.selected

    def choose(self, *names, kind='file', size=None):
        with recorded() as self.log:
            return [entry.name for entry in self.selected.choose(
                [Entry(name, size, None, kind) for name in names])]

    def test_in_sorted_order_and_each_name_once(self):
        self.selection()
        self.assertEqual(['a', 'b'], self.choose('b', 'a', 'b', 'a'))
        self.assertEqual((2, 2), (self.selected.files, self.outcome.waiting))

    def test_bytes_count_as_far_as_they_are_known(self):
        self.selection()
        self.choose('a', 'b', size=3)
        self.choose('c')
        self.assertEqual((3, 6), (self.selected.files, self.selected.bytes))
        self.outcome.files = 2
        self.selected.begin_anew()
        self.assertEqual((2, 0), (self.selected.files, self.selected.bytes))

    def test_by_patterns(self):
        for include, exclude, chosen in (
                ((), (), 'abc'), (('a', 'c'), (), 'ac'), ((), ('a', 'c'), 'b'),
                (('a', 'b'), ('b',), 'a')):
            self.selection(include=include, exclude=exclude)
            self.assertEqual(list(chosen), self.choose('a', 'b', 'c', '.hidden'))
        self.assertEqual(([], []), (self.outcome.skipped, self.outcome.failed))

    def test_a_limit_is_that_of_the_run(self):
        self.selection(limit=3)
        self.assertEqual(['a', 'b', 'c'], self.choose('a', 'b', 'c', 'd'))
        self.assertEqual(4, self.outcome.waiting)
        self.outcome.files, self.outcome.failed = 1, [('x', 'no')]
        self.assertEqual(['d'], self.choose('d', 'e'))
        self.outcome.files = 3
        self.assertEqual([], self.choose('e', 'f'))

    def test_an_objection_is_told_once(self):
        self.selection(objections={'a': ('it is bad', True), 'b': ('it waits', False)})
        self.assertEqual(['c'], self.choose('a', 'b', 'c'))
        self.assertEqual(([('a', 'it is bad')], [('b', 'it waits')]),
                         (self.outcome.failed, self.outcome.skipped))
        self.assertEqual(['Not exchanged: a: it is bad.', 'Not exchanged: b: it waits.'],
                         self.log.warnings)
        self.assertEqual([('a', 'it is bad', True), ('b', 'it waits', False)],
                         [(event.name, event.reason, event.failed) for event in self.events
                          if isinstance(event, FileSkipped)])
        self.assertEqual(3, self.outcome.waiting)
        self.choose('a', 'b', 'c')
        self.assertEqual([], self.log.warnings)

    def test_nobody_waits_for_what_is_no_file(self):
        self.selection(objections={'a': ('it is a directory', False)})
        for kind, waiting in ('dir', 0), ('other', 0), ('file', 1), (None, 1):
            self.selection(objections={'a': ('no', False)})
            self.assertEqual([], self.choose('a', kind=kind))
            self.assertEqual(waiting, self.outcome.waiting, kind)
        self.selection()
        self.choose('a', 'b')
        self.selected.is_no_file('a')
        self.selected.settle('a')
        self.assertEqual(1, self.outcome.waiting)
        self.assertEqual(['b'], self.choose('a', 'b'))
        self.assertEqual(1, self.outcome.waiting)

    def test_what_was_settled_is_chosen_no_more(self):
        self.selection()
        self.choose('a', 'b')
        self.selected.settle('a')
        self.assertEqual(['b'], self.choose('a', 'b'))
        self.assertEqual(2, self.outcome.waiting)

    def test_so_many_are_told_of_one_by_one(self):
        self.selection(told=3)
        with recorded() as log:
            for n in range(6):
                self.selected.skip('%d' % n, 'no', failed=n % 2 == 0)
        self.assertEqual(3, len(log.warnings))
        self.assertEqual((3, 3, 6), (len(self.outcome.failed), len(self.outcome.skipped),
                                     len(self.events)))
