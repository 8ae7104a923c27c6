"""Whole imports: a full disk, a limit, a name that does not suit; and what power loss may do."""
import contextlib
import errno
import os
import resource
import signal
import subprocess
from unittest import mock

from zeit.cds.ftp.control import Control
from zeit.cds.interfaces import SpoolError
from zeit.cds.spool import filesystem
from zeit.cds.spool.inbox import FileSink, Spool
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.tests.powerloss import faults
from zeit.cds.spool.tests.recorder import error, Recorder, System
from zeit.cds.testing.layers import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.importing import Importing


LARGE = 100_000         # bytes


@contextlib.contextmanager
def limited_files(size):
    """No file may be larger in the block."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


class FullDisk(Importing, ServerTestCase):
    """All that did not arrive is on the server, and the rest goes on where it can."""

    layer = PYFTPDLIB_LAYER

    def setUp(self):
        super().setUp()
        self.files = {b'a': b'1', b'large': b'x' * 600_000, b'z': b'2'}
        for name, data in self.files.items():
            self.put(name, data)

    def mount(self, *options):
        """A file system of its own for the spool."""
        done = subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', self.store_dir],
            stderr=subprocess.DEVNULL)
        if done.returncode:
            self.skipTest('Only root can mount a file system.')
        self.addCleanup(subprocess.run, ['umount', '-l', self.store_dir], check=True)

    def check_only_the_large_one_is_left(self, reason, large=LARGE):
        outcome = self.run_import(sink=FileSink(Tuning(large=large)))
        self.assertIsNone(outcome.error)
        (name, told), = outcome.failed
        self.assertEqual('large', name)
        self.assertIn(reason, told)
        self.assertEqual({b'large': self.files[b'large']}, self.there)
        self.assertEqual({b'a': b'1', b'z': b'2'}, self.published)
        self.assert_nothing_left()

    def test_no_room_for_one_large_file(self):
        self.mount('size=256k')
        self.check_only_the_large_one_is_left('the disk has no room for it: it needs 600000 bytes')
        subprocess.run(['mount', '-o', 'remount,size=8m', self.store_dir], check=True)
        self.assertTrue(self.run_import().successful)
        self.assertEqual({b'large'}, set(self.published) - {b'a', b'z'})

    def test_no_room_for_one_file_that_was_thought_to_fit(self):
        self.mount('size=256k')
        with System() as system:
            system.filesystem(room=lambda directory: 10**9)
            outcome = self.run_import(sink=FileSink(Tuning(large=LARGE)))
        self.assertIsNone(outcome.error)
        failed = dict(outcome.failed)
        self.assertIn('there is no room for it: No space left', failed['large'])
        self.assertLessEqual(set(failed), {'large', 'z'})     # z perhaps came in the same moment
        self.run_import(sink=FileSink(Tuning(large=LARGE)))
        self.assertEqual({b'a': b'1', b'z': b'2'}, self.published)

    def test_no_room_for_small_files(self):
        self.mount('size=256k')
        outcome = self.run_import(sink=FileSink(Tuning(large=10**6)))
        self.assertIsInstance(outcome.error, SpoolError)
        self.assertIn('The disk is full', outcome.error.__notes__[0])
        self.assertEqual(self.files, {**self.there, **self.published, **self.spool('tmp')})
        self.assertIn(b'large', self.there)
        self.assertNotIn(b'read', self.there)

    def test_one_file_that_is_too_large_for_the_file_system(self):
        # As a small one, while it comes; as a large one, when its last block is written.
        for large in 10**6, LARGE:
            with self.subTest(large=large):
                with limited_files(500_000):
                    self.check_only_the_large_one_is_left(
                        "the spool's file system refuses it: File too large", large)
                self.consume()
                for name in b'a', b'z':
                    self.put(name, self.files[name])

    def test_one_file_whose_name_is_too_long_for_the_file_system(self):
        with System() as system:
            system.fail('open', error(errno.ENAMETOOLONG), lambda path, *_: path == 'large')
            self.check_only_the_large_one_is_left(
                "the spool's file system refuses it: File name too long")

    def test_a_directory_has_the_name_of_one_file(self):
        for name in 'tmp', 'new':
            os.mkdir(os.path.join(self.store_dir, name, 'large'))
            outcome = self.run_import()
            self.assertIsNone(outcome.error)
            self.assertEqual([('large', "a directory of this name in '%s' is in its way. Remove it"
                               % name)], outcome.failed)
            os.rmdir(os.path.join(self.store_dir, name, 'large'))
        self.assertEqual({b'a', b'z'}, set(self.published))

    def test_new_that_takes_no_more_files(self):
        def refusing(source, name, target, new_name):
            if name == new_name and target == opened[-1]._new:
                raise PermissionError(errno.EACCES, 'Permission denied')
            return move(source, name, target, new_name)

        class Sink(FileSink):
            def open(self, feed):
                opened.append(Spool(feed.store_dir))
                return opened[-1]

        move, opened = filesystem.move, []
        with System() as system:
            system.filesystem(move=refusing)
            outcome = self.run_import(sink=Sink())
        self.assertIsInstance(outcome.error, SpoolError)
        self.assertEqual({}, self.published)
        self.assertEqual(self.files, {**self.there, **self.spool('tmp')})
        self.assertTrue(self.run_import().successful)
        self.assertEqual((self.files, {}), (self.published, self.there))
        self.assert_nothing_left()


class PowerLoss(Importing, ServerTestCase):
    """No crash loses a file that is gone on the server; the order of a whole import."""

    layer = PYFTPDLIB_LAYER

    @contextlib.contextmanager
    def recording(self, atomic=True):
        def recorded(control, data):
            for line in data.split(b'\r\n'):
                if line.startswith(b'DELE ') and line[5:] not in (b'read', b'write'):
                    recorder.steps.append(('removed on server', os.fsdecode(line[5:])))
            return transmit(control, data)

        transmit = Control.transmit
        with Recorder(atomic) as recorder, mock.patch.object(Control, 'transmit', recorded):
            yield recorder

    def check(self, atomic=True, **tuning):
        for n in range(4):
            self.put('file-%d' % n, b'%d' % n * 10 ** n)
        with self.recording(atomic) as recorder:
            self.assertTrue(self.run_import(sink=FileSink(Tuning(**tuning))).successful)
        self.assertEqual({b'file-%d' % n: b'%d' % n * 10 ** n for n in range(4)}, self.consume())
        self.assertEqual(4, sum(step[0] == 'removed on server' for step in recorder.steps))
        wrong, count = faults(recorder.steps, ordered=not atomic)
        self.assertEqual([], wrong)
        self.assertLess(len(recorder.steps), count)

    def test_each_file_synced_by_itself(self):
        self.check(many=10**6)

    def test_all_files_synced_at_once(self):
        self.check(many=1)

    def test_large_files(self):
        for many in 1, 10**6:
            self.check(many=many, large=1)

    def test_without_a_rename_that_does_not_overwrite(self):
        self.check(atomic=False)

    def test_recovery(self):
        self.put('file-9', b'9')
        with mock.patch.object(Spool, 'publish', side_effect=SpoolError('crash')):
            self.run_import()
        self.assertEqual({b'file-9': b'9'}, self.spool('tmp'))
        self.put('file-9', b'9')        # as if the server had not removed it yet
        with self.recording() as recorder:
            self.assertTrue(self.run_import().successful)
        steps = recorder.steps
        first = min(n for n, step in enumerate(steps) if step[0] == 'removed on server')
        self.assertIn(('sync directory', 'tmp'), steps[:first])
