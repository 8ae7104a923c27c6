"""A fleet whose workers and broker are killed, for a short time; tools/fleet-soak does more.

And the commands as they are: what they say if something is missing.
"""
import contextlib
import os
import random
import subprocess
import sys
import unittest

from zeit.cds.fleet.crew import Tuning
from zeit.cds.fleet.tests.house import House, need
from zeit.cds.fleet.tests.soak import Locks, Soak
from zeit.cds.testing.layers import RABBITMQ_LAYER, REDIS_LAYER, ServerTestCase
from zeit.cds.testing.postgres import PostgreSQL
from zeit.cds.testing.servers import ProFTPD, PyFTPD


FAST = Tuning(beat=1.0, fence=3.0, dead=6.0, told=10.0)


class Short:

    kinds = PyFTPD, ProFTPD
    files, seconds, kill_every = 120, 30, 4

    def test_nothing_is_lost_or_doubled_and_all_is_told(self):
        need(self, PostgreSQL, *self.kinds)
        with contextlib.ExitStack() as stack:
            house = stack.enter_context(House(
                [stack.enter_context(kind()) for kind in self.kinds], self.server,
                stack.enter_context(PostgreSQL()).url, 8, every=2.0, tuning=FAST))
            soak = Soak(house, self.files, self.seconds, random.Random(7))
            soak.longest_pause = 3.0
            figures = soak.run(workers=3, kill_every=self.kill_every, settle=180.0)
            text = '\n'.join(figures.lines())
        self.assertTrue(figures.good, text)
        self.assertGreater(len(figures.kills), 1, text)
        self.assertEqual(self.files, len(figures.latencies), text)


class OnRedis(Short, ServerTestCase):

    layer, level = REDIS_LAYER, 2


class OnRabbitMQ(Short, ServerTestCase):

    layer, level = RABBITMQ_LAYER, 2
    files, seconds, kill_every = 60, 30, 6


class Commands(unittest.TestCase):

    def celery(self, *arguments, **environ):
        done = subprocess.run(
            [sys.executable, '-P', '-m', 'celery', '-A', 'zeit.cds.fleet', *arguments], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            env={'PYTHONPATH': os.pathsep.join(filter(None, sys.path)), 'PATH': os.environ['PATH'],
                 **environ})
        self.assertNotEqual(0, done.returncode)
        return done.stdout

    def test_without_feeds_it_ends_and_says_what_is_missing(self):
        self.assertIn('The environment variable CDS_ZCML is missing', self.celery('worker'))
        self.assertIn('The ZCML file /nowhere/site.zcml cannot be used',
                      self.celery('beat', CDS_ZCML='/nowhere/site.zcml'))


class Overlaps(unittest.TestCase):
    """Would the soak see it?"""

    def test_two_who_hold_a_lock_at_once(self):
        events = [[1, 'held', 'dpa', 'a', 5], [2, 'held', 'dpa', 'b', 5],
                  [3, 'free', 'dpa', 'a', 5],
                  [4, 'free', 'dpa', 'b', 5], [5, 'held', 'dpa', 'a', 5], [6, 'held', 'ap', 'a', 6]]
        self.assertEqual([('dpa', ('a', 5), ('b', 5))], Locks(events, []).overlaps)

    def test_who_was_killed_holds_it_no_more_and_the_feed_goes_on_later(self):
        events = [[1, 'held', 'dpa', 'a', 5], [9, 'held', 'dpa', 'b', 5],
                  [1, 'claimed', 'ap', 'a', 6]]
        locks = Locks(events, [(3, 'a', 5), (4, 'a', 6)])
        self.assertEqual(([], [6], {'ap': 4}), (locks.overlaps, locks.resumed, locks.waiting))
        self.assertEqual(1, len(Locks(events, [(3, 'a', 6)]).overlaps))
