"""What a watch has from a journal, and tells it: who is silent, what was taken."""
import os
import unittest
from unittest import mock

import zope.event

from zeit.cds.interfaces import IJournal, JournalError
from zeit.cds.journal import lateness
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.journal.tests.infile import InFile
from zeit.cds.main import run_import
from zeit.cds.watch.tests.watches import HANDS_OFF, Watches
from zeit.cds.watch.watcher import Watch


class Listening(InFile, Watches, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.use(self.journal, IJournal)
        self.remote = os.path.join(self.directory, 'remote')
        os.mkdir(self.remote)
        self.events, self.later = [], 0
        zope.event.subscribers.append(self.hear)
        self.addCleanup(zope.event.subscribers.remove, self.hear)
        patched = mock.patch.object(lateness.time, 'time', lambda: self.now())
        self.now = mock.Mock(side_effect=lambda: self.time() + self.later)
        self.time = lateness.time.time
        patched.start()
        self.addCleanup(patched.stop)

    def hear(self, event):
        if isinstance(event, lateness.FeedSilent | lateness.FeedSpeaksAgain):
            self.events.append(type(event).__name__)

    def feed(self, **settings):
        return super().feed(name='dpa', every=0.2, **settings)

    @property
    def server(self):
        return mock.Mock(feed=dict(hostname='localhost', user='x', connection='file',
                                   ftp_dir=self.remote))

    def put(self, name):
        with open(os.path.join(self.directory, name), 'w') as f:
            f.write('text')
        os.rename(os.path.join(self.directory, name), os.path.join(self.remote, name))

    def watched(self, **settings):
        self.running = self.watch(self.feed(**settings), listens=0.05)
        return self.running.feeds[0]

    # ------------------------------------------------------------ silence

    def test_a_feed_falls_silent_and_speaks_again(self):
        self.put('a')
        watched = self.watched(expect_within='900')
        self.wait_until(lambda: watched.files == 1 and watched.silence)
        self.assertFalse(watched.silent)
        self.later = 1000
        self.wait_until(lambda: watched.silent and self.events)
        seconds, allowed = watched.silence
        self.assertEqual((True, 900), (seconds >= 999, allowed))
        self.later = 0
        self.wait_until(lambda: not watched.silent and len(self.events) == 2)
        self.assertEqual(['FeedSilent', 'FeedSpeaksAgain'], self.events)
        self.wait_until(lambda: 'The feed dpa speaks again.' in self.log.text)
        self.assert_warned('The feed dpa is silent: no file for ', ' s, 900 s are allowed.')

    def test_events_come_once_whoever_asks(self):
        self.put('a')
        feed = self.feed(expect_within='900')
        run_import(feed, journal=self.journal)
        self.later = 1000
        lateness.tell(self.journal, [feed])
        watched = self.watched(expect_within='900')
        self.wait_until(lambda: watched.silent)
        self.assertEqual(['FeedSilent'], self.events)

    def test_the_last_file_may_have_come_before_the_watch(self):
        self.put('a')
        run_import(self.feed(), journal=self.journal)
        watched = self.watched()
        self.wait_until(lambda: watched.last_file is not None)
        self.assertEqual((0, None, False), (watched.files, watched.silence, watched.silent))

    def test_since_when_files_wait(self):
        self.put('a')
        run_import(self.feed(), journal=self.journal)
        self.put('a')
        watched = self.watched()
        self.wait_until(lambda: watched.waiting_since is not None)
        self.assertGreaterEqual(watched.waiting_since, watched.last_file)

    def test_a_journal_that_is_away_is_told_of_once(self):
        with mock.patch.object(SQLJournal, 'ask', side_effect=JournalError('It is away')):
            watched = self.watched(expect_within='900')
            self.wait_until(lambda: 'The journal does not tell' in self.log.text)
            self.running.thread.join(HANDS_OFF)
        self.wait_until(lambda: watched.last_look is not None)
        self.assert_warned('The journal does not tell which feeds are silent: It is away.')

    # ------------------------------------------------------------ what was taken

    def states(self):
        with self.journal.ask() as queries:
            return [row.state for row in queries.files()]

    def test_what_the_consumer_takes_is_noticed(self):
        self.put('a')
        watched = self.watched()
        self.wait_until(lambda: watched.files == 1 and self.states() == ['published'])
        runs = watched.outcome
        self.consume()
        self.wait_until(lambda: self.states() == ['taken'])
        self.assertIs(runs, watched.outcome)    # without a run

    # ------------------------------------------------------------ others

    def test_without_a_journal_nobody_listens(self):
        with mock.patch('zeit.cds.watch.listening.registered_journal', lambda: None):
            watch = Watch([self.feed()])
            watch._listening.begin()
        self.assertIsNone(watch._listening._thread)

    def test_files_that_are_kept_begin_no_run(self):
        self.put('a')
        watched = self.watched(afterwards='keep')
        self.wait_until(lambda: watched.files == 1)
        self.consume()
        runs = watched.outcome
        looks = watched.last_look
        self.wait_until(lambda: watched.last_look > looks + 0.5)
        self.assertIs(runs, watched.outcome)
        self.assertEqual((1, 0), (watched.files, watched.waiting))
        self.put('b')
        self.wait_until(lambda: watched.files == 2)
        self.assertEqual(['a', 'b'], sorted(os.listdir(self.remote)))
