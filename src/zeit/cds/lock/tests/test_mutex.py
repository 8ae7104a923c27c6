"""The mutex: of the living, the dead, and those who forgot it."""
import contextlib
import types
import unittest
from unittest import mock

from zeit.cds.interfaces import ConnectionLost, Locked
from zeit.cds.lock.directory import MUTEX, Tuning
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.mutex import Mutex
from zeit.cds.lock.tests.local import Intervening, Plain
from zeit.cds.lock.tests.places import (
    another_process,
    dead,
    die,
    everywhere,
    killed,
    Locking,
    QUICK,
    refuse,
)
from zeit.cds.lock.token import Owner


class Mutexes(Locking):
    """Another one's mutex is there."""

    def test_of_a_dead_process_is_removed(self):
        self.leave_mutex(dead().token)
        self.assert_held('The mutex %s was left by' % MUTEX, 'has ended')

    def test_what_a_dead_process_had_only_begun_is_removed(self):
        for name in 'read', 'write':
            owner = dead()._replace(lock=name)
            for data in b'', owner.token[:50].encode():
                self.leave_mutex(owner.token)
                self.put(name, data)
                self.assert_held('Lock file %s was begun by the same process' % name)

    def test_empty_lock_of_a_peer_is_respected_whatever_the_dead_left(self):
        self.leave_mutex(dead().token)
        self.put('write')
        self.assertRaises(Locked, self.hold)
        self.assertEqual({'write': b''}, self.there())

    def test_a_name_that_is_no_lock_files_is_none_to_be_removed(self):
        self.put('a', b'')
        self.leave_mutex(dead()._replace(lock='a').token)
        self.hold()
        self.assertEqual({'a': b''}, self.there())

    def test_without_a_name_is_removed_after_a_while(self):
        self.leave_mutex()
        self.assert_held('was forgotten')

    def test_of_a_living_process_is_respected(self):
        with another_process() as owner:
            self.leave_mutex(owner.token)
            with self.assertRaises(Locked) as caught:
                self.hold()
            self.assertIn('Another process has been in the mutex', str(caught.exception))
            self.assertEqual({MUTEX: None}, self.there())
        self.assert_held('The mutex %s was left by' % MUTEX, 'has ended')

    def test_a_lock_is_seen_although_another_is_in_the_mutex(self):
        with another_process() as owner:
            self.leave_mutex(owner.token)
            self.put('read', owner.token.encode())
            with self.assertRaises(Locked) as caught:
                self.hold()
            self.assertEqual('Lock file already exists: read', str(caught.exception))

    def test_wherever_one_is_killed_the_next_gets_the_lock(self):
        """From the mutex on to its end, before each step, and in the middle of storing."""
        for step in range(1, 12):
            with self.subTest(step=step):
                killed(lambda step=step: self.hold(self.killed_at(step)))
                del self.log.lines[:]
                self.hold()
                self.assertEqual({}, self.there())

    def killed_at(self, step):
        left = [step]

        def call(verb, *args, **kw):
            left[0] -= 1
            if left[0] == 0:
                if verb.__name__ == 'write':
                    verb(args[0], half(args[1]))
                die()
            return verb(*args, **kw)

        session = Intervening(self.open())
        session.calls = dict.fromkeys(('make_directory', 'remove_directory', 'stat', 'write',
                                       'remove'), call)
        return session


def half(data):
    yield data[:len(data) // 2]
    die()


class Races(Locking, Plain, unittest.TestCase):
    """Something happens in the moment when nobody expects it."""

    def test_whoever_is_too_slow_in_the_mutex_stands_back(self):
        """Another takes the mutex without a name for forgotten, gets the lock, and keeps it."""
        stack = contextlib.ExitStack()

        def make_directory(verb, name):
            if name.startswith(MUTEX + '/'):
                other = stack.enter_context(self.open())
                stack.enter_context(LockFile(QUICK).hold(other, 'read', self.feed, self.open))
            return verb(name)

        with stack:
            self.assertRaises(Locked, self.hold, Intervening(
                self.open(), make_directory=make_directory))
            self.assertEqual(['read'], list(self.there()))
        self.assertEqual({}, self.there())
        self.assertFalse([text for text in self.log.warnings if 'not ours any more' in text])

    def test_without_our_name_in_it_its_size_proves_nothing(self):
        def make_directory(verb, name):
            return refuse(verb) if '/' in name else verb(name)

        def meanwhile(also):
            self.put('read', b'x' * len(self.there()['read']))

        self.assertRaises(Locked, self.hold, meanwhile=meanwhile, session=Intervening(
            self.open(), make_directory=make_directory), tuning=QUICK._replace(pause_alone=0.01))
        self.assertEqual(['read'], list(self.there()))

    def test_whoever_else_removed_the_dead_ones_name_goes_on(self):
        def remove_directory(verb, name):
            if removed:
                return verb(name)
            removed.append(name)
            verb(name)
            verb(MUTEX)
            return refuse(verb)

        removed = []
        self.leave_mutex(dead().token)
        self.hold(Intervening(self.open(), remove_directory=remove_directory))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_which_is_left_while_we_look_into_it(self):
        def names(verb, name):
            self.open().remove_directory(MUTEX)
            return verb(name)

        self.leave_mutex()
        self.hold(Intervening(self.open(), names=names))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def check_not_forgotten(self, session, between):
        """One without a name has to be there for the whole grace since something else was seen."""
        def taken_over(seconds):
            clock.now += seconds
            return mutex._taken_over(session)

        clock = types.SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
        mutex = Mutex(Owner.me('read'), Tuning(mutex_grace=5.0))
        with mock.patch('zeit.cds.lock.mutex.time', clock):
            session.make_directory(MUTEX)
            self.assertFalse(taken_over(1))
            with between:
                self.assertFalse(taken_over(1))
            self.assertEqual([False, False, True], [taken_over(after) for after in (4, 4, 1)])
            self.assertEqual({}, self.there())
            session.make_directory(MUTEX)       # a rival was quicker than we were
            self.assertEqual([False, False, True], [taken_over(after) for after in (4, 4, 1)])

    def test_a_later_one_is_not_forgotten(self):
        @contextlib.contextmanager
        def left():
            session.remove_directory(MUTEX)
            yield
            session.make_directory(MUTEX)

        with self.open() as session:
            self.check_not_forgotten(session, left())

    def test_one_that_somebody_was_in_meanwhile_is_not_forgotten(self):
        @contextlib.contextmanager
        def used():
            name = '%s/%s' % (MUTEX, Owner.me('read')._replace(host='elsewhere').token)
            session.make_directory(name)
            yield
            session.remove_directory(name)

        with self.open() as session:
            self.check_not_forgotten(session, used())

    def test_which_cannot_be_removed_at_first_is_at_last(self):
        def remove_directory(verb, name):
            calls.append(name)
            return refuse(verb) if len(calls) < 3 else verb(name)

        calls = []
        self.hold(Intervening(self.open(), remove_directory=remove_directory))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_which_cannot_be_removed_is_told_of_and_taken_over(self):
        with self.held(Intervening(self.open(), remove_directory=refuse)):
            self.assert_warned('The mutex %s stays' % MUTEX, 'Allow RMD')
        self.assertEqual({MUTEX: None}, self.there())
        self.assert_held('The mutex %s was left by' % MUTEX, 'this very process')

    def test_it_is_left_by_another_session_if_need_be(self):
        def write(verb, *args, **kw):
            session.session.abort()
            raise ConnectionLost('Gone.')

        session = Intervening(self.open(), write=write)
        self.assertRaises(ConnectionLost, self.hold, session)
        self.assertEqual({}, self.there())

    def test_which_is_left_between_our_two_mkd_is_ours(self):
        def make_directory(verb, name):
            if not made:
                made.append(name)
                return refuse(verb)
            return verb(name)

        made, session = [], Intervening(self.open(), make_directory=make_directory)
        with self.held(session):
            self.assertEqual(3, [verb for verb, *_ in session.done].count('make_directory'))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_who_was_too_slow_to_enter_does_not_store(self):
        self.assertRaises(Locked, self.hold, tuning=QUICK._replace(mutex_grace=-1))
        self.assertEqual({}, self.there())


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return unittest.TestSuite([everywhere(Mutexes), load(Races)])
