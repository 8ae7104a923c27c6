"""The data of one transfer after the other: from its command to its final reply."""
import logging

import zope.interface

from zeit.cds.interfaces import ConnectionLost, IByteSink, TemporaryError
from zeit.cds.memory import deliver
from zeit.cds.text import printable


log = logging.getLogger(__name__)


class _Broken(Exception):
    """The data connection broke; the argument tells how."""


class Transfers:
    """Each step of a transfer, for whoever puts them together."""

    def __init__(self, control, data):
        """
        control -- Control
        data -- DataConnections
        """
        self.ragged = False     # did the last TLS data connection end without close_notify?
        self._control, self._data = control, data

    def begin(self, verb, argument=None, offset=0):
        """Open a data connection and start a transfer; its Stream, once the server said 1yz."""
        return self.start(self._data.open(), verb, argument, offset)

    def start(self, data, verb, argument=None, offset=0):
        """The same with a data connection that there is already."""
        try:
            self.go_to(offset)
            return self._data.started(data, self._control.begin(verb, argument))
        except BaseException:
            data.close()
            raise

    def go_to(self, offset):
        """Have the next transfer begin at an offset (bytes; REST). Raises ReplyError."""
        if offset:
            reply, = self._control.ask(('REST', str(offset)))
            if reply.code != 350:
                raise self._data.error(reply)

    # ------------------------------------------------------------ moving

    def receive(self, data, sink):
        """All data of a download; returns the number of bytes.

        sink -- IByteSink; what it raises comes through, and ends the session
        Raises TemporaryError for a broken data connection. The transfer's final reply was read
        then, so that the control connection is still in step.
        """
        self.ragged, count = False, 0
        try:
            while n := self._receive_into(data, sink.buffer()):
                sink.advance(n)
                count += n
            return count
        except _Broken as e:
            reply = self._control.final()
            raise TemporaryError('The data connection broke: %s (%s)' % (e, reply)) from e
        except BaseException:
            # Whatever stopped us (a full disk, say), the server still sends: this session can't
            # go on.
            self._control.close()
            raise
        finally:
            data.close()

    def _receive_into(self, data, buffer):
        try:
            return data.recv_into(buffer)
        except ConnectionError as e:
            raise _Broken(e) from e
        except OSError as e:
            if self._data.tunnel and self._data.tunnel.ragged(e):
                self.ragged = True
                return 0
            raise self._control.lost(e) from e

    def send(self, data, pieces):
        """All data of an upload, and their end.

        pieces -- iterable of bytes-like objects; what it raises comes through, and ends the session
        Raises PermanentError, TemporaryError for a broken data connection, as `receive` does.
        """
        try:
            for piece in pieces:
                self._send(data.sendall, piece)
            if self._data.tunnel:
                self._send(data.finish)
                self._data.linger(data)
            else:
                data.close()
        except _Broken as e:
            data.close()
            reply = self._control.final()
            if reply.code // 100 == 5:
                raise self._data.error(reply) from e
            raise TemporaryError('The data connection broke: %s (%s)' % (e, reply)) from e
        except BaseException:
            data.close()
            self._control.close()
            raise

    def _send(self, verb, *args):
        try:
            verb(*args)
        except TimeoutError as e:
            raise self._control.lost(e) from e
        except OSError as e:
            raise _Broken(e) from e

    # ------------------------------------------------------------ the end

    def end(self):
        """Read the final reply of a transfer, and raise what it tells unless that is success.

        Returns its text.
        """
        final = self._control.final()
        if final.code // 100 != 2:
            raise self._data.error(final)
        return final.text


class Source:
    """What an upload sends, piece by piece, some of it before its turn."""

    def __init__(self, pieces):
        """
        pieces -- bytes, or an iterable of pieces, of which each is of use until the next is asked
            for
        """
        self.count = 0      # bytes sent
        self._pieces = iter((pieces,)) if isinstance(pieces, bytes) else iter(pieces)
        self._piece = next(self._pieces, None)
        self._error = None

    @property
    def is_done(self):
        """Was all sent? bool"""
        return self._piece is None and self._error is None

    def feed(self, data):
        """Send on a Stream what needs no waiting, and close it if that is all.

        What goes wrong, whoever iterates over the rest will see.
        """
        try:
            if self._piece is not None:
                self.count = data.send_at_once(self._piece)
                self._piece = memoryview(self._piece)[self.count:] or self._next()
            if self.is_done:
                data.close()
        except OSError as e:
            log.debug('While data were sent before their command: %s', e)

    def _next(self):
        try:
            return next(self._pieces, None)
        except Exception as e:
            self._error = e

    def __iter__(self):
        """The pieces that are still to be sent."""
        if self._error is not None:
            raise self._error
        while self._piece is not None:
            yield self._piece
            self.count += len(self._piece)
            self._piece = next(self._pieces, None)


@zope.interface.implementer(IByteSink)
class Kept:
    """A file that came before it was wanted, in `data`."""

    def __init__(self, name, limit):
        """
        limit -- bytes
        """
        self.data = bytearray()
        self._name, self._limit = name, limit
        self._buffer = memoryview(bytearray(64 * 1024))

    def buffer(self):
        return self._buffer

    def advance(self, count):
        self.data += self._buffer[:count]
        if len(self.data) > self._limit:
            raise ConnectionLost('More and more data of %s come' % printable(self._name))

    def hand_on(self, sink):
        """To an IByteSink."""
        deliver(self.data, sink)
