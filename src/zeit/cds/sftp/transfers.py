"""Data of files, with several requests underway, and what shares their last round trip.

On a long line, a small file takes one round trip, as it is opened with the one before::

    us                                                     server
    -- READ a, CLOSE a; STAT a, REMOVE w; OPEN b -->
    <-- data of a, OK; attributes, OK; handle of b --      1st round trip
    -- READ b, CLOSE b; STAT b, REMOVE x; OPEN c -->

w and x are earlier files that are durable here by now. Else it takes two, as one that is sent does.
"""
import collections
from typing import NamedTuple

from zeit.cds.interfaces import ConnectionLost, NotSupported, PermanentError
from zeit.cds.sftp import packets
from zeit.cds.sftp.batch import attributes_of, done, failed, handle_of, SFTPBatch
from zeit.cds.text import printable


class Tuning(NamedTuple):
    """How much is underway."""

    window: int = 2 * 2**20     # bytes of one file at most
    first: int = 2              # requests for a file whose size is not known
    small: int = 64 * 1024      # bytes; a larger file is closed, and asked about, when all is here
    begun: int = 2**20          # bytes; no larger file is opened before its turn
    far: float = 0.008          # seconds to the server and back; nearer, none is


TUNING = Tuning()


def data_of(name):
    """For READ: bytes; None at the end of the file."""
    def take(kind, reader):
        if kind == packets.DATA:
            return reader.text()
        if kind == packets.STATUS:
            status = packets.status(reader)
            if status.code == packets.END:
                return None
            raise PermanentError('%s (%s)' % (status, printable(name)))
        raise failed(kind, reader)
    return take


class Transfers:
    """The files of a session, one after the other."""

    def __init__(self, channel, place, tuning=TUNING):
        """
        channel -- Channel
        place -- Place
        tuning -- Tuning
        """
        self.channel, self._place, self._tuning = channel, place, tuning
        self.limits, self.syncs, self.latency = packets.Limits(), False, 0.0
        self.closes_early = True        # does it send as much at once as it is asked for?
        self._begun = None              # name, and Pending of the handle, of what is read next

    def batch(self):
        return SFTPBatch(self.channel, self._place)

    def _open(self, name, flags):
        """A Pending of a handle."""
        body = self._place.of(name) + packets.NUMBER.pack(flags) + packets.NO_ATTRIBUTES
        return self.channel.ask(packets.OPEN, body, handle_of(name))

    def _close(self, handle, name, passing=False):
        return self.channel.ask(packets.CLOSE, packets.text(handle), done(name, passing))

    def _share(self, also, begin=False):
        """Have `also` put its operations in; returns the batch.

        begin -- may the file that is next be opened?
        """
        batch = self.batch()
        following = None if also is None else also(batch)
        if begin and following is not None and self._may_begin(following):
            self._begun = following.name, self._open(following.name, packets.FOR_READING)
        return batch

    def _may_begin(self, entry):
        return (self.latency >= self._tuning.far and entry.kind == 'file'
                and 0 < (entry.size or 0) <= self._tuning.begun)

    # ------------------------------------------------------------ to us

    def read(self, name, sink, offset=0, size=None, also=None):
        """See IPipelined.read. size -- as far as it is known, int or None"""
        handle = self._opened(name)
        download = Download(self, name, handle, offset, size, self._tuning)
        try:
            batch = download.run(sink, also)
        except BaseException:
            if download.closed is None and self.channel.alive:
                self._close(handle, name)       # with whatever is sent next
            raise
        if batch is None:
            self._close(handle, name)
            batch = self._share(also, begin=True)
        batch.settle()
        return download.count

    def _opened(self, name):
        """The handle of the file: it may be open already."""
        begun, self._begun = self._begun, None
        if begun is not None:
            try:
                handle = begun[1].get()
            except PermanentError:
                pass        # it may be there now
            else:
                if begun[0] == name:
                    return handle
                self._close(handle, begun[0])
        return self._open(name, packets.FOR_READING).get()

    # ------------------------------------------------------------ to the server

    def write(self, name, source, offset=0, also=None):
        """See IPipelined.write."""
        self.channel.check()
        flags = packets.FOR_WRITING | (0 if offset else packets.CREATE | packets.TRUNCATE)
        handle = self._open(name, flags).get()
        try:
            if offset:
                self._go_to(handle, name, offset)
            upload = Upload(self, handle, name, offset)
            self._send(upload, [source] if isinstance(source, bytes) else source)
        except BaseException:
            if self.channel.alive:
                self._close(handle, name)
            raise
        ending = [self._close(handle, name, passing=True)]
        if self.syncs:
            ending.insert(0, upload.synced)
        batch = self._share(also)
        batch.settle()
        for pending in (*upload.underway, *ending):
            pending.get()
        return upload.count

    def _go_to(self, handle, name, offset):
        """Raises PermanentError if the file has no such offset; what is after it is cut off."""
        there = self.channel.ask(
            packets.FSTAT, packets.text(handle), attributes_of(name)).get()
        if there is None or there.size is None or there.size < offset:
            raise PermanentError('It has no %d bytes: %s' % (offset, printable(name)))
        if there.size > offset:
            self.channel.ask(
                packets.FSETSTAT, packets.text(handle) + packets.NUMBER.pack(packets.SIZE)
                + packets.LARGE_NUMBER.pack(offset), done(name)).get()

    def _send(self, upload, source):
        pieces = iter(source)
        while True:
            try:
                piece = next(pieces, None)
            except BaseException as e:      # a part of a file is no file
                self.channel.end(ConnectionLost('What was to be sent could not be read: %s' % e))
                raise
            if piece is None:
                break
            upload.send(piece)
        upload.finish()


class Download:
    """A file that is read. (More attributes than most: they are a cursor's, and change together.)
    """

    def __init__(self, transfers, name, handle, offset, size, tuning):
        self._transfers, self._channel = transfers, transfers.channel
        self._handle, self._take = packets.text(handle), data_of(name)
        self._close = lambda: transfers._close(handle, name)
        self._size, self._small = size, tuning.small
        self._at = self._next = offset
        self.count = 0
        self.closed = None          # Pending, once the end was asked for
        self._underway = collections.deque()        # (offset, length, Pending)
        chunk = transfers.limits.read
        self._chunk, self._most = chunk, max(2, tuning.window // chunk)
        self._window = tuning.first if size is None else self._most

    def run(self, sink, also):
        """Read it all. Returns the batch that was sent with it, or None."""
        batch = None
        while True:
            asked = self._ask_more()
            if batch is None and self._all_asked and self._closes_early:
                self.closed = self._close()
                batch = self._transfers._share(also, begin=True)
                asked = True
            if asked:
                self._channel.flush()
            if not self._underway or not self._take_next(sink):
                return batch

    @property
    def _closes_early(self):
        return self._size <= self._small and self._transfers.closes_early

    @property
    def _all_asked(self):
        """Was everything asked for that is supposed to be there, and a byte more?"""
        return self._size is not None and self._next > self._size

    def _ask_more(self):
        """Ask for as much as may be underway; has anything been asked for? bool"""
        begun = self._next
        while self.closed is None and len(self._underway) < self._window and not self._all_asked:
            length = self._chunk
            if self._size is not None:
                length = min(length, self._size + 1 - self._next)
            self._ask(self._next, length, self._underway.append)
            self._next += length
        return self._next != begun

    def _ask(self, offset, length, put):
        put((offset, length, self._channel.ask(
            packets.READ, self._handle + packets.PART.pack(offset, length), self._take)))

    def _take_next(self, sink):
        """Hand the next bytes to the sink; is there more to come? bool"""
        offset, length, pending = self._underway.popleft()
        data = pending.get()
        if data is None:
            return False
        deliver(data, sink)
        self.count += len(data)
        self._at = offset + len(data)
        if len(data) < length:
            return self._at != self._size and self._ask_again(length - len(data))
        if self._all_asked and not self._underway:      # it is larger than it was
            if self.closed is not None:
                return False
            self._size = None
        self._window = min(self._most, 2 * self._window)
        return True

    def _ask_again(self, length):
        """Fewer bytes came than were asked for: is it the end?"""
        if self.closed is not None:
            # Who compares the size will see whether that was all, and the next try finds out.
            self._transfers.closes_early = False
            return False
        self._ask(self._at, length, self._underway.appendleft)
        return True


def deliver(data, sink):
    """Hand bytes to an IByteSink."""
    left = memoryview(data)
    while left:
        buffer = sink.buffer()
        count = min(len(buffer), len(left))
        buffer[:count] = left[:count]
        sink.advance(count)
        left = left[count:]


class Upload:
    """A file that is written. (The same is true of its attributes.)"""

    def __init__(self, transfers, handle, name, offset):
        self._transfers = transfers
        self._channel, self._chunk = transfers.channel, transfers.limits.write
        self._handle, self._name, self._at = handle, name, offset
        self._syncs = transfers.syncs
        self._few = bytearray()         # bytes that are not enough yet
        self.count = 0
        self.underway = collections.deque()
        self.synced = None              # Pending
        self._most = max(2, transfers._tuning.window // self._chunk)

    def send(self, piece):
        """Send, or copy, all of a bytes-like object. Raises what became of earlier ones."""
        piece = memoryview(piece).cast('B')
        if self._few or len(piece) < self._chunk:
            room = self._chunk - len(self._few)
            self._few += piece[:room]
            piece = piece[room:]
            if len(self._few) == self._chunk:
                self._write_few()
        while len(piece) >= self._chunk:
            self._write(piece[:self._chunk])
            piece = piece[self._chunk:]
        self._few += piece

    def finish(self):
        """No more will come; it goes out with what is sent next."""
        if self._few:
            self._write_few()
        if self._syncs:
            self.synced = self._channel.ask(
                packets.EXTENDED, packets.text(packets.FSYNC) + packets.text(self._handle),
                self._take_synced)

    def _take_synced(self, kind, reader):
        """Some announce what they don't have."""
        try:
            done(self._name, passing=True)(kind, reader)
        except NotSupported:
            self._transfers.syncs = False

    def _write_few(self):
        few, self._few = self._few, bytearray()
        self._write(few)

    def _write(self, data):
        while self.underway and (self.underway[0].done or len(self.underway) >= self._most):
            self.underway.popleft().get()
        self.underway.append(self._channel.ask_to_write(
            self._handle, self._at, data, done(self._name, passing=True)))
        self._at += len(data)
        self.count += len(data)


