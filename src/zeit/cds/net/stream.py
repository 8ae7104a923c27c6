"""TCP connections that let other sessions go on while they wait."""
import errno
import logging
import os
import socket
import struct
import time

from zeit.cds.net.scheduler import checkpoint, in_thread, is_alone, READ, wait, WRITE


log = logging.getLogger(__name__)

FAIR = 1024 * 1024      # bytes that come or go without a pause until others have their turn
MOMENT = struct.pack('ll', 0, 8000)     # a struct timeval: so long, 8 ms, `recv_all_into` waits


def connect(host, port, seconds):
    """A connected, non-blocking socket. Raises OSError, and UnicodeError for what can be no host
    name.

    seconds -- limit for each of the host's addresses
    """
    error = OSError('No address')
    for family, _, _, _, address in _addresses(host, port):
        try:
            return connect_to(family, address, seconds)
        except OSError as e:
            error = e
    raise error


def _addresses(host, port):
    if host.isascii():
        host = host.encode('ascii')     # spares us loading the tables of IDNA
    try:
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        # It may ask a name server.
        return in_thread(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)


def connect_to(family, address, seconds):
    """The same for one address."""
    return connected(connecting(family, address), seconds)


def connecting(family, address):
    """A non-blocking socket that has begun to connect, while its owner does something else.

    Raises OSError.
    """
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        number = sock.connect_ex(address)
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, os.strerror(number))
    except BaseException:
        sock.close()
        raise
    return sock


def connected(sock, seconds):
    """That socket, once it is connected. Raises OSError."""
    try:
        wait(sock, WRITE, seconds)
        if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
    except BaseException:
        sock.close()
        raise
    return sock


def stands(sock):
    """Is it connected already, as on a short line? Then nobody has to wait. bool"""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


class Listener:
    """A port where one connection is expected, of one host."""

    def __init__(self, family, address, host):
        """
        address -- ours, as getsockname() gives it; its port does not matter
        host -- str; connections from elsewhere are turned away
        Raises OSError.
        """
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._host = host
        try:
            self.socket.bind((address[0], 0, *address[2:]))
            self.socket.listen(1)
            self.port = self.socket.getsockname()[1]
        except BaseException:
            self.close()
            raise

    def accept(self, seconds):
        """The connection, a non-blocking socket; the port is free then.

        Raises OSError, TimeoutError.
        """
        end = time.monotonic() + seconds
        try:
            while True:
                wait(self.socket, READ, max(0, end - time.monotonic()))
                try:
                    sock, address = self.socket.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue
                if address[0] == self._host:
                    sock.setblocking(False)
                    return sock
                sock.close()
                log.warning('Turned away: a data connection from %s, which is not the server.',
                            address[0])
        finally:
            self.close()

    def close(self):
        self.socket.close()


class Stream:
    """A connected, non-blocking socket that seems to block, but lets other tasks go on.

    All verbs raise OSError, TimeoutError if nothing came or went for `timeout` seconds, and
    RunLimitReached once the deadline has passed, as soon as they have to wait, or a lot of bytes
    came or went.
    """

    def __init__(self, sock, timeout, deadline=None):
        """
        timeout -- seconds
        deadline -- IDeadline, which limits each wait; None: there is none
        """
        self.socket, self.timeout, self.deadline = sock, timeout, deadline
        self._count = 0     # bytes without a pause
        self._is_patient = False    # has the socket got its MOMENT?

    def recv(self, size):
        """Bytes that are expected to come rather than to be here already; b'' at the end."""
        while True:
            self._wait(READ, self.timeout)
            try:
                return self.socket.recv(size)
            except BlockingIOError:
                pass

    def comes(self, seconds):
        """Does anything come, or the end, within so many seconds? bool"""
        try:
            self._wait(READ, seconds)
        except TimeoutError:
            return False
        return True

    def recv_into(self, buffer):
        """Read into a buffer; returns the number of bytes, 0 at the end."""
        while True:
            try:
                count = self.socket.recv_into(buffer)
            except BlockingIOError:
                self._pause(READ)
            else:
                self._be_fair(count)
                return count

    def recv_all_into(self, buffer):
        """The same, but rather all at once than in the pieces in which it comes.

        Each piece takes us as long as a hundred kilobytes take the system; so it is waited for
        within the system, for a moment, unless others could go on meanwhile.
        """
        if not is_alone():
            return self.recv_into(buffer)
        if not self._is_patient:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, MOMENT)
            self._is_patient = True
        self.socket.setblocking(True)
        try:
            count = self.socket.recv_into(buffer, 0, socket.MSG_WAITALL)
        except BlockingIOError:
            count = None
        finally:
            self.socket.setblocking(False)
        if count is None:
            return self.recv_into(buffer)
        self._be_fair(count)
        return count

    def send_at_once(self, data):
        """Send as much as the system takes without waiting; returns the number of bytes."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def sendall(self, data):
        data = memoryview(data).cast('B')
        while data:
            try:
                count = self.socket.send(data)
            except BlockingIOError:
                self._pause(WRITE)
            else:
                data = data[count:]
                self._be_fair(count)

    def _wait(self, event, seconds):
        if (deadline := self.deadline) is None:
            return wait(self.socket, event, seconds)
        try:
            wait(self.socket, event, deadline.limit(seconds))
        except TimeoutError:
            deadline.check()
            raise

    def _pause(self, event, seconds=None):
        self._count = 0
        self._wait(event, self.timeout if seconds is None else seconds)

    def _be_fair(self, count):
        self._count += count
        if self._count > FAIR:
            self._count = 0
            if self.deadline is not None:
                self.deadline.check()
            checkpoint()

    def abort(self):
        """Make whoever waits on it fail at once. Any thread may do that.

        Not by the socket's own verb: that of an SSLSocket drops its TLS object first, and whoever
        reads or writes then does so in plain text.
        """
        try:
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        except OSError:
            pass        # it was closed or never connected: nobody waits

    def close(self):
        self.socket.close()
