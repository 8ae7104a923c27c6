"""Who may work in the directory, and what becomes of the lock."""
import concurrent.futures
import contextlib
import unittest
import unittest.mock

from zeit.cds.interfaces import ConnectionLost, Locked, NotSupported
from zeit.cds.lock.directory import RENEWAL
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.tests.local import Intervening, Plain
from zeit.cds.lock.tests.places import (
    another_process,
    dead,
    everywhere,
    Locking,
    QUICK,
    refuse,
)
from zeit.cds.lock.token import Owner
from zeit.cds.net import scheduler
from zeit.cds.pipelined import pipelined
from zeit.cds.testing import VSFTPD_LAYER


HOUR = 3600


class Others(Locking):
    """Locks of others, living and dead."""

    def check_locked(self, name, note, **kw):
        before = self.there()
        with self.assertRaises(Locked) as caught:
            self.hold(**kw)
        self.assertEqual('Lock file already exists: %s' % name, str(caught.exception))
        self.assertIn(note, caught.exception.__notes__[0])
        self.assertEqual([], self.log.warnings)
        self.assertEqual(before, self.there())

    def age(self, seconds):
        """When something was that is so old by the server's clock."""
        with self.open() as session:
            return session.clock() / 10**9 - seconds

    def test_foreign_locks(self):
        for name in 'read', 'write':
            for data in b'\xff\x00\n' * 9, b'zeit.cde,', b'x' * 200000:
                with self.subTest(name=name, data=data[:20]):
                    self.put(name, data)
                    self.check_locked(
                        name, 'It is foreign. If its owner has died, cds-lock --break')
                    with self.open() as session:
                        session.remove(name)
        self.assert_held()

    def test_lock_that_may_just_be_stored_is_never_called_foreign(self):
        """Not even by a sibling that is about to store it."""
        token = dead().token.encode()
        for data in b'', b'zeit', b'zeit.cds,', b'zeit.cds,host=a,pid=1', token[:90]:
            with self.subTest(data=data[:20]):
                self.put('read', data)
                self.check_locked('read', 'somebody is just creating it')
                with self.assertRaises(Locked) as caught:
                    self.hold()
                self.assertNotIn('--break', ''.join(caught.exception.__notes__))

    def test_both_locks(self):
        self.put('read', b'peer')
        self.put('write')
        self.check_locked('read', 'It is foreign.')

    def test_foreign_lock_is_respected_however_old(self):
        self.put('write', b'whoever', 86400)
        self.check_locked('write', 'It is foreign.')

    def test_lock_of_a_dead_process_is_taken_over(self):
        owner = dead()
        for name in 'read', 'write':
            self.put(name, owner.token.encode())
            self.assert_held('Lock file %s was left by' % name, 'process %s ' % owner.pid,
                             'has ended')

    def test_lock_that_its_owner_removed_while_we_looked_at_it(self):
        token = dead().token.encode()

        def before(verb, *args):
            remove('read')
            return verb(*args)

        def after(verb, *args):
            try:
                return verb(*args)
            finally:
                remove('read')

        for read in before, after:
            self.put('read', token)
            with self.open() as other:
                remove = once(other.remove)
                self.hold(Intervening(self.open(), read=read))
            self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_lock_from_before_the_machine_was_started_is_taken_over(self):
        with unittest.mock.patch('zeit.cds.lock.token._machine_id', lambda: 'known'):
            self.put('read', Owner.me()._replace(boot='earlier').token.encode())
            self.assert_held('Lock file read was left by', 'has ended')

    def test_lock_that_another_machine_may_have_made_is_respected_until_it_is_stale(self):
        with unittest.mock.patch('zeit.cds.lock.token._machine_id', lambda: ''):
            token = Owner.me()._replace(boot='other').token.encode()
            self.put('read', token, self.age(0))
            self.check_locked('read', 'It is held by')
            self.put('read', token, self.age(2 * HOUR))
            self.assert_held('Lock file read was left by', 'not renewed for')

    def test_lock_of_another_host_is_respected_until_it_is_stale(self):
        token = Owner.me()._replace(host='elsewhere', pid='1').token.encode()
        self.put('read', token, self.age(HOUR - 60))
        self.check_locked('read', 'on host elsewhere')
        self.put('read', token, self.age(HOUR + 60))
        self.assert_held('Lock file read was left by', 'elsewhere', 'not renewed for')

    def test_lock_of_a_process_whose_number_was_given_again_is_taken_over(self):
        self.put('read', Owner.me()._replace(start='1').token.encode())
        self.assert_held('Lock file read was left by', 'has ended')

    def test_lock_of_a_living_process_is_respected_however_old(self):
        with another_process() as owner:
            self.put('read', owner.token.encode(), 10**9)
            self.check_locked('read', 'It is held by process %s ' % owner.pid)
        self.assert_held('has ended')

    def test_lock_that_cannot_be_read_is_not_called_foreign(self):
        self.put('read', dead().token.encode())
        self.check_locked('read', 'the server does not let us read it: 550 No.',
                          session=Intervening(self.open(), read=refuse))

    def test_lock_that_cannot_be_read_since_it_is_just_stored_anew_is_read_again(self):
        self.put('read', dead().token.encode())
        session = Intervening(self.open())
        session.calls['read'] = lambda verb, name, *args: (
            verb(name, *args) if [verb for verb, *_ in session.done].count('read') > 1
            else refuse(verb))
        self.hold(session)
        self.assertEqual({}, self.there())

    def test_a_file_of_which_nothing_but_its_being_there_is_known_is_a_lock(self):
        def stat(verb, name, *args, **kw):
            return (entry := verb(name, *args, **kw)) and entry._replace(
                size=None, modified=None, kind=None)

        self.put('write', b'whoever')
        self.check_locked('write', 'It is foreign.', session=Intervening(self.open(), stat=stat))
        with self.open() as session:
            session.remove('write')
        self.hold(Intervening(self.open(), stat=stat))
        self.assertEqual({}, self.there())

    def test_what_a_dead_process_had_prepared_for_renewing_goes_with_its_lock(self):
        token = dead().token.encode()
        self.put('read', token)
        self.put(RENEWAL, token[:20])
        self.assert_held('Lock file read was left by')

    def test_what_a_lock_says_reaches_no_log_as_it_is(self):
        for field in Owner._fields:
            with self.subTest(field=field):
                forged = 'x\x1b[2J\nINFO forged\r\u202e\x00'
                for owner in dead(), Owner.me()._replace(host='elsewhere'):
                    self.put('read', owner._replace(**{field: forged}).token.encode(), 10**9)
                    del self.log.lines[:]
                    error = None
                    try:
                        self.hold()
                    except Locked as e:
                        error = e
                        with self.open() as session:
                            session.remove('read')
                    for text in [*map(str, getattr(error, '__notes__', ())), str(error),
                                 *[text for _, text in self.log.lines]]:
                        self.assertTrue(text.isprintable(), text)


def once(function):
    """Calls a function the first time only."""
    calls = []

    def call(*args):
        if not calls:
            calls.append(args)
            function(*args)
    return call


class AtTheEnd(Locking, Plain, unittest.TestCase):
    """What is asked before the lock file is removed."""

    def done(self, work=True, look=True, intervene=lambda: None, tuning=QUICK):
        """What the session does at the lock's end."""
        session = Intervening(self.open())
        with self.held(session, tuning=tuning) as (lock, _):
            if work:
                lock.refresh(session)
            intervene()
            if look:
                with pipelined(session).batch() as batch:
                    lock.look(batch)
            del session.done[:]
        return session.done

    def test_a_look_just_before_is_enough(self):
        self.assertEqual([('remove', 'read')], self.done())
        self.assertEqual({}, self.there())

    def test_a_look_long_before_is_none(self):
        self.assertIn(('stat', 'read'), self.done(tuning=QUICK._replace(recent=-1)))
        self.assertEqual({}, self.there())

    def test_a_look_shows_a_foreign_lock_file(self):
        self.assertNotIn(('remove', 'read'), self.done(intervene=lambda: self.put('read', b'peer')))
        self.assertEqual({'read': b'peer'}, self.there())

    def test_a_look_before_something_happened_is_none(self):
        session = Intervening(self.open())
        with self.held(session) as (lock, _):
            with pipelined(session).batch() as batch:
                lock.look(batch)
            lock.refresh(session)
            del session.done[:]
        self.assertIn(('stat', 'read'), session.done)

    def test_without_work_to_have_stored_it_just_before_is_enough(self):
        self.assertEqual([('remove', 'read')], self.done(work=False, look=False))

    def test_with_work_but_no_look_it_is_looked_at(self):
        self.assertIn(('stat', 'read'), self.done(look=False))

    def test_without_work_but_long_after_it_was_stored_it_is_looked_at(self):
        late = QUICK._replace(recent=-1)
        self.assertIn(('stat', 'read'), self.done(False, False, tuning=late))
        self.assertNotIn(('remove', 'read'), self.done(
            False, False, lambda: self.put('read', b'peer'), late))
        self.assertEqual({'read': b'peer'}, self.there())

    def test_what_is_asked_at_the_beginning(self):
        session = Intervening(self.open())
        with self.held(session):
            verbs = [verb for verb, *_ in session.done]
        self.assertEqual(['make_directory', 'make_directory', 'stat', 'stat', 'make_directory',
                          'write', 'stat', 'stat', 'stat', 'remove_directory', 'remove_directory'],
                         verbs)

    def test_what_is_handed_on_twice_is_asked_once(self):
        session = Intervening(self.open())

        def meanwhile(also):
            for _ in range(2):
                pipelined(session).entries(also=also)

        with self.held(session, meanwhile=meanwhile):
            verbs = [verb for verb, *_ in session.done]
        self.assertEqual((2, 2), (verbs.count('entries'), verbs.count('remove_directory')))


class Failures(Locking, Plain, unittest.TestCase):
    """The session ends, or the server refuses, at the wrong moment."""

    def fail_at(self, count, error):
        """An ICDSSession whose verb number `count` fails before, or else after, it was done."""
        left = [count]

        def call(verb, *args, **kw):
            left[0] -= 1
            if left[0] == 0:
                session.session.abort()
                raise error
            return verb(*args, **kw)

        session = Intervening(self.open())
        session.calls = {name: call for name in ICDS_VERBS}
        return session

    def test_wherever_the_session_is_lost_nothing_stays(self):
        for count in range(1, 12):
            with self.subTest(count=count):
                with contextlib.suppress(ConnectionLost), self.held(
                        self.fail_at(count, ConnectionLost('Gone.'))) as (lock, session):
                    lock.refresh(session)
                self.assertEqual({}, self.there())
                self.assertEqual([], self.log.warnings)

    def test_lock_that_this_process_could_not_remove_it_takes_over_later(self):
        session = Intervening(self.open(), remove=refuse)
        with self.assertRaises(ConnectionLost), LockFile(QUICK).hold(
                session, 'read', self.feed, self.cannot_open):
            session.session.abort()
        self.assertEqual(['read'], list(self.there()))
        self.assert_held('Lock file read was left by', 'this very process could not remove it')

    def cannot_open(self):
        raise ConnectionLost('No.')

    def test_lock_that_a_session_may_not_remove_the_next_one_does(self):
        self.hold(Intervening(self.open(), remove=refuse))
        self.assertEqual(([], {}), (self.log.warnings, self.there()))

    def test_sessions_that_end_again_and_again_are_told_of(self):
        def reopen():
            session = self.open()
            session.close()
            return session

        with self.assertRaises(ConnectionLost), LockFile(QUICK).hold(
                session := self.open(), 'read', self.feed, reopen):
            session.abort()

    def test_lock_that_somebody_else_has_only_begun_to_store_is_not_ours(self):
        with self.held() as (lock, session):
            lock.refresh(session)
            self.put('read', b'')
        self.assertEqual({'read': b''}, self.there())

    def test_what_its_removal_raises_is_noted_with_what_came_before(self):
        with self.assertRaises(KeyError) as caught, LockFile(QUICK).hold(
                session := self.open(), 'read', self.feed, self.cannot_open):
            session.abort()
            raise KeyError
        self.assertEqual(['The lock could not be removed either: No.'], caught.exception.__notes__)

    def test_lock_that_another_thread_works_under_is_respected(self):
        with self.held(), concurrent.futures.ThreadPoolExecutor() as threads:
            self.assertIsInstance(threads.submit(self.hold).exception(), Locked)
        self.assertEqual({}, self.there())

    def test_without_sizes_it_is_read(self):
        def stat(verb, name):
            return (entry := verb(name)) and entry._replace(size=None)

        session = Intervening(self.open(), stat=stat)
        with self.held(session):
            self.assertIn('read', [verb for verb, *_ in session.done])
        with self.assertRaises(Locked), self.held(Intervening(self.open(), stat=stat),
                                                  meanwhile=lambda also: self.put('read', b'no')):
            pass
        self.assertEqual({'read': b'no'}, self.there())

    def test_without_directories_it_is_read(self):
        def unknown(verb, *args):
            raise NotSupported('502 What?')

        for refusal, tries in (unknown, 2), (refuse, 6):
            session = Intervening(self.open(), make_directory=refusal)
            with self.held(session, tuning=QUICK._replace(pause_alone=0.01)):
                verbs = [verb for verb, *_ in session.done]
                self.assertIn('read', verbs)
                self.assertEqual(tries, verbs.count('make_directory'))
                self.assertEqual(['read'], list(self.there()))
            self.assertEqual({}, self.there())

    def test_without_directories_a_rival_has_more_time_to_show(self):
        def take():
            with contextlib.suppress(Locked):
                self.hold(Intervening(self.open(), make_directory=refuse),
                          tuning=QUICK._replace(pause=0, longest_pause=0, pause_alone=1.0))
                steps.append('held')
            steps.append('ended')

        def rival():
            scheduler.sleep(0.01)
            self.put('write', b'whoever')

        steps = []
        with scheduler.Scheduler() as tasks:
            tasks.spawn(take)
            tasks.spawn(rival)
            while 'ended' not in steps:
                tasks.turn(1)
        self.assertEqual((['ended'], {'write': b'whoever'}), (steps, self.there()))

    def test_a_rival_that_stored_as_many_bytes_is_seen_without_directories(self):
        def meanwhile(also):
            self.put('read', b'x' * len(self.there()['read']))

        with self.assertRaises(Locked):
            self.hold(Intervening(self.open(), make_directory=refuse), meanwhile=meanwhile,
                      tuning=QUICK._replace(pause_alone=0.01))
        self.assertEqual(1, len(self.there()))


ICDS_VERBS = ('stat', 'read', 'write', 'remove', 'rename', 'exists', 'make_directory',
              'remove_directory', 'names')


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return unittest.TestSuite([everywhere(Others, [VSFTPD_LAYER]), load(AtTheEnd), load(Failures)])
