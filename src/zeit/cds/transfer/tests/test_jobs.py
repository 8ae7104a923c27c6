"""The files of a run: whose turn it is, and when there is nothing more to do."""
import types
import unittest

from zeit.cds.interfaces import Entry, Interrupted
from zeit.cds.net.scheduler import Scheduler
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


class Waiting(unittest.TestCase):
    """Files are let gather for a commit, unless all workers wait for it."""

    def setUp(self):
        self.jobs = Jobs([Entry('a'), Entry('b')], 0, Tuning(uncommitted=1, gather=1000.0))
        self.jobs.enter()
        self.jobs.enter()

    def transfer(self, job):
        job.file = types.SimpleNamespace(size=1)
        self.jobs.transferred(job)
        return job

    def waits_for_the_commit(self):
        return self.jobs.seconds_to_commit == 0

    def test_who_has_something_to_do_again_does_not_wait(self):
        jobs, taken = self.jobs, []
        self.transfer(jobs.take())
        with Scheduler() as tasks:
            tasks.spawn(lambda: taken.append(jobs.take()))
            tasks.turn(0)
            self.assertEqual([], taken)
            self.assertFalse(self.waits_for_the_commit())   # the other one works
            durable = jobs.to_commit()
            jobs.durable(durable)
            jobs.to_finalize(1)
            tasks.turn(0)
        self.assertEqual(['b'], [job.name for job in taken])
        self.transfer(*taken)
        jobs.leave()
        self.assertFalse(self.waits_for_the_commit())

    def test_all_wait(self):
        jobs = self.jobs
        self.transfer(jobs.take())
        with Scheduler() as tasks:
            for _ in range(2):
                tasks.spawn(jobs.take)
            tasks.turn(0)
            self.assertTrue(self.waits_for_the_commit())

    def test_the_pause_before_a_file_is_finalized_counts_as_waiting(self):
        jobs, seen = self.jobs, []
        jobs.leave()
        jobs.finalize_later(jobs.take(), 0)
        self.transfer(jobs.take())
        jobs.wait(lambda seconds: seen.append(self.waits_for_the_commit()))
        self.assertEqual([True], seen)
        self.assertFalse(self.waits_for_the_commit())
