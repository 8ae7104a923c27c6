"""What a spool asks of the file system that Python does not have."""
import errno
import os
from types import SimpleNamespace

from zeit.cds.spool import filesystem
from zeit.cds.spool.tests.cases import InSpool
from zeit.cds.spool.tests.recorder import System


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

    def test_it_refuses(self):
        with System() as system:
            system.c_library('renameat2', errno.EACCES)
            with self.assertRaises(PermissionError):
                self.move()


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
