"""Files of a spool's `new` on their way to the server."""
import errno
import hashlib
import os
import stat

import zope.interface

from zeit.cds.interfaces import IOutgoing, Unreadable
from zeit.cds.net.scheduler import checkpoint
from zeit.cds.spool.filesystem import identity, status_of
from zeit.cds.spool.sending import Pieces
from zeit.cds.spool.store import NAME_MAX


BUFFER = 256 * 1024     # bytes
FAIR = 2**20            # bytes; after so many others have their turn


def temporary_name(name):
    """A name on the server that nobody uses, for a file that is to be called `name`."""
    rest = '.%s.part' % os.urandom(6).hex()
    if len(os.fsencode(name)) + 1 + len(rest) > NAME_MAX:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return '.%s%s' % (name, rest)


@zope.interface.implementer(IOutgoing)
class Outgoing(Pieces):
    """See IOutgoing."""

    def __init__(self, directory, name):
        """
        directory -- the open directory new
        """
        self.name, self.temporary = name, temporary_name(name)
        self.size = self.length = 0
        self.resumable = True
        self.digest = None          # of the contents, once all of them were read
        self._directory, self._fd, self._status = directory, -1, None

    @property
    def identity(self):
        """What tells it from a newer file of its name: see `filesystem.identity`."""
        return identity(self._status)

    @property
    def inode(self):
        """See INoted."""
        return self._status.st_ino

    @property
    def modified(self):
        """See INoted."""
        return self._status.st_mtime_ns

    @property
    def facts(self):
        """The fields of its note; `digest` is known when all was sent, or `read` was called."""
        return self.name, self.temporary, self._status.st_ino, self.length, self.digest

    def open(self):
        if self._fd >= 0:
            return
        try:
            self._fd = os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK,
                               dir_fd=self._directory)
            self._status = status = os.fstat(self._fd)
        except OSError as e:
            raise self._unreadable(e) from e
        if not stat.S_ISREG(status.st_mode):
            self.discard()
            raise Unreadable('it is no regular file')
        self.length = status.st_size

    @staticmethod
    def _unreadable(error):
        if error.errno == errno.ENOENT:
            return Unreadable("somebody else has taken it out of 'new'")
        if error.errno == errno.EACCES:
            return Unreadable('user %d may not read it' % os.geteuid())
        return Unreadable('it cannot be read: %s' % error.strerror)

    def _read(self):
        buffer = memoryview(bytearray(min(BUFFER, self.length + 1)))
        position = 0
        while True:
            try:
                count = os.preadv(self._fd, [buffer], position)
            except OSError as e:
                raise self._unreadable(e) from e
            position += count
            if position % FAIR < count:
                checkpoint()
            if count:
                yield buffer[:count]
            if not count or position >= self.length and count < len(buffer):
                return

    def read(self):
        """See IOutgoing; returns the digest."""
        for _ in self.pieces():
            pass
        self.size = 0
        return self.digest

    def unchanged(self):
        before, now = self._status, status_of(self._directory, self.name)
        return (now is not None and self.size == self.length
                and identity(now) == identity(before))

    def discard(self):
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
