"""Requests and their replies, over a Stream: each reply says by its id what it answers.

So any number of requests may be underway, and one whose reply nobody waits for any more does no
harm: whoever gave up a transfer leaves the session in step.
"""
import zope.interface

from zeit.cds.interfaces import ConnectionLost, IPending, ProtocolError, RunLimitReached
from zeit.cds.memory import deliver
from zeit.cds.sftp import packets
from zeit.cds.sftp.packets import NUMBER, PAIR, Reader


ROOM = 2 * packets.LONGEST      # bytes; of the buffer at most
FIRST_ROOM = 512 * 1024
# More requests than these, and each side might wait for the other to read:
UNDERWAY = 512
MOST_UNSENT = 64 * 1024         # bytes
MANY = 32                       # requests that are worth a packet
LARGE = 32 * 1024               # bytes; so much data go past the buffer
BEFORE_DATA = 5 + PAIR.size     # bytes of a packet with data


@zope.interface.implementer(IPending)
class Pending:
    """A request that is underway, or will be with the next thing that goes out. See IPending."""

    __slots__ = 'done', 'number', '_channel', '_take', '_value', '_error'

    def __init__(self, channel, take):
        """
        take -- function of the type and the Reader of its reply: what `get` returns, or raises
        """
        self._channel, self._take = channel, take
        self.done, self.number, self._value, self._error = False, 0, None, None

    def answer(self, kind, reader):
        try:
            self._value = self._take(kind, reader)
        except Exception as e:
            self._error = e
            if isinstance(e, ProtocolError):
                raise
        finally:
            self.done = True

    def fail(self, error):
        self.done, self._error = True, error

    def get(self):
        if not self.done:
            self._channel.wait(self)
        if self._error is not None:
            raise self._error
        return self._value


@zope.interface.implementer(IPending)
class Known:
    """An outcome for which nobody has to be asked."""

    done = True

    def __init__(self, value=None, error=None):
        self._value, self._error = value, error

    def get(self):
        if self._error is not None:
            raise self._error
        return self._value


class Incoming:
    """Cuts what comes into packets."""

    def __init__(self, stream):
        """
        stream -- Stream
        """
        self.asked = False      # was something sent since anything came?
        self.data = 0           # bytes of the last packet that are still to come, see `data_for`
        self._stream = stream
        self._buffer, self._start, self._end = bytearray(FIRST_ROOM), 0, 0

    def packet(self):
        """Type and body of the next one; the body is valid until the next call."""
        self._drop_data()
        self._need(5)
        length = NUMBER.unpack_from(self._buffer, self._start)[0]
        if not 1 <= length <= packets.LONGEST:
            raise ProtocolError('The server sent what is no packet of SFTP. Does its login print a '
                                'text where no terminal is?')
        self._need(4 + length)
        start, self._start = self._start, self._start + 4 + length
        return self._buffer[start + 4], memoryview(self._buffer)[start + 5:self._start]

    def data_for(self, number):
        """Begin to take the next packet, if it is the data for the request of that id. bool

        They come by `data_into`, and are dropped if they don't.
        """
        self._drop_data()
        self._need(5, BEFORE_DATA)
        length = NUMBER.unpack_from(self._buffer, self._start)[0] + 4
        if self._buffer[self._start + 4] != packets.DATA or length > packets.LONGEST:
            return False
        self._need(BEFORE_DATA, BEFORE_DATA)
        answered, count = PAIR.unpack_from(self._buffer, self._start + 5)
        if answered != number or count != length - BEFORE_DATA:
            return False
        self._start += BEFORE_DATA
        self.data = count
        return True

    def data_into(self, buffer):
        """Some of the data; returns how many bytes."""
        count = min(len(buffer), self.data, self._end - self._start)
        if count:
            buffer[:count] = memoryview(self._buffer)[self._start:self._start + count]
            self._start += count
        else:
            count = self._come_into(buffer[:self.data], self._stream.recv_all_into)
        self.data -= count
        return count

    def _drop_data(self):
        """Somebody did not want them."""
        while self.data:
            self.data_into(memoryview(bytearray(min(self.data, LARGE))))

    def _need(self, count, most=None):
        """Have so many bytes in the buffer.

        most -- and not more than that from now on, int
        """
        if self._end - self._start >= count:
            return
        if self._start == self._end:
            self._start = self._end = 0
        if self._start + count > len(self._buffer):
            self._move(count)
        while self._end - self._start < count:
            with memoryview(self._buffer) as view:
                if most is None:
                    self._end += self._come_into(view[self._end:], self._stream.recv_into)
                else:
                    self._end += self._come_into(view[self._end:self._start + most],
                                                 self._stream.recv_all_into)

    def _come_into(self, buffer, come):
        """Wait until something comes; returns how many bytes did. come -- a verb of the Stream"""
        if self.asked:          # it is expected to come rather than to be here already
            self.asked = False
            if not self._stream.comes(self._stream.timeout):
                raise TimeoutError('nothing came for %g s' % self._stream.timeout)
        came = come(buffer)
        if not came:
            raise ConnectionLost('The server closed the connection.')
        return came

    def _move(self, count):
        """Make room at the end. Others may still look at the old buffer."""
        rest = self._buffer[self._start:self._end]
        self._buffer = bytearray(max(len(self._buffer), min(2 * count, ROOM)))
        self._buffer[:len(rest)] = rest
        self._start, self._end = 0, len(rest)


class Channel:
    """See above. Whoever uses it does so one task at a time."""

    def __init__(self, stream, carrier):
        """
        stream -- Stream
        carrier -- SSH, whose stream it is
        """
        self.stream, self._carrier = stream, carrier
        self.lost = None            # the exception that ended it
        self._aborted = False
        self._out = bytearray()
        self._unsent, self._underway = [], {}       # ids; {id: Pending}
        self._last = 0
        self._incoming = Incoming(stream)

    @property
    def alive(self):
        return self.lost is None and not self._aborted

    @property
    def said(self):
        """What ssh said: str."""
        return self._carrier.said

    # ------------------------------------------------------------ requests

    def ask(self, kind, body, take):
        """Have a request go out with the next `flush`. Returns a Pending."""
        pending = Pending(self, take)
        self._out += packets.packet(kind, self._number(pending), body)
        if len(self._out) > MOST_UNSENT:
            self.flush()
        return pending

    def ask_to_write(self, handle, offset, data, take):
        """The same for a WRITE, whose data are sent now."""
        pending = Pending(self, take)
        self._out += packets.write_head(self._number(pending), handle, offset, len(data))
        if len(data) < 4096:
            self._out += data
            return pending
        self.flush(data)
        return pending

    def _number(self, pending):
        number = self._last = self._last + 1 & 0xffffffff
        pending.number = number
        self._underway[number] = pending
        self._unsent.append(number)
        return number

    def flush(self, *following):
        """Send what waits, and these bytes. Raises ConnectionLost, RunLimitReached."""
        try:
            self.check()
        except BaseException as e:
            self._forget_unsent(e)
            raise
        out, self._out, self._unsent = self._out, bytearray(), []
        try:
            for data in (out, *following):
                if data:
                    self.stream.sendall(data)
        except BaseException as e:
            self._lose(e)       # a part of a packet may be there
        self._incoming.asked = True
        while len(self._underway) > UNDERWAY:
            self._receive()

    def flush_many(self):
        """Send what waits if it is worth it: who waits for an answer sees to the rest."""
        if len(self._unsent) >= MANY:
            self.flush()

    def _forget_unsent(self, error):
        for number in self._unsent:
            self._underway.pop(number).fail(error)
        self._out, self._unsent = bytearray(), []

    def check(self):
        """May anything go on? Raises ConnectionLost, RunLimitReached."""
        if not self.alive:
            raise ConnectionLost('The session has ended.') from self.lost
        if self.stream.deadline is not None:
            self.stream.deadline.check()

    def hello(self):
        """The first thing to be said; returns the Reader of what the server answers."""
        try:
            self.stream.sendall(packets.hello())
            kind, body = self._incoming.packet()
        except BaseException as e:
            self._lose(e)
        if kind != packets.VERSION:
            self._lose(ProtocolError('The server does not speak SFTP.'))
        return Reader(bytes(body))

    # ------------------------------------------------------------ replies

    def wait(self, pending):
        """Until this Pending is done. What waits to be sent goes on doing so if that has gone out.
        """
        self._send_for(pending)
        while not pending.done:
            self._receive()

    def _send_for(self, pending):
        if self._unsent and not (pending.done or self._is_sent(pending)):
            self.flush()

    def read(self, pending, length, sink):
        """The same for that of a READ, whose data go to an IByteSink.

        length -- bytes that were asked for
        Returns how many came; None if the file ends there. Raises what the Pending and the sink do.
        """
        if length >= LARGE:
            self._send_for(pending)
            while not pending.done:
                if (count := self._read(pending, sink)) is not None:
                    return count
        if (data := pending.get()) is None:
            return None
        deliver(data, sink)
        return len(data)

    def _read(self, pending, sink):
        """Take a packet. If it has the data, returns how many, else None."""
        if not self._noticing(self._incoming.data_for, pending.number):
            self._receive()
            return None
        del self._underway[pending.number]
        count = self._incoming.data
        while self._incoming.data:
            buffer = sink.buffer()
            sink.advance(self._noticing(self._incoming.data_into, buffer))
        return count

    def _is_sent(self, pending):
        return (self._unsent[0] - pending.number - 1) & 0xffffffff < 0x80000000

    def settle(self):
        """Send what waits to be sent, if anything does, and until that is done."""
        if self._out:
            last = self._underway[self._unsent[-1]]
            self.flush()
            self.wait(last)

    def _receive(self):
        """Wait for a packet, and take it."""
        self._noticing(self._take)

    def _take(self):
        kind, body = self._incoming.packet()
        reader = Reader(body)
        pending = self._underway.pop(reader.number(), None)
        if pending is None:
            raise ProtocolError('The server answers what was not asked.')
        pending.answer(kind, reader)

    def _noticing(self, verb, *args):
        """verb(*args); if that fails, all is over."""
        try:
            return verb(*args)
        except RunLimitReached:
            raise       # nothing is lost: the reply may come later
        except BaseException as e:
            self._lose(e)

    # ------------------------------------------------------------ the end

    def _lose(self, noticed):
        """Nothing works any more, for this reason (exception). Raises what tells it best."""
        error = noticed
        if self.lost is None:
            if self._aborted:
                error = ConnectionLost('The session was aborted.')
            elif isinstance(error, (OSError, ConnectionLost)) and (
                    not isinstance(error, ProtocolError)):
                error = self._carrier.explain(error)
            self.end(error)
        if error is noticed:
            raise error
        raise error from noticed

    def abort(self):
        """Have whatever goes on end at once. Any thread may call it."""
        self._aborted = True
        self.stream.abort()

    def end(self, error):
        """It is over, for this reason: an exception."""
        if self.lost is None:
            self.lost = error
        self._carrier.close()
        underway, self._underway = self._underway, {}
        self._out, self._unsent = bytearray(), []
        for pending in underway.values():
            pending.fail(ConnectionLost('The session ended before there was an answer: %s' % error))
