"""What subscribers get to know, and what they can't change."""
import os
import pathlib
import unittest

import zope.component
import zope.component.testing
import zope.event
from zope.configuration import xmlconfig
from zope.interface.verify import verifyObject

from zeit.cds import events
from zeit.cds.feed import Feed
from zeit.cds.interfaces import (
    IFileExchanged,
    IFileExported,
    IFileImported,
    IFileSkipped,
    IOutcome,
    IRunFinished,
    LoginRefused,
)
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.importing import Importing, recorded


FEED = Feed(store_dir='/spool', hostname='ftp.example.com', user='cds', password='geheim')


class Contracts(unittest.TestCase):

    def test_each_event_does_what_its_interface_says(self):
        for event, interface in [
                (events.FileImported(FEED, 'a.xml', '/spool/new/a.xml', 1), IFileImported),
                (events.FileExported(FEED, 'a.xml', '/spool/cur/a.xml', 1), IFileExported),
                (events.FileSkipped(FEED, 'a.xml', 'why', True), IFileSkipped),
                (events.RunFinished(FEED, events.Outcome()), IRunFinished),
                (events.Outcome(), IOutcome)]:
            verifyObject(interface, event)

    def test_no_event_shows_a_password(self):
        for event in (events.FileImported(FEED, 'a.xml', '/spool/new/a.xml', 1),
                      events.FileSkipped(FEED, 'a.xml', 'why', True),
                      events.RunFinished(FEED, events.Outcome(error=LoginRefused('530 no')))):
            self.assertNotIn('geheim', repr(event) + str(event))
            self.assertIn('ftp.example.com', repr(event))
            self.assertEqual(('', 'ftp.example.com'), (event.feed.password, event.feed.hostname))

    def test_an_event_shows_all_that_it_tells(self):
        self.assertRegex(repr(events.FileSkipped(FEED, 'a', 'why', True)),
                         r"^FileSkipped\(feed=.*, name='a', reason='why', failed=True\)$")

    def test_a_feed_without_a_password_is_told_as_it_is(self):
        feed = Feed(store_dir='/spool', hostname='ftp.example.com', user='anonymous')
        self.assertIs(feed, events.FileImported(feed, 'a.xml', '/spool/new/a.xml', 1).feed)

    def test_who_wants_arrivals_hears_of_no_departure(self):
        event = events.FileExported(FEED, 'a.xml', '/spool/cur/a.xml', 1)
        self.assertTrue(IFileExchanged.providedBy(event))
        self.assertFalse(IFileImported.providedBy(event))
        self.assertNotIsInstance(event, events.FileImported)


class Delivery(Importing, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def setUp(self):
        super().setUp()
        self.heard = []

    def subscribe(self, subscriber):
        zope.event.subscribers.append(subscriber)
        self.addCleanup(zope.event.subscribers.remove, subscriber)

    def test_a_run_tells_of_each_file_and_of_its_end(self):
        self.subscribe(self.heard.append)
        self.put('b.xml', b'22')
        self.put('a.xml', b'1')
        os.mkdir(os.path.join(self.server.directory, 'directory'))
        outcome = self.run_import()
        skipped, first, second, finished = self.heard
        self.assertEqual(
            ('directory', 'it is a directory', False),
            (skipped.name, skipped.reason, skipped.failed),
        )
        self.assertEqual(('a.xml', os.path.join(self.store_dir, 'new', 'a.xml'), 1),
                         (first.name, first.path, first.size))
        self.assertEqual(('b.xml', 2), (second.name, second.size))
        self.assertTrue(IRunFinished.providedBy(finished))
        self.assertIs(outcome, finished.outcome)
        self.assertEqual(
            (2, 3, [('directory', 'it is a directory')], [], None, 0),
            (
                outcome.files,
                outcome.bytes,
                outcome.skipped,
                outcome.failed,
                outcome.error,
                outcome.waiting,
            ),
        )
        self.assertGreater(outcome.seconds, 0)

    def test_a_file_is_there_when_its_event_comes(self):
        self.subscribe(lambda event: IFileImported.providedBy(event) and self.heard.append(
            pathlib.Path(event.path).read_bytes()))
        self.put('a.xml', b'whole')
        self.run_import()
        self.assertEqual([b'whole'], self.heard)

    def test_a_run_that_fails_tells_why(self):
        self.subscribe(self.heard.append)
        self.run_import(ftp_dir='/missing')
        finished, = self.heard
        self.assertIn('550', str(finished.outcome.error))
        self.assertEqual((0, None), (finished.outcome.files, finished.outcome.waiting))

    def test_a_subscriber_that_raises_is_logged_and_changes_nothing(self):
        def fail(event):
            raise ValueError('a broken subscriber')
        self.subscribe(fail)
        self.subscribe(self.heard.append)
        self.put('a.xml', b'1')
        outcome = self.run_import()
        self.assertIsNone(outcome.error)
        self.assertEqual(
            [events.FileImported, events.RunFinished], [type(event) for event in self.heard]
        )
        self.assertEqual(
            2, len([line for line in self.log.of('ERROR') if 'A subscriber to' in line])
        )
        self.assert_nothing_left()

    def configure(self, *handlers):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        xmlconfig.string('<configure xmlns="http://namespaces.zope.org/zope">'
                         '<include package="zeit.cds" />%s</configure>' % ''.join(
                             '<subscriber for="zeit.cds.interfaces.IRunFinished" handler="%s" />'
                             % handler for handler in handlers))
        remembered.clear()

    def test_zcml_subscribers_hear_of_events(self):
        self.configure('zeit.cds.tests.test_events.remember')
        outcome = self.run_import()
        self.assertEqual([outcome], remembered)

    def test_one_that_raises_hides_nothing_from_the_others(self):
        self.configure('zeit.cds.tests.test_events.remember_and_fail',
                       'zeit.cds.tests.test_events.remember_and_also_fail')
        outcome = events.Outcome()
        with recorded() as log:
            events.notify(events.RunFinished(FEED, events.Outcome()), outcome)
        self.assertEqual(2, len(remembered))
        self.assertEqual(2, len(log.of('ERROR')))
        self.assertEqual([(None, 'ValueError: no')] * 2, outcome.unheard)
        self.assertFalse(outcome.successful)

    def test_the_file_that_a_subscriber_failed_at_is_named(self):
        self.subscribe(remember)        # there is no outcome in the event of a file
        outcome = events.Outcome()
        with recorded() as log:
            events.notify(events.FileImported(FEED, 'a\nb', '/spool/new/a', 1), outcome)
        self.assertIn('FileImported failed at a\\x0ab.', log.of('ERROR')[0])
        self.assertEqual(['a\nb'], [name for name, _ in outcome.unheard])


remembered = []


def remember(event):
    remembered.append(event.outcome)


def remember_and_fail(event):
    remember(event)
    raise ValueError('no')


def remember_and_also_fail(event):
    remember_and_fail(event)
