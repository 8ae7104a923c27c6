"""A directory as the server: ICDSSession by system calls. The feed's `ftp_dir` is its path."""
import contextlib
import os
import stat

import zope.interface

from zeit.cds.file.directory import checked, Directory
from zeit.cds.interfaces import Entry, ICDSConnection, ICDSSession, PermanentError, ReplyError


KINDS = {stat.S_IFREG: 'file', stat.S_IFDIR: 'dir'}
PROBE = '.cds-clock'    # always the same, so that what a kill leaves is there once at most
WRITE = os.O_WRONLY | os.O_NOFOLLOW     # nothing is written elsewhere by way of somebody's link
CREATE = WRITE | os.O_CREAT


@zope.interface.implementer(ICDSConnection)
class FileConnection:
    """See ICDSConnection."""

    needs_password = False

    def open(self, feed, deadline, like=None):
        try:
            return FileSession(feed.ftp_dir, deadline)
        except PermanentError as e:
            e.add_note('Check the directory %r: is it there, mounted, readable?' % feed.ftp_dir)
            raise


@zope.interface.implementer(ICDSSession)
class FileSession(Directory):
    """See ICDSSession.

    Data are durable when `write` returns, names when `rename` and `remove` do: an export forgets
    a file after the one, an import publishes it after the other.
    """

    blocking, latency = True, 0.0

    def entries(self):
        for name in self._call(os.listdir, self._fd):
            if (status := self._status_of_any(name)) is not None:   # it may just have vanished
                yield entry(name, status)

    def stat(self, name):
        status = self._status(name)
        return entry(name, status) if status and stat.S_ISREG(status.st_mode) else None

    def read(self, name, sink, offset=0):
        at, call = offset, self._call
        with self._opened(name, os.O_RDONLY, offset) as file:
            while count := call(os.preadv, file, [sink.buffer()], at):
                sink.advance(count)
                at += count
        return at - offset

    def write(self, name, source, offset=0):
        at, call = offset, self._call
        with self._opened(name, WRITE if offset else CREATE, offset) as file:
            call(os.ftruncate, file, offset)
            for piece in [source] if isinstance(source, bytes) else self._pieces(source):
                left = memoryview(piece)
                while left:
                    count = call(os.pwrite, file, left, at)
                    left, at = left[count:], at + count
            call(os.fsync, file)
        return at - offset

    def remove(self, name):
        self._at(os.unlink, name)
        self._sync()

    def rename(self, source, target):
        self._call(os.rename, checked(source), checked(target, 2),
                   src_dir_fd=self._fd, dst_dir_fd=self._fd)
        self._sync(target.rpartition('/')[0])

    def exists(self, name):
        return self._status(name, follow=False) is not None

    def kind(self, name):
        status = self._status(name)
        return status and entry(name, status).kind

    def make_directory(self, name):
        self._at(os.mkdir, name, depth=2)

    def remove_directory(self, name):
        self._at(os.rmdir, name, depth=2)

    def stored_name(self, name):
        """Another one where the file system folds upper and lower case, or accents."""
        names, ours = self._call(os.listdir, self._fd), self._status(name)
        if ours is None or name in names:
            return ours and name
        found = ((each, self._status_of_any(each)) for each in names)
        return next((each for each, status in found
                     if status and os.path.samestat(ours, status)), None)

    def clock(self):
        try:
            with self._opened(PROBE, CREATE) as file:
                self._call(os.utime, file)
                now = self._call(os.fstat, file).st_mtime_ns
            with contextlib.suppress(ReplyError):       # another session may have removed it
                self._at(os.unlink, PROBE)
            return now
        except ReplyError:
            return None


def entry(name, status):
    return Entry(name, status.st_size, status.st_mtime_ns,
                 KINDS.get(stat.S_IFMT(status.st_mode), 'other'))
