"""The lock protocol, on each of the servers."""
import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import sys
import time
import unittest
import unittest.mock

import zope.interface.verify

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection, FTPSession
from zeit.cds.interfaces import (
    ConnectionLost,
    FTPError,
    ILock,
    ILockFile,
    Locked,
    SpoolError,
    TemporaryError,
)
from zeit.cds.lock import lockfile as lock
from zeit.cds.lock.lockfile import Lock, LockFile, MUTEX
from zeit.cds.lock.token import Owner
from zeit.cds.testing.faulty.server import FaultyServer, On
from zeit.cds.testing.layers import on_servers, PYFTPDLIB_LAYER, server_test_case, VSFTPD_LAYER
from zeit.cds.testing.servers import VsFTPD
from zeit.cds.tests.crash.races import races
from zeit.cds.tests.importing import Importing, new_spool, NOT_SMALL
from zeit.cds.transfer.tests.test_importing import HookedSink


PRINT_TOKEN = 'from zeit.cds.lock.token import Owner; print(Owner.me().token, flush=True); input()'


@contextlib.contextmanager
def another_process():
    """The Owner of a process that lives as long as the block."""
    process = subprocess.Popen(
        [sys.executable, '-c', PRINT_TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    try:
        yield Owner.parse(process.stdout.readline())
    finally:
        process.communicate('\n')


def dead():
    """The Owner of a process that has ended."""
    with another_process() as owner:
        return owner


class InterveningSession(FTPSession):
    """Somebody else acts right after our lock file was stored."""

    def __init__(self, feed, intervene):
        super().__init__(feed)
        self.intervene = intervene

    def store(self, name, *args):
        count = super().store(name, *args)
        if name == 'read':
            self.intervene()
        return count


class SlowSession(FTPSession):
    """Something else happens before our name is in the mutex."""

    def __init__(self, feed, intervene):
        super().__init__(feed)
        self.intervene = intervene

    def make_directory(self, name):
        if name.startswith(MUTEX + '/'):
            self.intervene()
        return super().make_directory(name)


class LoadingSession(FTPSession):
    """Something else happens right before, or right after, a file is loaded: `intervene` is told which, bool."""

    def __init__(self, feed, intervene):
        super().__init__(feed)
        self.intervene = intervene

    def load(self, name, *args, **more):
        self.intervene(True)
        try:
            return super().load(name, *args, **more)
        finally:
            self.intervene(False)


class InterveningConnection(FTPConnection):

    def __init__(self, intervene, kind=InterveningSession):
        self.intervene, self.kind = intervene, kind

    def open(self, feed):
        session = self.kind(feed, self.intervene)
        session.start()
        return session


@contextlib.contextmanager
def session_commands(session):
    """Gives a list to which each command is added that the session sends."""
    commands = []
    transmit = session._control.transmit

    def recorded(data):
        commands.extend(line for line in os.fsdecode(data).split('\r\n') if line)
        transmit(data)

    session._control.transmit = recorded
    yield commands


class Locking(Importing):
    """Who may work in the directory, and what becomes of the lock."""

    def setUp(self):
        super().setUp()
        self.put('a', b'1')
        for name, value in dict(MUTEX_GRACE=0.6, MUTEX_WAIT=1.5).items():
            patch = unittest.mock.patch.object(lock, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def check_locked(self, name, **settings):
        """The directory is not ours, and nothing was touched."""
        before = self.there
        outcome = self.run_import(**settings)
        self.assertIsInstance(outcome.error, Locked)
        self.assertFalse(outcome.successful)
        self.assert_warned('Lock file already exists: %s' % name)
        self.assertEqual([], self.log.of('ERROR'))
        self.assertEqual((before, {}), (self.there, self.published))

    def check_imported(self, *warning):
        outcome = self.run_import()
        self.assertTrue(outcome.successful, self.log.lines)
        self.assertEqual(({}, {b'a': b'1'}), (self.there, self.published))
        self.assert_nothing_left()
        if warning:
            self.assert_warned(*warning)
        self.assertEqual(bool(warning), bool(self.log.warnings))

    def test_no_lock(self):
        self.check_imported()

    def test_foreign_locks(self):
        for name in 'read', 'write':
            for data in b'', b'whoever', b'\xff\x00\n' * 9, b'zeit.cds,', b'zeit.cds,pid=1', b'x' * 200000:
                with self.subTest(name=name, data=data[:20]):
                    path = self.put(name, data)
                    self.check_locked(name)
                    self.assert_warned('It is foreign.')
                    os.unlink(path)
        self.check_imported()

    def test_both_locks(self):
        self.put('read')
        self.put('write')
        self.check_locked('read')

    def test_lock_of_a_dead_process_is_taken_over(self):
        owner = dead()
        for name in 'read', 'write':
            self.put('a', b'1')
            self.put(name, owner.token.encode())
            self.check_imported('Lock file %s was left by' % name, 'process %s ' % owner.pid, 'has ended')
            self.consume()

    def test_lock_that_its_owner_removed_while_we_looked_at_it(self):
        token = dead().token.encode()
        for removed in True, False:
            path = self.put('read', token)
            outcome = self.run_import(InterveningConnection(
                lambda before: before is removed and os.unlink(path), LoadingSession))
            self.assertTrue(outcome.successful, self.log.lines)
            self.assertEqual([], self.log.warnings)
            self.assert_nothing_left()

    def test_lock_from_before_the_machine_was_started_is_taken_over(self):
        token = Owner.me()._replace(boot='earlier').token.encode()
        with unittest.mock.patch('zeit.cds.lock.token._machine_id', lambda: 'known'):
            self.put('read', token)
            self.check_imported('Lock file read was left by', 'has ended')

    def test_lock_that_another_machine_may_have_made_is_respected_until_it_is_stale(self):
        token = Owner.me()._replace(boot='other').token.encode()
        with unittest.mock.patch('zeit.cds.lock.token._machine_id', lambda: ''):
            self.put('read', token, time.time())
            self.check_locked('read')
            self.put('read', token, time.time() - 8000)
            self.check_imported('Lock file read was left by', 'not renewed for')

    def test_lock_of_a_process_whose_number_was_given_again_is_taken_over(self):
        self.put('read', Owner.me()._replace(start='1').token.encode())
        self.check_imported('Lock file read was left by', 'has ended')

    def test_lock_of_a_living_process_is_respected(self):
        with another_process() as owner:
            self.put('read', owner.token.encode(), time.time() - 10**6)
            self.check_locked('read')
            self.assert_warned('It is held by process %s ' % owner.pid)
        self.check_imported('has ended')

    def test_lock_of_another_host_is_respected_until_it_is_stale(self):
        token = Owner.me()._replace(host='elsewhere', pid='1').token.encode()
        self.put('read', token, time.time() - 3000)
        self.check_locked('read', stale_after=3601)
        self.put('read', token, time.time() - 8000)
        self.check_imported('Lock file read was left by', 'elsewhere', 'not renewed for')

    def test_foreign_lock_is_respected_however_old(self):
        self.put('write', b'whoever', 86400)
        self.check_locked('write')

    def test_mutex_of_a_dead_process_is_removed(self):
        self.leave_mutex(dead())
        self.check_imported('The mutex %s was left by' % MUTEX, 'has ended')

    def test_lock_that_a_dead_process_had_only_begun_is_removed(self):
        owner = dead()
        for data in b'', owner.token[:50].encode():
            self.put('a', b'1')
            self.leave_mutex(owner)
            self.put('read', data)
            outcome = self.run_import()
            self.assertTrue(outcome.successful, self.log.lines)
            self.assertEqual(({}, {b'a': b'1'}), (self.there, self.consume()))
            self.assert_warned('Lock file read was begun by the same process')
            self.assert_nothing_left()

    def test_empty_lock_of_a_peer_is_respected_whatever_the_dead_left(self):
        self.leave_mutex(dead())
        self.put('write')
        outcome = self.run_import()
        self.assertIsInstance(outcome.error, Locked)
        self.assertEqual({b'a': b'1', b'write': b''}, self.there)

    def test_directories_are_seen_and_left(self):
        with self.session() as session:
            for name in MUTEX, '%s/inner' % MUTEX:
                self.assertFalse(session.has_directory(name))
                session.make_directory(name).get()
                self.assertTrue(session.has_directory(name))
                self.assertEqual(1, session.size('a').get().size)
            for name in '%s/inner' % MUTEX, MUTEX:
                session.remove_directory(name).get()

    def leave_mutex(self, owner):
        with self.session() as session:
            session.make_directory(MUTEX).get()
            session.make_directory('%s/%s' % (MUTEX, owner.token)).get()

    def test_lock_of_the_other_kind_that_a_dead_process_had_only_begun_is_removed(self):
        self.leave_mutex(dead()._replace(lock='write'))
        self.put('write', b'')
        self.check_imported('Lock file write was begun by the same process')

    def test_mutex_without_a_name_is_removed_after_a_while(self):
        with self.session() as session:
            session.make_directory(MUTEX).get()
        self.check_imported('was forgotten')

    def test_mutex_of_a_living_process_is_respected(self):
        with another_process() as owner:
            with self.session() as session:
                session.make_directory(MUTEX).get()
                session.make_directory('%s/%s' % (MUTEX, owner.token)).get()
            outcome = self.run_import()
            self.assertIsInstance(outcome.error, Locked)
            self.assert_warned('Another process has been in the mutex')
            self.assertEqual({b'a': b'1', MUTEX.encode(): None}, self.there)
        self.check_imported('The mutex %s was left by' % MUTEX, 'has ended')

    def test_whoever_is_too_slow_in_the_mutex_gives_way(self):
        """Another takes the mutex without a name for forgotten, gets the lock, and keeps it."""
        stack = contextlib.ExitStack()

        def other():
            session = stack.enter_context(self.session())
            stack.enter_context(LockFile().hold(session, 'read', self.feed(), self.session))

        with stack:
            outcome = self.run_import(InterveningConnection(other, SlowSession))
            self.assertIsInstance(outcome.error, Locked)
            self.assertEqual({b'a', b'read'}, set(self.there))
            self.assertIn('Lock file successfully created: read', self.log.of('INFO'))
        self.assertEqual({b'a': b'1'}, self.there)
        self.assertEqual([], [text for text in self.log.lines if 'not ours any more' in text])
        self.check_imported()

    def test_lock_that_somebody_removed_meanwhile(self):
        read = os.path.join(self.server.directory, 'read')
        self.run_import(sink=HookedSink(lambda name: os.unlink(read)))
        self.assert_warned('Lock file read is not ours any more', 'it is gone')
        self.assertEqual(({}, {b'a': b'1'}), (self.there, self.published))

    def test_lock_that_somebody_replaced_meanwhile_stays(self):
        self.run_import(sink=HookedSink(lambda name: self.put('read', b'whoever\xff')))
        self.assert_warned('Lock file read is not ours any more', 'whoever')
        self.assertEqual({b'read': b'whoever\xff'}, self.there)

    def test_peer_that_stored_its_lock_over_ours_wins(self):
        outcome = self.run_import(InterveningConnection(lambda: self.put('read', b'peer')))
        self.assertIsInstance(outcome.error, Locked)
        self.assertEqual({b'a': b'1', b'read': b'peer'}, self.there)

    def test_peer_that_stored_the_other_lock_wins(self):
        outcome = self.run_import(InterveningConnection(lambda: self.put('write', b'peer')))
        self.assertIsInstance(outcome.error, Locked)
        self.assert_warned('Lock file already exists: write')
        self.assertEqual({b'a': b'1', b'write': b'peer'}, self.there)

    def test_peer_that_stored_its_lock_over_ours_and_removed_it(self):
        outcome = self.run_import(InterveningConnection(
            lambda: os.unlink(os.path.join(self.server.directory, 'read'))))
        self.assertIsInstance(outcome.error, Locked)
        self.assertEqual({b'a': b'1'}, self.there)

    def test_lock_is_removed_after_a_failure(self):
        def fail(name):
            raise SpoolError('The disk is full.')

        outcome = self.run_import(sink=HookedSink(fail))
        self.assertIsInstance(outcome.error, SpoolError)
        self.assertEqual(({b'a': b'1'}, {}), (self.there, self.published))
        self.assert_nothing_left()
        self.assertIn('Lock file successfully removed: read', self.log.of('INFO'))

    def test_lock_is_removed_on_a_new_session_if_the_old_one_has_died(self):
        data, done = b'1' * NOT_SMALL, []
        self.put('a', data)

        def restart(name):
            if not done:
                done.append(name)
                self.server.restart()

        self.run_import(sink=HookedSink(restart))
        self.assert_nothing_left()
        self.assertEqual({b'a': data}, {**self.there, **self.published})
        self.assertIn('Lock file successfully removed: read', self.log.of('INFO'))

    def test_lock_is_refreshed_while_we_work(self):
        read = os.path.join(self.server.directory, 'read')
        with self.session() as session:
            with LockFile().hold(session, 'read', self.feed(stale_after=60, run_limit=59), self.session) as held:
                os.utime(read, (1, 1))
                held.refresh(session)
                self.assertEqual(1, os.stat(read).st_mtime)     # it is not time to
                held._refreshed -= 16
                held.refresh(session)
                self.assertLess(time.time() - 600, os.stat(read).st_mtime)
                self.put('read', b'peer')
                held._refreshed -= 16
                self.assertRaises(Locked, held.refresh, session)
        self.assertEqual(b'peer', self.there[b'read'])

    def commands_to_remove(self, intervene=lambda: None):
        """The commands that go out at the lock's end, after work and a look."""
        with self.session() as session, session_commands(session) as commands:
            with LockFile().hold(session, 'read', self.feed(), self.session) as held:
                held.refresh(session)
                intervene()
                held.look(session)
                session.flush()
                commands.clear()
        return commands

    def test_a_look_just_before_the_end_is_enough(self):
        self.assertEqual(['DELE read', 'QUIT'], self.commands_to_remove())
        self.assert_nothing_left()

    def test_a_look_long_before_the_end_is_none(self):
        with unittest.mock.patch.object(lock, 'RECENT', -1):
            self.assertIn('MDTM read', self.commands_to_remove())
        self.assert_nothing_left()

    def test_a_look_shows_a_foreign_lock_file(self):
        self.assertNotIn('DELE read', self.commands_to_remove(lambda: self.put('read', b'peer')))
        self.assertEqual(b'peer', self.there[b'read'])

    def commands_to_remove_after(self, seconds, intervene=lambda: None):
        """The commands that go out at the lock's end, if there was nothing to do, and that took so long."""
        with self.session() as session, session_commands(session) as commands:
            with LockFile().hold(session, 'read', self.feed(), self.session) as held:
                held._looked_at -= seconds
                intervene()
                commands.clear()
        return commands

    def test_without_work_to_have_stored_it_just_before_the_end_is_enough(self):
        self.assertEqual(['DELE read', 'QUIT'], self.commands_to_remove_after(0))
        self.assert_nothing_left()

    def test_without_work_but_long_after_it_was_stored_it_is_looked_at(self):
        self.assertIn('MDTM read', self.commands_to_remove_after(2))
        self.assert_nothing_left()

    def test_without_work_a_foreign_lock_file_is_seen(self):
        self.assertNotIn('DELE read', self.commands_to_remove_after(2, lambda: self.put('read', b'peer')))
        self.assertEqual(b'peer', self.there[b'read'])

    def test_inspect_tells_who_holds_what(self):
        with self.session() as session:
            self.assertEqual([], LockFile().inspect(session))
            owner = dead()
            self.put('read', owner.token.encode(), time.time() - 100)
            self.put('write', b'whoever')
            session.make_directory(MUTEX).get()
            session.make_directory('%s/%s' % (MUTEX, owner.token)).get()
            read, write, mutex = LockFile().inspect(session)
            self.assertEqual(('read', True), (read.name, read.ours))
            self.assertIn('process %s of user' % owner.pid, read.owner)
            self.assertLess(50 * 10**9, read.age)
            self.assertEqual(('write', 'unknown', False), write[:3])
            self.assertEqual((MUTEX, True), (mutex.name, mutex.ours))
            self.assertIn('process %s of user' % owner.pid, mutex.owner)
            for info in read, write, mutex:
                LockFile().break_(session, info.name)
            self.assertEqual([], LockFile().inspect(session))
        self.assertEqual({b'a': b'1'}, self.there)

    def test_two_imports_into_one_spool(self):
        self.check_two(self.store_dir, 'Another process uses the spool')

    def test_two_imports_into_two_spools(self):
        store_dir = new_spool()
        self.addCleanup(shutil.rmtree, store_dir)
        self.check_two(store_dir, 'Lock file already exists: read')

    def check_two(self, store_dir, text):
        """A second import runs while the first one is in the middle of its file; and once more afterwards."""
        seen = []

        def second(name):
            log = self.log
            seen.append(self.run_import(store_dir=store_dir))
            self.assert_warned(text)
            self.log = log

        self.assertTrue(self.run_import(sink=HookedSink(second)).successful)
        self.assertIsInstance(seen[0].error, Locked)
        self.assertEqual(({}, {b'a': b'1'}), (self.there, self.published))
        self.put('b', b'2')
        self.assertTrue(self.run_import(store_dir=store_dir).successful)
        self.assertEqual({}, self.there)
        self.assert_nothing_left()

    def session(self):
        return FTPConnection().open(self.feed())


class Races(Importing):
    """Real processes, all at once. tools/lock-races does it for longer."""

    def check(self, number, clients, **kw):
        wrong, figures = races(self.server, number, clients, **kw)
        self.assertEqual([], wrong)
        self.assertEqual(0, figures['overlaps'])
        self.assertEqual(number, figures['races'])
        return figures

    def test_two_processes(self):
        self.check(20, 2)

    def test_five_processes(self):
        self.check(10, 5)

    def test_two_processes_with_one_spool(self):
        self.check(10, 2, one_spool=True)

    def test_overlaps_would_be_seen(self):
        """The check itself: with locks that let everybody in, it finds that they overlap."""
        with unittest.mock.patch.object(Lock, 'create', lambda self, session: time.sleep(0.01)), \
                unittest.mock.patch.object(Lock, '_remove', lambda self, session, reopen: None):
            wrong, figures = races(self.server, 10, 3)
        self.assertTrue(wrong or figures['overlaps'])


class WithoutRename(Locking):
    """A server without MLST, which refuses RNFR, too."""

    server = None

    def setUp(self):
        self.server = VsFTPD(settings={'cmds_denied': 'RNFR,RNTO'})
        self.addCleanup(self.server.stop)
        self.server.start()
        super().setUp()


class Faults(unittest.TestCase):
    """What becomes of the lock when the server fails at the wrong moment."""

    def serve(self, *script, **kw):
        server = FaultyServer({'a': b'1'}, script=script, **kw)
        server.start()
        self.addCleanup(server.stop)
        return server

    def feed(self, server, **settings):
        return Feed(**{**dict(store_dir='/nonexistent', hostname=server.host, port=server.port, user=server.user,
                              password=server.password, stale_after=60, run_limit=59), **settings})

    def session(self, server):
        return FTPConnection().open(self.feed(server))

    @contextlib.contextmanager
    def held(self, server):
        """A lock and its session."""
        with self.session(server) as session:
            with LockFile().hold(session, 'read', self.feed(server), lambda: self.session(server)) as held:
                yield held, session

    def check_renewal_that_breaks_off(self, fault, error):
        server = self.serve(fault(On('STOR', 'read', skip=1, times=1)))
        with self.held(server) as (held, session):
            held._refreshed -= 16
            self.assertRaises(error, held.refresh, session)
            self.assertEqual(9, len(server.files.data['read']))
            with contextlib.nullcontext(session) if session.alive else self.session(server) as session:
                held.refresh(session)
                self.assertIsNotNone(Owner.parse(server.files.data['read'].decode()))
        self.assertEqual({'a': b'1'}, server.files.data)
        server = self.serve(fault(On('STOR', 'read', skip=1, times=1)))
        with self.held(server) as (held, session):
            held._refreshed -= 16
            self.assertRaises(error, held.refresh, session)
        self.assertEqual({'a': b'1'}, server.files.data)

    def test_renewal_that_breaks_off(self):
        self.check_renewal_that_breaks_off(lambda on: on.drop_data(9, reply='452 Disk full.'), TemporaryError)

    def test_renewal_that_breaks_off_with_the_session(self):
        self.check_renewal_that_breaks_off(lambda on: on.drop_control(after_bytes=9), ConnectionLost)

    def test_renewal_that_only_seems_to_succeed(self):
        server = self.serve(On('STOR', 'read', skip=1, times=1).truncate(9))
        with self.held(server) as (held, session):
            held._refreshed -= 16
            self.assertRaises(Locked, held.refresh, session)
        self.assertEqual({'a': b'1'}, server.files.data)


    def test_mutex_that_this_process_could_not_remove_it_takes_over_later(self):
        server = self.serve(On('STOR', 'read').drop_control(after_bytes=9), On('GREETING', session=2).reply('421 Down.'))
        self.assertRaises(ConnectionLost, self.hold, server)
        self.assertEqual(9, len(server.files.data['read']))
        self.check_taken_over(server, 'The mutex %s was left by' % MUTEX)

    def test_lock_that_this_process_could_not_remove_it_takes_over_later(self):
        server = self.serve(On('DELE', 'read').drop_control(), On('GREETING', session=2).reply('421 Down.'))
        self.assertRaises(FTPError, self.hold, server)
        self.assertIn('read', server.files)
        self.check_taken_over(server, 'Lock file read was left by')

    def check_taken_over(self, server, text):
        server.behave()
        with self.assertLogs('zeit.cds', 'WARNING') as log:
            self.hold(server)
        self.assertIn(text, log.output[0])
        self.assertIn('this very process could not remove it', log.output[0])
        self.assertEqual({'a': b'1'}, server.files.data)
        self.assertNotIn(MUTEX, server.directories)

    def test_lock_that_another_thread_works_under_is_respected(self):
        server, other = self.serve(), self.serve()
        with self.held(server), self.held(other), concurrent.futures.ThreadPoolExecutor() as threads:
            for _ in range(2):
                self.assertIsInstance(threads.submit(self.hold, server).exception(), Locked)
            with self.held(self.serve()):
                self.assertIsInstance(threads.submit(self.hold, other).exception(), Locked)
        self.assertEqual({'a': b'1'}, server.files.data)

    def hold(self, server):
        with self.held(server):
            pass


class Contracts(unittest.TestCase):

    def test_they_are_kept(self):
        zope.interface.verify.verifyClass(ILockFile, LockFile)
        zope.interface.verify.verifyObject(ILockFile, LockFile())
        zope.interface.verify.verifyClass(ILock, Lock)


def test_suite():
    return unittest.TestSuite([
        on_servers(Locking), on_servers(Races, [PYFTPDLIB_LAYER, VSFTPD_LAYER]),
        unittest.defaultTestLoader.loadTestsFromTestCase(server_test_case(WithoutRename, VSFTPD_LAYER)),
        unittest.defaultTestLoader.loadTestsFromTestCase(Faults),
        unittest.defaultTestLoader.loadTestsFromTestCase(Contracts)])
