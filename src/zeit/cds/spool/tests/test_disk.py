"""What an import does when the spool's disk fails it, and what the next run makes of it."""
import contextlib
import os
import stat
import subprocess
import tempfile

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import SpoolError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink, LOCK, PARTS
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.tests.cases import as_somebody_else, InSpool
from zeit.cds.spool.tests.recorder import BROKEN, System
from zeit.cds.testing.faulty import FaultyServer
from zeit.cds.testing.layers import in_ci
from zeit.cds.tests.importing import recorded
from zeit.cds.transfer.importing import Import


FILES = {'%02d.xml' % n: b'%02d' % n * 10_000 for n in range(32)}   # enough for four sessions


class DiskTest(InSpool):

    connections = 1
    tuning = Tuning()

    def setUp(self):
        super().setUp()
        self.server = FaultyServer(FILES)
        self.server.start()
        self.addCleanup(self.server.stop)

    def run_import(self, **settings):
        feed = Feed(**{
            'store_dir': self.path, 'hostname': self.server.host, 'port': self.server.port,
            'user': self.server.user, 'password': self.server.password, 'ftp_dir': '/',
            'timeout': 10, 'connections': self.connections, **settings})
        with recorded() as self.log:
            return Import(feed, FTPConnection(), LockFile(), FileSink(self.tuning))()

    def check_error(self, outcome, *texts):
        self.assertIsInstance(outcome.error, SpoolError, self.log.lines)
        said = '%s %s' % (outcome.error, getattr(outcome.error, '__notes__', ''))
        for text in (self.path, *texts):
            self.assertIn(text, said)
        self.assertIn('Exiting with exception:', self.log.of('ERROR'))

    def check_nothing_done(self):
        self.assertEqual(FILES, self.server.files.data)
        self.assertEqual({}, self.server.directories)

    def check_repair(self):
        """The next run, on a disk that works, publishes what the earlier one did not."""
        before = self.there('new')
        there = set(self.server.files.data)
        self.assertEqual(set(), set(before) & there - set(self.there('tmp')))
        outcome = self.run_import()
        self.assertIsNone(outcome.error, self.log.lines)
        self.assertEqual(FILES, self.there('new'))
        self.assertEqual(({}, {}), (self.server.files.data, self.there('tmp')))
        self.assertEqual(len(FILES), len(before) + outcome.files)


class SpoolTest(DiskTest):
    """The spool is not what it should be: the server isn't even asked."""

    def tearDown(self):
        self.assertEqual([], self.server.log)
        self.check_nothing_done()

    def test_missing(self):
        self.check_error(self.run_import(store_dir=self.path + '/none'),
                         'No such file', 'Create the directory first')

    def test_no_directory(self):
        self.make('file')
        self.check_error(self.run_import(store_dir=self.at('file')),
                         'Not a directory', 'It must be a directory')

    def test_new_is_no_directory(self):
        os.rmdir(self.at('new'))
        self.make('new')
        self.check_error(self.run_import(), 'Not a directory', 'It must be a directory')

    def test_tmp_is_a_link_to_nowhere(self):
        os.rmdir(self.at('tmp'))
        os.symlink('nowhere', self.at('tmp'))
        self.check_error(self.run_import(), 'Not a directory', 'a link to one that is there')

    def test_new_and_tmp_on_different_devices(self):
        here = os.stat(self.path).st_dev
        others = [path for path in ('/dev/shm', '/tmp', '/var/tmp', '.')
                  if os.stat(path).st_dev != here]
        self.assertTrue(others, 'There is no directory on another device.')
        with tempfile.TemporaryDirectory(dir=others[0]) as other:
            os.rmdir(self.at('tmp'))
            os.symlink(other, self.at('tmp'))
            self.check_error(self.run_import(), 'tmp and new must be on one file system')

    def check_as_somebody_else(self):
        def run():
            raise self.run_import().error

        said = as_somebody_else(run)
        for text in 'Permission denied', 'needs the right to write there':
            self.assertIn(text, said)

    def test_without_permission(self):
        os.chmod(self.path, 0o755)
        for name in ('tmp', 'new'):
            with self.subTest(name):
                for other in ('tmp', 'new', 'cur'):
                    os.chmod(self.at(other), 0o777)
                os.chmod(self.at(name), 0o555)
                self.make(LOCK)
                os.chmod(self.at(LOCK), 0o666)
                self.check_as_somebody_else()

    def test_spool_that_may_not_be_entered(self):
        os.chmod(self.path, 0o700)
        if os.geteuid() == 0:
            os.chown(self.path, 1, 1)
        else:
            os.chmod(self.path, 0)
        try:
            self.check_as_somebody_else()
        finally:
            os.chmod(self.path, 0o700)


class FullDiskTest(DiskTest):

    @contextlib.contextmanager
    def mounted(self, *options):
        """A tmpfs for the spool; skipped where that is not allowed, except with CI=true."""
        done = subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', self.path],
            stderr=subprocess.PIPE, text=True)
        if done.returncode:
            text = 'No file system can be mounted here (that needs root): %s' % done.stderr
            self.fail(text) if in_ci() else self.skipTest(text)
        try:
            yield lambda option: subprocess.run(
                ['mount', '-o', 'remount,' + option, self.path], check=True)
        finally:
            subprocess.run(['umount', '-l', self.path], check=True)

    def check_full(self, *texts):
        self.check_error(self.run_import(), 'The disk is full. Make room', *texts)

    def test_disk_without_room_for_all(self):
        with self.mounted('size=400k') as remount:
            self.check_full('No space left on device')
            self.check_stopped()
            remount('size=10m')
            self.check_repair()

    def test_disk_without_room_for_any(self):
        with self.mounted('size=16k') as remount:
            self.check_full()
            self.check_stopped()
            self.assertEqual(FILES, self.server.files.data)
            remount('size=10m')
            self.check_repair()

    def test_disk_without_inodes(self):
        with self.mounted('nr_inodes=9') as remount:
            self.check_error(self.run_import(), 'The disk is full. Make room')
            self.check_stopped()
            remount('nr_inodes=1000')
            self.check_repair()

    def test_disk_that_is_read_only(self):
        with self.mounted('size=10m') as remount:
            for name in ('tmp', 'new', 'cur'):
                os.mkdir(self.at(name))
            remount('ro')
            self.check_error(self.run_import(), 'Read-only file system',
                             'look for disk errors in the log of the system')
            self.check_nothing_done()
            remount('rw')
            self.check_repair()

    def check_stopped(self):
        """No lock, no part, and what is gone from the server is published or whole in tmp."""
        self.assertEqual({}, self.server.directories)
        self.assertNotIn('read', self.server.files)
        self.assertEqual([], [name for name in self.there('tmp') if name.startswith(PARTS)])
        here = {**self.there('tmp'), **self.there('new')}
        for name, data in FILES.items():
            if name not in self.server.files:
                self.assertEqual(data, here[name])


class FullDiskOverFourSessions(FullDiskTest):

    connections = 4


class FullDiskLargeFilesTest(FullDiskTest):
    """Large files are refused one by one: a smaller one may fit."""

    tuning = Tuning(large=1)

    def check_full(self, *texts):
        outcome = self.run_import()
        self.assertIsNone(outcome.error, self.log.lines)
        self.assertEqual(len(FILES), outcome.files + len(outcome.failed))
        for _, reason in outcome.failed:
            self.assertIn('room for it', reason)


class FailingSyncTest(DiskTest):
    """A disk that takes the data, and says only at the sync that it could not keep them."""

    def setUp(self):
        super().setUp()
        self.system = System()

    def check(self, *texts):
        with self.system:
            self.check_error(self.run_import(), 'Input/output error', *texts)
        self.check_nothing_done()
        self.check_repair()

    def test_data_that_can_not_be_synced(self):
        self.system.without_syncfs()
        self.system.fail('fsync', BROKEN)
        self.check('Look for disk errors')

    def test_file_system_whose_sync_always_seems_to_succeed(self):
        """As that of overlayfs, which most containers have."""
        self.system.filesystem(kind=lambda directory: 0x794c7630, syncfs=lambda: lambda fd: 0)
        self.system.fail('fsync', BROKEN, lambda fd: not stat.S_ISDIR(os.fstat(fd).st_mode))
        self.check()

    def test_file_system_that_can_not_be_synced(self):
        self.system.c_library('syncfs', BROKEN.errno)
        self.check()


class FailingSyncLargeFilesTest(FailingSyncTest):

    tuning = Tuning(large=1)
