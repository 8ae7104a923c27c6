"""Trying again, and when to give up."""
import threading
import unittest
from types import SimpleNamespace
from unittest import mock

from zeit.cds.interfaces import (
    ConnectionLost,
    LoginRefused,
    PermanentError,
    RunLimitReached,
    TemporaryError,
)
from zeit.cds.testing.faulty import On
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer import retry
from zeit.cds.transfer.retry import Deadline, RetryPolicy
from zeit.cds.transfer.tests.faulty import ServerTest
from zeit.cds.transfer.tuning import Tuning


TUNING = Tuning()


def policy(retries, seconds, stopped):
    return RetryPolicy(retries, Deadline(seconds), stopped, TUNING)


class Pauses(threading.Event):
    """Keeps the pauses, and doesn't take them."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return self.is_set()


class Clocked(unittest.TestCase):
    """At an exact time: `now`."""

    def setUp(self):
        self.now = 1000.0
        self.enterContext(mock.patch.object(
            retry, 'time', SimpleNamespace(monotonic=lambda: self.now)))


class DeadlineTest(Clocked):

    def test_it_passes(self):
        deadline = Deadline(5)
        for passed, left, limit in (0, 5, 2), (2, 3, 2), (3, 2, 2), (4, 1, 1):
            self.now = 1000.0 + passed
            deadline.check()
            self.assertEqual((left, limit), (deadline.left, deadline.limit(2)))
        for passed in 5, 6:
            self.now = 1000.0 + passed
            for verb in deadline.check, lambda: deadline.limit(2):
                with self.assertRaisesRegex(RunLimitReached, r'than 5 s \(run_limit=5\)'):
                    verb()

    def test_a_run_that_is_to_end_has_only_so_much(self):
        deadline = Deadline(100)
        deadline.shorten(3)
        self.assertEqual(3, deadline.left)
        deadline.shorten(5)
        self.assertEqual(3, deadline.left)
        self.now += 2
        deadline.extend(3)
        self.assertEqual(3, deadline.left)
        self.now += 3
        with self.assertRaisesRegex(RunLimitReached, 'The run was to end, and the server'):
            deadline.check()

    def test_what_extends_it_shortens_it_never(self):
        deadline = Deadline(5)
        deadline.extend(3)
        self.assertEqual(5, deadline.left)
        self.now = 1004.0
        deadline.extend(3)
        self.assertEqual(3, deadline.left)


class PauseTest(Clocked):
    """For what waits elsewhere."""

    def setUp(self):
        super().setUp()
        self.stopped = Pauses()
        self.policy = policy(3, 100, self.stopped)

    def test_it_grows(self):
        first, longest = TUNING.first_pause, TUNING.longest_pause
        self.assertEqual([first, 2 * first, 4 * first, longest],
                         [self.policy.pause(failures) for failures in (1, 2, 3, 30)])

    def test_none_that_reaches_beyond_the_end_or_once_the_run_was_stopped(self):
        for left, pause in (TUNING.first_pause, TUNING.first_pause), (TUNING.first_pause / 2, 0):
            self.now = 1100.0 - left
            self.assertEqual(pause, self.policy.pause(1))
        self.now = 1000.0
        self.stopped.set()
        self.assertEqual(0, self.policy.pause(1))

    def test_no_more_tries_after_one_that_would_come_too_late(self):
        for pause, over in (100.0, False), (100.5, True):
            self.assertEqual(over, self.policy._no_more(SimpleNamespace(upcoming_sleep=pause)))
        self.stopped.set()
        self.assertTrue(self.policy._no_more(SimpleNamespace(upcoming_sleep=1.0)))

    def test_when_it_is_over(self):
        for self.now in 1000.0, 1099.5:
            self.assertFalse(self.policy.is_over)
        self.now = 1100.0
        self.assertTrue(self.policy.is_over)
        self.now = 1000.0
        self.stopped.set()
        self.assertTrue(self.policy.is_over)

    def test_it_is_taken_as_far_as_time_allows_and_tells_of_a_stop(self):
        self.assertFalse(self.policy.wait(7))
        self.now = 1095.0
        self.stopped.set()
        self.assertTrue(self.policy.wait(7))
        self.now = 1101.0
        self.policy.wait(7)
        self.assertEqual([7, 5, 0], self.stopped.seconds)


class RetryPolicyTest(unittest.TestCase):

    def fail_always(self, error=None, retries=9, seconds=10_000):
        error = error or TemporaryError('again')
        pauses, calls = Pauses(), []

        def verb():
            calls.append(1)
            raise error

        with recorded() as self.log, self.assertRaises(type(error)) as raised:
            policy(retries, seconds, pauses).again(ConnectionLost('first'), verb)
        self.error = raised.exception
        return pauses.seconds, len(calls)

    def test_pauses_grow_and_differ(self):
        seconds, calls = self.fail_always()
        self.assertEqual(9, calls)
        self.assertEqual(9, len(seconds))
        for n, pause in enumerate(seconds):
            least = min(TUNING.first_pause * 2 ** n, TUNING.longest_pause)
            self.assertGreaterEqual(pause, least)
            self.assertLessEqual(pause, min(least + TUNING.first_pause, TUNING.longest_pause))
        self.assertGreater(len({pause % TUNING.first_pause for pause in seconds[:5]}), 1)

    def test_each_pause_is_told(self):
        self.fail_always(retries=2)
        self.assertEqual(2, len(self.log.complaints))
        self.assertRegex(self.log.complaints[0], r'^Trying again in [0-9.]+ s: first$')
        self.assertRegex(self.log.complaints[1], r'^Trying again in [0-9.]+ s: again$')

    def test_last_error_counts(self):
        self.fail_always()
        self.assertEqual('again', str(self.error))

    def test_none_if_no_retries_are_wanted(self):
        pauses = Pauses()
        with self.assertRaisesRegex(ConnectionLost, 'first'):
            policy(0, 10_000, pauses).again(ConnectionLost('first'), self.fail)
        self.assertEqual([], pauses.seconds)

    def test_what_does_not_pass_ends_it(self):
        for error in (PermanentError('no'), LoginRefused('no'), RunLimitReached('no'),
                      ValueError('no')):
            seconds, calls = self.fail_always(error)
            self.assertEqual((1, 1), (len(seconds), calls))

    def test_no_pause_reaches_beyond_the_end_of_the_run(self):
        pauses = Pauses()
        with self.assertRaisesRegex(ConnectionLost, 'first'):
            policy(9, TUNING.first_pause / 2, pauses).again(ConnectionLost('first'), self.fail)
        self.assertEqual([], pauses.seconds)

    def test_none_when_the_run_was_stopped(self):
        pauses = Pauses()
        pauses.set()
        with self.assertRaisesRegex(ConnectionLost, 'first'):
            policy(9, 10_000, pauses).again(ConnectionLost('first'), self.fail)

    def test_returns_what_the_verb_returns(self):
        self.assertEqual('done',
                         policy(1, 10_000, Pauses()).again(ConnectionLost('first'), lambda: 'done'))


class TriesTest(ServerTest):
    """How often what is asked for."""

    def tries(self, rule, command, **kw):
        server = self.serve(rule)
        outcome = self.exchange(server, **kw)
        self.assertFalse(outcome.successful, self.log.text)
        return len(server.commands(command))

    def test_what_can_pass_is_tried_so_often(self):
        for retries in (0, 1, 3):
            for code in (425, 426, 450, 451, 452):
                self.assertEqual(1 + retries, self.tries(
                    On('MLSD').reply('%d Sorry.' % code), 'MLSD', retries=retries))
        self.assertEqual(4, self.tries(On('RETR', 'a.xml').reply('450 Sorry.'), 'RETR'))
        self.assertEqual(4, self.tries(On('RETR', 'a.xml').drop_control(), 'RETR'))
        self.assertEqual(4, self.tries(On('USER').reply('421 Sorry.'), 'USER'))
        self.assertEqual(4,
                         self.tries(On('DELE', 'a.xml').reply('450 Sorry.'),
                                    'DELE') - 1)    # one removes the lock

    def test_what_can_not_pass_is_tried_once(self):
        for code in (530, 550, 553):
            self.assertEqual(1, self.tries(On('RETR', 'a.xml').reply('%d No.' % code), 'RETR'))
        self.assertEqual(1, self.tries(On('PASS').reply('530 No.'), 'PASS'))
        self.assertEqual(1, self.tries(On('CWD').reply('550 No.'), 'CWD'))
        self.assertEqual(1, self.tries(On('MLSD NLST').reply('550 No.'), 'MLSD'))

    def test_server_that_is_down_is_not_asked_again(self):
        server = self.serve()
        server.stop()
        outcome = self.exchange(server)
        self.assertNotIn('Trying again', self.log.text)
        self.assertIsInstance(outcome.error, ConnectionLost)
