"""A file that is read, with several requests underway; it may have been begun before its turn."""
import collections

from zeit.cds.interfaces import PermanentError
from zeit.cds.sftp import packets
from zeit.cds.sftp.batch import failed
from zeit.cds.sftp.channel import Known
from zeit.cds.text import printable


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


class Download:
    """A file that is read. (More attributes than most: they are a cursor's, and change together.)
    """

    def __init__(self, transfers, name, handle, offset, size):
        self._transfers, self._channel, self._name = transfers, transfers.channel, name
        self._handle, self._take = packets.text(handle), data_of(name)
        self._size, self._small = size, transfers.tuning.small
        self._at = self._next = offset
        self.count = 0
        self.closed = None          # Pending, once the end was asked for
        self.after = None           # its name, and a Pending of its Entry afterwards
        self._underway = collections.deque()        # (offset, length, Pending)
        chunk = transfers.limits.read
        self._chunk, self._most = chunk, max(2, transfers.tuning.window // chunk)
        self._window = transfers.tuning.first if size is None else self._most

    def begin(self):
        """Before its turn: ask for all of a small file."""
        if self._closes_early:
            self._ask(True)

    @property
    def is_of_use(self):
        """Has it, if it was begun, a chance of bringing all? bool"""
        return self.closed is None or self._transfers.closes_early

    def run(self, sink, also, then):
        """Read it all. Returns the batch that was sent with it, or None."""
        shared = None
        while True:
            asked = self._ask(also is not None)
            if shared is None and self.closed is not None:
                shared = self._transfers.share(also, then, self)
            if asked:
                self._channel.flush()
            if not self._underway or not self._take_next(sink):
                return shared

    def close(self, look):
        """Ask for its end. look -- also for what is there afterwards? bool"""
        if look and self._transfers.lingering.take(self._handle, self.count):
            self.closed = Known()
        else:
            self.closed = self._transfers.close(self._handle, self._name)
        if look:
            self.after = self._name, self._transfers.look(self._name)

    def give_up(self):
        if self.closed is None and self._channel.alive:
            self.close(False)       # with whatever is sent next

    def _ask(self, look):
        """Ask for as much as may be underway, and for the end if that is all; was anything?"""
        asked = self._ask_more()
        if self.closed is None and self._all_asked and self._closes_early:
            self.close(look)
            asked = True
        return asked

    @property
    def _closes_early(self):
        return self._size <= self._small and self._transfers.closes_early

    @property
    def _all_asked(self):
        """Was everything asked for that is supposed to be there, and a byte more?"""
        return self._size is not None and self._next > self._size

    def _ask_more(self):
        """Ask for as much as may be underway, if that is worth it; was anything asked for? bool

        Several requests at once take all on the way as long as one does.
        """
        if len(self._underway) > self._window // 2:
            return False
        begun = self._next
        while self.closed is None and len(self._underway) < self._window and not self._all_asked:
            length = self._chunk
            if self._size is not None:
                length = min(length, self._size + 1 - self._next)
            self._ask_for(self._next, length, self._underway.append)
            self._next += length
        return self._next != begun

    def _ask_for(self, offset, length, put):
        put((offset, length, self._channel.ask(
            packets.READ, self._handle + packets.PART.pack(offset, length), self._take)))

    def _take_next(self, sink):
        """Hand the next bytes to the sink; is there more to come? bool"""
        offset, length, pending = self._underway.popleft()
        count = self._channel.read(pending, length, sink)
        if count is None:
            return False
        self.count += count
        self._at = offset + count
        if count < length:
            return self._at != self._size and self._ask_again(length - count)
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
        self._ask_for(self._at, length, self._underway.appendleft)
        return True
