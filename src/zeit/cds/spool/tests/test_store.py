"""The spool: names, files on their way through it, leftovers, publication."""
import contextlib
import errno
import glob
import io
import itertools
import os
import shutil
import tempfile
import time
import unittest
import unittest.mock

from zeit.cds.interfaces import FileRefused, SpoolError
from zeit.cds.net.scheduler import Scheduler
from zeit.cds.spool import store as spool
from zeit.cds.spool.store import Incoming, PARTS, Spool
from zeit.cds.tests.importing import contents, new_spool


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

    def test_a_file_system_without_such_a_rename(self):
        """The system knows it, and the file system does not."""
        for number in errno.EINVAL, errno.ENOSYS:
            with self.subTest(number), unittest.mock.patch.object(spool, '_renameat2', lambda: lambda *args: -1), \
                    unittest.mock.patch('ctypes.get_errno', lambda: number):
                self.commit('a')
                self.spool.publish('a')
                self.assertEqual(({}, {'a': b'data'}), (self.whole(), self.there('new')))
                os.unlink(os.path.join(self.path, 'new', 'a'))

    def test_no_file_stays_open(self):
        self.commit('a')
        before = os.listdir('/proc/self/fd')
        self.commit('b', 'c')
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

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

    def test_the_kind_of_a_file_system(self):
        fd = os.open('/proc', os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.assertEqual(0x9fa0, spool._kind_of_file_system(fd))
        self.assertIsNone(spool._kind_of_file_system(-1))

    def test_two_of_one_name(self):
        self.receive('a')
        self.assertRaises(FileRefused, self.spool.create, 'a')

    def test_nobody_syncs_any_more_when_the_task_of_a_commit_has_ended(self):
        def slow(fd):
            time.sleep(0.05)
            sync(fd)
            synced.append(fd)

        sync, synced, incoming = os.fsync, [], self.receive('a')
        with unittest.mock.patch.object(os, 'fsync', slow):
            with Scheduler() as scheduler:
                scheduler.spawn(lambda: self.spool.commit([incoming]))
                scheduler.turn(0)
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

    def test_nothing_is_written_to_its_descriptor_once_it_is_discarded(self):
        def slow(fd, data, offset):
            time.sleep(0.05)
            written.append((fd, incoming.fd))
            return write(fd, data, offset)

        write, written = os.pwrite, []
        with unittest.mock.patch.object(os, 'pwrite', slow):
            incoming = self.spool.create('a')
            self.pour(incoming, b'data')
            incoming.complete(None)
            incoming.discard()
            time.sleep(0.1)
        for fd, still_open in written:
            self.assertEqual(fd, still_open)

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

    def test_a_dotfile_is_left_alone(self):
        """NFS makes some, of files that were removed while somebody had them open."""
        with open(os.path.join(self.path, 'tmp', '.nfs0001'), 'w'):
            pass
        self.assertEqual([], self.spool.leftovers())
        self.assertEqual({'.nfs0001'}, set(self.there('tmp')))

    def test_a_file_with_two_names_is_not_that_of_its_name_in_new(self):
        """A backup made a second name, and the CMS has not read an older file."""
        self.commit('a')
        os.link(os.path.join(self.path, 'tmp', 'a'), os.path.join(self.path, 'cur', 'backup'))
        with open(os.path.join(self.path, 'new', 'a'), 'w') as f:
            f.write('older')
        self.assertEqual(['a'], [entry.name for entry in self.spool.leftovers()])
        self.assertEqual(({'a': b'data'}, {'a': b'older'}), (self.whole(), self.there('new')))

    def test_a_move_in_two_steps_that_was_interrupted(self):
        self.commit('a', 'b')
        for name in 'a', 'b':
            os.link(os.path.join(self.path, 'tmp', name), os.path.join(self.path, 'new', name))
        os.unlink(os.path.join(self.path, 'new', 'b'))
        os.link(os.path.join(self.path, 'tmp', 'b'), os.path.join(self.path, 'cur', 'b'))
        self.assertEqual([], self.spool.leftovers())
        self.assertEqual(({}, {'a': b'data'}), (self.whole(), self.there('new')))


def test_suite():
    return unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (Files, Parts, Poured, Leftovers)))
