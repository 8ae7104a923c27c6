"""What an import does when the spool's disk fails it."""
import contextlib
import errno
import os
import shutil
import stat
import subprocess
import tempfile
import traceback
import unittest
from unittest import mock

from zeit.cds.feed import Feed
from zeit.cds.interfaces import SpoolError
from zeit.cds.main import run_import
from zeit.cds.spool.store import LOCK, PARTS
from zeit.cds.testing.faulty.server import FaultyServer
from zeit.cds.testing.layers import in_ci
from zeit.cds.tests.importing import contents, new_spool
from zeit.cds.transfer.tests.test_faults import logged


FILES = {'%02d.xml' % n: b'%d' % n * 50_000 for n in range(12)}
NOBODY = 65534


def without_root(verb):
    """Call `verb` in a process that may do nothing special; fail if it raises."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            verb()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class DiskTest(unittest.TestCase):

    connections = 1

    def setUp(self):
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)
        self.server = FaultyServer(FILES)
        self.server.start()
        self.addCleanup(self.server.stop)

    def run_import(self, **settings):
        feed = Feed(**{**dict(
            store_dir=self.store_dir, hostname=self.server.host, port=self.server.port, user=self.server.user, timeout=10,
            password=self.server.password, ftp_dir='/', connections=self.connections), **settings})
        with logged() as self.log, mock.patch('zeit.cds.transfer.run.FILES_A_SESSION', 1):
            return run_import(feed)

    def check_error(self, outcome, *texts):
        self.assertIsInstance(outcome.error, SpoolError, self.log.text)
        for text in texts:
            self.assertIn(text, self.log.text)
        self.assertIn('Exiting with exception', self.log.text)
        self.assertIn(self.store_dir, str(outcome.error))

    def check_nothing_done(self):
        self.assertEqual(FILES, self.server.files.data)
        self.assertEqual({}, self.server.directories)

    def check_repair(self):
        """The next run, on a disk that works, publishes what the earlier one did not."""
        before = contents(os.path.join(self.store_dir, 'new'))
        self.assertEqual(set(), set(before) & {os.fsencode(name) for name in self.server.files.data
                                               if name not in self.in_tmp()})
        outcome = self.run_import()
        self.assertIsNone(outcome.error, self.log.text)
        self.assertEqual({os.fsencode(name): data for name, data in FILES.items()},
                         contents(os.path.join(self.store_dir, 'new')))
        self.assertEqual(({}, []), (self.server.files.data, self.in_tmp()))
        self.assertEqual(len(FILES), len(before) + outcome.files)

    def in_tmp(self):
        return sorted(os.listdir(os.path.join(self.store_dir, 'tmp')))


class SpoolTest(DiskTest):
    """The spool is not what it should be: the server isn't even asked."""

    def tearDown(self):
        self.assertEqual([], self.server.log)
        self.check_nothing_done()

    def test_missing(self):
        self.check_error(self.run_import(store_dir=self.store_dir + '/none'), 'No such file', 'Create the directory first')

    def test_no_directory(self):
        path = os.path.join(self.store_dir, 'file')
        open(path, 'w').close()
        self.check_error(self.run_import(store_dir=path), 'Not a directory', 'It must be a directory')

    def test_new_is_no_directory(self):
        os.rmdir(os.path.join(self.store_dir, 'new'))
        open(os.path.join(self.store_dir, 'new'), 'w').close()
        self.check_error(self.run_import())

    def test_tmp_is_a_link_to_nowhere(self):
        os.rmdir(os.path.join(self.store_dir, 'tmp'))
        os.symlink('nowhere', os.path.join(self.store_dir, 'tmp'))
        self.check_error(self.run_import())

    def test_new_and_tmp_on_different_devices(self):
        here = os.stat(self.store_dir).st_dev
        others = [path for path in ('/dev/shm', '/tmp', '/var/tmp', '.') if os.stat(path).st_dev != here]
        self.assertTrue(others, 'There is no directory on another device.')
        with tempfile.TemporaryDirectory(dir=others[0]) as other:
            os.rmdir(os.path.join(self.store_dir, 'tmp'))
            os.symlink(other, os.path.join(self.store_dir, 'tmp'))
            self.check_error(self.run_import(), 'tmp and new must be on one file system')

    def test_without_permission(self):
        os.chmod(self.store_dir, 0o755)
        for name in ('tmp', 'new'):
            with self.subTest(name):
                for other in ('tmp', 'new', 'cur'):
                    os.chmod(os.path.join(self.store_dir, other), 0o777)
                os.chmod(os.path.join(self.store_dir, name), 0o555)
                open(os.path.join(self.store_dir, LOCK), 'w').close()
                os.chmod(os.path.join(self.store_dir, LOCK), 0o666)
                self.assertEqual(0, without_root(lambda: self.check_error(
                    self.run_import(), 'Permission denied', 'needs the right to write there')))

    def test_spool_that_may_not_be_entered(self):
        os.chmod(self.store_dir, 0o700)
        os.chown(self.store_dir, 1, 1) if os.geteuid() == 0 else os.chmod(self.store_dir, 0)
        try:
            self.assertEqual(0, without_root(lambda: self.check_error(
                self.run_import(), 'Permission denied', 'needs the right to write there')))
        finally:
            os.chmod(self.store_dir, 0o700)


@contextlib.contextmanager
def mounted(test, directory, *options):
    """A tmpfs on the directory; the test is skipped where that is not allowed, except with CI=true."""
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', directory],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        if in_ci():
            test.fail('No file system can be mounted here: %s' % done.stderr)
        test.skipTest('No file system can be mounted here (that needs root): %s' % done.stderr)
    try:
        yield
    finally:
        subprocess.run(['umount', '-l', directory], check=True)


class FullDiskTest(DiskTest):

    def test_disk_without_room_for_all(self):
        with mounted(self, self.store_dir, 'size=400k'):
            outcome = self.run_import()
            self.check_error(outcome, 'No space left on device', 'The disk is full. Make room')
            self.check_stopped()
            subprocess.run(['mount', '-o', 'remount,size=10m', self.store_dir], check=True)
            self.check_repair()

    def test_disk_without_room_for_any(self):
        with mounted(self, self.store_dir, 'size=32k'):
            self.check_error(self.run_import(), 'The disk is full. Make room')
            self.check_stopped()
            self.assertEqual(FILES, self.server.files.data)
            subprocess.run(['mount', '-o', 'remount,size=10m', self.store_dir], check=True)
            self.check_repair()

    def test_disk_without_inodes(self):
        with mounted(self, self.store_dir, 'nr_inodes=9'):
            self.check_error(self.run_import(), 'The disk is full. Make room')
            self.check_stopped()
            subprocess.run(['mount', '-o', 'remount,nr_inodes=1000', self.store_dir], check=True)
            self.check_repair()

    def test_disk_that_is_read_only(self):
        with mounted(self, self.store_dir, 'size=10m'):
            for name in ('tmp', 'new', 'cur'):
                os.mkdir(os.path.join(self.store_dir, name))
            subprocess.run(['mount', '-o', 'remount,ro', self.store_dir], check=True)
            self.check_error(self.run_import(), 'Read-only file system', 'look for disk errors in the log of the system')
            self.check_nothing_done()
            subprocess.run(['mount', '-o', 'remount,rw', self.store_dir], check=True)
            self.check_repair()

    def check_stopped(self):
        """No lock, no part, and nothing gone from the server that isn't published or whole in tmp."""
        self.assertEqual({}, self.server.directories)
        self.assertNotIn('read', self.server.files)
        self.assertEqual([], [name for name in os.listdir(os.path.join(self.store_dir, 'tmp')) if name.startswith(PARTS)])
        here = {**contents(os.path.join(self.store_dir, 'tmp')), **contents(os.path.join(self.store_dir, 'new'))}
        for name, data in FILES.items():
            if name not in self.server.files:
                self.assertEqual(data, here[os.fsencode(name)])


class FullDiskOverFourSessions(FullDiskTest):

    connections = 4


class LargeFiles:
    """A mixin: the files are taken for large ones."""

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch('zeit.cds.transfer.worker.LARGE', 1))


class FullDiskLargeFilesTest(LargeFiles, FullDiskTest):
    pass


class FailingSyncTest(DiskTest):
    """A disk that takes the data, and says only at the sync that it could not keep them."""

    def failing(self, *args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def test_data_that_can_not_be_synced(self):
        with mock.patch('zeit.cds.spool.store._syncfs', lambda: None), mock.patch('os.fsync', self.failing):
            self.check_error(self.run_import(), 'Input/output error', 'Look for disk errors')
        self.check_nothing_done()
        self.assertEqual([], self.in_tmp())
        self.check_repair()

    def test_file_system_whose_sync_always_seems_to_succeed(self):
        """As that of overlayfs, which most containers have."""
        sync = os.fsync

        def failing(fd):
            sync(fd) if stat.S_ISDIR(os.fstat(fd).st_mode) else self.failing()

        with mock.patch('zeit.cds.spool.store._kind_of_file_system', lambda directory: 0x794c7630), \
                mock.patch('zeit.cds.spool.store._syncfs', lambda: lambda fd: 0), mock.patch('os.fsync', failing):
            self.check_error(self.run_import(), 'Input/output error')
        self.check_nothing_done()
        self.check_repair()

    def test_file_system_that_can_not_be_synced(self):
        with mock.patch('zeit.cds.spool.store._syncfs', lambda: lambda fd: -1), \
                mock.patch('ctypes.get_errno', lambda: errno.EIO):
            self.check_error(self.run_import(), 'Input/output error')
        self.check_nothing_done()
        self.assertEqual([], self.in_tmp())
        self.check_repair()


class FailingSyncLargeFilesTest(LargeFiles, FailingSyncTest):
    pass
