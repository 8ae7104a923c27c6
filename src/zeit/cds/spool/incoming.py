"""Files of a spool while their bytes come: to be kept, or to be compared with those that are there.

A small file goes through the system's page cache, by way of memory that the files of a spool use in
turn; a large one past it (`zeit.cds.spool.directio`).
"""
import contextlib
import errno
import os
import threading
from typing import NamedTuple

import zope.interface

from zeit.cds.interfaces import FileRefused, IComparison, IIncoming
from zeit.cds.spool.store import spool_errors


# What a file system says of one file that does not suit it, although all is well with it
UNSUITABLE = errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EISDIR, errno.EFBIG
NO_ROOM = errno.ENOSPC, errno.EDQUOT


def unsuitable(error):
    """What an OSError with such a number says of a file: a sentence."""
    return "the spool's file system refuses it: %s" % error.strerror


class Tuning(NamedTuple):
    """Figures of a Spool that may be other ones."""

    buffer: int = 256 * 1024    # bytes of a small file that are received at once
    large: int = 2**20          # bytes; from here on it pays to write while more comes
    many: int = 4               # files that are synced all at once rather than one by one
    blocks: tuple | None = None     # a directio.BlockTuning for large files; None: its defaults


class Memory:
    """The memory for bytes that come, which all files of a spool share. Several threads may ask."""

    def __init__(self, tuning):
        self.tuning = tuning
        self._free = []
        self._blocks = None     # directio.Blocks, once there is a large file
        self._lock = threading.Lock()

    def take(self):
        """A memoryview for one small file."""
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(bytearray(self.tuning.buffer))

    def give(self, buffer):
        """It is of no use any more."""
        self._free.append(buffer)

    @property
    def is_for_large_ones(self):
        """Is a large file on its way, which may take all room, and give it back soon? bool"""
        return self._blocks is not None and self._blocks.are_in_use

    def block_writer(self, fd, offset, digest=None):
        """What writes a large file from there on. digest -- hashlib object, or None"""
        from zeit.cds.spool import directio  # few runs need it
        with self._lock:
            if self._blocks is None:
                self._blocks = directio.Blocks(self.tuning.blocks or directio.BlockTuning())
        return directio.BlockWriter(fd, offset, self._blocks, digest)


@zope.interface.implementer(IIncoming)
class Incoming:
    """See IIncoming."""

    def __init__(self, spool, directory, name, memory, expected):
        """
        spool -- makes errors, with `_error`
        directory -- open directory for files that are being received
        memory -- Memory
        expected -- int, or None: how many bytes will come, supposedly
        """
        self.name, self.size = name, 0
        self.fd = -1
        self._spool, self._directory, self._memory = spool, directory, memory
        self._is_large = (expected or 0) >= memory.tuning.large
        self._buffer = None         # memory of a small file,
        self._writer = None         # or the BlockWriter of a large one
        self.modified = None

    def open(self):
        """Make the file. Raises OSError, among them FileExistsError."""
        try:
            self.fd = os.open(self.name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666,
                              dir_fd=self._directory)
        except OSError as e:
            if e.errno in UNSUITABLE:
                raise self.error(e) from e
            raise       # also when there is no room: others would have none, either

    # ------------------------------------------------------------ errors

    def refused(self, reason):
        """A FileRefused that tells of this file."""
        result = FileRefused(reason)
        result.incoming = self
        return result

    def error(self, error):
        """The SpoolError of an OSError: a FileRefused if others may follow."""
        if error.errno in UNSUITABLE:
            return self.refused(unsuitable(error))
        if error.errno in NO_ROOM and (self._passed_as_large or self._memory.is_for_large_ones):
            # Else it would hardly be the only one that finds no room.
            return self.refused('there is no room for it: %s. Make room' % error.strerror)
        return self._spool._error(error)

    _error = error      # for `spool_errors`

    @property
    def _passed_as_large(self):
        return self._is_large or self.size >= self._memory.tuning.large

    # ------------------------------------------------------------ data

    def buffer(self):
        buffer = self._buffer
        if buffer is None:
            if self._passed_as_large:
                return self._block()
            buffer = self._buffer = self._memory.take()
        # The block writer takes over at once when it is due, where the disk likes it to begin.
        left = self._memory.tuning.large - self.size
        return buffer if left >= len(buffer) else buffer[:left]

    def advance(self, count):
        buffer = self._buffer
        try:
            if buffer is None:
                self._writer.filled(count)
            else:
                done = os.write(self.fd, buffer[:count])
                while done < count:
                    done += os.write(self.fd, buffer[done:count])
        except OSError as e:
            raise self.error(e) from e
        self.size += count
        if buffer is not None and self.size >= self._memory.tuning.large:
            self._give_back()

    @spool_errors
    def _block(self):
        if self._writer is None:
            self._writer = self._new_writer()
        return self._writer.room()

    def _new_writer(self):
        return self._memory.block_writer(self.fd, self.size)

    def _give_back(self):
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._memory.give(buffer)

    @spool_errors
    def restart(self):
        self._drop_writer()
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)
        self.size = 0

    def _drop_writer(self):
        if self._writer is not None:
            self._writer.drop()
            self._writer = None

    # ------------------------------------------------------------ its end

    @spool_errors
    def complete(self, modified):
        self.modified = modified
        self._give_back()
        if self._writer is not None:
            self._writer.end()
        else:
            self._stamp()

    def _stamp(self):
        if self.modified is not None:
            os.utime(self.fd, ns=(self.modified, self.modified))

    def finish(self, alone):
        """Have all data written, before the sync. Raises OSError.

        alone -- each is synced for itself; so let the disk begin with all of them
        """
        if self._writer is not None:
            self._writer.join()
            self._stamp()
        if alone:
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self):
        """Close the file, which stays."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    @spool_errors
    def discard(self):
        self._give_back()
        self._drop_writer()
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self._directory)


@zope.interface.implementer(IComparison)
class Comparison:
    """See IComparison."""

    def __init__(self, spool, fd, memory):
        """
        spool -- makes errors, with `_error`
        fd -- of the file, which is closed by `discard`
        memory -- Memory
        """
        self._fd, self._memory = fd, memory
        self._error = spool._error
        self._buffer = memory.take()
        self._position = 0
        self._differs = False

    def buffer(self):
        return self._buffer

    @spool_errors
    def advance(self, count):
        if not self._differs:
            self._differs = self._next(count) != self._buffer[:count]
        self._position += count

    def _next(self, count):
        """So many bytes of the file; less if it ends."""
        data = bytearray()
        while len(data) < count and (
                piece := os.pread(self._fd, count - len(data), self._position + len(data))):
            data += piece
        return data

    @property
    @spool_errors
    def equal(self):
        return not self._differs and self._position == os.fstat(self._fd).st_size

    def discard(self):
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            self._memory.give(self._buffer)
