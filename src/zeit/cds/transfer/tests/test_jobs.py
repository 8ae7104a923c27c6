"""The files of a run: whose turn it is, and when there is nothing more to do."""
import types
import unittest
from unittest import mock

from zeit.cds.interfaces import ConnectionLost, Entry, Interrupted, SpoolError
from zeit.cds.net.scheduler import Scheduler, sleep
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.jobs import DROPPED, Dropped, Jobs, TRANSFERRING
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
        self.assertEqual((DROPPED, '', False), (job.state, job.dropped.reason, job.dropped.failed))

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


class Working(unittest.TestCase):
    """Who has something to do, and who merely waits."""

    def new(self, *names, **tuning):
        self.jobs = Jobs([Entry(name) for name in names], 3, Tuning(**tuning))
        self.jobs.enter()
        return self.jobs

    def after(self, happens):
        """What a worker that waits takes once something happened: a list of names, or None."""
        taken = []
        with Scheduler() as tasks:
            tasks.spawn(lambda: taken.append(self.jobs.take()))
            tasks.turn(0)
            self.assertEqual([], taken)
            happens()
            tasks.turn(0)
        return [job and job.name for job in taken]

    def test_a_lost_session_ends_the_run_if_nobody_else_goes_on(self):
        for error, workers, names, ends in (
                (ConnectionLost('no'), 1, 'a', True), (ConnectionLost('no'), 2, 'a', False),
                (ConnectionLost('no'), 1, '', False), (SpoolError('no'), 2, '', True),
                (None, 1, 'a', False)):
            jobs = self.new(*names)
            for _ in range(workers - 1):
                jobs.enter()
            jobs.take(wait=False)
            jobs.leave(error)
            self.assertIs(error if ends else None, jobs.error)

    def test_one_try_more_for_each_session_there_ever_was(self):
        jobs = self.new()
        jobs.enter()
        jobs.leave()
        self.assertEqual(5, jobs.tries)

    def test_what_is_unfinished(self):
        jobs = self.new('a')
        self.assertTrue(jobs.unfinished)
        job = jobs.take()
        self.assertEqual(TRANSFERRING, job.state)
        with jobs.connecting():
            self.assertTrue(jobs.unfinished)
        self.assertIsNone(jobs.take(wait=False))
        job.file = types.SimpleNamespace(size=4)
        jobs.transferred(job)
        jobs.leave()
        self.assertTrue(jobs.unfinished)
        jobs.durable(jobs.to_commit())
        self.assertEqual([job], jobs.to_finalize(4))
        self.assertFalse(jobs.idle)
        jobs.finalized(job)
        self.assertTrue(jobs.idle)
        self.assertTrue(jobs.unfinished)
        self.assertEqual(([job], 4, None), (list(jobs.settled()), job.size, job.file))
        self.assertFalse(jobs.unfinished)

    def test_nobody_waits_for_a_session_that_is_not_needed(self):
        jobs = self.new()
        jobs.take(wait=False)
        self.assertTrue(jobs.unfinished)
        with jobs.connecting():
            self.assertFalse(jobs.unfinished)
        self.assertTrue(jobs.unfinished)

    def test_a_worker_that_waits_goes_on_with_what_another_puts_back(self):
        jobs = self.new('a')
        job = jobs.take()
        self.assertEqual(['a'], self.after(lambda: jobs.put_back(job)))

    def test_or_to_finalize_what_became_durable(self):
        for verb in (lambda jobs, job: jobs.durable([job]), Jobs.not_finalized,
                     lambda jobs, job: jobs.finalize_later(job, 99.0)):
            jobs = self.new('a')
            job = jobs.take()
            self.assertEqual([None], self.after(lambda: verb(self.jobs, job)))  # noqa: B023

    def test_or_when_nothing_more_can_come(self):
        jobs = self.new('a')
        job = jobs.take()
        jobs.enter()

        def drop():
            jobs.drop(job, Dropped('no', True))
            jobs.leave()

        self.assertEqual([None], self.after(drop))
        jobs = self.new('a')
        jobs.take()
        self.assertEqual([None], self.after(lambda: jobs.abandon(ConnectionLost('no'))))

    def test_or_when_the_oldest_made_room_for_another(self):
        jobs = self.new('a', 'b', window=1)
        job = jobs.take()
        self.assertEqual(['b'], self.after(lambda: (jobs.finalized(job), list(jobs.settled()))))

    def test_no_more_are_begun_than_the_disk_keeps_up_with(self):
        jobs = self.new('a', 'b', 'c', uncommitted=2)
        for _ in range(2):
            job = jobs.take()
            job.file = types.SimpleNamespace(size=1)
            jobs.transferred(job)
        self.assertIsNone(jobs.take(wait=False))
        jobs.to_commit()
        self.assertEqual('c', jobs.take(wait=False).name)

    def test_one_of_them_waits_for_the_first_that_the_server_takes_later(self):
        for cut_short, due in (False, 1), (True, 2):
            jobs, seen = self.new('a', 'b', 'c'), []
            clock = types.SimpleNamespace(now=50.0)
            clock.monotonic = lambda clock=clock: clock.now

            def wait(seconds, clock=clock, seen=seen, cut_short=cut_short):
                seen.append(seconds)
                self.assertEqual([], self.after(lambda: None))      # it is enough that one waits
                clock.now += seconds
                return cut_short

            with mock.patch('zeit.cds.transfer.jobs.time', clock):
                for seconds in 2.0, 5.0:
                    jobs.finalize_later(jobs.take(), seconds)
                jobs.take()     # another one works
                jobs.wait(wait)
                self.assertEqual(([2.0], due), (seen, len(jobs.to_finalize(9))))
                if not cut_short:
                    self.assertIsNone(jobs.take())      # the next one is to be waited for

    def test_when_that_one_is_due_others_look_again(self):
        jobs, taken = self.new('a', 'b'), []
        jobs.finalize_later(jobs.take(), 0.01)
        jobs.take()
        with Scheduler() as tasks:
            tasks.spawn(lambda: jobs.wait(sleep))
            tasks.spawn(lambda: taken.append(jobs.take()))
            for _ in range(9):
                tasks.turn(0.01)
        self.assertEqual([None], taken)

    def test_which_are_published_first(self):
        jobs = self.new(*'abcd')
        first, second, third, _ = [jobs.take() for _ in range(4)]
        jobs.finalized(second)
        self.assertEqual([], jobs.finalized_first(9, ()))
        jobs.finalized(first)
        self.assertEqual(['a', 'b'], jobs.finalized_first(9, ()))
        self.assertEqual(['a'], jobs.finalized_first(1, ()))
        self.assertEqual(['b'], jobs.finalized_first(1, {'a'}))
        jobs.drop(third, Dropped('no', True))
        self.assertEqual(['a', 'b'], jobs.finalized_first(9, ()))
        self.assertEqual([], list(jobs.settled(lambda job: False)))
        self.assertEqual(['a'], [job.name for job in jobs.settled(lambda job: job is first)])
        self.assertEqual(['b', 'c'], [job.name for job in jobs.settled()])

    def test_lines_of_later_files_are_told_in_their_turn(self):
        jobs = self.new('a', 'b')
        first, second = jobs.take(), jobs.take()
        with recorded() as log:
            jobs.log(second, 'line of %s', 'b')
            jobs.log(first, 'line of %s', 'a')
            self.assertEqual(['line of a'], log.of('INFO'))
            jobs.finalized(first)
            list(jobs.settled())
            jobs.log(second, 'another of %s', 'b')
        self.assertEqual(['line of a', 'line of b', 'another of b'], log.of('INFO'))
