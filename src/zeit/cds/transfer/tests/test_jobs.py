"""The files of a run: whose turn it is, and when there is nothing more to do."""
import unittest

from zeit.cds.interfaces import Entry, Interrupted
from zeit.cds.transfer.jobs import Jobs
from zeit.cds.transfer.tuning import Tuning


class Stopped(unittest.TestCase):

    def test_what_was_taken_and_not_begun_keeps_nobody_waiting(self):
        jobs = Jobs([Entry('a'), Entry('b')], 0, Tuning())
        jobs.enter()
        job = jobs.take()
        jobs.stop(Interrupted('stop'))
        self.assertFalse(jobs.idle)
        jobs.put_back(job)
        self.assertTrue(jobs.idle)
        self.assertIsNone(jobs.take())
        self.assertEqual(['a'], [job.name for job in jobs.settled()])

    def test_the_first_error_counts(self):
        jobs, error = Jobs([], 0, Tuning()), Interrupted('first')
        for each in error, Interrupted('second'):
            jobs.stop(each)
        self.assertIs(error, jobs.error)
