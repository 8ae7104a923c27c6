"""System calls in one directory, with the errors that a session has to raise."""
import contextlib
import errno
import os
import stat

from zeit.cds.interfaces import ConnectionLost, PermanentError, TemporaryError
from zeit.cds.text import printable


LOST = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.ETIMEDOUT}
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EBUSY, errno.EMFILE, errno.ENFILE}
MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
UNSYNCABLE = {errno.EINVAL, errno.ENOTSUP}      # some file systems sync no directories
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


class Directory:
    """A directory that stays the same one, whatever becomes of its path; a context manager."""

    def __init__(self, path, deadline):
        self.alive, self._deadline, self._fd = True, deadline, None
        self._fd = self._call(os.open, path, DIRECTORY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.alive = False
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def abort(self):
        self.alive = False

    def _pieces(self, source):
        """The pieces of a file to be written; what they raise ends the session."""
        try:
            yield from source
        except Exception:
            self.abort()
            raise

    def names(self, directory):
        with self._closed(self._at(os.open, directory, DIRECTORY, depth=2)) as opened:
            return self._call(os.listdir, opened)

    # ------------------------------------------------------------ system calls

    def _call(self, function, *args, **kw):
        """What a function of `os` returns, or the error of ICDSSession for what it raises."""
        if not self.alive:
            raise ConnectionLost('The session has ended.')
        self._deadline.check()
        try:
            return function(*args, **kw)
        except OSError as e:
            raise self._error(e) from e

    def _error(self, e):
        if e.errno in LOST:
            self.alive = False
            return ConnectionLost(printable(str(e)))
        return (TemporaryError if e.errno in PASSING else PermanentError)(printable(str(e)))

    def _at(self, function, name, *args, depth=1, **kw):
        """The same for a function that takes a name in this directory.

        depth -- 2: also DIRECTORY/NAME
        """
        return self._call(function, checked(name, depth), *args, dir_fd=self._fd, **kw)

    def _status(self, name, follow=True):
        """The os.stat_result; None where there is nothing. follow -- of what a link leads to?"""
        try:
            return self._at(os.stat, name, follow_symlinks=follow)
        except PermanentError as e:
            if e.__cause__.errno in MISSING:
                return None
            raise

    def _status_of_any(self, name):
        """The same for a link that leads nowhere, or where we may not go: that of the link."""
        with contextlib.suppress(PermanentError):
            if (status := self._status(name)) is not None:
                return status
        return self._status(name, follow=False)

    @contextlib.contextmanager
    def _opened(self, name, flags, offset=0):
        """The descriptor of a regular file that is at least `offset` bytes long.

        No pipe blocks us, and no file is blocked for us.
        """
        with self._closed(self._at(os.open, name, flags | os.O_NONBLOCK, 0o666)) as file:
            status = self._call(os.fstat, file)
            if not stat.S_ISREG(status.st_mode):
                raise PermanentError('This is no regular file: %s' % printable(name))
            if offset > status.st_size:
                raise PermanentError('It has no %d bytes: %s' % (offset, printable(name)))
            yield file

    @staticmethod
    @contextlib.contextmanager
    def _closed(fd):
        try:
            yield fd
        finally:
            with contextlib.suppress(OSError):      # what has to be durable was synced
                os.close(fd)

    def _sync(self, below=''):
        """Make durable which names there are; it is too late to be stopped.

        below -- name of a directory in this one, which has changed as well; '': none
        """
        try:
            if below:
                with self._closed(os.open(below, DIRECTORY, dir_fd=self._fd)) as opened:
                    os.fsync(opened)
            os.fsync(self._fd)
        except OSError as e:
            if e.errno not in UNSYNCABLE:
                raise self._error(e) from e


def checked(name, depth=1):
    """The name, str. Raises ValueError if it leads elsewhere, or can't be one."""
    parts = name.split('/')
    if '\0' in name or len(parts) > depth or {'', '.', '..'}.intersection(parts):
        raise ValueError('This is no name in the directory: %s' % printable(name))
    return name
