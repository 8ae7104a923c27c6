"""What a spool asks of the file system that Python's os module does not have, or not whole."""
import contextlib
import errno
import fcntl
import functools
import os
import sys


RENAME_NOREPLACE = 1    # Linux, renameat2(2)
# Linux, ioctl_iflags(2); other machines refuse the numbers
GETFLAGS, SETFLAGS, TOPDIR = 0x80086601, 0x40086602, 0x20000
# Linux, statfs(2): the file systems whose syncfs tells of errors, as that of overlayfs does not:
# ext2 to ext4, XFS, btrfs, F2FS, tmpfs
HONEST = {0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994}


def _call(name, *argument_types):
    """A function of the C library that the os module lacks; None if the library lacks it, too."""
    import ctypes  # a run that finds nothing to do needs none of this
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return None
    function.argtypes = [getattr(ctypes, kind) for kind in argument_types]
    return function


def _last_error(name):
    """The OSError that such a function has met."""
    import ctypes
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), name)


# ---------------------------------------------------------------- moving

@functools.cache
def renameat2():
    """The system call that renames without overwriting, or None."""
    return _call('renameat2', 'c_int', 'c_char_p', 'c_int', 'c_char_p', 'c_uint')


def move(source, name, target, new_name):
    """Rename from one open directory into another, atomically, and never overwrite.

    Returns whether that was one step for a power failure, too: if it wasn't, sync the target before
    the source, lest the file is in neither afterwards. Raises FileExistsError, OSError.
    """
    if (rename := renameat2()) is not None:
        old = new = os.fsencode(name)
        if new_name != name:
            new = os.fsencode(new_name)
        if rename(source, old, target, new, RENAME_NOREPLACE) == 0:
            return True
        error = _last_error(name)
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise error
    # Not every file system can do that at once. A process killed in between leaves two names of
    # one file, which Spool.leftovers and Outbox.retire recognise.
    os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    os.unlink(name, dir_fd=source)
    return False


# ---------------------------------------------------------------- syncing

@functools.cache
def syncfs():
    """The system call that syncs a file system, or None: before Linux 5.8 it tells of no errors."""
    system = os.uname()
    release = tuple(map(int, system.release.split('.')[:2]))
    if system.sysname != 'Linux' or release < (5, 8):
        return None
    return _call('syncfs', 'c_int')


def can_sync_all(directory):
    """Does `sync_all` exist for the file system of an open directory, and tell of errors? bool"""
    return syncfs() is not None and kind(directory) in HONEST


def sync_all(directory):
    """Sync the whole file system of an open directory. Raises OSError."""
    if syncfs()(directory) != 0:
        raise _last_error('syncfs')


def sync_directory(path):
    """Make the names in a directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def kind(directory):
    """The number that statfs(2) has for an open directory's file system; None if it can't tell."""
    import ctypes
    answer = ctypes.create_string_buffer(1024)
    fstatfs = _call('fstatfs', 'c_int', 'c_void_p')
    if fstatfs is None or fstatfs(directory, answer) != 0:
        return None
    return ctypes.c_long.from_buffer(answer).value & 0xffffffff


def room(directory):
    """How many bytes the file system of an open directory still takes of this user. int"""
    status = os.fstatvfs(directory)
    return status.f_bavail * status.f_frsize


# ---------------------------------------------------------------- directories and files

@contextlib.contextmanager
def spread(directory):
    """What is made in this open directory in the block, a directory, ext4 places far from others.

    That is flag T of chattr(1). Without a journal ext4 looks, for each new file, at all those
    nearby that were removed a short while ago, and a spool is where files come and go: that takes
    twenty times as long as all the rest of making one.
    """
    flags = ioctl_flags(directory, GETFLAGS)
    if flags is not None and ioctl_flags(directory, SETFLAGS, flags | TOPDIR) is None:
        flags = None
    try:
        yield
    finally:
        if flags is not None:
            ioctl_flags(directory, SETFLAGS, flags)


def ioctl_flags(directory, request, flags=0):
    """The flags of a directory, int; None where there are none, or its owner is somebody else."""
    try:
        answer = fcntl.ioctl(directory, request, flags.to_bytes(4, sys.byteorder))
    except OSError:
        return None
    return int.from_bytes(answer, sys.byteorder)


def status_of(directory, name):
    """What lstat(2) says of a name in an open directory; None if there is nothing of this name."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def identity(status):
    """A tuple that tells a file from one that has taken its place, or from what was made of it.

    The place may include the inode, which file systems use again.
    """
    return status.st_ino, status.st_size, status.st_mtime_ns


def leads_to(directory, name, *known):
    """Is that name in an open directory one of the file with this identity? bool

    known -- an identity, or the beginning of one
    """
    status = status_of(directory, name)
    return status is not None and identity(status)[:len(known)] == known


def append(fd, data):
    """Add bytes to a file that is open for appending: all of them, or, with an OSError, none."""
    written = 0
    try:
        while written < len(data):
            written += os.write(fd, data[written:])
    except OSError:
        if written:
            os.ftruncate(fd, os.fstat(fd).st_size - written)
        raise
