"""Streams inside TLS."""
import contextlib
import select
import socket
import ssl
import threading
import time
from unittest import mock

from zeit.cds.feed import Feed
from zeit.cds.interfaces import RunLimitReached
from zeit.cds.net.stream import Stream
from zeit.cds.net.tests.certificates import TLSTest
from zeit.cds.net.tls import Tunnel
from zeit.cds.transfer.retry import Deadline


class DrippingServer(threading.Thread):
    """TLS on a pair of sockets. It does the handshake and then `act`; from `drips` on, by a byte
    every tenth of a second."""

    END = 20        # bytes after which it closes the connection

    def __init__(self, context, drips, act=lambda tls: None):
        super().__init__(daemon=True)
        self.socket, self._socket = socket.socketpair()
        self.socket.setblocking(False)
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_side=True)
        self._drips, self._act, self.dripped = drips, act, 0

    def run(self):
        with self._socket, contextlib.suppress(OSError):
            for moment, verb in (('handshake', self._tls.do_handshake),
                                 ('act', lambda: self._act(self._tls))):
                while not self._done(verb):
                    self._send(moment == self._drips)
                    self._received.write(self._socket.recv(65536))
                self._send(moment == self._drips)
            self._socket.recv(1)

    @staticmethod
    def _done(verb):
        try:
            verb()
        except ssl.SSLWantReadError:
            return False
        return True

    def _send(self, dripping):
        data = self._to_send.read()
        for byte in data if dripping else ():
            if self.dripped == self.END:
                raise BrokenPipeError
            self._socket.sendall(bytes([byte]))
            self.dripped += 1
            time.sleep(0.1)
        if not dripping:
            self._socket.sendall(data)


class StreamTest(TLSTest):

    @contextlib.contextmanager
    def serve(self, *args):
        """The server, and a function that gives our TLSStream; it may have an IDeadline."""
        server = DrippingServer(self.layer.context(), *args)
        feed = Feed(store_dir='', hostname='127.0.0.1', user='u', timeout=0.5,
                    ca_file=self.layer.ca_file)
        server.start()
        try:
            with server.socket:
                yield server, lambda deadline=None: Tunnel(feed).wrap(
                    Stream(server.socket, feed.timeout, deadline))
        finally:
            server.join()


class DripTest(StreamTest):
    """A server whose bytes come now and then, but are no whole record, is as good as silent."""

    def test_handshake(self):
        with self.serve('handshake') as (_, wrap):
            self.assertRaises(TimeoutError, wrap)

    def test_data(self):
        with self.serve('act', lambda tls: tls.write(b'x' * 100)) as (_, wrap), \
                contextlib.closing(wrap()) as stream:
            self.assertRaises(TimeoutError, stream.recv, 100)

    def test_data_into_a_buffer(self):
        with self.serve('act', lambda tls: tls.write(b'x' * 100)) as (_, wrap), \
                contextlib.closing(wrap()) as stream:
            self.assertRaises(TimeoutError, stream.recv_into, bytearray(100))

    def test_farewell(self):
        with self.serve('act', lambda tls: tls.unwrap()) as (server, wrap), \
                contextlib.closing(wrap()) as stream:
            stream.finish()         # whatever the other side does
            self.assertLess(server.dripped, server.END)

    def test_deadline_that_passes(self):
        for drips, act in ('handshake', None), ('act', lambda tls: tls.write(b'x' * 100)):
            with self.subTest(drips), self.serve(drips, act) as (_, wrap), \
                    self.assertRaises(RunLimitReached):
                with contextlib.closing(wrap(Deadline(0.3))) as stream:
                    stream.recv(100)


class AbortTest(StreamTest):
    """Another thread ends a connection: what is inside TLS stays there."""

    def test_nothing_is_read_as_plain_text(self):
        with self.serve('', lambda tls: tls.write(b'secret')) as (server, wrap), \
                contextlib.closing(wrap()) as stream:
            select.select([stream.socket], [], [])
            stream.abort()
            try:
                self.assertEqual(b'secret', stream.recv(100))
            except OSError:
                pass

    def test_nothing_is_written_in_plain_text(self):
        """Somebody writes at that very moment."""
        written = []

        def send(sock, data, *flags):
            written.append(bytes(data))
            return len(data)

        def shutdown(sock, how):
            with mock.patch.object(socket.socket, 'send', send):
                stream.sendall(b'STOR name')

        with self.serve('', lambda tls: None) as (server, wrap), \
                contextlib.closing(wrap()) as stream:
            with mock.patch.object(socket.socket, 'shutdown', shutdown):
                stream.abort()
        self.assertEqual([], written)
