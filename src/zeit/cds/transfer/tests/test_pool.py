"""The sessions of a run, one by one: who gets which, and how many pay."""
import types
import unittest

from zeit.cds.interfaces import ConnectionLost
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.sessions import further_sessions, Sessions
from zeit.cds.transfer.tuning import Tuning


class Session:

    blocking, alive, aborted = False, True, False

    def close(self):
        self.alive = False

    def abort(self):
        self.aborted = True


class Pool(unittest.TestCase):

    def setUp(self):
        self.opened, self.tasks, self.errors = [], [], []
        self.sessions = Sessions(self, 'feed', 'deadline', self.tasks.append)

    def open(self, feed, deadline, like=None):
        self.assertEqual(('feed', 'deadline', self.sessions.first), (feed, deadline, like))
        if self.errors:
            raise self.errors.pop()
        self.opened.append(Session())
        return self.opened[-1]

    def work(self):
        while self.tasks:
            self.tasks.pop(0)()

    def test_the_first_is_renewed_when_it_is_dead_or_has_failed(self):
        first = self.sessions.renewed()
        self.assertIs(first, self.sessions.first)
        self.assertIs(first, self.sessions.renewed())
        first.close()
        second = self.sessions.renewed()
        self.assertIsNot(first, second)
        self.assertEqual([second], self.sessions._all)
        third = self.sessions.renewed(failed=second)
        self.assertIsNot(second, third)
        self.assertIs(third, self.sessions.renewed(failed=second))
        self.assertTrue(second.alive)       # who failed with it may still want to clean up

    def test_what_one_takes_the_place_of_is_closed(self):
        self.sessions.renewed()
        second = self.sessions.open()
        third = self.sessions.open(instead=second)
        self.assertEqual((False, [self.sessions.first, third]), (second.alive, self.sessions._all))

    def test_they_end_together(self):
        first, second = self.sessions.renewed(), self.sessions.open()
        self.sessions.abort()
        self.assertEqual((True, True), (first.aborted, second.aborted))
        self.sessions.close_further()
        self.assertEqual((True, False), (first.alive, second.alive))
        self.sessions.close()
        self.assertFalse(first.alive)

    def test_the_first_is_given_back_to_who_keeps_it_if_it_is_sound(self):
        for keeps, is_sound, alive, given in (
                (True, True, True, True), (True, True, False, False), (True, False, True, False),
                (False, True, True, False)):
            self.setUp()
            kept = []
            if keeps:
                self.give_back = kept.append
            elif hasattr(self, 'give_back'):
                del self.give_back
            first, further = self.sessions.renewed(), self.sessions.open()
            first.alive = alive
            self.sessions.close(is_sound)
            self.assertEqual(([first] if given else [], given, False),
                             (kept, first.alive, further.alive))

    def test_each_is_opened_once_however_often_it_is_expected(self):
        self.sessions.renewed()
        for number, tasks in (2, 2), (1, 2), (3, 3), (3, 3):
            self.sessions.expect(number)
            self.assertEqual(tasks, len(self.tasks))
        self.work()
        self.assertEqual(4, len(self.opened))
        taken = [self.sessions.take() for _ in range(4)]
        self.assertEqual([*self.opened[1:], None], taken)

    def test_one_that_is_open_comes_first_and_one_that_failed_is_none(self):
        self.sessions.renewed()
        self.sessions.expect(2)
        self.tasks.pop()()
        self.assertIs(self.opened[1], self.sessions.take())
        self.errors.append(ConnectionLost('no'))
        with recorded():
            self.work()
        self.assertIsNone(self.sessions.take())
        self.assertIsNone(self.sessions.take())

    def test_one_that_was_given_back_is_taken_again(self):
        first = self.sessions.renewed()
        self.sessions.give_back(first)
        self.assertEqual([first, None], [self.sessions.take(), self.sessions.take()])


class Number(unittest.TestCase):
    """How many pay for their login."""

    TUNING = Tuning(files_a_session=8, bytes_a_session=100, long_line=0.5, near=2)

    def number(self, files, size=0, connections=9, latency=1.0):
        first = types.SimpleNamespace(latency=latency)
        directory = types.SimpleNamespace(
            sessions=types.SimpleNamespace(first=first),
            feed=types.SimpleNamespace(connections=connections))
        return further_sessions(directory, files, size, self.TUNING)

    def test_for_many_files(self):
        self.assertEqual([0, 0, 0, 1, 1, 2, 8, 8],
                         [self.number(files) for files in (0, 1, 7, 8, 15, 16, 72, 1000)])
        self.assertEqual([0, 1], [self.number(1000, connections=n) for n in (1, 2)])

    def test_for_many_bytes(self):
        self.assertEqual([0, 1, 2, 4, 4],
                         [self.number(5, size) for size in (99, 100, 200, 400, 900)])
        self.assertEqual(0, self.number(1, 900))

    def test_fewer_for_many_bytes_where_the_server_is_near(self):
        self.assertEqual([1, 2, 2], [self.number(5, size, latency=0.4)
                                     for size in (100, 200, 900)])
        self.assertEqual([4, 6], [self.number(5, 900, latency=0.5),
                                  self.number(48, 900, latency=0.4)])
