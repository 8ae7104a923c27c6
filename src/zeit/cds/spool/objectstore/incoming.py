"""Files that come, on their way into a store.

A small one is kept in memory, and written under its name when it is committed. A larger one is sent
while it comes, or at once when it has come, under a name of its own; `commit` then writes a record
of it. Requests are made by other threads: many files are on their way at once.
"""
import contextlib
import os
import queue
import threading

import zope.interface

from zeit.cds.interfaces import FileRefused, IComparison, IIncoming, SpoolError
from zeit.cds.net.scheduler import in_thread


BUFFER = 256 * 1024         # bytes that are received at once
SMALL = 256 * 1024          # bytes; such a file is kept in memory
PART = 8 * 2**20            # bytes; a larger file is sent in parts of this size
PARTS = 1                   # that may wait for the store, of each large file
PIECE = 2**20               # bytes that are compared at once
UNDERWAY = 64 * 2**20       # bytes of files in one part that may wait for the store


class Stopped(Exception):
    """The file is not wanted any more."""


class Upload:
    """A large file that is sent in parts, by a thread of its own. The store has it when `end`
    returns."""

    def __init__(self, objects, key, metadata):
        self.key = key
        self._objects = objects
        self._queue = queue.Queue(PARTS)
        self._outcome = []      # what it ended with: None, or an exception
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(metadata,), daemon=True, name='zeit.cds-upload')
        self._thread.parent = threading.current_thread()    # it works for that thread's run
        self._thread.start()

    def _run(self, metadata):
        try:
            self._objects.stream(self.key, self._pieces(), metadata, PART)
        except Exception as e:
            self._outcome.append(e)
        else:
            self._outcome.append(None)

    def _pieces(self):
        while (piece := self._queue.get()) is not None:
            if self._stopped.is_set():
                raise Stopped
            yield piece

    def send(self, piece):
        """Raises SpoolError if it does not go on."""
        while not self._outcome:
            with contextlib.suppress(queue.Full):
                return self._queue.put(piece, timeout=0.5)
        raise self._outcome[0] or SpoolError('The upload of %s has ended.' % self.key)

    def end(self):
        self.send(None)
        self._thread.join()
        if self._outcome[0] is not None:
            raise self._outcome[0]

    def stop(self):
        """Abort it, or remove what the store has."""
        self._stopped.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._queue.put(b'', timeout=0.1)
            self._thread.join(0.1)
        if self._outcome == [None]:
            self._objects.delete([self.key])


class Underway:
    """What is sent in one part: no more than some bytes at once. For tasks of one thread."""

    def __init__(self, most=UNDERWAY):
        self._most, self._size, self._waiting = most, 0, []

    def add(self, future, size):
        """Returns when others may follow."""
        self._waiting.append((future, size))
        self._look()
        while self._size > self._most:
            in_thread(self._waiting[0][0].exception, join=True)
            self._look()

    def _look(self):
        self._waiting = [item for item in self._waiting if not item[0].done()]
        self._size = sum(size for _, size in self._waiting)


@zope.interface.implementer(IIncoming)
class Incoming:
    """See IIncoming. `identity` is what the file is known by from now on."""

    def __init__(self, spool, name):
        """
        spool -- Spool
        """
        self.name, self.size = name, 0
        self.identity = os.urandom(16).hex()
        self._spool = spool
        self._data = bytearray()    # what was not handed to the store yet
        self._buffer = None
        self._upload = None         # of a large file
        self._sent = None           # Future: of a file in one part, but not a small one
        self._modified = None
        self._is_written = False    # perhaps

    def buffer(self):
        if self._buffer is None:
            self._buffer = self._spool.memory.pop() if self._spool.memory else memoryview(
                bytearray(BUFFER))
        return self._buffer

    def advance(self, count):
        self._data += self._buffer[:count]
        self.size += count
        self._spool.check_size(self.size)
        if len(self._data) > PART:
            self._send()

    def _send(self):
        piece, self._data = bytes(self._data), bytearray()
        if self._upload is None:
            self._upload = in_thread(self._spool.new_upload, self.identity, join=True)
        in_thread(self._upload.send, piece, join=True)

    def restart(self):
        self._drop()
        self.size, self._data = 0, bytearray()

    def complete(self, modified):
        self._give_back()
        self._modified = modified
        if self._upload is not None:
            in_thread(self._upload.send, bytes(self._data), join=True)
        elif self.size > SMALL:
            self._sent = self._spool.send(self.identity, self._data)
            self._spool.underway.add(self._sent, self.size)
        else:
            return
        self._data = b''

    def _give_back(self):
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._spool.memory.append(buffer)

    def write(self):
        """Make tmp/NAME, durably. Any thread may call. Returns its Record.

        Raises FileExistsError, SpoolError.
        """
        record = self._spool.new_record(self.name, self.size, self._modified, self.identity)
        if self._upload is not None:
            self._upload.end()
        elif self._sent is not None:
            self._sent.result()
        if self._upload is not None or self._sent is not None:
            record = record._replace(data=self._spool.key_of(self.identity))
        self._is_written = True
        try:
            self._spool.objects.put('tmp/' + self.name, self._data, record.metadata)
        except FileExistsError:
            self._is_written = False
            raise
        return record

    def close(self):
        """It is done, and belongs to the spool."""
        self._spool.forget(self.name)
        self._spool = self._data = self._upload = self._sent = None

    def discard(self):
        if self._spool is not None:
            self._give_back()
            self._drop()
            self.close()

    def _drop(self):
        if self._is_written:
            # Nobody knows whether the store has a record of it. If so, its data must stay.
            return
        upload, self._upload, sent, self._sent = self._upload, None, self._sent, None
        if upload is not None:
            in_thread(upload.stop, join=True)
        if sent is not None and in_thread(sent.exception, join=True) is None:
            in_thread(self._spool.objects.delete, [self._spool.key_of(self.identity)], join=True)

    def refused(self, reason):
        """A FileRefused that tells of this file."""
        result = FileRefused(reason)
        result.incoming = self
        return result


@zope.interface.implementer(IComparison)
class Comparison:
    """See IComparison."""

    def __init__(self, pieces):
        """
        pieces -- iterator over the contents, memoryviews
        """
        self._pieces = pieces
        self._piece = memoryview(b'')
        self._buffer = memoryview(bytearray(BUFFER))
        self._differs = False

    def buffer(self):
        return self._buffer

    def advance(self, count):
        got = self._buffer[:count]
        while len(got) and not self._differs:
            if not self._fill():
                self._differs = True
            some = min(len(got), len(self._piece))
            if got[:some] != self._piece[:some]:
                self._differs = True
            got, self._piece = got[some:], self._piece[some:]

    def _fill(self):
        """Is there more of the file? bool"""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._piece = piece
        return True

    @property
    def equal(self):
        return not self._differs and not self._fill()

    def discard(self):
        self._pieces = iter(())
