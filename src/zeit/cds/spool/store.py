"""The spool: a gocept.filestore, with the durability that it lacks.

    tmp/.parts-*/NAME   being received, in a directory of the run; worthless after a crash
    tmp/NAME            whole and on the disk
    new/NAME            published
    cur/                the consumer's

One process at a time uses a spool; it holds the lock `import.lock` there, which the operating system
releases when the process dies.
"""
import contextlib
import errno
import fcntl
import functools
import os
import stat
import sys
import time

import zc.lockfile
import zope.interface

from zeit.cds.interfaces import Entry, FileRefused, IFileSink, IIncoming, ISpool, Locked, SpoolError
from zeit.cds.net.scheduler import in_thread


LOCK = 'import.lock'
NAME_MAX = 255          # bytes; what ext4, XFS, and most others allow
WRITE_OUT = 16 * 2**20  # bytes of a large file after which the disk begins with them, so that the sync has less to do
MANY = 4                # files that are synced together rather than one by one
PARTS = '.parts-'       # beginning of the name of a directory for files that are being received
RENAME_NOREPLACE = 1    # Linux, renameat2(2)
GETFLAGS, SETFLAGS, TOPDIR = 0x80086601, 0x40086602, 0x20000    # Linux, ioctl_iflags(2); other machines refuse the numbers
# Linux, statfs(2): the file systems whose syncfs tells of errors, as that of overlayfs does not: ext2 to ext4, XFS, btrfs,
# F2FS, tmpfs
HONEST = {0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994}
# What a file system says of one file that does not suit it, although all is well with it and with the disk
UNSUITABLE = errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.EFBIG


@zope.interface.implementer(IFileSink)
class FileSink:
    """Spools on a local file system."""

    def open(self, feed):
        return Spool(feed.store_dir)

    def look(self, feed):
        return SpoolGlance(feed.store_dir)


def complains(verb):
    """Turn OSError into a SpoolError that tells where it happened."""
    @functools.wraps(verb)
    def guarded(self, *args):
        try:
            return verb(self, *args)
        except FileExistsError:
            raise
        except OSError as e:
            raise self._error(e) from e
    return guarded


def _hint(error, waits):
    return {
        errno.ENOSPC: 'The disk is full. Make room; %s.' % waits,
        errno.EDQUOT: 'The quota is used up. Raise it; %s.' % waits,
        errno.EROFS: 'The file system is read-only: look for disk errors in the log of the system.',
        errno.EACCES: 'User %d needs the right to write there.' % os.geteuid(),
        errno.EPERM: 'User %d needs the right to write there.' % os.geteuid(),
        errno.ENOENT: 'Create the directory first, or mount its file system.',
        errno.ENOTDIR: 'It must be a directory.',
        errno.EFBIG: 'Raise the limit for the size of files (ulimit -f), or use another file system.',
    }.get(error.errno, 'Look for disk errors in the log of the system.')


def spool_error(path, error, waits):
    """The SpoolError of an OSError. `waits` tells where the files are safe meanwhile, str."""
    if error.errno in UNSUITABLE:
        result = FileRefused("the spool's file system refuses it: %s" % error.strerror)
    else:
        result = SpoolError('Spool %s: %s' % (path, error.strerror or error))
    result.add_note(_hint(error, waits))
    return result


def _call(name, *argument_types):
    """A function of the C library that the os module lacks; None where the library lacks it, too."""
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


@functools.cache
def _renameat2():
    """The system call that renames without overwriting, or None."""
    return _call('renameat2', 'c_int', 'c_char_p', 'c_int', 'c_char_p', 'c_uint')


@functools.cache
def _syncfs():
    """The system call that syncs a whole file system, or None: before Linux 5.8 it does not tell of errors."""
    system = os.uname()
    if system.sysname != 'Linux' or tuple(map(int, system.release.split('.')[:2])) < (5, 8):
        return None
    return _call('syncfs', 'c_int')


def _kind_of_file_system(directory):
    """The number that statfs(2) has for the file system of an open directory; None where it can't be told."""
    import ctypes
    answer = ctypes.create_string_buffer(1024)
    fstatfs = _call('fstatfs', 'c_int', 'c_void_p')
    if fstatfs is None or fstatfs(directory, answer) != 0:
        return None
    return ctypes.c_long.from_buffer(answer).value & 0xffffffff


def move(source, name, target, new_name):
    """Rename from one open directory into another, atomically. Raises FileExistsError rather than overwrite, OSError."""
    if (renameat2 := _renameat2()) is not None:
        if renameat2(source, os.fsencode(name), target, os.fsencode(new_name), RENAME_NOREPLACE) == 0:
            return
        error = _last_error(name)
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise error
    # Not every file system can do that at once. A process killed in between leaves two names of one file,
    # which Spool.leftovers recognises.
    os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    os.unlink(name, dir_fd=source)


@contextlib.contextmanager
def spread(directory):
    """What is made in this open directory in the block, a directory, ext4 places far from others, if it can (chattr(1), T).

    Without a journal ext4 looks, for each new file, at all those nearby that were removed a short while ago, and a spool
    is where files come and go: that takes twenty times as long as all the rest of making one.
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
    """The flags of a directory, int; None where its file system has none, or its owner is somebody else."""
    try:
        answer = fcntl.ioctl(directory, request, flags.to_bytes(4, sys.byteorder))
    except OSError:
        return None
    return int.from_bytes(answer, sys.byteorder)


class Store:
    """What both sides of an exchange need: some directories of a filestore, for this process alone."""

    lock_file = None
    waits = None            # where are the files while the spool can't be used? For error texts
    directories = ()        # two that files move between; `_NAME` is the open directory NAME

    def __init__(self, path):
        self.path = path
        self._lock = None
        for name in self.directories:
            setattr(self, '_' + name, -1)
        try:
            self._open()
        except BaseException as e:
            self.close()
            if isinstance(e, OSError):
                raise self._error(e) from e
            raise

    def _open(self):
        if not stat.S_ISDIR(os.stat(self.path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.path)
        try:
            self._lock = zc.lockfile.LockFile(os.path.join(self.path, self.lock_file))
        except zc.lockfile.LockError as e:
            raise Locked('Another process uses the spool %s.' % self.path) from e
        self._prepare()
        for name in self.directories:
            setattr(self, '_' + name, self._directory(name))
        if len({os.fstat(getattr(self, '_' + name)).st_dev for name in self.directories}) > 1:
            raise SpoolError('Spool %s: %s must be on one file system, since a file moves there '
                             'in one atomic step.' % (self.path, ' and '.join(self.directories)))

    def _prepare(self):
        if not all(os.path.isdir(os.path.join(self.path, name)) for name in ('tmp', 'new', 'cur')):
            import gocept.filestore.filestore  # so only a spool's first run has to load it
            gocept.filestore.filestore.FileStore(self.path).prepare()

    def _directory(self, name):
        path = os.path.join(self.path, name)
        if not os.access(path, os.W_OK | os.X_OK):
            number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
            raise OSError(number, '%s: %s' % (os.strerror(number), path))
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def _error(self, error):
        return spool_error(self.path, error, self.waits)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for name in self.directories:
            if (fd := getattr(self, '_' + name)) >= 0:
                os.close(fd)
                setattr(self, '_' + name, -1)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # ------------------------------------------------------------ names

    def impossible(self, name):
        if name in ('', '.', '..'):
            return 'no file can have this name'
        for bad, text in (('/', 'a slash'), ('\0', 'NUL'), ('\r', 'CR'), ('\n', 'LF')):
            if bad in name:
                return 'no file can have a name with %s' % text
        if len(os.fsencode(name)) > NAME_MAX:
            return 'its name is longer than %d bytes' % NAME_MAX
        return None

    @staticmethod
    def _there(directory, name):
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True


class Glance:
    """Mixed into a Store that is only looked at: it is neither locked nor prepared, and may be in use.

    Before the first run its directories are not there; `_NAME` stays -1 then.
    """

    def _open(self):
        os.stat(self.path)
        for name in self.directories:
            with contextlib.suppress(FileNotFoundError):
                setattr(self, '_' + name, os.open(os.path.join(self.path, name), os.O_RDONLY | os.O_DIRECTORY))


@zope.interface.implementer(ISpool)
class Spool(Store):
    """See ISpool."""

    lock_file = LOCK
    waits = 'what has not arrived yet stays on the server'
    directories = 'tmp', 'new'

    def __init__(self, path):
        self._unsynced = False
        self._alone = True      # is the disk ours, so that to sync all of it does not mean to wait for others?
        self._blocks = None         # Blocks, once there is a large file
        self._parts, self._parts_name = -1, None    # the open directory for files that are being received, once there are any
        super().__init__(path)

    def _open_parts(self):
        self._parts_name = PARTS + os.urandom(4).hex()
        with spread(self._tmp):
            os.mkdir(self._parts_name, dir_fd=self._tmp)
        self._parts = os.open(self._parts_name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._tmp)

    def _sweep(self, name):
        """Remove such a directory of an earlier run."""
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._tmp)
        try:
            for remains in os.listdir(fd):
                os.unlink(remains, dir_fd=fd)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=self._tmp)

    def close(self):
        if self._parts >= 0:
            os.close(self._parts)
            self._parts = -1
            with contextlib.suppress(OSError):      # a run that failed leaves files to the next one
                os.rmdir(self._parts_name, dir_fd=self._tmp)
        super().close()

    @complains
    def unread(self, name):
        return self._there(self._new, name) or self._there(self._tmp, name)

    @complains
    def leftovers(self):
        found = []
        for name in os.listdir(self._tmp):
            status = os.stat(name, dir_fd=self._tmp, follow_symlinks=False)
            if name.startswith(PARTS) and stat.S_ISDIR(status.st_mode):
                self._sweep(name)
            if name.startswith('.') or not stat.S_ISREG(status.st_mode):
                continue
            if self._published(name, status):
                os.unlink(name, dir_fd=self._tmp)
            else:
                found.append(Entry(name, status.st_size, status.st_mtime_ns, 'file'))
        return sorted(found)

    def _published(self, name, status):
        """Is this the first name of a file that `move` had already given its second one?"""
        if status.st_nlink < 2:
            return False
        return any(os.path.samestat(status, found) for found in self._published_as(name))

    def _published_as(self, name):
        """What stat(2) says of what has this name in new, and in cur, where the consumer may have put it."""
        for directory in 'new', 'cur':
            with contextlib.suppress(FileNotFoundError):
                yield os.stat(os.path.join(self.path, directory, name), follow_symlinks=False)

    # ------------------------------------------------------------ files

    @complains
    def create(self, name):
        if self._parts < 0:
            self._open_parts()
        try:
            return Incoming(self, name, self._parts)
        except FileExistsError as e:
            raise FileRefused("to the spool's file system it has the same name as another one") from e

    @complains
    def commit(self, incomings):
        in_thread(self._sync_data, incomings, join=True)    # it uses open files
        # Only what is on the disk may get a name that a later run trusts. The sessions' thread does this, since
        # two threads with such short calls would spend more time on handing Python's lock to each other.
        for incoming in incomings:
            incoming.close()
            move(self._parts, incoming.name, self._tmp, incoming.name)
        in_thread(self._sync_names, join=True)

    def _sync_data(self, incomings):
        together = len(incomings) >= MANY and self._alone and self._tells_of_errors()
        for incoming in incomings:
            incoming.finish(alone=not together)
        if together:
            self._sync_all(len(incomings))
        else:
            for incoming in incomings:
                os.fsync(incoming.fd)

    def _tells_of_errors(self):
        """Does syncfs? bool"""
        return _syncfs() is not None and _kind_of_file_system(self._tmp) in HONEST

    def _sync_names(self):
        for fd in self._tmp, self._parts:
            os.fsync(fd)

    def _sync_all(self, number):
        """Sync the whole file system.

        Each fsync has the disk empty its cache; for many files one syncfs is twenty times faster. Unless somebody
        else writes a lot: then it waits for them as well, and the rest of the run syncs file by file.
        """
        begun = time.monotonic()
        if _syncfs()(self._tmp) != 0:
            raise _last_error(self.path)
        self._alone = time.monotonic() - begun < 0.1 + 0.01 * number

    def block_writer(self, fd, offset):
        """What writes a large file from there on."""
        from zeit.cds.spool.directio import Blocks, BlockWriter  # few runs need it
        if self._blocks is None:
            self._blocks = Blocks()
        return BlockWriter(fd, offset, self._blocks)

    @complains
    def same(self, name, incoming):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._tmp)
        with open(fd, 'rb') as ours, open(os.dup(incoming.fd), 'rb') as theirs:
            theirs.seek(0)
            import hashlib  # few runs need it, and it loads all of OpenSSL
            digests = [hashlib.file_digest(f, 'sha256').digest() for f in (ours, theirs)]
        return digests[0] == digests[1]

    @complains
    def secure(self, name):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._tmp)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        os.fsync(self._tmp)

    @complains
    def publish(self, name):
        move(self._tmp, name, self._new, name)
        self._unsynced = True
        return os.path.join(self.path, 'new', name)

    @complains
    def sync(self):
        if self._unsynced:
            os.fsync(self._new)
            os.fsync(self._tmp)
            self._unsynced = False


class SpoolGlance(Glance, Spool):
    """The spool of an import that is only looked at."""

    @complains
    def unread(self, name):
        return any(fd >= 0 and self._there(fd, name) for fd in (self._tmp, self._new))


@zope.interface.implementer(IIncoming)
class Incoming:
    """See IIncoming."""

    def __init__(self, spool, name, parts):
        self.fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666, dir_fd=parts)
        self.name, self.size = name, 0
        self._spool, self._parts = spool, parts
        self._modified = None
        self._written_out = 0
        self._writer = None         # BlockWriter of a large file

    def _error(self, error):
        return self._spool._error(error)

    @complains
    def write(self, data):
        while data:
            n = os.write(self.fd, data)
            self.size += n
            data = data[n:]
        self._write_out()

    def pour(self, receive):
        room = self._room()
        count = receive(room)
        self._filled(count)
        return count

    @complains
    def _room(self):
        if self._writer is None:
            self._writer = self._spool.block_writer(self.fd, self.size)
        return self._writer.room()

    @complains
    def _filled(self, count):
        self._writer.filled(count)
        self.size += count

    def _write_out(self):
        if self.size - self._written_out >= WRITE_OUT:
            os.posix_fadvise(self.fd, self._written_out, self.size - self._written_out, os.POSIX_FADV_DONTNEED)
            self._written_out = self.size

    @complains
    def restart(self):
        self._drop_writer()
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)
        self.size = self._written_out = 0

    def _drop_writer(self):
        if self._writer is not None:
            self._writer.drop()
            self._writer = None

    @complains
    def complete(self, modified):
        self._modified = modified
        if self._writer is not None:
            self._writer.end()
        else:
            self._stamp()

    def _stamp(self):
        if self._modified is not None:
            os.utime(self.fd, ns=(self._modified, self._modified))

    def finish(self, alone):
        """Before the sync. `alone`: each is synced for itself; so let the disk begin with all of them."""
        if self._writer is not None:
            self._writer.join()
            self._stamp()
        if alone:
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self):
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    @complains
    def discard(self):
        self._drop_writer()
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self._parts)
