"""The spool: names, leftovers, publication, and what a broken disk or a power failure does to it."""
import contextlib
import errno
import glob
import io
import itertools
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

from zeit.cds import spool
from zeit.cds.hub import Hub
from zeit.cds.interfaces import Locked, SpoolError
from zeit.cds.spool import Incoming, LOCK, PARTS, Spool
from zeit.cds.testing.layers import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.importing import Importing, contents, new_spool
from zeit.cds.tests.powerloss import Recorder, faults


NAMES = ('a', ' ', '-', 'ü', '\udcff', 'x' * 255, 'é' * 127, '%s', 'tab\t', 'a.part')


class SpoolCase(unittest.TestCase):

    def setUp(self):
        self.path = new_spool()
        self.addCleanup(shutil.rmtree, self.path, ignore_errors=True)
        self.spool = self.open()

    def open(self):
        opened = Spool(self.path)
        self.addCleanup(opened.close)
        return opened

    def reopen(self):
        self.spool.close()
        self.spool = self.open()

    def receive(self, name, data=b'data', modified=None):
        incoming = self.spool.create(name)
        incoming.write(memoryview(data))
        if modified is not None:
            incoming.complete(modified)
        return incoming

    def commit(self, *names):
        self.spool.commit([self.receive(name) for name in names])

    def there(self, directory):
        return {os.fsdecode(name): data for name, data in contents(os.path.join(self.path, directory)).items()}

    def parts(self):
        """The files that are being received."""
        found = {}
        for directory in glob.glob(os.path.join(glob.escape(self.path), 'tmp', PARTS + '*')):
            found.update(self.there(directory))
        return found

    def whole(self):
        """The files in tmp that are no parts."""
        return {name: data for name, data in self.there('tmp').items() if not name.startswith(PARTS)}


class Files(SpoolCase):

    def test_a_file_goes_its_way(self):
        for name in NAMES:
            with self.subTest(name):
                incoming = self.receive(name, b'abc', 1_500_000_000_123456789)
                self.assertEqual({name: b'abc'}, self.parts())
                self.assertFalse(self.spool.unread(name))
                self.spool.commit([incoming])
                self.assertEqual({name: b'abc'}, self.whole())
                self.assertTrue(self.spool.unread(name))
                path = self.spool.publish(name)
                self.assertEqual(os.path.join(self.path, 'new', name), path)
                self.assertEqual(({}, {name: b'abc'}), (self.whole(), self.there('new')))
                self.assertEqual(1_500_000_000_123456789, os.stat(path).st_mtime_ns)
                self.assertTrue(self.spool.unread(name))
                os.unlink(path)

    def test_tmp_is_empty_afterwards(self):
        self.commit('a')
        self.receive('b')
        self.assertEqual(({'a'}, {'b'}), (set(self.whole()), set(self.parts())))
        self.reopen()
        self.assertEqual(['a'], [entry.name for entry in self.spool.leftovers()])
        self.spool.publish('a')
        self.spool.close()
        self.assertEqual({}, self.there('tmp'))

    def test_impossible_names(self):
        for name in ('', '.', '..', 'a/b', '/a', 'a\0', 'a\r', '\nb', 'x' * 256, 'é' * 128):
            self.assertIsInstance(self.spool.impossible(name), str, name)
        for name in NAMES:
            self.assertIsNone(self.spool.impossible(name), name)

    def test_publishing_overwrites_nothing(self):
        for atomic in True, False:
            with self.subTest(atomic=atomic), contextlib.ExitStack() as stack:
                if not atomic:      # as on a file system without renameat2
                    stack.enter_context(unittest.mock.patch.object(spool, '_renameat2', lambda: None))
                self.commit('a')
                new = os.path.join(self.path, 'new', 'a')
                with open(new, 'wb') as f:
                    f.write(b'unread')
                self.assertRaises(FileExistsError, self.spool.publish, 'a')
                self.assertEqual(({'a': b'data'}, {'a': b'unread'}), (self.whole(), self.there('new')))
                os.unlink(new)
                self.spool.publish('a')
                self.assertEqual(({}, {'a': b'data'}), (self.whole(), self.there('new')))
                os.unlink(new)

    def test_committing_overwrites_nothing(self):
        self.commit('a')
        with self.assertRaises(FileExistsError):
            self.commit('a')

    def test_restart_and_discard(self):
        incoming = self.receive('a', b'wrong' * 1000)
        incoming.restart()
        self.assertEqual(0, incoming.size)
        incoming.write(b'right')
        self.spool.commit([incoming])
        self.assertEqual({'a': b'right'}, self.whole())
        incoming = self.receive('b')
        incoming.discard()
        incoming.discard()
        self.spool.close()
        self.assertEqual({'a': b'right'}, self.there('tmp'))

    def test_same_compares_the_bytes(self):
        self.spool.commit([self.receive('a', b'x' * 300_000)])
        for data, same in (b'x' * 300_000, True), (b'x' * 299_999 + b'y', False), (b'', False):
            incoming = self.receive('a', data)
            self.assertEqual(same, self.spool.same('a', incoming))
            incoming.discard()
        self.spool.close()
        self.assertEqual(['a'], list(self.there('tmp')))

    def test_a_symbolic_link_in_tmp_is_not_followed(self):
        target = os.path.join(self.path, 'target')
        os.mkdir(target)
        with open(os.path.join(target, 'b'), 'w'):
            pass
        os.symlink(target, os.path.join(self.path, 'tmp', PARTS + '1'))
        self.spool.leftovers()
        self.spool.create('a')
        self.assertEqual(['b'], os.listdir(target))


class Parts(SpoolCase):
    """Where files are while they come."""

    def test_they_are_far_from_other_files(self):
        def flags():
            return spool.ioctl_flags(tmp, spool.GETFLAGS) or 0

        def mkdir(name, dir_fd):
            seen.append(flags())
            make(name, dir_fd=dir_fd)

        path = tempfile.mkdtemp(prefix='zeit.cds-spool-')   # on a disk, mostly
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        opened = Spool(path)
        self.addCleanup(opened.close)
        tmp, make, seen = opened._tmp, os.mkdir, []
        before = flags()
        if spool.ioctl_flags(tmp, spool.SETFLAGS, before | spool.TOPDIR) is None:
            self.skipTest('This file system places files anywhere.')
        spool.ioctl_flags(tmp, spool.SETFLAGS, before)
        with unittest.mock.patch.object(os, 'mkdir', mkdir):
            opened.create('a').discard()
        self.assertEqual(([before | spool.TOPDIR], before), (seen, flags()))

    def test_two_of_one_name(self):
        self.receive('a')
        self.assertRaises(FileExistsError, self.spool.create, 'a')

    def test_nobody_syncs_any_more_when_the_task_of_a_commit_has_ended(self):
        def slow(fd):
            time.sleep(0.05)
            sync(fd)
            synced.append(fd)

        sync, synced, incoming = os.fsync, [], self.receive('a')
        with unittest.mock.patch.object(os, 'fsync', slow):
            with Hub() as hub:
                hub.spawn(lambda: self.spool.commit([incoming]))
                hub.turn(0)
            self.assertEqual([incoming.fd], synced)
        incoming.discard()
        self.assertEqual(({}, {}), (self.whole(), self.parts()))


class Poured(SpoolCase):
    """Large files."""

    def pour(self, incoming, data):
        source = io.BytesIO(data)
        while incoming.pour(lambda buffer: source.readinto(buffer[:30000])):
            pass

    def test_all_are_there(self):
        data, incoming = os.urandom(100_000), self.spool.create('a')
        self.pour(incoming, data)
        self.assertEqual(100_000, incoming.size)
        incoming.complete(10**18)
        self.spool.commit([incoming])
        self.assertEqual({'a': data}, self.whole())
        self.assertEqual(10**18, os.stat(os.path.join(self.path, 'tmp', 'a')).st_mtime_ns)

    def test_it_goes_on_where_it_was(self):
        data, incoming = os.urandom(100_000), self.spool.create('a')
        self.pour(incoming, data[:50_001])
        self.pour(incoming, data[50_001:])
        self.spool.commit([incoming])
        self.assertEqual({'a': data}, self.whole())

    def test_restart(self):
        for begin, again in itertools.product((self.pour, Incoming.write), repeat=2):
            incoming = self.spool.create('a')
            begin(incoming, b'wrong' * 10_000)
            incoming.restart()
            self.assertEqual(0, incoming.size)
            again(incoming, b'right')
            self.spool.commit([incoming])
            self.assertEqual({'a': b'right'}, self.whole())
            os.unlink(os.path.join(self.path, 'tmp', 'a'))

    def test_discard(self):
        incoming = self.spool.create('a')
        self.pour(incoming, b'data')
        incoming.discard()
        incoming.discard()
        self.assertEqual({}, self.parts())

    def test_what_goes_wrong_is_told(self):
        incoming = self.spool.create('a')
        self.addCleanup(incoming.discard)
        with unittest.mock.patch.object(os, 'pwrite', side_effect=OSError(errno.ENOSPC, 'No space left on device')):
            self.pour(incoming, b'data')
            with self.assertRaisesRegex(SpoolError, 'No space left'):
                self.spool.commit([incoming])
            self.assertEqual({}, self.whole())

    def test_what_goes_wrong_in_the_network_is_something_else(self):
        def receive(buffer):
            raise ConnectionError

        incoming = self.spool.create('a')
        self.addCleanup(incoming.discard)
        self.assertRaises(ConnectionError, incoming.pour, receive)


class Leftovers(SpoolCase):

    def test_whole_files_are_told_of_and_parts_removed(self):
        self.spool.commit([self.receive('b', b'12', 10**18), self.receive('a', b'1', 10**18 + 1)])
        self.receive('c')
        self.reopen()
        self.assertEqual([('a', 1, 10**18 + 1, 'file'), ('b', 2, 10**18, 'file')], self.spool.leftovers())
        self.assertEqual({'a', 'b'}, set(self.whole()))
        self.spool.close()
        self.assertEqual({'a', 'b'}, set(self.there('tmp')))

    def test_what_is_no_file_is_left_alone(self):
        os.mkdir(os.path.join(self.path, 'tmp', 'directory'))
        os.symlink('nowhere', os.path.join(self.path, 'tmp', 'link'))
        os.mkfifo(os.path.join(self.path, 'tmp', 'pipe'))
        self.assertEqual([], self.spool.leftovers())
        self.assertEqual({'directory', 'link', 'pipe'}, set(self.there('tmp')))

    def test_a_move_in_two_steps_that_was_interrupted(self):
        self.commit('a', 'b')
        for name in 'a', 'b':
            os.link(os.path.join(self.path, 'tmp', name), os.path.join(self.path, 'new', name))
        os.unlink(os.path.join(self.path, 'new', 'b'))
        os.link(os.path.join(self.path, 'tmp', 'b'), os.path.join(self.path, 'cur', 'b'))
        self.assertEqual(['b'], [entry.name for entry in self.spool.leftovers()])
        self.assertEqual(({'b': b'data'}, {'a': b'data'}), (self.whole(), self.there('new')))


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

    def test_limit_of_a_file(self):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, handler)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
        self.check()

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
        self.assertEqual(4, len(self.consume()))
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
    return unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (
        Files, Parts, Poured, Leftovers, Broken, FullDisk, PowerLoss)))
