"""Files of a spool of which a journal is kept: their digest is taken while their bytes come."""
import hashlib
import os

from zeit.cds.spool.incoming import Incoming


PIECE = 2**20       # bytes that are read at once


class HashedIncoming(Incoming):
    """See INoted for its attributes more.

    The digest of a small file is taken where its bytes come, that of a large one by the thread that
    writes it.
    """

    inode = None

    def open(self):
        super().open()
        self.inode = os.fstat(self.fd).st_ino
        self._hash = hashlib.sha256()

    @property
    def digest(self):
        return self._hash.hexdigest()

    def advance(self, count):
        if self._buffer is not None:
            self._hash.update(self._buffer[:count])
        super().advance(count)

    def _new_writer(self):
        return self._memory.block_writer(self.fd, self.size, self._hash)

    def restart(self):
        super().restart()
        self._hash = hashlib.sha256()


def digest(fd):
    """SHA-256 of an open file, str."""
    result, position = hashlib.sha256(), 0
    while piece := os.pread(fd, PIECE, position):
        result.update(piece)
        position += len(piece)
    return result.hexdigest()
