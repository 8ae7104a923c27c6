"""Which file of a run is next, which wait for the disk or the server, and when that is over."""
import math
import types
import unittest
from unittest import mock

from zeit.cds.interfaces import Entry
from zeit.cds.transfer import jobs
from zeit.cds.transfer.jobs import (
    Durable,
    FINALIZED,
    Job,
    Order,
    Transferred,
    TRANSFERRING,
    WAITING,
)
from zeit.cds.transfer.tuning import Tuning


class Clocked(unittest.TestCase):
    """At an exact time: `now`."""

    def setUp(self):
        self.now = 100.0
        self.enterContext(mock.patch.object(
            jobs, 'time', types.SimpleNamespace(monotonic=lambda: self.now)))


class Orders(unittest.TestCase):

    def setUp(self):
        self.order = Order([Entry(name) for name in 'abcd'], 2)

    def next(self, begins=True):
        job = self.order.next(begins)
        return job and job.name

    def test_no_more_than_the_window_takes_are_underway(self):
        self.assertEqual(['a', 'b', None], [self.next() for _ in range(3)])
        self.assertEqual((2, False, False),
                         (self.order.active, self.order.exhausted, self.order.settled))

    def test_nothing_is_begun_if_that_is_not_wanted_but_what_was_put_back_goes_on(self):
        self.assertIsNone(self.next(begins=False))
        job = self.order.next(True)
        job.state = TRANSFERRING
        self.order.put_back(job)
        self.assertEqual(WAITING, job.state)
        self.assertEqual(['a', None], [self.next(begins=False) for _ in range(2)])

    def test_the_oldest_makes_room_for_another(self):
        first, second = self.order.next(True), self.order.next(True)
        second.state = FINALIZED
        self.assertFalse(self.order.settled)
        first.state = FINALIZED
        self.assertTrue(self.order.settled)
        self.assertTrue(self.order.pop())
        self.assertEqual([second], list(self.order.jobs))
        self.assertFalse(self.order.pop())      # there was room already
        self.assertFalse(self.order.settled)
        self.assertEqual(['c', 'd', None], [self.next() for _ in range(3)])
        self.assertFalse(self.order.exhausted)
        self.order.pop()
        self.assertIsNone(self.next())
        self.assertTrue(self.order.exhausted)
        self.assertIsNone(self.next())


class Commits(Clocked):
    """When it is time for one."""

    def setUp(self):
        super().setUp()
        self.transferred = Transferred(Tuning(group=2, gather=5.0))

    def test_none_if_there_is_nothing(self):
        for everybody_waits in False, True:
            self.assertEqual(math.inf, self.transferred.due(everybody_waits))

    def test_some_time_after_the_first_came(self):
        self.transferred.add('a')
        self.now = 102.0
        self.assertEqual(3.0, self.transferred.due(False))
        self.now = 109.0
        self.assertEqual(0.0, self.transferred.due(False))

    def test_at_once_if_all_wait_or_there_are_many(self):
        self.transferred.add('a')
        self.assertEqual(0.0, self.transferred.due(True))
        self.assertEqual(5.0, self.transferred.due(False))
        self.transferred.add('b')
        self.assertEqual(0.0, self.transferred.due(False))
        self.assertEqual(['a', 'b'], self.transferred.take())
        self.assertEqual(0, len(self.transferred))

    def test_a_further_one_changes_nothing_and_the_next_commit_is_another(self):
        self.transferred = Transferred(Tuning(group=9, gather=5.0))
        self.transferred.add('a')
        self.now = 102.0
        self.transferred.add('b')
        self.assertEqual((2, 3.0), (len(self.transferred), self.transferred.due(False)))
        self.transferred.take()
        self.transferred.add('c')
        self.assertEqual(5.0, self.transferred.due(False))


class Finalizing(Clocked):

    def durable(self, **later):
        durable = Durable()
        for name, due in later.items():
            job = Job(Entry(name))
            job.due = due
            durable.later.append(job)
        return durable

    def take(self, durable, most=9):
        return [job.name for job in durable.take(most)]

    def test_so_many_at_once(self):
        durable = self.durable()
        durable.now.extend(Job(Entry(name)) for name in 'abc')
        self.assertEqual([['a', 'b'], ['c'], []], [self.take(durable, 2) for _ in range(3)])

    def test_what_the_server_refused_has_to_wait_until_its_time_has_come(self):
        durable = self.durable(a=100.0, b=101.0, c=103.0)
        self.assertEqual(['a'], self.take(durable))
        self.now = 102.0
        self.assertEqual(['b'], self.take(durable))
        self.assertEqual(['c'], [job.name for job in durable.later])
        durable.remind(math.inf)
        self.assertEqual(['c'], self.take(durable))
