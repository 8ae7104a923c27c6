"""The sockets of a :class:`~zeit.cds.testing.faulty.FaultyServer`.

Whatever fails on a control connection is :class:`Gone`, on a data connection
:class:`DataLost`: both are what a test provokes, and no fault of the server.
Other threads end a wait only by :func:`wake`; a socket is closed by the
thread that uses it.
"""

import contextlib
import select
import socket
import ssl
import struct


LOOPBACK = '127.0.0.1'

#: A command line longer than this ends the session.
LONGEST = 1 << 20

RESET = struct.pack('ii', 1, 0)

WOULD_BLOCK = (
    BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Gone(Exception):
    """The control connection is over, and so is the session."""


class DataLost(Exception):
    """The client closed the data connection, or never made it."""


def wake(sock):
    """End whatever another thread waits for on `sock`."""
    with contextlib.suppress(OSError):
        # SSLSocket.shutdown would take the TLS state away from the thread
        # that is using it.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def hang_up(sock, reset=False):
    """Close `sock` with a FIN, or with an RST."""
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        else:
            # Closing a socket with unread data would send an RST.
            socket.socket.shutdown(sock, socket.SHUT_WR)
            _drain(sock)
    sock.close()


def _drain(sock):
    with contextlib.suppress(OSError):
        while socket.socket.recv(sock, 65536, socket.MSG_DONTWAIT):
            pass


def wait(wanted, seconds=None):
    """Wait for any of `wanted` ({socket: poll flag}) and return the ready
    ones; none after `seconds`."""
    poll = select.poll()
    known = {}
    for sock, flag in wanted.items():
        if sock.fileno() == -1:
            return {sock}
        known[sock.fileno()] = sock
        poll.register(sock, flag)
    milliseconds = None if seconds is None else seconds * 1000
    return {known[number] for number, event in poll.poll(milliseconds)}


class Control:
    """A control connection: lines in, bytes out."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b''
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)

    @property
    def encrypted(self):
        return isinstance(self.sock, ssl.SSLSocket)

    def encrypt(self, context):
        """Answer the client's TLS handshake; what it sent in clear before
        is forgotten."""
        self.buffer = b''
        self.sock = _wrap(self.sock, context, Gone)
        _shake_hands(self.sock, Gone)

    def read_line(self):
        """Return the next line with its end."""
        while b'\n' not in self.buffer:
            if len(self.buffer) > LONGEST or not self.receive():
                raise Gone('no further command')
        line, end, self.buffer = self.buffer.partition(b'\n')
        return line + end

    def receive(self):
        """Wait for bytes, keep them, and return them; b'' at the end."""
        try:
            block = self.sock.recv(65536)
        except WOULD_BLOCK:
            raise
        except OSError as error:
            raise Gone(str(error)) from error
        self.buffer += block
        return block

    def discard(self):
        """Forget what arrived; return whether the client is still there."""
        kept, self.buffer = self.buffer, b''
        there = self.receive()
        self.buffer = kept
        return bool(there)

    @property
    def deserted(self):
        """Whether the client has closed its side."""
        return bool(wait({self.sock: select.POLLRDHUP}, 0))

    def arrived(self):
        """Return the lines that arrived and weren't read yet."""
        self.sock.setblocking(False)
        try:
            while self.receive():
                pass
        except WOULD_BLOCK:
            pass
        finally:
            self.sock.setblocking(True)
        return self.buffer.split(b'\n')[:-1]

    def send(self, block):
        try:
            self.sock.sendall(block)
        except OSError as error:
            raise Gone(str(error)) from error


class Passive:
    """A socket that listens for one data connection.

    A `decoy` listens on another of the machine's addresses with the same
    port, and shows whether a client believes the address in a 227.
    """

    def __init__(self, decoy=None):
        self.sock = socket.create_server((LOOPBACK, 0), backlog=5)
        self.port = self.sock.getsockname()[1]
        self.decoy = None
        if decoy not in (None, LOOPBACK):
            # An address that isn't this machine's can't be listened on.
            with contextlib.suppress(OSError):
                self.decoy = socket.create_server((decoy, self.port))

    def accept(self, seconds):
        """Return the socket of the data connection, or None."""
        ready = wait({self.sock: select.POLLIN}, seconds)
        try:
            return self.sock.accept()[0] if ready else None
        except OSError:
            return None

    @property
    def fooled(self):
        """Whether somebody connected to the decoy."""
        return bool(self.decoy and wait({self.decoy: select.POLLIN}, 0))

    def close(self):
        for sock in (self.sock, self.decoy):
            if sock is not None:
                sock.close()


class Calling:
    """A data connection that the server opens, in place of a `Passive`."""

    fooled = False

    def __init__(self, host, port):
        self.sock = socket.socket()
        self.address = host, port

    def accept(self, seconds):
        """Return the socket of the data connection, or None."""
        self.sock.settimeout(seconds)
        try:
            self.sock.connect(self.address)
        except OSError:
            return None
        return self.sock.dup()

    def close(self):
        self.sock.close()


class Data:
    """A data connection.

    `control` is given where commands are watched for while it runs; then
    `meanwhile()` is called when one arrives.
    """

    def __init__(self, sock, control=None, meanwhile=None):
        self.sock = sock
        self.control = control
        self.meanwhile = meanwhile
        sock.setblocking(False)
        #: The client began to send before it was told to.
        self.sent_early = bool(wait({sock: select.POLLIN}, 0))

    @property
    def closed(self):
        return self.sock.fileno() == -1

    def encrypt(self, context):
        self.sock.setblocking(True)
        self.sock = _wrap(self.sock, context, DataLost)
        _shake_hands(self.sock, DataLost)
        self.sock.setblocking(False)

    def _ready(self, flag):
        wanted = {self.sock: flag}
        if self.control is not None:
            wanted[self.control.sock] = select.POLLIN
        ready = wait(wanted)
        if self.control is not None and self.control.sock in ready:
            self.meanwhile()
        if self.closed:
            raise DataLost('closed by another command')
        return self.sock in ready

    def send(self, block):
        """Send all of `block`."""
        block = memoryview(block)
        while block:
            if self._ready(select.POLLOUT):
                block = block[self._try(self.sock.send, block) or 0:]

    def corrupt(self):
        """Send what looks like a TLS record, and is none."""
        with contextlib.suppress(OSError):
            socket.socket.sendall(self.sock, b'\x17\x03\x03\x00\x40' + b'x' * 64)

    def receive(self, size):
        """Return at most `size` bytes, b'' at the end."""
        while True:
            block = self._try(self.sock.recv, size)
            if block is not None:
                return block
            self._ready(select.POLLIN)

    def _try(self, call, argument):
        """Return what `call` returns, or None when it would have to wait."""
        try:
            return call(argument)
        except WOULD_BLOCK:
            return None
        except OSError as error:
            raise DataLost(str(error)) from error

    def finish(self, close_notify=True, hold=False):
        """End the data in an orderly way.

        `hold` waits until the client closed its side, too.
        """
        with contextlib.suppress(OSError, ValueError):
            if close_notify and isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
            while hold and wait({self.sock: select.POLLIN}):
                if not socket.socket.recv(self.sock, 65536):
                    break
        self.close()

    def close(self, reset=False):
        hang_up(self.sock, reset)


def _wrap(sock, context, failure):
    # The handshake comes later, when the owner knows the new socket, so that
    # it can be woken from a handshake that never ends.
    try:
        return context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False)
    except (OSError, ValueError) as error:
        raise failure(str(error)) from error


def _shake_hands(sock, failure):
    try:
        sock.do_handshake()
    except (OSError, ValueError) as error:
        raise failure(str(error)) from error
