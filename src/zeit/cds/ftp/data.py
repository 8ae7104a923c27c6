"""Opening the data connections of a session, one after the other (RFC 959, 3; RFC 2428)."""
import logging
import socket
from typing import NamedTuple

from zeit.cds.ftp import protocol
from zeit.cds.ftp.quirks import PASSIVE, WAYS
from zeit.cds.interfaces import (
    ConnectionLost,
    ProtocolError,
    ReplyError,
    TemporaryError,
)
from zeit.cds.net.scheduler import sleep
from zeit.cds.net.stream import connected, connecting, Listener, stands, Stream


log = logging.getLogger(__name__)

DOUBTFUL = 5            # seconds at most that a port of EPSV has, until it led anywhere
TRIES = 5               # a busy server may answer EPSV with 425 now and then


class Arrangement(NamedTuple):
    """What was asked for, so that a data connection can come about."""

    way: int            # index in WAYS. That of `findings` may have changed when the reply comes.
    command: tuple      # verb and perhaps argument
    listener: object    # Listener, where the server connects

    def close(self):
        if self.listener is not None:
            self.listener.close()


class DataConnections:
    """Arranges for them and opens them.

    What it gives as a data connection, until its transfer has begun, is a Stream, or a Listener
    where the server will connect.
    """

    def __init__(self, control, address, tunnel, findings):
        """
        control -- Control; timeout and deadline are those of its Stream
        address -- family of the control connection, address of the server's end, and of ours
        tunnel -- Tunnel; None without TLS
        findings -- Findings, of all sessions of the run
        """
        self.tunnel = tunnel
        self.uses_pasv_host = False     # does the host in a reply to PASV count? See Quirks.
        self._control, self._address, self._findings = control, address, findings
        self._timeout, self._deadline = control.stream.timeout, control.stream.deadline
        self._asked = None      # the Arrangement that was made last, until it was answered
        self._ahead = None      # what was begun in advance: a Listener, or a socket that connects
        self._current = None    # Stream of the connection that was opened last
        self._lingering = None  # Stream of an upload whose final reply is still to come, perhaps

    @property
    def is_ahead(self):
        """Has the next data connection begun already? bool"""
        return self._ahead is not None

    @property
    def connects_ahead(self):
        """Are we connecting to the server for it? bool"""
        return self._ahead is not None and not isinstance(self._ahead, Listener)

    def abort(self):
        """Make a transfer fail at once. Any thread may do that."""
        if (current := self._current) is not None:
            current.abort()

    def close(self):
        for opened in self._asked, self._ahead, self._lingering:
            if opened is not None:
                opened.close()
        self._asked = self._ahead = self._lingering = None

    def linger(self, data):
        """Close this Stream later, after the final reply: what its other side still sends, a TLS
        close_notify, would be answered with a reset."""
        if self._lingering is not None:
            self._lingering.close()
        self._lingering = data

    def drop_ahead(self):
        """The server has used up the data connection that was begun in advance."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.close()

    # ------------------------------------------------------------ ways

    def be_passive(self, reason):
        """From now on it's us who open data connections. `reason` tells why, str."""
        if not self._findings.passive:      # else another session has told
            log.warning('The server does not open data connections, we do, since %s', reason)
        self._findings.way = max(self._findings.way, PASSIVE)

    def arrange(self):
        """What arranges for a data connection: a tuple of verb and perhaps argument."""
        way = self._findings.way
        if self._asked is not None:
            self._asked.close()
        verb = WAYS[way]
        if way >= PASSIVE:
            self._asked = Arrangement(way, (verb,), None)
        else:
            family, (host, *_), ours = self._address
            try:
                listener = Listener(family, ours, host)
            except OSError as e:
                self._asked = None
                raise TemporaryError('No port for a data connection: %s' % e) from e
            format = protocol.eprt if verb == 'EPRT' else protocol.port
            self._asked = Arrangement(way, (verb, format(ours[0], listener.port)), listener)
        return self._asked.command

    def arrange_ahead(self):
        """The same for a data connection in advance; None if we can't have it now."""
        if self._findings.cautious:
            return None
        try:
            return self.arrange()
        except TemporaryError as e:
            log.debug('No data connection in advance: %s', e)
            return None

    def take_listener(self):
        """The Listener of the last arrangement, which others answer for from now on."""
        asked, self._asked = self._asked, None
        return asked.listener

    def _arranged(self, reply):
        """What the reply to EPSV, PASV offers: a port; to EPRT, PORT: the Listener.

        None if it has to be asked again.
        """
        asked, self._asked = self._asked, None
        if asked.listener is not None:
            if reply.code == 200:
                self._findings.agreed = True
                return asked.listener
            asked.close()
            if reply.code // 100 == 2 and not self._findings.agreed:
                return self.be_passive('its answer is not 200: %s' % (reply,))
        elif offered := self._offered(reply):
            return offered
        elif asked.way == PASSIVE and reply.code != 425 and not self._findings.reached:
            return self._give_up_way(asked.way, reply)
        if reply.code // 100 == 5 and asked.way < len(WAYS) - 1:
            return self._give_up_way(asked.way, reply)
        if reply.code in (227, 229):
            raise self._control.lost(ProtocolError('The server answered %s with: %s' % (
                WAYS[asked.way], reply)))
        if reply.code == 425:
            return None
        raise self.error(reply)

    def _give_up_way(self, way, reply):
        if way + 1 == PASSIVE:
            self.be_passive('the server refuses it: %s' % (reply,))
        self._findings.way = max(self._findings.way, way + 1)

    @staticmethod
    def _offered(reply):
        """Host (None: as that of the control connection) and port; None if there are none."""
        if reply.code == 229:
            port = protocol.epsv_port(reply)
            return port and (None, port)
        return protocol.pasv_address(reply) if reply.code == 227 else None

    @property
    def _is_doubtful(self):
        """Is it EPSV, by which no transfer has begun yet? bool"""
        return self._findings.way == PASSIVE and not self._findings.reached

    def error(self, reply):
        """What to raise for a reply that is no success. One that fits no command shows that we are
        out of step."""
        error = protocol.error(reply)
        return self._control.lost(error) if isinstance(error, ConnectionLost) else error

    # ------------------------------------------------------------ opening

    def open(self):
        """A data connection to the host of the control connection, whatever host PASV names."""
        ahead, self._ahead = self._ahead, None
        if isinstance(ahead, Listener):
            return ahead
        if ahead is not None:
            try:
                return self.connected(ahead)
            except OSError as e:
                self._check_deadline()
                log.debug('The data connection begun in advance is of no use: %s', e)
                self._findings.cautious = True
        try:
            return self._open()
        except TemporaryError as e:
            if not self._is_doubtful:
                raise
            return self._open_otherwise(e)

    def _open(self):
        for n in range(TRIES):
            reply, = self._control.ask(self.arrange())
            if arranged := self._arranged(reply):
                return arranged if isinstance(arranged, Listener) else self._connect(*arranged)
            sleep(0.01 * n)
        raise self.error(reply)

    def _open_otherwise(self, error):
        """EPSV led nowhere, for which a firewall may be the reason that knows PASV only."""
        findings = self._findings
        findings.way += 1
        try:
            data = self._open()
        except ReplyError as e:
            findings.way -= 1       # it was not the way
            raise TemporaryError('%s; with PASV: %s' % (error, e)) from e
        log.debug('PASV from now on, since EPSV leads nowhere: %s', error)
        return data

    def take_ahead(self):
        """The socket that connects; see `connects_ahead`."""
        ahead, self._ahead = self._ahead, None
        return ahead

    def connected(self, sock):
        """The Stream of a socket that connects. Raises OSError."""
        if not stands(sock):
            try:
                seconds = self._seconds()
            except BaseException:
                sock.close()
                raise
            connected(sock, seconds)
        return Stream(sock, self._timeout, self._deadline)

    def _seconds(self):
        """How long to wait for a connection."""
        seconds = min(self._timeout, DOUBTFUL) if self._is_doubtful else self._timeout
        return seconds if self._deadline is None else self._deadline.limit(seconds)

    def _check_deadline(self):
        if self._deadline is not None:
            self._deadline.check()

    def _connect(self, host, port):
        try:
            return self.connected(self._connect_to(host, port))
        except OSError as e:
            self._check_deadline()
            raise self._no_connection(host, port, e) from e

    def _no_connection(self, host, port, reason):
        error = TemporaryError('No data connection to port %d: %s' % (port, reason))
        if host not in (None, self._address[1][0]) and not self.uses_pasv_host:
            error = TemporaryError('%s. The server named another host, %s, which is ignored' % (
                error, host))
            error.add_note('If the server really has that address, too, set quirks="pasv-host".')
        return error

    def _connect_to(self, host, port):
        family, address, _ = self._address
        if host is not None and self.uses_pasv_host:
            return connecting(socket.AF_INET, (host, port))
        return connecting(family, (address[0], port, *address[2:]))

    def connect_ahead(self, reply):
        """Begin the data connection that the reply to `arrange` offers."""
        try:
            if arranged := self._arranged(reply):
                self._ahead = (arranged if isinstance(arranged, Listener)
                               else self._connect_to(*arranged))
        except (ReplyError, OSError) as e:
            log.debug('No data connection in advance: %s', e)

    def started(self, data, reply):
        """The Stream of a data connection, once the first reply to its transfer's command came.

        Raises ReplyError if that is no 1yz.
        """
        if not reply.preliminary:
            if isinstance(data, Listener) and reply.code == 425:
                self.be_passive('its connections do not get through to us: %s' % (reply,))
            if reply.code == 425 and self._is_doubtful:     # it does not see our connection
                self._findings.way += 1
            if reply.positive:
                error = TemporaryError('No data: %s' % (reply,))
                error.reply = reply
                raise error
            raise self.error(reply)
        try:
            if isinstance(data, Listener):
                data = self._accept(data)
            self._current = data = self._protected(data) if self.tunnel else data
            self._findings.reached |= self._findings.way == PASSIVE
            if not self._control.alive:     # somebody aborted it, and did not see this one yet
                raise ConnectionLost('The session has ended')
        except BaseException as e:
            data.close()
            if not isinstance(e, ReplyError):
                self._control.close()       # a final reply is still to come
            raise
        return self._current

    def _accept(self, listener):
        try:
            return Stream(listener.accept(self._seconds()), self._timeout, self._deadline)
        except TimeoutError as e:
            self._check_deadline()
            raise self._control.lost(ConnectionLost(
                'The data connection that the server wants to open did not arrive within %g s. '
                'Unless a firewall on the way can let it pass, do without `active`.'
                % self._timeout)) from e
        except OSError as e:
            raise self._control.lost(e) from e

    def _protected(self, data):
        """The data connection inside TLS, where it continues the TLS session of the control
        connection."""
        try:
            return self.tunnel.wrap(data, self._control.stream)
        except TimeoutError as e:
            raise self._control.lost(e) from e
        except OSError as e:
            raise TemporaryError('No data connection: %s (%s)' % (e, self._control.final())) from e
