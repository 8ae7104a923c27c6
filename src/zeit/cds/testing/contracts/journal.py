"""What every IJournal has to keep, with its IRecord and its IQueries.

    class MyJournal(JournalContract, unittest.TestCase):

        def setUp(self):
            super().setUp()
            self.journal = ...          # an empty one

        def failing(self): ...

A run is killed here by never closing its record; whether the tables outlive the machine no test
from outside can tell.
"""
import abc
import logging
import time
from unittest import mock

from zope.interface.verify import verifyObject

from zeit.cds.events import Outcome
from zeit.cds.interfaces import (
    ConfigurationError,
    Entry,
    FTPError,
    IJournal,
    INoted,
    IQueries,
    IRecord,
    SpoolError,
)
from zeit.cds.testing.noted import NotedSpool


SECOND = 10**9
NAMES = ('a b.xml', 'Köln', '\udcff', 'a\\b', 'a\\x41', '\\', '%s', "'; drop", '_', 'n' * 255,
         '\u202e')


class Feed:
    """As much of an IFeed as a journal wants."""

    def __init__(self, name='wire', direction='import', store_dir='/spool'):
        self.name, self.direction, self.store_dir = name, direction, store_dir


class Logged(logging.Handler):
    """The lines that the package logs."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append((record.levelname, record.getMessage()))


class JournalContract(abc.ABC):
    """A mixin for a TestCase. It is given `journal` (IJournal), an empty one, in its setUp."""

    journal = None

    @abc.abstractmethod
    def failing(self):
        """A context manager: while its block runs, the journal can't be written."""

    def setUp(self):
        super().setUp()
        self.feed, self.spool = Feed(), NotedSpool()

    # ------------------------------------------------------------ tools

    def begin(self):
        """A run begins: its IRecord."""
        record = self.journal.open(self.feed, self.spool)
        record.begin(self.spool.leftovers)
        record.seen()
        return record

    def end(self, record, **outcome):
        result = Outcome(outcome.pop('error', None))
        result.waiting = len(outcome.get('skipped', ())) + len(outcome.get('failed', ()))
        for name, value in outcome.items():
            setattr(result, name, value)
        record.close(result)

    def publish(self, record, name):
        self.spool.move(name)
        record.published(name)

    def exchange(self, *names, data=b'data', modified=None):
        """A run that exchanges files."""
        record = self.begin()
        record.whole([self.spool.put(name, data, modified) for name in names])
        for name in names:
            self.publish(record, name)
        record.settled()
        self.end(record, files=len(names), bytes=len(names) * len(data))

    def rows(self, **question):
        with self.journal.ask() as queries:
            return queries.files(**question)

    def states(self, **question):
        """(name, state) of rows, sorted."""
        return sorted((row.name, row.state) for row in self.rows(**question))

    def logged(self):
        """What is logged from now on: list of (level, text)."""
        handler = Logged()
        log = logging.getLogger('zeit.cds')
        log.addHandler(handler)
        self.addCleanup(log.removeHandler, handler)
        return handler.lines

    # ------------------------------------------------------------ interfaces

    def test_all_of_the_interfaces_is_there(self):
        verifyObject(IJournal, self.journal)
        verifyObject(IRecord, self.begin())
        verifyObject(INoted, self.spool)
        with self.journal.ask() as queries:
            verifyObject(IQueries, queries)

    def test_a_spool_has_to_keep_notes(self):
        with self.assertRaises(ConfigurationError):
            self.journal.open(self.feed, object())

    # ------------------------------------------------------------ the life of a file

    def test_life_of_a_file(self):
        before = time.time_ns()
        self.exchange('a', data=b'text', modified=before - 5 * SECOND)
        [row] = self.rows()
        self.assertEqual(('wire', 'import', 'a', 'published', 4, 1, None, '/spool'), (
            row.feed, row.direction, row.name, row.state, row.size, row.tries, row.reason,
            row.spool))
        self.assertEqual('982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1',
                         row.digest)
        self.assertEqual(before - 5 * SECOND, row.modified)
        times = [before, row.seen, row.whole, row.published, time.time_ns()]
        self.assertEqual(sorted(times), times)

    def test_names_come_back_as_they_are(self):
        self.exchange(*NAMES)
        self.assertEqual(sorted(NAMES), sorted(row.name for row in self.rows()))
        for name in NAMES:
            self.assertEqual([name], [row.name for row in self.rows(name=name)])

    def test_a_run_has_a_row(self):
        self.exchange('a', 'b')
        self.end(self.begin(), error=FTPError('It is \udcff.'))
        with self.journal.ask() as queries:
            second, first = queries.runs()
        self.assertEqual((2, 8, 0, None), (first.files, first.bytes, first.waiting, first.error))
        self.assertEqual('It is \udcff.', second.error)
        self.assertLess(first.begun, first.ended)

    def test_a_taken_file(self):
        self.exchange('a', 'b')
        del self.spool.new['a']
        self.end(self.begin())
        self.assertEqual([('a', 'taken'), ('b', 'published')], self.states())
        self.assertLess(self.rows(name='a')[0].published, self.rows(name='a')[0].taken)

    def test_two_versions_of_a_file(self):
        self.exchange('a', data=b'1')
        del self.spool.new['a']
        self.exchange('a', data=b'22')
        self.assertEqual([('taken', 1), ('published', 2)],
                         [(row.state, row.size) for row in self.rows()])

    # ------------------------------------------------------------ files that are left

    def test_a_file_that_failed_until_it_came(self):
        for _ in range(2):
            self.end(self.begin(), failed=[('a', 'it \udcff')])
        [row] = self.rows()
        self.assertEqual(('failed', 2, 'it \udcff'), (row.state, row.tries, row.reason))
        self.exchange('a')
        [after] = self.rows()
        self.assertEqual(('published', 3, None), (after.state, after.tries, after.reason))
        self.assertEqual(row.seen, after.seen)

    def test_a_file_that_is_left_and_not_there_any_more(self):
        self.end(self.begin(), failed=[('a', 'it')], skipped=[('b', 'an older one')])
        self.assertEqual([('a', 'failed'), ('b', 'waiting')], self.states())
        self.end(self.begin(), skipped=[('b', 'an older one')])
        self.assertEqual([('a', 'gone'), ('b', 'waiting')], self.states())

    def test_a_run_that_does_not_look_at_all_files(self):
        self.end(self.begin(), failed=[('a', 'it')])
        self.end(self.begin(), error=FTPError('It'), waiting=None)
        self.end(self.begin(), waiting=1)       # by a limit, perhaps
        self.assertEqual([('a', 'failed')], self.states())

    def test_a_file_that_waits_in_tmp(self):
        record = self.begin()
        record.whole([self.spool.put('a')])
        self.end(record, skipped=[('a', 'unread')])
        self.assertEqual([('a', 'whole')], self.states())
        record = self.begin()
        self.publish(record, 'a')
        record.settled()
        self.end(record)
        self.assertEqual([('a', 'published')], self.states())

    # ------------------------------------------------------------ runs that were killed

    def killed(self, noted=True, published=0):
        """A run of two files that was killed: the number of files that it had published."""
        record = self.begin()
        files = [self.spool.put('a'), self.spool.put('b')]
        if noted:
            record.whole(files)
        for name in 'ab'[:published]:
            self.publish(record, name)

    def finish(self):
        """The run after it."""
        record = self.begin()
        for name in list(self.spool.tmp):
            self.publish(record, name)
        record.settled()
        self.end(record)

    def test_killed_runs(self):
        for noted in False, True:
            for published in range(3) if noted else [0]:
                with self.subTest(noted=noted, published=published):
                    self.feed = Feed('%s-%d' % (noted, published))
                    self.spool = NotedSpool()
                    self.killed(noted, published)
                    self.finish()
                    self.assertEqual([('a', 'published'), ('b', 'published')],
                                     self.states(feed=self.feed.name))
                    self.assertTrue(all(row.digest and row.whole for row in self.rows()))

    def test_what_is_kept_after_a_kill_is_not_published(self):
        self.killed(published=1)
        self.end(self.begin())
        self.assertEqual([('a', 'published'), ('b', 'whole')], self.states())

    def test_a_power_failure_that_undoes_a_publication(self):
        self.killed(published=2)
        self.end(self.begin())      # it is not made durable here
        self.spool.tmp['a'] = self.spool.new.pop('a')
        self.spool.notes.lose()
        self.end(self.begin())
        self.assertEqual([('a', 'whole'), ('b', 'published')], self.states())
        self.finish()
        self.assertEqual([('a', 'published'), ('b', 'published')], self.states())

    def test_what_is_handed_over_twice_counts_once(self):
        self.end(self.begin(), failed=[('a', 'it')])
        record = self.begin()
        record.whole([self.spool.put('b')])
        self.publish(record, 'b')
        self.spool.notes.error = SpoolError('It is full.')     # killed before it could forget
        self.end(record, failed=[('a', 'it')])
        self.spool.notes.error = None
        self.end(self.begin(), failed=[('a', 'it')])
        self.assertEqual([('a', 3), ('b', 1)], sorted((row.name, row.tries) for row in self.rows()))

    # ------------------------------------------------------------ an export

    def export(self, fate):
        """What the journal says of a file that a killed export had stored."""
        self.feed, self.spool = Feed('out', 'export'), NotedSpool('export')
        self.begin().whole([self.spool.put('x', temporary='.x')])
        fate(self.spool)
        record = self.begin()
        if record.doubtful:
            record.decide({'.x'} if 'x' not in self.spool.new else set())
        record.settled()
        self.end(record)
        return [row.state for row in self.rows(feed='out')]

    def test_an_export_that_was_killed(self):
        self.assertEqual(['published'], self.export(lambda spool: spool.move('x')))

    def test_a_file_that_was_removed_when_an_export_was_killed(self):
        self.assertEqual(['published'], self.export(lambda spool: spool.new.clear()))

    def test_a_file_that_was_replaced_when_an_export_was_killed(self):
        self.assertEqual(['unknown'], self.export(lambda spool: spool.put('x')))

    def test_a_file_that_is_exported_once_more(self):
        self.assertEqual(['whole'], self.export(lambda spool: None))
        record = self.begin()
        record.whole([self.spool.new['x']])
        self.publish(record, 'x')
        record.settled()
        self.end(record)
        [row] = self.rows(feed='out')
        self.assertEqual(('published', 2), (row.state, row.tries))

    # ------------------------------------------------------------ files that stay on the server

    def known(self, *entries):
        return self.journal.known(self.feed, self.spool, entries)

    def take(self, *entries):
        """A run takes these, and leaves them there."""
        record = self.begin()
        record.whole([self.spool.put(entry.name) for entry in entries], entries)
        for entry in entries:
            self.publish(record, entry.name)
        return record

    def test_what_was_taken_is_known(self):
        entries = [Entry(name, n, n + 1) for n, name in enumerate(NAMES)]
        self.assertEqual(set(), self.known(*entries))
        record = self.take(*entries)
        self.spool.notes.lose()
        self.assertEqual(set(NAMES), self.known(*entries))     # noted
        record.settled()
        self.end(record)
        self.assertEqual(set(NAMES), self.known(*entries))     # in the journal
        self.assertEqual(b'', self.spool.notes.read())
        self.feed = Feed('other')
        self.assertEqual(set(), self.known(*entries))

    def test_another_size_or_time_is_another_version(self):
        for handed_over in False, True:
            self.feed, self.spool = Feed('%s' % handed_over), NotedSpool()
            record = self.take(Entry('a', 1, 1), Entry('b', 1), Entry('c', None, 1))
            if handed_over:
                self.end(record)
            for known, *others in (
                    ('abc', ('a', 1, 1), ('b', 1), ('c', None, 1)), ('abc', ('a',), ('b',), ('c',)),
                    ('bc', ('a', 2, 1), ('b', 1, 7), ('c', 7, 1)),
                    ('', ('a', 1, 2), ('b', 2), ('c', None, 2)), ('', ('d', 1, 1))):
                with self.subTest(handed_over=handed_over, others=others):
                    self.assertEqual(set(known), self.known(*(Entry(*other) for other in others)))

    def test_the_last_version_counts(self):
        for version in 1, 2:
            self.end(self.take(Entry('a', version)))
            self.spool.new.clear()
        self.take(Entry('a', 3))
        self.assertEqual([set(), set(), {'a'}],
                         [self.known(Entry('a', version)) for version in (1, 2, 3)])

    def test_what_cannot_be_noted_is_not_taken(self):
        record, self.spool.notes.error = self.begin(), SpoolError('The disk is full.')
        self.assertRaises(SpoolError, record.whole, [self.spool.put('a')], [Entry('a', 1)])

    # ------------------------------------------------------------ a journal that fails

    def test_a_journal_that_fails_is_told_of_once_and_made_up_for(self):
        logged = self.logged()
        with self.failing():
            self.exchange('a')
        [(level, text)] = [line for line in logged if line[0] != 'DEBUG']
        self.assertEqual('WARNING', level)
        self.assertIn('The journal misses something: ', text)
        self.exchange('b')
        self.assertEqual([('a', 'published'), ('b', 'published')], self.states())

    def test_a_journal_that_fails_while_runs_are_killed(self):
        with self.failing():
            self.killed(published=1)
            self.finish()
            del self.spool.new['a']
            self.exchange('a', data=b'newer')
        self.end(self.begin())
        self.assertEqual([('a', 'published'), ('a', 'taken'), ('b', 'published')], self.states())

    def test_notes_that_nobody_understands(self):
        self.spool.notes.append(b'["whole"]\n["x", 1]\n[]\n[1]\n[[]]\n{}\n7\n["run"', durable=True)
        logged = self.logged()
        self.exchange('a')
        self.assertEqual([], logged)
        self.assertEqual([('a', 'published')], self.states())

    def test_a_spool_that_does_not_tell_what_became_of_files(self):
        self.killed(published=1)
        refusing = mock.Mock(side_effect=SpoolError('It is not readable.'))
        with mock.patch.object(self.spool, 'fate', refusing):
            self.end(self.begin())
        self.assertNotIn(('b', 'published'), self.states())
        self.finish()
        self.assertEqual([('a', 'published'), ('b', 'published')], self.states())

    def test_notes_that_fail(self):
        self.spool.notes.error = SpoolError('The disk is full.')
        self.exchange('a')
        self.assertEqual([('a', 'published')], self.states())
