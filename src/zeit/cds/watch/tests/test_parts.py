"""What the watch is made of, each by itself: pauses, what is left, kept sessions, commands."""
import threading
import time
import unittest

import zope.interface.verify

from zeit.cds.events import Outcome
from zeit.cds.interfaces import (
    Entry,
    IDeadline,
    IKeptConnection,
    Interrupted,
    Locked,
    RunLimitReached,
)
from zeit.cds.transfer.look import Found
from zeit.cds.transfer.retry import Deadline
from zeit.cds.watch.command import Command
from zeit.cds.watch.kept import Kept, LookDeadline, Renewed
from zeit.cds.watch.pauses import Pauses
from zeit.cds.watch.rest import Rest
from zeit.cds.watch.trouble import Blocked
from zeit.cds.watch.tuning import TUNING


class Growing(unittest.TestCase):

    def test_they_grow_up_to_a_limit(self):
        pauses = Pauses(1, 5)
        self.assertEqual([1, 2, 4, 5, 5], [pauses.next() for _ in range(5)])
        pauses.begin_anew()
        self.assertEqual(1, pauses.next())

    def test_chance_changes_them(self):
        pauses = Pauses(100, 100, 0.25)
        found = {pauses.next() for _ in range(100)}
        self.assertGreater(len(found), 90)
        self.assertTrue(all(75 <= seconds <= 125 for seconds in found))


class Locks(unittest.TestCase):
    """Those that a look sees are tried in the suite of the watch itself."""

    def test_what_only_runs_meet_is_tried_after_growing_pauses(self):
        blocked = Blocked(TUNING._replace(first_locked=0.02, tries_again=0.06))
        self.assertTrue(blocked.permits((), True, True))
        for seconds in 0.02, 0.04, 0.06, 0.06:
            blocked.ended(Locked('Another process uses the spool.'))
            begun = time.monotonic()
            self.assertTrue(blocked.is_on)
            self.assertFalse(blocked.permits((), True, True))
            while not blocked.permits((), True, True):
                time.sleep(0.001)
            self.assertGreaterEqual(time.monotonic() - begun, seconds - 0.001)
        self.assertTrue(blocked.permits((), True, True))
        blocked.ended(None)
        self.assertFalse(blocked.is_on)
        self.assertTrue(blocked.permits((), True, True))

    def test_a_lock_that_came_between_look_and_run_is_tried_no_sooner_than_others(self):
        blocked = Blocked(TUNING._replace(first_locked=0.0))
        self.assertTrue(blocked.permits((), True, False))
        blocked.ended(Locked('It is locked.'))
        self.assertFalse(blocked.permits(('read',), True, False))
        self.assertTrue(blocked.permits((), True, False))
        self.assertFalse(blocked.is_on)


A, B = Entry('a', 1, 1, 'file'), Entry('b', 1, 1, 'file')


class Left(unittest.TestCase):

    def setUp(self):
        self.rest = Rest(TUNING._replace(first_left=1000.0))

    def is_worth_a_run(self, *entries, left=()):
        return self.rest.is_worth_a_run(Found(list(entries), frozenset(left), 0))

    def note(self, *entries, left=(), skipped=(), failed=()):
        outcome = Outcome()
        outcome.skipped += [(name, '') for name in skipped]
        outcome.failed += [(name, '') for name in failed]
        self.rest.note(Found(list(entries), frozenset(left), 0), outcome)

    def test_files_are(self):
        self.assertFalse(self.is_worth_a_run())
        self.assertFalse(self.is_worth_a_run(left=['a']))
        self.assertTrue(self.is_worth_a_run(A))

    def test_those_that_a_run_left_are_not(self):
        self.note(A, B, skipped=['a'], failed=['b'])
        self.assertFalse(self.is_worth_a_run(A, B))
        self.assertTrue(self.is_worth_a_run(A, B, Entry('c')))

    def test_unless_they_change(self):
        self.note(A, failed=['a'])
        self.assertTrue(self.is_worth_a_run(A._replace(size=2)))

    def test_or_some_time_has_passed(self):
        self.rest = Rest(TUNING._replace(first_left=0.0))
        self.note(A, failed=['a'])
        self.assertTrue(self.is_worth_a_run(A))
        self.note(skipped=['only-in-tmp'])
        self.assertTrue(self.is_worth_a_run())

    def test_not_if_a_look_leaves_them_as_well(self):
        self.rest = Rest(TUNING._replace(first_left=0.0))
        self.note(left=['unread'], skipped=['unread'])
        self.assertFalse(self.is_worth_a_run(left=['unread']))
        self.assertTrue(self.is_worth_a_run(Entry('unread')))

    def test_what_came_after_a_limit_is(self):
        self.note(A, B)
        self.assertTrue(self.is_worth_a_run(B))


class Session:
    alive, closed, latency = True, 0, 0.1

    def close(self):
        self.alive, self.closed = False, self.closed + 1

    abort = close


class Connection:
    needs_password = 'asked'

    def open(self, feed, deadline, like=None):
        self.deadline = deadline
        return Session()


class KeptSessions(unittest.TestCase):

    def setUp(self):
        self.connection = Connection()
        self.kept = Kept(self.connection)
        self.deadline = Deadline(100)

    def open(self, **kw):
        return self.kept.open(None, self.deadline, **kw)

    def test_contracts(self):
        zope.interface.verify.verifyObject(IKeptConnection, self.kept)
        renewed = Renewed()
        renewed.present = self.deadline
        zope.interface.verify.verifyObject(IDeadline, renewed)
        self.assertEqual('asked', self.kept.needs_password)
        self.assertIsNone(getattr(self.kept, 'settings', None))

    def test_what_is_given_back_is_lent_again(self):
        session = self.open()
        self.kept.give_back(session)
        self.assertTrue(self.kept.is_open)
        self.assertIs(session, self.open())
        self.assertFalse(self.kept.is_open)
        self.assertIsNot(session, self.open(like=session))

    def test_but_not_a_dead_one(self):
        session = self.open()
        self.kept.give_back(session)
        session.alive = False
        self.assertFalse(self.kept.is_open)
        self.assertIsNot(session, self.open())

    def test_nor_one_for_ever(self):
        for tuning, latency in ((TUNING._replace(longest_kept=0.0), 0.1),
                                (TUNING._replace(longest_kept_here=0.0), 0.0)):
            self.kept = Kept(self.connection, tuning)
            session = self.open()
            session.latency = latency
            self.kept.give_back(session)
            self.assertFalse(self.kept.is_open)
            self.assertIsNot(session, self.open())
            self.assertEqual(1, session.closed)

    def test_its_deadline_is_that_of_who_has_it(self):
        session = self.open()
        self.kept.give_back(session)
        deadline = self.connection.deadline
        self.assertEqual(7, deadline.limit(7))
        self.kept.open(None, Deadline(0))
        self.assertLessEqual(deadline.left, 0)
        self.assertRaises(RunLimitReached, deadline.check)
        self.assertRaises(RunLimitReached, deadline.limit, 7)
        deadline.extend(50)
        self.assertLess(40, deadline.left)

    def test_any_can_be_ended(self):
        session = self.open()
        self.kept.abort()
        self.assertFalse(session.alive)
        session = self.open()
        self.kept.give_back(session)
        self.kept.close()
        self.kept.close()
        self.assertEqual(1, session.closed)

    def test_a_look_tells_its_limit(self):
        with self.assertRaisesRegex(RunLimitReached, 'A look at the directory took longer than 0'):
            LookDeadline(0).check()


class Run:
    connecting, error = False, None

    def stop(self, error):
        self.error = error


class Commands(unittest.TestCase):

    def test_a_wait_can_be_ended(self):
        command = Command()
        self.assertFalse(command.wait(0))
        command.wake()
        self.assertTrue(command.wait(1000))
        self.assertFalse(command.wait(0))
        threading.Timer(0.05, command.wake).start()
        self.assertTrue(command.wait(1000))

    def test_some_only_by_what_is_urgent(self):
        command = Command()
        command.wake()
        begun = time.monotonic()
        self.assertFalse(command.wait(0.05, only_urgent=True))
        self.assertGreaterEqual(time.monotonic() - begun, 0.05)
        command.wake(urgent=True)
        self.assertTrue(command.wait(1000, only_urgent=True))
        self.assertFalse(command.wait(0, only_urgent=True))

    def test_a_run_is_stopped(self):
        command, run = Command(), Run()
        with command.underway(run):
            self.assertIs(run, command.in_hand)
            command.stop(error := Interrupted())
        self.assertIs(error, run.error)
        self.assertIsNone(command.in_hand)
        self.assertTrue(command.wait(1000))

    def test_none_begins_after_that(self):
        command = Command()
        command.stop(Interrupted())
        with self.assertRaises(Interrupted):
            with command.underway(Run()):
                self.fail('It has begun.')
