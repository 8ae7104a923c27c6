"""Small files in memory: an IByteSink for what is read whole, and how such a one is handed on."""
import zope.interface

from zeit.cds.interfaces import IByteSink


SIZE = 4096     # bytes of a buffer


@zope.interface.implementer(IByteSink)
class Memory:
    """Keeps the first `limit` bytes of what comes, as `data`."""

    def __init__(self, limit=65536):
        self.data = bytearray()
        self._limit = limit
        self._buffer = memoryview(bytearray(SIZE))

    def buffer(self):
        return self._buffer

    def advance(self, count):
        self.data += self._buffer[:min(count, self._limit - len(self.data))]


def read(session, name, limit=65536):
    """The contents of a file of an ICDSSession, bytes; at most `limit` of them.

    Raises what its `read` does.
    """
    sink = Memory(limit)
    session.read(name, sink)
    return bytes(sink.data)


def deliver(data, sink):
    """Hand bytes to an IByteSink."""
    left = memoryview(data)
    while left:
        buffer = sink.buffer()
        count = min(len(buffer), len(left))
        buffer[:count] = left[:count]
        sink.advance(count)
        left = left[count:]
