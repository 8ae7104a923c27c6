"""The table of the feeds."""
import os
import time
import unittest
import unittest.mock

from zope.interface.verify import verifyObject

from zeit.cds.interfaces import IWatch, IWatched
from zeit.cds.web.table import HEADINGS, rows, text
from zeit.cds.web.tests.watched import some, Watch, Watched


class Table(unittest.TestCase):

    def setUp(self):
        zone = unittest.mock.patch.dict(os.environ, TZ='UTC')
        zone.start()
        self.addCleanup(time.tzset)
        self.addCleanup(zone.stop)
        time.tzset()

    def test_the_watch_is_one(self):
        verifyObject(IWatch, some())
        for watched in some().feeds:
            verifyObject(IWatched, watched)

    def test_a_row_for_each_feed(self):
        well, late, odd = rows(some())
        self.assertEqual(
            ('dpa', 'import', 'waiting', '2027-01-15 08:00:00', '2027-01-15 07:59:00', '7', '2',
             '12.3 ms', '-'), well.cells)
        self.assertEqual((False, ''), (well.late, well.trouble))
        self.assertEqual(
            ('afp', 'import', 'backing off, late', '2027-01-15 08:00:00', '-', '0', '-',
             '100.0 ms', '2027-01-15 08:01:30'), late.cells)
        self.assertEqual((True, 'It is down. Ask its operator.'), (late.late, late.trouble))
        self.assertEqual(('export', 'waiting', '-', '-', '0', '-', '-', '-'), odd.cells[1:])
        for row in well, late, odd:
            self.assertEqual(len(HEADINGS), len(row.cells))

    def test_a_feed_that_is_silent(self):
        [row] = rows(Watch(Watched('dpa', silent=True, late=True)))
        self.assertEqual('waiting, late, silent', row.cells[2])

    def test_what_a_terminal_would_obey_is_not_in_it(self):
        self.assertNotIn('\x1b', text(some()))
        self.assertNotIn('\x1b', text(Watch(Watched(error='a\x1b[2Jb\nc'))))

    def test_lines_are_sentences(self):
        for error, told in (
                ('a\nb.', 'a. b.'), ('Is it?\nNo!', 'Is it? No!'), ('a:\n\nb', 'a: b.')):
            [row] = rows(Watch(Watched(error=error)))
            self.assertEqual(told, row.trouble)

    def test_no_password_is_in_it(self):
        self.assertNotIn('secret', text(some()))

    def test_columns_are_aligned(self):
        lines = text(some()).splitlines()
        self.assertEqual(5, len(lines))
        self.assertTrue(lines[0].startswith('Feed  '))
        column = lines[0].index('State')
        self.assertEqual(['State', 'waiti', 'backi'], [
            lines[n][column:column + 5] for n in (0, 1, 2)])
        self.assertEqual('    It is down. Ask its operator.', lines[3])

    def test_no_feeds_at_all(self):
        self.assertEqual('  '.join(HEADINGS), text(Watch()))
