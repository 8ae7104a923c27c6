"""The data connections of a session, one after the other (RFC 959, 3; RFC 2428)."""
import logging
import time
from typing import NamedTuple

from zeit.cds.ftp import protocol
from zeit.cds.ftp.supply import Supply
from zeit.cds.interfaces import (
    ConnectionLost,
    ProtocolError,
    ReplyError,
    RunLimitReached,
    TemporaryError,
    TooEarly,
    UntrustedServer,
)
from zeit.cds.net.scheduler import sleep
from zeit.cds.net.stream import connected, connecting, Listener, Stream
from zeit.cds.text import printable


log = logging.getLogger(__name__)

BUFFER = 256 * 1024         # bytes: one read for a small file, few for a large one
TRIES = 5                   # a busy server may answer EPSV with 425 now and then
WAYS = 'EPRT', 'PORT', 'EPSV', 'PASV'   # to come to a data connection; what a server refuses is not asked for again
PASSIVE = WAYS.index('EPSV')            # from here on it's us who connect
COMPLETE = 226, 250         # what a transfer ends with if all went well (RFC 959, 5.4)
FAR = 0.008                 # seconds to the server and back from which on it pays to send something before it is due
MEMORY = 4 * 1024 * 1024    # bytes of a file that came before it was wanted


class Step(NamedTuple):
    """What went out in one write, beside the command of a transfer."""

    taken: list         # of Pending
    ahead: object       # what `ride` of ICDSSession.fetch returned
    begins: bool        # was the file of this name asked for already?


class DataConnections:
    """Opens them, and moves the data of one transfer after the other."""

    def __init__(self, feed, control, address, tunnel, deadline, way=None):
        """
        control -- Control
        address -- family of the control connection, address of the server's end, and of ours
        tunnel -- Tunnel; None without TLS
        deadline -- value of time.monotonic() after which no transfer goes on
        way -- index in WAYS to begin with, where another session has found it out
        """
        # What the server bears before it is its turn. 'data': those of an upload before it read STOR; 'next': commands
        # in one write with the STOR or RETR before them; 'soon': commands while a RETR is underway, provided that all
        # of its data are; 'STOR': that before there is a data connection; 'RETR': that in one write with the EPRT
        # before it.
        self.early = ()
        self.way = way if way is not None else 0 if feed.active else PASSIVE
        self.round_trip = 0.0       # seconds to the server and back
        # Did a connection that was begun in advance come to nothing? Then each is arranged for by itself: there are
        # firewalls that see its port only in a packet that begins with that reply.
        self.cautious = False
        self.ragged = False         # did the last TLS data connection end without close_notify?
        self._feed, self._control, self._address, self._tunnel = feed, control, address, tunnel
        self._deadline = deadline
        self._agreed = False        # has the server agreed to open data connections?
        self._listener = None       # the Listener that the last EPRT or PORT tells of, until it is answered
        self._ahead = None          # what was begun in advance: a Listener, or a socket that connects
        self._begun = None          # name of a file that was asked for in advance, and its Listener
        self._taken = None          # name of a file that came in advance, its bytes and final Reply, or a ReplyError instead
        self._final = None          # the final Reply of a transfer, if it was read already
        self._due = ()              # verb and argument of a transfer which the server does not know of, while its data are sent
        self._step = None           # Step that went out before the final reply of a transfer was due
        self._current = None        # Stream of the connection that was opened last
        self._buffer = memoryview(bytearray(BUFFER))

    @property
    def is_ahead(self):
        """Has the next data connection begun already? bool"""
        return self._ahead is not None

    def abort(self):
        """Make a transfer fail at once. Any thread may do that."""
        if (current := self._current) is not None:
            current.abort()

    def close(self):
        for opened in self._listener, self._ahead, self._begun and self._begun[1]:
            if opened is not None:
                opened.close()

    # ------------------------------------------------------------ opening

    def _error(self, reply):
        """What to raise for a reply that is no success. One that fits no command shows that we are out of step."""
        error = ReplyError.of(reply)
        return self._control.lost(error) if isinstance(error, ConnectionLost) else error

    def be_passive(self, reason):
        """From now on it's us who open data connections. `reason` tells why, str."""
        self.way = PASSIVE
        log.warning('The server does not open data connections, we do, since %s', reason)

    def command(self):
        """What arranges for a data connection: a tuple of verb and perhaps argument."""
        verb = WAYS[self.way]
        if self.way >= PASSIVE:
            return verb,
        family, (host, *_), ours = self._address
        try:
            listener = Listener(family, ours, host)
        except OSError as e:
            raise TemporaryError('No port for a data connection: %s' % e) from e
        if self._listener is not None:
            self._listener.close()
        self._listener = listener
        return verb, (protocol.eprt if verb == 'EPRT' else protocol.port)(ours[0], listener.port)

    def command_ahead(self):
        """The same for a data connection in advance; None if we can't have it now."""
        try:
            return self.command()
        except TemporaryError as e:
            log.debug('No data connection in advance: %s', e)
            return None

    def _arranged(self, reply):
        """What the reply to EPSV, PASV offers: a port; to EPRT, PORT: the Listener. None if it has to be asked again."""
        if self.way < PASSIVE:
            listener, self._listener = self._listener, None
            if reply.code == 200:
                self._agreed = True
                return listener
            listener.close()
            if reply.code // 100 == 2 and not self._agreed:
                return self.be_passive('its answer is not 200: %s' % (reply,))
        elif reply.code in (227, 229):
            return self._port(reply)
        if reply.code // 100 == 5 and self.way < len(WAYS) - 1:
            self.way += 1
            if self.way == PASSIVE:
                self.be_passive('the server refuses it: %s' % (reply,))
            return None
        if reply.code == 425:
            return None
        raise self._error(reply)

    def _port(self, reply):
        try:
            if reply.code == 229:
                return protocol.epsv_port(reply)
            return protocol.pasv_port(reply)
        except ProtocolError as e:
            raise self._control.lost(e)

    def _open_data(self):
        """A data connection to the host of the control connection, whatever host PASV names; plain so far. Or a Listener
        where one will arrive."""
        ahead, self._ahead = self._ahead, None
        if isinstance(ahead, Listener):
            return ahead
        if ahead is not None:
            try:
                return Stream(connected(ahead, self._feed.timeout), self._feed.timeout)
            except OSError as e:
                log.debug('The data connection begun in advance is of no use: %s', e)
                self.cautious = True
        for n in range(TRIES):
            reply, = self._control.ask(self.command())
            if arranged := self._arranged(reply):
                return arranged if isinstance(arranged, Listener) else self._connect_data(arranged)
            sleep(0.01 * n)
        raise self._error(reply)

    def _connect_data(self, port):
        timeout = self._feed.timeout
        try:
            return Stream(connected(self._connect_to(port), timeout), timeout)
        except OSError as e:
            raise TemporaryError('No data connection to port %d: %s' % (port, e)) from e

    def _connect_to(self, port):
        family, address, _ = self._address
        return connecting(family, (address[0], port, *address[2:]))

    def connect_ahead(self, reply):
        """Begin the data connection that the reply to `command` offers."""
        try:
            if arranged := self._arranged(reply):
                self._ahead = arranged if isinstance(arranged, Listener) else self._connect_to(arranged)
        except (ReplyError, OSError) as e:
            log.debug('No data connection in advance: %s', e)

    def begin(self, verb, argument=None, offset=0):
        """Open a data connection and start a transfer; returns the connection once the server said 1yz."""
        data = self._open_data()
        try:
            return self._start(data, verb, argument, offset)
        except BaseException:
            data.close()
            raise

    def _start(self, data, verb, argument, offset):
        if offset:
            rest, = self._control.ask(('REST', str(offset)))
            if rest.code != 350:
                raise self._error(rest)
        return self._started(data, self._control.begin(verb, argument))

    def _started(self, data, reply):
        if not reply.preliminary:
            if isinstance(data, Listener) and reply.code == 425:
                self.be_passive('its connections do not get through to us: %s' % (reply,))
            raise TemporaryError('No data: %s' % (reply,)) if reply.positive else self._error(reply)
        if isinstance(data, Listener):
            data = self._accept(data)
        try:
            self._current = self._protected(data) if self._tunnel else data
        except BaseException:
            data.close()
            raise
        return self._current

    def _accept(self, listener):
        try:
            return Stream(listener.accept(self._feed.timeout), self._feed.timeout)
        except TimeoutError as e:
            raise self._control.lost(ConnectionLost(
                'The data connection that the server wants to open did not arrive within %g s. Unless a firewall on the way '
                'can let it pass, do without `active`.' % self._feed.timeout)) from e
        except OSError as e:
            raise self._control.lost(e) from e

    def _protected(self, data):
        """The data connection inside TLS, where it continues the TLS session of the control connection."""
        try:
            return self._tunnel.wrap(data, self._control.stream)
        except TimeoutError as e:
            raise self._control.lost(e) from e
        except OSError as e:
            raise TemporaryError('No data connection: %s (%s)' % (e, self._control.final())) from e
        except UntrustedServer:
            self._control.close()       # a final reply is still to come
            raise

    # ------------------------------------------------------------ files that come in advance

    def fetch(self, name, write, offset=0, pour=None, ride=None):
        """RETR, but for the final reply; see ICDSSession.fetch.

        ride -- may be called, so that `end` finds all sent already
        """
        if self._begun is not None and (name, 0) == (self._begun[0], offset):
            self._control.before = None
            return self.transfer(self._start_begun(), write, pour)
        if self._taken is not None and name == self._taken[0]:
            (_, data, final), self._taken = self._taken, None
            if not offset:
                if isinstance(final, ReplyError):
                    raise final
                write(memoryview(data))
                self._final = final
                return len(data)
        if ride is not None and not offset and not self._tunnel and self.way >= PASSIVE:
            if 'next' in self.early:
                return self._fetch_hastily(name, write, ride, at_once=True)
            if 'soon' in self.early and self.round_trip > FAR:
                return self._fetch_hastily(name, write, ride, at_once=False)
        return self.transfer(self.begin('RETR', name, offset), write, pour)

    def _fetch_hastily(self, name, write, ride, at_once):
        """Fetch a small file, and let what follows go out in one write with RETR, or soon after it, which spares us the
        way there."""
        data = self._open_data()
        try:
            if at_once:
                self._step = self._send_step(ride(), ('RETR', name))
            else:
                self._control.issue(('RETR', name))
                if not self._control.stream.comes(self.round_trip / 2):
                    self._step = self._send_step(ride())
            data = self._started(data, self._control.reply())
        except ReplyError:
            data.close()
            self._read_step()       # the next command is not affected
            raise
        except BaseException:
            data.close()
            self._give_up_step()
            raise
        try:
            return self.transfer(data, write)
        except TemporaryError as e:
            if self._step is None:
                raise
            self._give_up_step()
            raise self._control.lost(TooEarly(str(e))) from e   # who knows what the server has read, and when
        except BaseException:
            self._give_up_step()
            raise

    def _start_begun(self):
        _, listener = self._begun
        self._begun = None
        try:
            arranged, reply = self._control.reply(), self._control.reply()
            if arranged.code != 200:
                raise self._control.lost(ConnectionLost('No data connection: %s' % (arranged,)))
            return self._started(listener, reply)
        except BaseException:
            listener.close()
            raise

    def _take_it(self):
        """Somebody wants to say something else before the file that was begun: take it out of the way."""
        name, data = self._begun[0], bytearray()

        def write(piece):
            data.extend(piece)
            if len(data) > MEMORY:
                raise ConnectionLost('More and more data of %s come.' % printable(name))

        try:
            self.transfer(self._start_begun(), write)
            self._taken = name, data, self._control.final()
        except ReplyError as e:
            self._taken = name, data, e

    # ------------------------------------------------------------ moving data

    def transfer(self, data, write, pour=None):
        """All data of a download; returns the number of bytes. What the arguments are, ICDSSession.fetch tells.

        After a broken data connection the control connection is still in step.
        """
        self.ragged = False
        try:
            return self._receive(data, write, pour)
        except (ConnectionError, EOFError) as e:
            data.close()
            reply = self._control.final()
            raise TemporaryError('The data connection broke: %s (%s)' % (e, reply)) from e
        except BaseException:
            # Whatever stopped us (a full disk, say), the server still sends: this session can't go on.
            self._control.close()
            raise
        finally:
            data.close()

    def _receive(self, data, write, pour):
        buffer, count = self._buffer, 0

        def receive(room):
            try:
                return data.recv_into(room)
            except ConnectionError:
                raise
            except OSError as e:
                if self._tunnel and self._tunnel.ragged(e):
                    self.ragged = True
                    return 0
                raise self._control.lost(e) from e

        while n := pour(receive) if pour else receive(buffer):
            if not pour:
                write(buffer[:n])
            count += n
            self._look_at_the_clock()
        return count

    def _look_at_the_clock(self):
        if time.monotonic() > self._deadline:
            raise RunLimitReached('The run took longer than %g s.' % self._feed.run_limit)

    def upload(self, name, pieces, offset=0, together=False):
        """STOR, but for the final reply; returns the number of bytes.

        together -- may STOR itself be left to `end`, if the data do not wait for it, or go out before there is a connection?
        """
        supply = Supply(pieces)
        if together and 'STOR' in self.early and self._ahead is not None and not offset and self.way >= PASSIVE:
            return self._send(self._begin_connecting('STOR', name), supply)
        data = self._open_data()
        try:
            if 'data' in self.early and not offset and not self._tunnel and self.way >= PASSIVE:
                supply.begin(data)
                if together and supply.is_done:
                    self._due = 'STOR', name
                    return supply.count
            data = self._start(data, 'STOR', name, offset)
        except BaseException:
            data.close()
            raise
        return self._send(data, supply)

    def _begin_connecting(self, verb, argument):
        """The same as `begin`, while the data connection is not there yet."""
        ahead, self._ahead = self._ahead, None
        data = Stream(ahead, self._feed.timeout)
        try:
            reply = self._control.begin(verb, argument)
            if reply.preliminary:
                connected(ahead, self._feed.timeout)
            return self._started(data, reply)
        except OSError as e:
            raise self._control.lost(e) from e      # the server would wait for it
        except BaseException:
            data.close()
            raise

    def _send(self, data, supply):
        try:
            for piece in supply.rest():
                data.sendall(piece)
                self._look_at_the_clock()
            if self._tunnel:
                data.finish()
        except TimeoutError as e:
            raise self._control.lost(e) from e
        except OSError as e:
            data.close()
            reply = self._control.final()
            if reply.code // 100 == 5:
                raise ReplyError.of(reply) from e
            raise TemporaryError('The data connection broke: %s (%s)' % (e, reply)) from e
        except BaseException:
            self._control.close()
            raise
        finally:
            data.close()
        return supply.count

    @property
    def is_due(self):
        """Does an upload wait for `end` to send its STOR? bool"""
        return bool(self._due)

    @property
    def is_hasty(self):
        """Is all sent that is to share the round trip of the transfer's final reply? bool"""
        return self._step is not None

    def end(self, ahead=None):
        """Send what is queued, and perhaps prepare the next transfer; read the final reply of this one, and theirs.

        ahead -- what `ride` of ICDSSession.fetch returned
        """
        hasty = self.is_hasty or self.is_due
        try:
            if self._due:
                due, self._due = self._due, ()
                self._step = self._send_step(ahead, due)
                self._await_preliminary()
            elif self._step is None:
                self._step = self._send_step(ahead)
            final, self._final = self._final or self._control.final(), None
            if hasty and final.code not in COMPLETE:    # perhaps it answers what was read too early: nothing fits any more
                raise self._control.lost(TooEarly('The transfer went wrong: %s' % (final,)))
        except ReplyError:
            self._read_step()
            raise
        except BaseException:
            self._give_up_step()
            raise
        self._read_step()
        self.check(final)
        return final

    def check(self, final):
        """Raise what the final reply of a transfer tells, unless that is success."""
        if final.code // 100 != 2:
            raise self._error(final)

    def _await_preliminary(self):
        """The first reply to an upload that is over, as far as we are concerned."""
        reply = self._control.reply()
        if reply.positive:
            raise self._control.lost(ConnectionLost('The server takes no data: %s' % (reply,)))
        if not reply.preliminary:
            raise self._error(reply)

    # ------------------------------------------------------------ what shares a round trip with the end of a transfer

    def _send_step(self, ahead, *transfer):
        """Send what is queued in one write, perhaps together with the command of a transfer; returns a Step."""
        lines = [self._control.line(*command) for command in transfer]
        taken = self._control.step(sum(map(len, lines)))
        if self.cautious or self._taken is not None and self._taken[0] == ahead:
            ahead = None
        command = self.command_ahead() if ahead else None
        if command is None:
            ahead = None
        begins = isinstance(ahead, str) and self.way < PASSIVE and 'RETR' in self.early
        try:
            # First of all what is no reply to a RETR, should pyftpdlib break that off for it, after all.
            if ahead and not begins:
                lines.append(self._control.line(*command))
            lines.extend([p.line for p in taken])
            if begins:
                lines.extend([self._control.line(*command), self._control.line('RETR', ahead)])
            if lines:
                self._control.transmit(b''.join(lines))
        except BaseException as e:
            self._control.give_up(taken, e)
            raise
        return Step(taken, ahead, begins)

    def _read_step(self):
        step, self._step = self._step, None
        if step is None:
            return
        try:
            if step.ahead and not step.begins:
                self.connect_ahead(self._control.final())
        except BaseException as e:
            self._control.give_up(step.taken, e)
            raise
        self._control.answer(step.taken)
        if step.begins:
            self._begun, self._listener = (step.ahead, self._listener), None
            self._control.before = self._take_it

    def _give_up_step(self):
        step, self._step = self._step, None
        if step is not None:
            self._control.give_up(step.taken, ConnectionLost('The session has ended.'))
