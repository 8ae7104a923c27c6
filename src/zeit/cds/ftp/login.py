"""The beginning of a session: connect, protect, log in, ask for what has to be known."""
import logging
import socket
import time

from zeit.cds.ftp import protocol, quirks
from zeit.cds.ftp.control import Control
from zeit.cds.ftp.data import DataConnections
from zeit.cds.interfaces import (
    ConnectionLost,
    LoginRefused,
    Unreachable,
    UntrustedServer,
)
from zeit.cds.net.stream import connect, connect_to, Stream


log = logging.getLogger(__name__)


class Login:
    """What becomes a session: once it was called, it has its Control and all that was found out."""

    def __init__(self, feed, deadline, findings):
        """
        feed -- IFeed
        deadline -- IDeadline
        findings -- Findings of the run's sessions so far
        """
        self.control = None
        self.data = None            # DataConnections
        self.quirks = None          # Quirks
        self.features = {}
        self._feed, self._deadline, self._findings = feed, deadline, findings
        self._tunnel = None

    def __call__(self, at_once):
        """
        at_once -- has the server taken name and password before? Then everything goes out at once.
        Raises as ICDSConnection.open does; all is closed then.
        """
        try:
            self._begin(at_once)
            self._secure()
            if at_once:
                password = ('PASS', self._feed.password)
                self._set_up(('USER', self._feed.user),
                             *((password,) if self._findings.wants_password else ()))
            else:
                self._log_in()
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.control is not None:
            self.control.quit()
        if self.data is not None:
            self.data.close()

    # ------------------------------------------------------------ connecting

    def _begin(self, again):
        feed, findings = self._feed, self._findings
        if feed.security != 'none':
            from zeit.cds.net.tls import Tunnel  # a plain session shall not pay for it
            self._tunnel = Tunnel(feed)
        sock, address = self._connect(again)
        self.control = Control(Stream(sock, feed.timeout, self._deadline))
        self.data = DataConnections(self.control, address, self._tunnel, findings)
        if feed.security == 'implicit':
            self.control.secure(self._tunnel)
        greeting = self.control.final()
        if not greeting.positive:
            raise protocol.error(greeting)
        self.quirks = quirks.by_greeting(greeting.text, self._feed.quirks)
        self.control.telnet = self.quirks.telnet
        if self.quirks.loses_active and not findings.passive:
            self.data.be_passive('this server loses them if there are several')

    def _connect(self, again):
        """A socket; its family and the addresses of both ends."""
        feed, sock = self._feed, None
        seconds = self._deadline.limit(feed.timeout)
        try:
            if again and self._findings.address is not None:
                sock = connect_to(*self._findings.address, seconds)
            else:
                sock = connect(feed.hostname, feed.port, seconds)
            address = sock.family, sock.getpeername(), sock.getsockname()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, UnicodeError) as e:
            self._deadline.check()
            if sock is not None:
                sock.close()
            if sock is not None or isinstance(e, ConnectionResetError):     # somebody is there
                raise ConnectionLost('The connection was lost: %s' % e) from e
            raise hint(
                Unreachable('No connection to %s:%d: %s' % (feed.hostname, feed.port, e)),
                'Check host name and port, and that the server runs.') from e
        self._findings.address = address[:2]
        return sock, address

    def _secure(self):
        if self._feed.security != 'explicit':
            return
        reply, = self.control.ask(('AUTH', 'TLS'))
        if not reply.positive:
            raise hint(
                UntrustedServer('The server refuses TLS: %s' % (reply,)),
                'No password was sent. Have TLS (RFC 4217) switched on there, or set '
                'security="none" if the line itself is safe.')
        self.control.secure(self._tunnel)

    # ------------------------------------------------------------ logging in

    def _log_in(self):
        """The name alone, since the server may refuse it on an unprotected line; the password
        together with what has to be said once, if it is known how the server refuses that."""
        feed, control, findings = self._feed, self.control, self._findings
        begun = time.monotonic()
        reply, = control.ask(('USER', feed.user))
        findings.latency = time.monotonic() - begun
        findings.wants_password = reply.code == 331
        if findings.wants_password and self.quirks.commands_with_pass:
            return self._set_up(('PASS', feed.password))
        if findings.wants_password:
            control.secret = feed.password
            reply, = control.ask(('PASS', feed.password))
            control.secret = ''
        self._check(reply)
        self._set_up()

    def _check(self, reply):
        feed = self._feed
        if reply.code not in (230, 202):
            if reply.code // 100 == 4:
                raise protocol.error(reply)
            raise hint(LoginRefused(str(reply)), 'Check user %r and the password on %s:%d.' % (
                feed.user, feed.hostname, feed.port))

    def _set_up(self, *login):
        """Send all that has to be said once in one write, perhaps with the login."""
        feed, control = self._feed, self.control
        protection = (('PBSZ', '0'), ('PROT', 'P')) if self._tunnel else ()
        command = self.data.arrange_ahead()
        once = (*protection, ('TYPE', 'I'), ('FEAT',), ('CWD', feed.ftp_dir),
                *((command,) if command else ()))
        control.send(*login, *once)
        if login:
            self._read_login(login, once)
        for _ in protection:
            if not (reply := control.final()).positive:
                raise UntrustedServer(
                    'The server does not protect data connections: %s' % (reply,))
        binary, feat, cwd, *arranged = [control.final() for _ in once[len(protection):]]
        self.features = protocol.features(feat)
        if not cwd.positive:
            raise hint(
                protocol.error(cwd),
                'Check the directory %r on %s:%d, and that user %r may enter it.' % (
                    feed.ftp_dir, feed.hostname, feed.port, feed.user))
        if binary.code // 100 != 2:
            raise protocol.error(binary)
        for reply in arranged:
            self.data.connect_ahead(reply)

    def _read_login(self, login, once):
        control = self.control
        control.secret = self._feed.password
        *_, reply = [control.final() for _ in login]
        if self.quirks.refuses_late and not reply.positive:
            *_, reply = [control.final() for _ in once]
        control.secret = ''
        self._check(reply)


def hint(error, note):
    """An exception that tells what to do about it."""
    error.add_note(note)
    return error
