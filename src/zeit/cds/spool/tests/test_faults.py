"""A spool whose disk is broken or full, or which a power failure hits."""
import errno
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import unittest.mock

from zeit.cds.interfaces import Locked, SpoolError
from zeit.cds.spool import store as spool
from zeit.cds.spool.store import LOCK, Spool
from zeit.cds.testing.layers import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.crash.powerloss import faults, Recorder
from zeit.cds.tests.importing import Importing, new_spool
from zeit.cds.transfer import worker


def as_somebody_else(function):
    """Call it in a process without root's rights; gives the SpoolError's text and notes, or None."""
    def child(results):
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        try:
            function()
        except SpoolError as e:
            results.put('%s %s' % (e, e.__notes__))
        else:
            results.put(None)

    context = multiprocessing.get_context('fork')
    results = context.SimpleQueue()
    process = context.Process(target=child, args=(results,))
    process.start()
    process.join()
    return results.get()


class Broken(unittest.TestCase):
    """A spool that cannot be used: a clear error, nothing else."""

    def setUp(self):
        self.path = new_spool()
        self.addCleanup(shutil.rmtree, self.path, ignore_errors=True)

    def assert_error(self, *texts):
        with self.assertRaises(SpoolError) as caught:
            Spool(self.path).close()
        self.assert_texts('%s %s' % (caught.exception, getattr(caught.exception, '__notes__', '')), *texts)

    def assert_texts(self, got, *texts):
        for text in (self.path, *texts):
            self.assertIn(text, got or '')

    def test_missing(self):
        shutil.rmtree(self.path)
        self.assert_error('Create the directory first')
        self.assertFalse(os.path.exists(self.path))

    def test_no_directory(self):
        shutil.rmtree(self.path)
        with open(self.path, 'w'):
            pass
        self.addCleanup(os.unlink, self.path)
        self.assert_error('must be a directory')

    def test_no_permission(self):
        os.chmod(self.path, 0o755)
        self.assert_texts(as_somebody_else(lambda: Spool(self.path)), 'needs the right to write')

    def test_no_permission_in_new(self):
        os.chmod(self.path, 0o777)
        for name, mode in ('tmp', 0o777), ('new', 0o755), ('cur', 0o777):
            os.chmod(os.path.join(self.path, name), mode)
        self.assert_texts(as_somebody_else(lambda: Spool(self.path)), 'new', 'needs the right to write')

    def test_tmp_on_another_file_system(self):
        other = tempfile.mkdtemp(dir=os.path.dirname(__file__))     # not where the spool is
        self.addCleanup(shutil.rmtree, other)
        if os.stat(other).st_dev == os.stat(self.path).st_dev:
            self.skipTest('There is only one file system here.')
        os.rmdir(os.path.join(self.path, 'tmp'))
        os.symlink(other, os.path.join(self.path, 'tmp'))
        self.assert_error('must be on one file system')

    def test_in_use(self):
        with Spool(self.path):
            self.assertRaises(Locked, Spool, self.path)
        Spool(self.path).close()
        self.assertTrue(os.path.exists(os.path.join(self.path, LOCK)))

    def test_a_refused_opening_leaves_nothing_open(self):
        os.rmdir(os.path.join(self.path, 'new'))
        with open(os.path.join(self.path, 'new'), 'w'):
            pass
        before = os.listdir('/proc/self/fd')
        self.assertRaises(SpoolError, Spool, self.path)
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))


class FullDisk(Importing, ServerTestCase):
    """An import whose disk is full, read-only, or has limits: an error, and all that didn't arrive is on the server."""

    layer = PYFTPDLIB_LAYER

    def check(self, *texts):
        outcome = self.run_import()
        self.assertIsInstance(outcome.error, SpoolError, self.log.lines)
        said = '%s %s' % (outcome.error, outcome.error.__notes__)
        for text in texts:
            self.assertIn(text, said)
        self.assertEqual(self.files, {**self.there, **self.published, **self.spool('tmp')})
        self.assertEqual([], [name for name in self.spool('tmp') if name.startswith(b'.')])
        self.assertIn(b'large', self.there)
        self.assertNotIn(b'read', self.there)

    def setUp(self):
        super().setUp()
        self.files = {b'a': b'1', b'large': b'x' * 2**20, b'z': b'2'}
        for name, data in self.files.items():
            self.put(name, data)

    def mount(self, *options):
        """A file system of its own for the spool."""
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', self.store_dir],
                              stderr=subprocess.DEVNULL)
        if done.returncode:
            self.skipTest('Only root can mount a file system.')
        self.addCleanup(subprocess.run, ['umount', '-l', self.store_dir], check=True)

    def test_full(self):
        self.mount('size=256k')
        self.check('The disk is full', 'stays on the server')
        subprocess.run(['mount', '-o', 'remount,size=8m', self.store_dir], check=True)
        self.assertTrue(self.run_import().successful)
        self.assertEqual((self.files, {}), (self.published, self.there))
        self.assert_nothing_left()

    def test_read_only(self):
        self.mount('size=8m')
        for name in 'tmp', 'new', 'cur':
            os.mkdir(os.path.join(self.store_dir, name))
        with open(os.path.join(self.store_dir, LOCK), 'w'):
            pass
        subprocess.run(['mount', '-o', 'remount,ro', self.store_dir], check=True)
        self.check('read-only')
        self.assertEqual(self.files, self.there)

    def limit_files(self, size):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, handler)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))

    def test_limit_of_a_file(self):
        self.limit_files(500_000)
        self.check()

    def test_one_file_that_is_too_large_for_the_file_system(self):
        data = b'x' * 600_000
        self.put('large', data)
        self.limit_files(500_000)
        outcome = self.run_import()
        self.assertIsNone(outcome.error)
        self.assertEqual([('large', "the spool's file system refuses it: File too large")], outcome.failed)
        self.assertEqual(({b'large': data}, {b'a': b'1', b'z': b'2'}), (self.there, self.published))
        self.assert_nothing_left()

    def test_one_file_whose_name_is_too_long_for_the_file_system(self):
        real = os.open

        def refusing(path, *args, **more):
            if path == 'large':
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            return real(path, *args, **more)

        with unittest.mock.patch('os.open', refusing):
            outcome = self.run_import()
        self.assertIsNone(outcome.error)
        self.assertEqual([('large', "the spool's file system refuses it: File name too long")], outcome.failed)
        self.assertEqual({b'a', b'z'}, set(self.published))

    def test_new_that_takes_no_more_files(self):
        move = spool.move

        def refusing(source, name, target, new_name):
            if source != target:
                raise PermissionError(errno.EACCES, 'Permission denied')
            move(source, name, target, new_name)

        with unittest.mock.patch.object(spool, 'move', refusing):
            outcome = self.run_import()
        self.assertIsInstance(outcome.error, SpoolError)
        self.assertEqual({}, self.published)
        self.assertEqual(self.files, {**self.there, **self.spool('tmp')})
        self.assertTrue(self.run_import().successful)
        self.assertEqual((self.files, {}), (self.published, self.there))
        self.assert_nothing_left()


class PowerLoss(Importing, ServerTestCase):
    """No crash loses a file that is gone on the server, or leaves a part where a whole file is expected."""

    layer = PYFTPDLIB_LAYER

    def record(self, atomic=True, many=10**6, **settings):
        for n in range(4):
            self.put('file-%d' % n, b'%d' % n * 10 ** n)
        recorder = Recorder()
        with recorder.recording(atomic), unittest.mock.patch.object(spool, 'MANY', many):
            self.assertTrue(self.run_import(**settings).successful)
        self.assertEqual({b'file-%d' % n: b'%d' % n * 10 ** n for n in range(4)}, self.consume())
        self.assertEqual(4, sum(step[0] == 'removed on server' for step in recorder.steps))
        return recorder.steps

    def check(self, steps, **kw):
        wrong, count = faults(steps, **kw)
        self.assertEqual([], wrong)
        self.assertLess(len(steps), count)

    def test_each_file_synced_by_itself(self):
        self.check(self.record())

    def test_all_files_synced_together(self):
        steps = self.record(many=1)
        self.assertIn(('sync all',), steps)
        self.check(steps)

    def test_large_files(self):
        def slow(*args):
            time.sleep(0.1)
            return write(*args)

        write = os.pwrite
        for many in 1, 10**6:
            with self.subTest(many=many), unittest.mock.patch.object(worker, 'LARGE', 1), \
                    unittest.mock.patch.object(os, 'pwrite', side_effect=slow) as pwrite:
                self.check(self.record(many=many))
                self.assertLessEqual(4, pwrite.call_count)

    def test_without_a_rename_that_does_not_overwrite(self):
        # Its two steps need a file system that keeps the order of what it loses.
        self.check(self.record(atomic=False), ordered=True)

    def test_recovery(self):
        self.put('file-9', b'9')
        with unittest.mock.patch.object(spool.Spool, 'publish', side_effect=SpoolError('crash')):
            self.run_import()
        self.assertEqual({b'file-9': b'9'}, self.spool('tmp'))
        self.put('file-9', b'9')        # as if the server had not removed it yet
        recorder = Recorder()
        with recorder.recording():
            self.assertTrue(self.run_import().successful)
        steps = recorder.steps
        # The file was found under its whole name, so that all of it is on the disk; its name may not be, yet.
        first = min(n for n, step in enumerate(steps) if step[0] == 'removed on server')
        self.assertIn(('sync directory', 'tmp'), steps[:first])

    def test_the_model_sees_each_kind_of_mistake(self):
        steps = self.record()
        for mistake in (
                [step for step in steps if step[0] != 'sync'],
                [step for step in steps if step != ('sync directory', 'tmp')],
                [step for step in steps if step[0] == 'removed on server']
                + [step for step in steps if step[0] != 'removed on server'],
                sorted(steps, key=lambda step: step[0] == 'data'),
                sorted(steps, key=lambda step: step[0] != 'rename' and step[0] != 'create')):
            self.assertTrue(faults(mistake)[0])


def test_suite():
    return unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (Broken, FullDisk, PowerLoss)))
