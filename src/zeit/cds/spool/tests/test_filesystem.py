"""What a spool asks of the file system that Python does not have."""
import ctypes
import errno
import itertools
import os
import sys
from types import SimpleNamespace
from unittest import mock

from zeit.cds.spool import filesystem, inbox
from zeit.cds.spool.tests.cases import InSpool
from zeit.cds.spool.tests.recorder import BROKEN, System


class Directories(InSpool):

    def setUp(self):
        super().setUp()
        self.fds = [self.directory(name) for name in ('tmp', 'new')]

    def directory(self, path):
        fd = os.open(os.path.join(self.path, path), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return fd


class Moving(Directories):

    def move(self):
        self.make('tmp', 'a', data=b'data')
        atomic = filesystem.move(self.fds[0], 'a', self.fds[1], 'b')
        self.assertEqual(({}, {'b': b'data'}), (self.there('tmp'), self.there('new')))
        os.unlink(self.at('new', 'b'))
        return atomic

    def overwrite(self):
        self.make('tmp', 'a', data=b'data')
        self.make('new', 'b', data=b'other')
        with self.assertRaises(FileExistsError):
            filesystem.move(self.fds[0], 'a', self.fds[1], 'b')
        self.assertEqual(({'a': b'data'}, {'b': b'other'}), (self.there('tmp'), self.there('new')))
        os.unlink(self.at('new', 'b'))

    def test_in_one_step_where_that_can_be_done(self):
        self.assertTrue(self.move() or filesystem.renameat2() is None)
        self.overwrite()

    def test_what_the_library_knows(self):
        for name in 'renameat2', 'syncfs':
            known = hasattr(ctypes.CDLL(None), name)
            self.assertEqual(known, filesystem._call(name) is not None)
        self.assertEqual(hasattr(ctypes.CDLL(None), 'renameat2'),
                         filesystem.renameat2() is not None)
        self.assertIsNone(filesystem._call('no_such_function'))

    def test_the_library_does_not_know_it(self):
        with System() as system:
            system.without_rename()
            self.assertFalse(self.move())
            self.overwrite()

    def test_the_system_or_the_file_system_does_not_know_it(self):
        for number in errno.EINVAL, errno.ENOSYS:
            with self.subTest(number), System() as system:
                system.c_library('renameat2', number)
                self.assertFalse(self.move())
                self.overwrite()

    def test_a_link_is_moved_and_not_what_it_leads_to(self):
        with System() as system:
            system.without_rename()
            os.symlink('nowhere', self.at('tmp', 'a'))
            filesystem.move(self.fds[0], 'a', self.fds[1], 'b')
        self.assertEqual('nowhere', os.readlink(self.at('new', 'b')))
        self.assertEqual({}, self.there('tmp'))

    def test_it_refuses(self):
        with System() as system:
            system.c_library('renameat2', errno.EACCES)
            with self.assertRaises(PermissionError):
                self.move()


class Flags(Directories):
    """Of a directory, while others are made in it."""

    def set(self, before, refused=False):
        """What they are set to, one after the other, if they are `before`."""
        def ioctl_flags(directory, request, flags=0):
            if request == filesystem.GETFLAGS:
                return before
            done.append(flags)
            return None if refused else flags

        done = []
        with System() as system:
            system.filesystem(ioctl_flags=ioctl_flags)
            with filesystem.spread(self.fds[0]):
                done.append('made')
        return done

    def test_they_are_as_before_afterwards(self):
        self.assertEqual([5 | filesystem.TOPDIR, 'made', 5], self.set(5))
        self.assertEqual([filesystem.TOPDIR, 'made', 0], self.set(0))

    def test_where_there_are_none(self):
        self.assertEqual(['made'], self.set(None))

    def test_where_they_cannot_be_set(self):
        self.assertEqual([5 | filesystem.TOPDIR, 'made'], self.set(5, refused=True))


class Ioctl(Directories):

    def test_what_is_asked(self):
        asked = []

        def ioctl(directory, request, argument):
            asked.append((directory, request, argument))
            return (5).to_bytes(4, sys.byteorder)

        with mock.patch.object(filesystem.fcntl, 'ioctl', ioctl):
            self.assertEqual(5, filesystem.ioctl_flags(7, filesystem.GETFLAGS))
            filesystem.ioctl_flags(7, filesystem.SETFLAGS, 3)
        self.assertEqual([(7, filesystem.GETFLAGS, bytes(4)),
                          (7, filesystem.SETFLAGS, (3).to_bytes(4, sys.byteorder))], asked)

    def test_there_are_none(self):
        self.assertIsNone(filesystem.ioctl_flags(self.directory('/proc'), filesystem.GETFLAGS))


class Syncing(Directories):

    def test_no_directory_stays_open_where_the_disk_fails(self):
        before = os.listdir('/proc/self/fd')
        with System() as system:
            system.fail('fsync', BROKEN)
            self.assertRaises(OSError, filesystem.sync_directory, self.at('new'))
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

    def test_of_all_of_a_disk_that_others_write_to_a_lot_is_done_once(self):
        for took, times in (0.05, 2), (0.105, 2), (0.115, 1), (1.0, 1):
            with self.subTest(took), System() as system:
                self.assertEqual(times, self.times(system, took))

    def times(self, system, took):
        """How often of two times all of the disk is synced, if that takes so long."""
        def syncfs(fd):
            synced.append(fd)
            return 0

        synced, disk = [], inbox.Disk(1)
        clock = itertools.count(0.0, took)      # it is asked before and after
        system.filesystem(kind=lambda directory: 0xef53, syncfs=lambda: syncfs)
        incoming = SimpleNamespace(fd=self.fds[1], finish=lambda alone: None)
        with mock.patch.object(inbox, 'time', SimpleNamespace(monotonic=lambda: next(clock))):
            for _ in range(2):
                disk.sync([incoming], self.fds[0])
        return len(synced)


class Kinds(Directories):

    def test_the_kind_of_a_file_system(self):
        self.assertEqual(0x9fa0, filesystem.kind(self.directory('/proc')))
        self.assertIsNone(filesystem.kind(-1))

    def test_not_all_tell_of_errors(self):
        if filesystem.syncfs() is None:
            self.skipTest('This system has no syncfs.')
        self.assertFalse(filesystem.can_sync_all(self.directory('/proc')))
        for kind, honest in (0xef53, True), (0x794c7630, False):     # ext4, overlayfs
            with System() as system:
                system.filesystem(kind=lambda directory, kind=kind: kind)
                self.assertEqual(honest, filesystem.can_sync_all(self.fds[0]))
                system.without_syncfs()
                self.assertFalse(filesystem.can_sync_all(self.fds[0]))

    def test_an_error_of_syncfs(self):
        with System() as system:
            system.c_library('syncfs', errno.EIO)
            with self.assertRaisesRegex(OSError, 'Input/output error'):
                filesystem.sync_all(self.fds[0])

    def test_which_systems_have_a_syncfs_that_tells(self):
        self.addCleanup(filesystem.syncfs.cache_clear)
        for name, number, tells in (
                ('Linux', '5.7.19-generic', False), ('Linux', '5.8.0', True),
                ('Linux', '6.1.0-13-amd64', True), ('Darwin', '23.1.0', False)):
            with System() as system:
                system.filesystem(_call=lambda name, *types: name)
                system.uname = lambda name=name, number=number: SimpleNamespace(
                    sysname=name, release=number)
                filesystem.syncfs.cache_clear()
                self.assertEqual(tells, filesystem.syncfs() is not None)

    def test_room(self):
        with System() as system:
            system.fstatvfs = lambda fd: SimpleNamespace(f_bavail=7, f_bfree=9, f_frsize=4096)
            self.assertEqual(7 * 4096, filesystem.room(self.fds[0]))
