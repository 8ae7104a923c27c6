"""The files of a run: whose turn it is, and when there is nothing more to do."""
import unittest

from zeit.cds.interfaces import Entry, Interrupted
from zeit.cds.transfer.jobs import Backlog


class Stopped(unittest.TestCase):

    def test_what_was_taken_and_not_begun_keeps_nobody_waiting(self):
        backlog = Backlog([Entry('a'), Entry('b')], 0)
        backlog.enter()
        job = backlog.take()
        backlog.stop(Interrupted('stop'))
        self.assertFalse(backlog.idle)
        backlog.put_back(job)
        self.assertTrue(backlog.idle)
        self.assertIsNone(backlog.take())
        self.assertEqual(['a'], [job.name for job in backlog.settled()])

    def test_the_first_error_counts(self):
        backlog, error = Backlog([], 0), Interrupted('first')
        for each in error, Interrupted('second'):
            backlog.stop(each)
        self.assertIs(error, backlog.error)
