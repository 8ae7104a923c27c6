"""Who is silent, by the journal; and who hears of it."""
import time
import unittest

import zope.event

from zeit.cds.feed import Feed
from zeit.cds.journal.lateness import FeedSilent, FeedSpeaksAgain, heard, tell
from zeit.cds.journal.tests.infile import InFile


class Lateness(InFile, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.feed = Feed(name='wire', store_dir='/spool', hostname='x', user='x', password='secret',
                         expect_within='900')
        self.events = []
        zope.event.subscribers.append(self.hear)
        self.addCleanup(zope.event.subscribers.remove, self.hear)
        self.now = time.time()
        self.runs = 0

    def hear(self, event):
        if isinstance(event, FeedSilent | FeedSpeaksAgain):
            self.events.append(type(event).__name__)
            self.assertEqual('', event.feed.password)

    def run_at(self, seconds, *names):
        """A run that published files."""
        self.runs += 1
        when, run = int(seconds * 10**9), 'run-%d' % self.runs
        self.journal.load([[
            ('run', run, 'wire', 'import', '/spool', 'host', 1, when, 0),
            *(event for name in names for event in (
                ('whole', run + name, name, 1, 2, None, None, None, when, when),
                ('published', run + name, when)))]])

    def late(self, seconds):
        [found] = tell(self.journal, [self.feed], self.now + seconds)
        return found.silence.is_late

    def test_a_feed_that_was_never_exchanged(self):
        self.assertFalse(self.late(10**6))

    def test_a_feed_that_never_brought_a_file(self):
        self.run_at(self.now)
        self.run_at(self.now + 800)
        self.assertFalse(self.late(900))
        self.assertTrue(self.late(901))

    def test_it_is_told_once(self):
        self.run_at(self.now, 'a')
        self.assertEqual([False, True, True], [self.late(seconds) for seconds in (899, 901, 2000)])
        self.assertEqual(['FeedSilent'], self.events)
        self.run_at(self.now + 2000, 'b')
        self.assertEqual([False, False], [self.late(2001), self.late(2002)])
        self.assertEqual(['FeedSilent', 'FeedSpeaksAgain'], self.events)

    def test_a_feed_that_only_wakes_up_does_not_speak(self):
        day = 86400
        midnight = time.mktime((2026, 11, 23, 0, 0, 0, 0, 0, -1))   # a Monday
        self.feed, self.now = self.feed.replaced(expect_within='06-22 900'), midnight
        self.run_at(midnight + 12 * 3600, 'a')
        self.assertTrue(self.late(13 * 3600))
        for hour in 3, 6.1, 7, 24 + 6.1, 24 + 7:
            self.late(day + hour * 3600)
        self.assertEqual(['FeedSilent'], self.events)
        self.run_at(midnight + 3 * day + 8 * 3600, 'b')
        self.assertFalse(self.late(3 * day + 8 * 3600 + 1))
        self.assertEqual(['FeedSilent', 'FeedSpeaksAgain'], self.events)

    def test_nothing_is_expected(self):
        self.run_at(self.now, 'a')
        self.feed = self.feed.replaced(expect_within=None)
        self.assertFalse(self.late(10**6))
        self.assertEqual([], self.events)

    def test_to_look_is_not_to_tell(self):
        self.run_at(self.now, 'a')
        [found] = heard(self.journal, [self.feed], self.now + 901)
        self.assertTrue(found.silence.is_late)
        self.assertEqual(('a', {'published': 1}), (found.last.name, found.counts))
        self.assertEqual([], self.events)
