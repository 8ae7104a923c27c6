"""The system as the modules of a spool see it: each call can be recorded, be slow, or fail.

A support module for tests; `MODULES` is also of use to whoever counts the calls of a whole run.
"""
import contextlib
import errno
import itertools
import os
import time
from unittest import mock

from zeit.cds.spool import (
    directio,
    filesystem,
    hashed,
    inbox,
    incoming,
    journal,
    notes,
    outbox,
    outgoing,
    store,
)


MODULES = (directio, filesystem, hashed, inbox, incoming, journal, notes, outbox, outgoing, store)


def error(number):
    """The OSError of an errno."""
    return OSError(number, os.strerror(number))


NO_SPACE, INVALID, BROKEN = error(errno.ENOSPC), error(errno.EINVAL), error(errno.EIO)
TOO_LARGE = error(errno.EFBIG)


class System:
    """Stands for `os` in the modules of a spool while its block runs."""

    def __init__(self):
        self._stack = contextlib.ExitStack()

    def __getattr__(self, name):
        return getattr(os, name)

    def __enter__(self):
        for module in MODULES:
            self._stack.enter_context(mock.patch.object(module, 'os', self, create=True))
        return self

    def __exit__(self, *_):
        self._stack.close()
        return False

    def instead(self, name, function):
        """Have `function` called for a function of `os`: with the real one, and its arguments."""
        before = getattr(self, name)
        setattr(self, name, lambda *args, **kw: function(before, *args, **kw))

    def fail(self, name, error, when=lambda *args: True):
        """Have calls raise an exception: those for whose arguments `when` is true."""
        def failing(real, *args, **kw):
            if when(*args):
                raise error
            return real(*args, **kw)
        self.instead(name, failing)

    def slow(self, name, seconds=0.05):
        """Have calls take a while."""
        def slow(real, *args, **kw):
            time.sleep(seconds)
            return real(*args, **kw)
        self.instead(name, slow)

    def heal(self, name):
        """From now on it works as it should."""
        delattr(self, name)

    # ------------------------------------------------------------ the file system

    def filesystem(self, **functions):
        """Have these functions of `zeit.cds.spool.filesystem` replaced."""
        self._stack.enter_context(mock.patch.multiple(filesystem, **functions))

    def without_rename(self):
        """There is no rename that does not overwrite."""
        self.filesystem(renameat2=lambda: None)

    def without_syncfs(self):
        """There is no way to sync a whole file system."""
        self.filesystem(syncfs=lambda: None)

    def c_library(self, name, number):
        """A function of the C library fails with this errno."""
        self.filesystem(**{name: lambda: lambda *args: -1})
        self._stack.enter_context(mock.patch('ctypes.get_errno', lambda: number))


class Recorder(System):
    """Writes down what a spool does: `steps`, a list of tuples.

    ('create', INODE, DIRECTORY, NAME), ('data', INODE), ('sync', INODE), ('sync directory', NAME),
    ('sync all',), ('rename' or 'link', DIRECTORY, NAME, NEW DIRECTORY, NEW NAME), ('unlink',
    DIRECTORY, NAME). An inode is a number of ours; a directory is its own name.
    """

    def __init__(self, atomic=True):
        """
        atomic -- has the file system a rename that does not overwrite?
        """
        super().__init__()
        self.steps = []
        self._atomic = atomic
        self._directories, self._inodes = {}, {}    # by file descriptor
        self._numbers = itertools.count()

    def __enter__(self):
        super().__enter__()
        self.filesystem(syncfs=lambda: self.syncfs)
        if self._atomic:
            self._move = filesystem.move
            self.filesystem(move=self.move)
        else:
            self.without_rename()
        return self

    def open(self, path, flags, mode=0o777, *, dir_fd=None):
        fd = os.open(path, flags, mode, dir_fd=dir_fd)
        self._forget(fd)        # others may have closed one of this number
        if flags & os.O_DIRECTORY:
            self._directories[fd] = os.path.basename(path)
        elif flags & os.O_CREAT:
            self._inodes[fd] = next(self._numbers)
            self.steps.append(('create', self._inodes[fd], *self._place(path, dir_fd)))
        return fd

    def _place(self, path, dir_fd=None):
        """Directory and name."""
        if dir_fd is not None:
            return self._directories[dir_fd], path
        directory, name = os.path.split(path)
        return os.path.basename(directory), name

    def _data(self, fd):
        if fd in self._inodes:
            self.steps.append(('data', self._inodes[fd]))

    def write(self, fd, data):
        self._data(fd)
        return os.write(fd, data)

    def pwrite(self, fd, data, offset):
        count = os.pwrite(fd, data, offset)
        self._data(fd)      # a thread does it: what was synced meanwhile does not count
        return count

    def ftruncate(self, fd, length):
        self._data(fd)
        return os.ftruncate(fd, length)

    def utime(self, fd, **kw):
        self._data(fd)      # recovery compares the time: it has to be durable as well
        return os.utime(fd, **kw)

    def fsync(self, fd):
        os.fsync(fd)
        if fd in self._directories:
            self.steps.append(('sync directory', self._directories[fd]))
        elif fd in self._inodes:
            self.steps.append(('sync', self._inodes[fd]))
        else:       # opened by other means
            self.steps.append(('sync file', os.path.basename(os.readlink('/proc/self/fd/%d' % fd))))

    def fdatasync(self, fd):
        os.fdatasync(fd)
        self.steps.append(('sync', self._inodes[fd]))

    def syncfs(self, fd):
        self.steps.append(('sync all',))
        return 0

    def close(self, fd):
        self._forget(fd)
        os.close(fd)

    def _forget(self, fd):
        self._inodes.pop(fd, None)
        self._directories.pop(fd, None)

    def move(self, source, name, target, new_name):
        atomic = self._move(source, name, target, new_name)
        self.steps.append(('rename', *self._place(name, source), *self._place(new_name, target)))
        return atomic

    def rename(self, path, new_path):
        os.rename(path, new_path)
        self.steps.append(('rename', *self._place(path), *self._place(new_path)))

    def link(self, name, new_name, *, src_dir_fd, dst_dir_fd, follow_symlinks):
        os.link(name, new_name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd,
                follow_symlinks=follow_symlinks)
        self.steps.append(
            ('link', *self._place(name, src_dir_fd), *self._place(new_name, dst_dir_fd)))

    def unlink(self, name, *, dir_fd):
        os.unlink(name, dir_fd=dir_fd)
        self.steps.append(('unlink', *self._place(name, dir_fd)))
