"""Times in words, and names that are those of lock files on some server."""
import unittest

from zeit.cds.text import duration, lock_named


class DurationTest(unittest.TestCase):

    def test_in_the_unit_that_fits(self):
        for seconds, text in ((0, '0 s'), (119, '119 s'), (120, '2 min'), (7199, '119 min'),
                              (7200, '2 h'), (172799, '47 h'), (172800, '2 days')):
            self.assertEqual(text, duration(seconds))


class LockNamesTest(unittest.TestCase):

    def test_however_a_server_spells_them(self):
        for name in 'read', 'READ', 'Read', 'READ;1', 'read.', 'READ.;12', ' read ', 'ReAd. ':
            with self.subTest(name=name):
                self.assertEqual('read', lock_named(name))
        self.assertEqual('write', lock_named('WRITE.;1'))

    def test_articles_are_none(self):
        for name in ('', ';1', '.', 'read.xml', 'reads', 'read-1', '.read', 'a;read', 'read me',
                     'READ.ME;1', 'r\u0454ad'):
            with self.subTest(name=name):
                self.assertIsNone(lock_named(name))
