"""A spool that is told of several files at once: see IBatches."""
import unittest

from zeit.cds.interfaces import Entry
from zeit.cds.net.scheduler import checkpoint, Scheduler
from zeit.cds.transfer.exchange import Batches
from zeit.cds.transfer.jobs import Dropped, Jobs
from zeit.cds.transfer.tuning import Tuning


class Slow:
    """A spool that takes its time."""

    def __init__(self):
        self.batches, self.ended = [], 0

    def batch(self, names):
        self.batches.append(list(names))
        while self.ended < len(self.batches):
            checkpoint()


class Order(unittest.TestCase):

    def setUp(self):
        self.jobs = Jobs([Entry(name) for name in 'abcde'], 0, Tuning())
        self.jobs.enter()
        self.taken = [self.jobs.take() for _ in 'abcde']
        self.spool = Slow()
        self.batches = Batches(self.spool, self.jobs)
        self.tasks = self.enterContext(Scheduler())

    def end(self, *numbers):
        for number in numbers:
            self.jobs.finalized(self.taken[number])

    def settled(self):
        self.batches.begin(self.tasks)
        self.tasks.turn(0)
        self.tasks.turn(0)
        return ''.join(job.name for job in self.jobs.settled(self.batches.is_done))

    def test_one_batch_after_the_other(self):
        self.end(0, 1)
        self.assertEqual('', self.settled())
        self.end(2, 3)
        self.assertEqual('', self.settled())
        self.spool.ended = 1
        self.tasks.turn(0)
        self.assertEqual('ab', self.settled())
        self.spool.ended = 2
        self.tasks.turn(0)
        self.assertEqual('cd', self.settled())
        self.assertEqual([['a', 'b'], ['c', 'd']], self.spool.batches)

    def test_what_is_not_at_its_end_holds_up_the_others(self):
        self.end(1, 2)
        self.assertEqual('', self.settled())
        self.assertEqual([], self.spool.batches)
        self.end(0)
        self.spool.ended = 9
        self.settled()
        self.assertEqual([['a', 'b', 'c']], self.spool.batches)

    def test_what_was_dropped_is_not_published(self):
        self.end(0, 2)
        self.jobs.drop(self.taken[1], Dropped('no', True))
        self.spool.ended = 9
        self.assertEqual('abc', self.settled() + self.settled())
        self.assertEqual([['a', 'c']], self.spool.batches)

    def test_some_at_once(self):
        self.end(0, 1, 2, 3)
        self.assertEqual(['a', 'b', 'c'], self.jobs.finalized_first(3, set()))
        self.assertEqual(['b', 'd'], self.jobs.finalized_first(2, {'a', 'c'}))

    def test_what_goes_wrong_ends_the_run(self):
        self.end(0)
        self.spool.batch = lambda names: 1 / 0
        self.batches.begin(self.tasks)
        with self.assertRaises(ZeroDivisionError):
            self.tasks.turn(0)
