"""Listings that are larger than life."""
import logging

from zeit.cds.ftp.listing import Bounds
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import FTPError
from zeit.cds.testing.faulty import Entry, On
from zeit.cds.transfer.tests.faulty import ServerTest


class HugeListingTest(ServerTest):

    def test_many_more_entries_than_files_that_are_wanted(self):
        server = self.serve(On('MLSD', times=1).many(200_000, 'many-{}.tmp'))
        outcome = self.exchange(server, include=('*.xml',), timeout=60, level=logging.INFO)
        self.assertIsNone(outcome.error)
        self.assertEqual({'a.xml': b'a'}, self.published)

    def check_end(self, rule):
        server = self.serve(rule)
        outcome = self.exchange(server, by=FTPConnection(Bounds(20_000, 1_000_000)))
        self.assertIsInstance(outcome.error, FTPError)
        self.assertIn('seems to be without end', str(outcome.error))
        self.assertIn('move some out of the directory', self.log.text)
        self.assertEqual(1, len(server.commands('MLSD')))
        self.assertEqual(0, len(server.commands('NLST')))
        self.assertEqual({}, self.published)
        self.assertEqual({'a.xml': b'a'}, server.files.data)

    def test_entries_without_end(self):
        self.check_end(On('MLSD').many(10 ** 9))

    def test_nonsense_without_end(self):
        self.check_end(On('MLSD').relist(
            lambda entries: iter(lambda: Entry(line=b'nonsense\r\n'), None)))
        self.assertEqual(10, self.log.text.count('nonsense'))

    def test_long_lines_without_end(self):
        self.check_end(On('MLSD').relist(lambda entries: iter(lambda: Entry('x' * 8000), None)))

    def test_nonsense_is_told_of_some_times(self):
        server = self.serve(On('MLSD', times=1).entries(*[b'nonsense\r\n'] * 5000))
        self.assertTrue(self.exchange(server).successful)
        self.assertEqual(11, len(self.log.complaints))
        self.assertEqual('5000 lines of the listing make no sense.', self.log.complaints[-1])

    def test_files_that_stay_are_told_of_a_thousand_times(self):
        server = self.serve(On('MLSD').many(1500, 'a/b-{}'))
        outcome = self.exchange(server)
        self.assertEqual(1500, len(outcome.failed))
        self.assertEqual(1000, len([line for line in self.log.complaints if 'a slash' in line]))
