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
    IFileExported,
    IFileImported,
    IFileSkipped,
    IOutcome,
    IRunFinished,
    LoginRefused,
)
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.importing import Importing


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
        self.assertEqual(('directory', 'it is a directory', False), (skipped.name, skipped.reason, skipped.failed))
        self.assertEqual(('a.xml', os.path.join(self.store_dir, 'new', 'a.xml'), 1),
                         (first.name, first.path, first.size))
        self.assertEqual(('b.xml', 2), (second.name, second.size))
        self.assertTrue(IRunFinished.providedBy(finished))
        self.assertIs(outcome, finished.outcome)
        self.assertEqual((2, 3, [('directory', 'it is a directory')], [], None, 0),
                         (outcome.files, outcome.bytes, outcome.skipped, outcome.failed, outcome.error,
                          outcome.waiting))
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
        self.assertTrue(outcome.successful)
        self.assertEqual([events.FileImported, events.RunFinished], [type(event) for event in self.heard])
        self.assertEqual(2, len([line for line in self.log.of('ERROR') if 'A subscriber to' in line]))
        self.assert_nothing_left()

    def test_zcml_subscribers_hear_of_events(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        xmlconfig.string('<configure xmlns="http://namespaces.zope.org/zope"><include package="zeit.cds" />'
                         '<subscriber for="zeit.cds.interfaces.IRunFinished" '
                         'handler="zeit.cds.tests.test_events.remember" /></configure>')
        remembered.clear()
        outcome = self.run_import()
        self.assertEqual([outcome], remembered)


remembered = []


def remember(event):
    remembered.append(event.outcome)
