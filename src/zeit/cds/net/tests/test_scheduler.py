"""Tasks take turns, wait without keeping others from work, and end together."""
import contextlib
import functools
import os
import select
import threading
import time
import unittest
from unittest import mock

import greenlet

from zeit.cds.net.scheduler import (
    checkpoint,
    in_thread,
    READ,
    Signal,
    sleep,
    Thread,
    wait,
    WRITE,
)
from zeit.cds.net.tests.tasks import descriptors, InScheduler, LIMIT


class Outside(InScheduler, unittest.TestCase):
    """What is called outside of tasks blocks: in no greenlet, in one that is no task, in another
    thread."""

    def check(self):
        sock, peer = self.pair()
        wait(sock, WRITE, LIMIT)
        with self.assertRaises(TimeoutError):
            wait(sock, READ, 0.01)
        threading.Timer(0.01, peer.send, (b'x',)).start()
        wait(sock, READ, LIMIT)
        sleep(0.001)
        checkpoint()
        self.assertIs(threading.current_thread(), in_thread(threading.current_thread))
        with self.assertRaises(ValueError):
            in_thread(int, 'x')
        return sock.recv(9)

    def test_all_block(self):
        self.assertEqual([b'x'] * 3, [
            self.check(), greenlet.greenlet(self.check).switch(),
            *self.work(lambda: in_thread(self.check))])


class Turns(InScheduler, unittest.TestCase):

    def count(self, name):
        for n in range(3):
            self.log.append('%s%d' % (name, n))
            checkpoint()

    def test_each_task_goes_on_once_in_a_turn(self):
        for name in 'abc':
            self.scheduler.spawn(functools.partial(self.count, name))
        self.assertEqual([], self.log)
        for n in range(3):
            self.scheduler.turn(0)
            self.assertEqual(['a%d' % n, 'b%d' % n, 'c%d' % n], self.log[n * 3:])

    def test_a_busy_task_with_checkpoints_starves_nobody(self):
        def busy():
            while len(self.log) < 3:
                checkpoint()

        self.spawn('a', functools.partial(wait, self.pair()[0], WRITE, LIMIT))
        self.spawn('b', lambda: sleep(0.001))
        self.spawn('c', lambda: in_thread(str))
        self.work(busy)
        self.assertEqual([('a', None), ('b', None), ('c', '')], sorted(self.log))

    def test_what_a_task_raises_comes_out_and_others_go_on(self):
        sock, _ = self.pair()
        pauses = (str, checkpoint, lambda: sleep(0), lambda: in_thread(str),
                  lambda: wait(sock, WRITE, LIMIT))
        for pause in pauses:
            for error in ValueError('mine'), KeyboardInterrupt('mine'):
                self.log.clear()
                self.scheduler.spawn(lambda pause=pause, error=error: (
                    pause(), mock.Mock(side_effect=error)()))
                self.scheduler.spawn(lambda: self.count('a'))
                with self.assertRaisesRegex(type(error), 'mine'):
                    self.turn_until(lambda: False)
                self.turn_until(lambda: len(self.log) == 3)

    def test_a_task_spawns_another(self):
        self.spawn('a', lambda: (self.spawn('b', str), Signal().wait()))
        for _ in range(3):
            self.scheduler.turn(0)
        self.assertEqual([('b', '')], self.log)

    def test_signal_wakes_all_who_wait_and_only_them(self):
        signal, other, heard = Signal(), Signal(), []
        for name, first, second in (('a', signal, signal), ('b', signal, signal),
                                    ('c', signal, other), ('d', other, other)):
            self.spawn(name, lambda first=first, second=second: (
                first.wait(), heard.append(1), second.wait()))
        self.scheduler.turn(0)
        self.scheduler.turn(0)
        self.assertEqual([], heard)
        signal.notify()
        self.spawn('late', signal.wait)
        self.scheduler.turn(0)
        self.scheduler.turn(0)
        self.assertEqual(([1, 1, 1], []), (heard, self.log))
        signal.notify()
        self.scheduler.turn(0)
        self.assertEqual({'a', 'b', 'late'}, {name for name, _ in self.log})


class Deadlines(InScheduler, unittest.TestCase):

    def at(self, seconds):
        """What a turn at that time logs."""
        self.log.clear()
        with mock.patch('zeit.cds.net.scheduler.time') as clock:
            clock.monotonic.return_value = 1000 + seconds
            self.scheduler.turn(0)
        return list(self.log)

    def spawn_reader(self, seconds):
        sock, peer = self.pair()
        self.spawn(seconds, functools.partial(wait, sock, READ, seconds))
        return peer

    def test_tasks_expire_in_their_order(self):
        for seconds in 5, 2, 6, 3:
            self.spawn_reader(seconds)
        for seconds in 4, 1:
            self.spawn(seconds, functools.partial(sleep, seconds))
        self.at(0)
        self.assertEqual(
            [[], [(1, None)], [(2, TimeoutError)], [(3, TimeoutError)], [(4, None)],
             [(5, TimeoutError)],
             [(6, TimeoutError)], []], [self.at(n + 0.5) for n in range(8)])

    def test_one_expires_and_another_gets_what_it_waits_for_however_late_that_is_seen(self):
        peer, _ = self.spawn_reader(9), self.spawn_reader(5)
        self.at(0)
        self.assertEqual([(5, TimeoutError)], self.at(6))
        peer.send(b'x')
        self.assertEqual([(9, None)], self.at(100))

    def test_turns_last_until_somebody_can_go_on_and_no_longer(self):
        (sock, peer), (other, its_peer), turns = self.pair(), self.pair(), []

        def run():
            with contextlib.suppress(TimeoutError):
                wait(sock, READ, 0.001)
            peer.send(b'x')         # after the wait
            its_peer.send(b'x')
            wait(other, READ, LIMIT)
            sleep(0.001)
            return in_thread(int, '1') + in_thread(lambda: time.sleep(0.02) or 1)

        self.spawn('a', run)
        self.turn_until(lambda: turns.append(1) or self.log)
        self.assertEqual([('a', 2)], self.log)
        self.assertLess(len(turns), 50)


class InThread(InScheduler, unittest.TestCase):

    def test_others_go_on_meanwhile(self):
        event = threading.Event()
        self.assertEqual([True, None], self.work(lambda: in_thread(event.wait, LIMIT), event.set))

    def test_what_it_raises_is_raised(self):
        self.spawn('a', lambda: in_thread(int, 'x'))
        self.spawn('b', lambda: in_thread(mock.Mock(side_effect=SystemExit)))
        self.turn_until(lambda: len(self.log) == 2)
        self.assertEqual({('a', ValueError), ('b', SystemExit)}, set(self.log))

    def test_many_at_once(self):
        barrier = threading.Barrier(30)
        self.assertEqual(list(range(30)), self.work(*(
            lambda n=n: in_thread(lambda: (barrier.wait(LIMIT), n)[1]) for n in range(30))))

    def test_one_thread_serves_calls_that_follow_each_other(self):
        self.spawn('a', lambda: {in_thread(threading.current_thread) for _ in range(9)})
        self.turn_until(lambda: self.log)
        (_, (thread,)), = self.log
        self.assertIsNot(threading.current_thread(), thread)
        self.assertIs(threading.current_thread(), thread.parent)

    def test_threads_end_with_the_scheduler_those_at_rest_and_those_at_work(self):
        event, begun, threads = threading.Event(), threading.Semaphore(0), []

        def work(verb):
            threads.append(threading.current_thread())
            begun.release()
            verb()

        for verb in str, lambda: event.wait(LIMIT):
            self.spawn('a', functools.partial(in_thread, work, verb))
        self.turn_until(lambda: self.log)
        for _ in range(2):
            self.assertTrue(begun.acquire(timeout=LIMIT))
        self.assertEqual([True, True], [thread.is_alive() for thread in threads])
        self.scheduler.end()
        event.set()
        for thread in threads:
            thread.join(LIMIT)
        self.assertEqual([False, False], [thread.is_alive() for thread in threads])

    def test_more_than_the_system_bears(self):
        with mock.patch.object(threading.Thread, 'start',
                               side_effect=RuntimeError("can't start new thread")):
            self.assertEqual([1, 2],
                             self.work(lambda: in_thread(int, '1'), lambda: in_thread(int, '2')))


class Lasting(InScheduler, unittest.TestCase):
    """Threads that last."""

    def setUp(self):
        super().setUp()
        self.thread = Thread()
        self.addCleanup(self.thread.end)

    def where(self):
        return threading.current_thread()

    def test_all_calls_come_from_one_thread(self):
        found = set(self.work(*[lambda: in_thread(self.where, thread=self.thread)] * 3))
        found.add(in_thread(self.where, thread=self.thread))
        self.assertEqual(1, len(found - {threading.current_thread()}))

    def test_what_it_raises_is_raised(self):
        for outside in False, True:
            verb = functools.partial(in_thread, int, 'x', thread=self.thread)
            with self.assertRaises(ValueError):
                verb() if outside else self.scheduler.call(verb)

    def test_one_that_is_awaited_at_the_end(self):
        event, done = threading.Event(), []

        def slow():
            event.wait(LIMIT)
            done.append(1)

        self.spawn('a', functools.partial(in_thread, slow, join=True, thread=self.thread))
        self.scheduler.turn(0)
        threading.Timer(0.05, event.set).start()
        self.scheduler.end()
        self.assertEqual([1], done)

    def test_it_ends_when_all_is_done_and_once_is_enough(self):
        thread = self.scheduler.call(lambda: in_thread(self.where, thread=self.thread))
        self.thread.end()
        self.thread.end()
        thread.join(LIMIT)
        self.assertFalse(thread.is_alive())


class Called(InScheduler, unittest.TestCase):
    """A function that is called while others go on."""

    def test_others_go_on(self):
        signal = Signal()
        self.spawn('a', lambda: (sleep(0.01), signal.notify()))
        self.assertEqual('done', self.scheduler.call(lambda: signal.wait() or 'done'))

    def test_what_it_raises_is_raised(self):
        with self.assertRaises(ValueError):
            self.scheduler.call(lambda: int('x'))

    def test_what_others_raise_is_raised_when_it_has_ended(self):
        signal = Signal()
        self.scheduler.spawn(lambda: (checkpoint(), int('x')))
        with self.assertRaises(ValueError):
            self.scheduler.call(lambda: (signal.wait(), self.log.append('end')), signal.notify)
        self.assertEqual(['end'], self.log)

    def test_and_at_once_where_nothing_can_end_it(self):
        self.scheduler.spawn(lambda: int('x'))
        with self.assertRaises(ValueError):
            self.scheduler.call(Signal().wait)

    def test_after_the_end_it_is_merely_called(self):
        self.scheduler.end()
        self.assertEqual('done', self.scheduler.call(lambda: sleep(0) or 'done'))


class End(InScheduler, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.event = threading.Event()
        self.addCleanup(self.event.set)
        self.pauses = [
            functools.partial(wait, self.pair()[0], READ, LIMIT), functools.partial(sleep, LIMIT),
            checkpoint,
            functools.partial(in_thread, self.event.wait, LIMIT), Signal().wait]

    def clean_up(self, verb):
        try:
            sleep(LIMIT)
        finally:
            verb()

    def test_tasks_end_where_they_are_and_can_not_wait_any_more(self):
        for pause in self.pauses:
            self.spawn('a', pause)
            self.spawn('a', functools.partial(self.clean_up, pause))
        with self.scheduler:
            self.scheduler.turn(0)
            self.spawn('b', str)        # has no turn any more
            self.assertEqual([], self.log)
        self.scheduler.turn(0)
        self.assertEqual([('a', greenlet.GreenletExit)] * 10, self.log)

    def test_what_tasks_end_with_does_not_matter(self):
        for _ in range(3):
            self.scheduler.spawn(lambda: self.clean_up(lambda: (self.log.append(1), int('x'))))
        self.scheduler.turn(0)
        self.scheduler.end()
        self.scheduler.end()
        self.assertEqual([1, 1, 1], self.log)

    def test_functions_that_run_on_do_no_harm(self):
        for _ in range(5):
            self.scheduler.spawn(self.pauses[3])
        self.scheduler.turn(0)
        self.scheduler.end()
        pipe = os.pipe()        # has the numbers of the scheduler's
        for fd in pipe:
            self.addCleanup(os.close, fd)
        self.event.set()
        self.join()
        self.assertEqual([], select.select(pipe[:1], [], [], 0)[0])

    def test_no_descriptor_is_left_open(self):
        before = descriptors()
        with self.scheduler:
            for name in 'ab':
                self.spawn(name, lambda: in_thread(str))
            self.turn_until(lambda: len(self.log) == 2)
            self.assertNotEqual(before, descriptors())
            self.spawn('c', lambda: self.clean_up(lambda: in_thread(str)))
            self.scheduler.turn(0)
        self.assertEqual(before, descriptors())
