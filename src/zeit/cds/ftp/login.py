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
    TemporaryError,
    Unreachable,
    UntrustedServer,
)
from zeit.cds.net.stream import connect, connect_to, Stream
from zeit.cds.text import printable


log = logging.getLogger(__name__)

# The kernel asks whether the other end is still there, so that firewalls do not forget the control
# connection while a large file comes. Not all systems have all of them. Seconds, and a number.
KEEPALIVE = {'TCP_KEEPIDLE': 60, 'TCP_KEEPINTVL': 30, 'TCP_KEEPCNT': 4}
KEEPALIVE = [(getattr(socket, name), value) for name, value in KEEPALIVE.items()
             if hasattr(socket, name)]
PROBE = 'XCDS'              # a verb that no server knows
SHORT = 1                   # seconds at least that a server has for the replies to the probe
ROUND_TRIPS = 4             # and so many round trips
FULL_HOUSE = ('too many', 'maximum', 'max ', 'limit', 'try again', 'busy', 'connections',
              'clients', 'sessions', 'later')
WRONG = ('password', 'incorrect', 'credential', 'not logged in', 'denied', 'failed', 'disabled',
         'locked')
WARNINGS = 'expire', 'grace', 'quota', 'will be deleted', 'change your password'
MAX_WARNING = 3             # lines of what a server says about an account


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
        self.greeting = ''
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
        except ConnectionLost as e:
            self.close()
            from zeit.cds.ftp import advice  # few runs need it
            raise advice.of_loss(e, self._feed, self.greeting) from e.__cause__
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
            self._tunnel = Tunnel(feed, tls12='tls12' in feed.quirks)
        sock, address = self._connect(again)
        self.control = Control(Stream(sock, feed.timeout, self._deadline), findings)
        self.data = DataConnections(self.control, address, self._tunnel, findings)
        if feed.security == 'implicit':
            self.control.secure(self._tunnel)
        greeting = self.control.final()
        if not greeting.positive:
            raise protocol.error(greeting)
        self.quirks = quirks.by_greeting(greeting.text, self._feed.quirks)
        self.greeting = greeting.text
        self.data.uses_pasv_host = self.quirks.pasv_host
        self.control.telnet = self.quirks.telnet
        self.control.acknowledges = not self.quirks.known
        if findings.one_at_a_time is None and self.quirks.pipelining:
            findings.one_at_a_time = False
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
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
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
        if (findings.wants_password and self.quirks.commands_with_pass
                and not control.one_at_a_time):
            return self._set_up(('PASS', feed.password))
        if findings.wants_password:
            control.secret = feed.password
            reply, = control.ask(('PASS', feed.password))
            control.secret = ''
        self._check(reply)
        if control.one_at_a_time:
            self._set_up_slowly()
        else:
            self._set_up()

    def _check(self, reply):
        """Raises unless we are logged in."""
        feed = self._feed
        if reply.code // 100 == 2:
            self.control.logged_in = True
            return self._tell_of_account(reply)
        from zeit.cds.ftp import advice  # few runs need it
        if advice.wants_tls(reply.text, feed):
            raise advice.unprotected(str(reply))
        if reply.code // 100 == 4:
            raise protocol.error(reply)
        if says_full(reply):
            raise hint(TemporaryError(str(reply)), 'The server has no room for another session at '
                       'present; ask its operator for more, or set `connections` lower.')
        if reply.code == 332:
            raise hint(LoginRefused(str(reply)), 'The server wants an account beside user and '
                       'password (ACCT), which this program does not have. Ask its operator for a '
                       'user that needs none.')
        raise hint(LoginRefused(str(reply)), 'Check user %r and the password on %s:%d.' % (
            feed.user, feed.hostname, feed.port))

    def _tell_of_account(self, reply):
        """Once a run, if the server says that the account will be of no use soon."""
        text = reply.text.lower()
        if any(word in text for word in WARNINGS) and 'account' not in self._findings.told:
            self._findings.told.add('account')
            said = [line for line in reply.text.split('\n')
                    if any(word in line.lower() for word in WARNINGS)]
            log.warning('The server says about user %s: %s', self._feed.user,
                        printable(' / '.join(said[:MAX_WARNING])[:500]))

    def _set_up(self, *login):
        """Send all that has to be said once in one write, perhaps with the login."""
        feed, control = self._feed, self.control
        protection = (('PBSZ', '0'), ('PROT', 'P')) if self._tunnel else ()
        command = self.data.arrange_ahead()
        once = (*protection, ('TYPE', 'I'), ('FEAT',), ('CWD', feed.ftp_dir),
                *((command,) if command else ()))
        utf8 = (('OPTS', 'UTF8 ON'),) if self._findings.utf8 else ()
        control.send(*login, *utf8, *once)
        if login:
            self._read_login(login, (*utf8, *once))
        for _ in utf8:
            control.final()
        for _ in protection:
            if not (reply := control.final()).positive:
                raise self._unprotected(reply)
        binary, feat, cwd, *arranged = [
            control.final_to(verb) for verb, *_ in once[len(protection):]]
        self.features = protocol.features(feat)
        self._check_directory(cwd)
        self._check_binary(binary)
        for reply in arranged:
            self.data.connect_ahead(reply)

    @staticmethod
    def _unprotected(reply):
        return UntrustedServer('The server does not protect data connections: %s' % (reply,))

    def _check_directory(self, reply):
        feed = self._feed
        if not reply.positive:
            raise hint(
                protocol.error(reply),
                'Check the directory %r on %s:%d, and that user %r may enter it.' % (
                    feed.ftp_dir, feed.hostname, feed.port, feed.user))

    @staticmethod
    def _check_binary(reply):
        if reply.code // 100 != 2:
            raise protocol.error(reply)

    def _read_login(self, login, once):
        control = self.control
        control.secret = self._feed.password
        *_, reply = [control.final() for _ in login]
        if self.quirks.refuses_late and not reply.positive:
            *_, reply = [control.final() for _ in once]
        control.secret = ''
        self._check(reply)

    # ------------------------------------------------------------ a server that is not known

    def _set_up_slowly(self):
        """One command after the other; at last see whether it bears several."""
        control, findings = self.control, self._findings
        for command in (('PBSZ', '0'), ('PROT', 'P')) if self._tunnel else ():
            reply, = control.ask(command)
            if not reply.positive:
                raise self._unprotected(reply)
        reply, = control.ask(('TYPE', 'I'))
        self._check_binary(reply)
        if 'FEAT' not in findings.lacks:
            reply, = control.ask(('FEAT',))
            self.features = protocol.features(reply)
        if 'OPTS' not in findings.lacks and (
                self.quirks.utf8 or 'UTF8' in self.features and not self.quirks.known):
            control.ask(('OPTS', 'UTF8 ON'))
            findings.utf8 = True
        if findings.one_at_a_time is None:
            self._probe()
        else:
            reply, = control.ask(('CWD', self._feed.ftp_dir))
            self._check_directory(reply)
        if (command := self.data.arrange_ahead()) is not None:
            reply, = control.ask(command)
            self.data.connect_ahead(reply)

    def _probe(self):
        """Does the server read several commands that come in one write, in their order?

        Change into the directory in a write with two more commands, one of which it can't know,
        since some answer such ones first.
        """
        control, findings = self.control, self._findings
        findings.one_at_a_time = True       # unless it turns out to be otherwise
        try:
            control.send(('CWD', self._feed.ftp_dir), (PROBE,), ('PWD',))
            replies = [control.final()]
            seconds = max(SHORT, ROUND_TRIPS * findings.latency)
            while len(replies) < 3 and control.comes(seconds):
                replies.append(control.final())
            if len(replies) < 3:
                self._recover(3 - len(replies))
        except ConnectionLost as e:
            e.at_once = not isinstance(e, Unreachable)
            raise
        codes = [reply.code for reply in replies]
        in_order = len(codes) == 3 and codes[1] // 100 == 5 and codes[2] == 257
        if not in_order and codes[0] in protocol.NOT_SUPPORTED:
            replies = replies[1:] or replies    # it answered what it does not know before
        self._check_directory(replies[0])
        findings.one_at_a_time = not in_order

    def _recover(self, missing):
        """Some replies don't come: their commands were lost. Go on behind the reply to one more."""
        control = self.control
        control.forget(missing)
        control.send(('TYPE', 'I'))
        while (reply := control.final()).code != 200:
            log.debug('Too late: %s', reply)


def hint(error, note):
    """An exception that tells what to do about it."""
    error.add_note(note)
    return error


def says_full(reply):
    """Does the refusal of a login mean that the server has no room now? bool"""
    text = reply.text.lower()
    return (reply.code == 530 and any(word in text for word in FULL_HOUSE)
            and not any(word in text for word in WRONG))
