"""Data of files, with several requests underway, and what shares their last round trip.

A small file takes two round trips, and is read, or sent, with what is due for earlier ones::

    us                                                     server
    -- OPEN a -->
    <-- handle --                                          1st round trip
    -- READ a, CLOSE a; STAT a, REMOVE w -->
    <-- data of a, OK; attributes, OK --                   2nd round trip

w is an earlier file that is durable here by now. Where it is known which files are next, many of
them share these, see `ahead`.
"""
import collections

from zeit.cds.interfaces import ConnectionLost, NotSupported, PermanentError
from zeit.cds.sftp import packets
from zeit.cds.sftp.ahead import Ahead
from zeit.cds.sftp.batch import attributes_of, done, entry_of, handle_of, SFTPBatch
from zeit.cds.sftp.download import Download
from zeit.cds.sftp.lingering import Lingering
from zeit.cds.sftp.tuning import TUNING
from zeit.cds.text import printable


class Transfers:
    """The files of a session, one after the other."""

    def __init__(self, channel, place, tuning=TUNING):
        """
        channel -- Channel
        place -- Place
        tuning -- Tuning
        """
        self.channel, self._place, self.tuning = channel, place, tuning
        self.limits, self.syncs, self.latency = packets.Limits(), False, 0.0
        self.closes_early = True        # does it send as much at once as it is asked for?
        self.lingering = Lingering(channel, tuning)
        self._ahead = Ahead(self, tuning)

    def batch(self, told=None):
        return SFTPBatch(self.channel, self._place, self.lingering, told)

    def open(self, name, flags=packets.FOR_READING):
        """A Pending of a handle. Raises ValueError."""
        body = self._place.of(name) + packets.NUMBER.pack(flags) + packets.NO_ATTRIBUTES
        return self.channel.ask(packets.OPEN, body, handle_of(name))

    def close(self, handle, name, passing=False):
        """A Pending. handle -- bytes, as they are sent"""
        return self.channel.ask(packets.CLOSE, handle, done(name, passing))

    def look(self, name):
        """A Pending of the Entry of a file that was read."""
        take = entry_of(name)

        def seen(kind, reader):
            entry = take(kind, reader)
            self._ahead.seen(entry is not None)
            return entry
        return self.channel.ask(packets.STAT, self._place.of(name), seen)

    # ------------------------------------------------------------ to us

    def read(self, name, sink, offset=0, size=None, also=None, then=None):
        """See IPipelined.read. size -- as far as it is known, int or None"""
        download = self._ahead.take(name, offset, size)
        if download is None:
            handle = self.lingering.insist(lambda: self.open(name)).get()
            download = Download(self, name, handle, offset, size)
        try:
            shared = download.run(sink, also, then)
        except BaseException:
            download.give_up()
            raise
        if shared is None:
            download.close(also is not None)
            shared = self.share(also, then, download)
        if then is None:
            shared.settle()
        else:
            self.channel.flush_many()
        return download.count

    def share(self, also, then, download):
        """Have `also` put its operations in, go on with following files; returns the batch."""
        batch = self.batch(download.after)
        following = None if also is None else also(batch)
        self._ahead.proceed()
        if following is not None:
            self._ahead.begin(following, then)
        return batch

    # ------------------------------------------------------------ to the server

    def write(self, name, source, offset=0, also=None):
        """See IPipelined.write."""
        self.channel.check()
        flags = packets.FOR_WRITING | (0 if offset else packets.CREATE | packets.TRUNCATE)
        handle = self.lingering.insist(lambda: self.open(name, flags)).get()
        try:
            if offset:
                self._go_to(handle, name, offset)
            upload = Upload(self, handle, name, offset)
            self._send(upload, [source] if isinstance(source, bytes) else source)
        except BaseException:
            if self.channel.alive:
                self.close(packets.text(handle), name)
            raise
        ending = [self.close(packets.text(handle), name, passing=True)]
        if self.syncs:
            ending.insert(0, upload.synced)
        batch = self.batch()
        if also is not None:
            also(batch)
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
        self._most = max(2, transfers.tuning.window // self._chunk)

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


