"""A lock that is renewed: it is whole whenever we are killed."""
import time
import unittest

from zeit.cds.interfaces import ConnectionLost, Locked, TemporaryError
from zeit.cds.lock.directory import RENEWAL
from zeit.cds.lock.tests.local import Intervening, Plain
from zeit.cds.lock.tests.places import die, everywhere, killed, Locking, refuse
from zeit.cds.lock.token import Owner
from zeit.cds.testing import VSFTPD_LAYER


VERBS = ('stat', 'read', 'write', 'remove', 'rename', 'make_directory', 'remove_directory')


class Kills:
    """Wherever we are killed while we renew it, the next run gets the lock."""

    stale_after = 0     # renewed whenever somebody asks

    def check(self, **calls):
        step = 0
        while self.killed_at(step := step + 1, calls):
            with self.subTest(step=step):
                self.stale_after = 3600
                before = self.there()
                self.hold()
                self.assertEqual({}, {name: data for name, data in self.there().items()
                                      if name != RENEWAL}, (step, before))
                with self.open() as session:
                    for name in self.there():
                        session.remove(name)
        self.assertGreater(step, 5)

    def killed_at(self, step, calls):
        """Begin a process that is killed before its verb of that number. Was it? bool"""
        left = [step]

        def counted(name):
            def call(verb, *args, **kw):
                left[0] -= 1
                if left[0] == 0:
                    if name == 'write':
                        verb(args[0], half(args[1]))
                    die()
                return calls[name](verb, *args, **kw) if name in calls else verb(*args, **kw)
            return call

        def renew():
            self.stale_after = 0
            session = Intervening(self.open())
            with self.held(session) as (lock, _):
                session.calls = {name: counted(name) for name in VERBS}
                lock.refresh(session)
                session.calls = {}

        return killed(renew)


class KillsByRename(Kills, Locking):

    def test_by_another_file(self):
        self.check()


class KillsInPlace(Kills, Locking):

    def test_where_the_server_does_not_rename(self):
        self.check(rename=refuse)

    def test_where_the_server_takes_no_name_with_a_dot(self):
        self.check(write=lambda verb, name, *args: (
            refuse(verb) if name.startswith('.') else verb(name, *args)))


def half(data):
    yield data[:len(data) // 2]
    die()


class Renewal(Locking, Plain, unittest.TestCase):

    stale_after = 0

    def test_it_is_renewed_in_time_only(self):
        self.stale_after = 3600
        session = Intervening(self.open())
        with self.held(session) as (lock, _):
            del session.done[:]
            lock.refresh(session)
            self.assertEqual([], session.done)
            lock._refreshed -= 901
            lock.refresh(session)
            self.assertIn(('rename', RENEWAL, 'read'), session.done)
            del session.done[:]
            lock.refresh(session)
            self.assertEqual([], session.done)

    def test_its_date_is_renewed_and_nothing_left(self):
        with self.held() as (lock, session):
            before = self.there()
            self.put('read', before['read'], 1)
            lock.refresh(session)
            self.assertLess(time.time() - 600, session.stat('read').modified / 10**9)
            self.assertEqual(before, self.there())
            self.assertRaises(Locked, self.hold)
        self.assertEqual({}, self.there())

    def test_where_the_server_does_not_rename(self):
        session = Intervening(self.open(), rename=refuse)
        with self.held(session) as (lock, _):
            before = self.there()
            self.put('read', before['read'], 1)
            lock.refresh(session)
            self.assertLess(time.time() - 600, session.stat('read').modified / 10**9)
            self.assertEqual(before, self.there())
        self.assertEqual({}, self.there())

    def test_what_can_not_be_read_at_the_end_may_be_of_somebody_else(self):
        self.stale_after = 3600
        session = Intervening(self.open())
        with self.held(session) as (lock, _):
            lock.refresh(session)       # something was done, so that it has to be looked at again
            others = b'?' * len(self.there()['read'])
            self.put('read', others, 1)
            session.calls['read'] = lambda verb, *args: refuse(verb)
        self.assertEqual({'read': others}, self.there())

    def test_the_mutex_is_left_where_the_server_does_not_rename(self):
        def remove_directory(verb, name):
            calls.append(name)
            return refuse(verb) if len(calls) < 3 else verb(name)

        session = Intervening(self.open(), rename=refuse)
        with self.held(session) as (lock, _):
            calls, session.calls['remove_directory'] = [], remove_directory
            for _ in range(2):
                lock.refresh(session)
                self.assertEqual(['read'], list(self.there()))
            del calls[:]
        self.assertEqual([], calls)

    def test_the_mutex_is_left_although_it_broke_off_before(self):
        def write(verb, name, data, offset):
            if name == 'read' and not broken:
                broken.append(name)
                break_off(TemporaryError)(verb, name, data, offset)
            return verb(name, data, offset)

        session = Intervening(self.open(), rename=refuse)
        with self.held(session) as (lock, _):
            broken, session.calls['write'] = [], write
            self.assertRaises(TemporaryError, lock.refresh, session)
            lock.refresh(session)
            self.assertEqual(['read'], list(self.there()))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_of_a_lock_that_is_not_ours_any_more(self):
        with self.held() as (lock, session):
            self.put('read', b'peer')
            self.assertRaises(Locked, lock.refresh, session)
        self.assertEqual({'read': b'peer'}, self.there())

    def check_that_breaks_off(self, fails, error, **calls):
        """What was there stays whole, and is ours; it can be renewed later on, and removed."""
        session = Intervening(self.open(), write=fails, **calls)
        with self.held() as (lock, other):
            before = self.there()['read']
            self.assertRaises(error, lock.refresh, session)
            if not calls:
                self.assertEqual(before, self.there()['read'])
            lock.refresh(other)
            self.assertEqual(before, self.there()['read'])
            if not calls:
                self.assertRaises(error, lock.refresh, session)
        self.assertEqual(([], {}), (self.log.warnings, self.there()))
        with self.held() as (lock, _):
            self.assertRaises(error, lock.refresh, session)
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_that_breaks_off(self):
        self.check_that_breaks_off(break_off(TemporaryError), TemporaryError)

    def test_that_breaks_off_with_the_session(self):
        self.check_that_breaks_off(break_off(ConnectionLost), ConnectionLost)

    def test_that_only_seems_to_succeed(self):
        self.check_that_breaks_off(lambda verb, name, data, _: verb(name, data[:9]), TemporaryError)

    def test_that_breaks_off_where_the_server_does_not_rename(self):
        def write(verb, name, data, offset):
            if name == RENEWAL:
                return verb(name, data)
            return break_off(TemporaryError)(verb, name, data, offset)

        self.check_that_breaks_off(write, TemporaryError, rename=refuse)

    def test_that_only_seems_to_succeed_where_the_server_does_not_rename(self):
        def write(verb, name, data, offset):
            return verb(name, data if name == RENEWAL else data[:9])

        session = Intervening(self.open(), rename=refuse, write=write)
        with self.held() as (lock, _):
            self.assertRaises(Locked, lock.refresh, session)
        self.assertEqual({}, self.there())

    def test_whose_answer_was_lost(self):
        def rename(verb, *args):
            verb(*args)
            raise ConnectionLost('Gone.')

        with self.held() as (lock, other):
            self.assertRaises(ConnectionLost, lock.refresh, Intervening(
                self.open(), rename=rename))
            lock.refresh(other)
            self.assertIsNotNone(Owner.parse(self.there()['read'].decode()))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_costs_as_many_steps_as_storing_it_anew(self):
        session = Intervening(self.open())
        with self.held(session) as (lock, _):
            del session.done[:]
            lock.refresh(session)
            self.assertEqual(['stat', 'write', 'stat', 'rename', 'stat'],
                             [verb for verb, *_ in session.done])


def break_off(error):
    def write(verb, name, data, offset):
        verb(name, data[:9])
        raise error('It broke off.')
    return write


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return unittest.TestSuite([everywhere(KillsByRename), everywhere(KillsInPlace, [VSFTPD_LAYER]),
                               load(Renewal)])
