"""Objects of a spool's `new` on their way to the server."""
import zope.interface

from zeit.cds.interfaces import IOutgoing, SpoolError, Unreadable
from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool.sending import Pieces
from zeit.cds.text import printable


SMALL = 2**20               # bytes; such an object is read as a whole
PIECE = 4 * 2**20           # bytes of a larger one that are read at once


@zope.interface.implementer(IOutgoing)
class Outgoing(Pieces):
    """See IOutgoing."""

    def __init__(self, objects, name, temporary):
        self.name, self.temporary = name, temporary
        self.size = self.length = 0
        self.resumable = True
        self.digest = None          # of the contents, once all of them were read
        self._objects, self._found = objects, None
        self._data = None           # of a small one

    @property
    def key(self):
        return 'new/' + self.name

    @property
    def identity(self):
        """What tells it from a newer object of its name: a list that JSON keeps."""
        return self._found.state

    @property
    def facts(self):
        """The fields of its note; `digest` is known when all was sent, or `read` was called."""
        return self.name, self.temporary, self.identity, self.length, self.digest

    def open(self):
        if self._found is not None:
            return
        try:
            found, data = in_thread(self._objects.read, self.key, SMALL, join=True)
        except SpoolError as e:
            raise Unreadable('it cannot be read: %s' % printable(str(e))) from e
        if found is None:
            raise Unreadable("somebody else has taken it out of 'new'")
        self._found, self._data, self.length = found, data, found.size

    def _read(self):
        if self._data is not None:
            if self._data:
                yield memoryview(self._data)
            return
        pieces = self._objects.pieces(self.key, PIECE, self._found)
        try:
            while (piece := in_thread(next, pieces, None, join=True)) is not None:
                yield piece
        except SpoolError as e:
            raise Unreadable('it cannot be read: %s' % printable(str(e))) from e

    def read(self):
        """See IOutgoing; returns the digest."""
        for _ in self.pieces():
            pass
        self.size = 0
        return self.digest

    def unchanged(self):
        now = in_thread(self._objects.head, self.key, join=True)
        return (now is not None and self.size == self.length
                and now.state == self._found.state)

    def discard(self):
        self._data = None
