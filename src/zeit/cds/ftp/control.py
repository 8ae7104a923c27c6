"""The control connection: commands out, replies in, several to a round trip (RFC 959, 4, 5.4)."""
import collections
import logging
import socket
import time

import zope.interface

from zeit.cds.ftp import protocol
from zeit.cds.ftp.quirks import Findings
from zeit.cds.interfaces import (
    ConnectionLost,
    IPending,
    ProtocolError,
    ReplyError,
    RunLimitReached,
    UntrustedServer,
)
from zeit.cds.text import printable


log = logging.getLogger(__name__)

STEP_COMMANDS = 30      # so many commands at most go out in one write, and
STEP_BYTES = 1000       # so many bytes: ProFTPD trips over a command that spans two segments
PRELIMINARY = 4         # so many 1yz replies are borne before a final one
OPTIONAL = 'MLST', 'FEAT', 'OPTS', 'EPSV'   # there are other ways, should it never answer these
LINE_PAUSE = 1          # seconds until a line that ends with CR has no LF, either

# Linux has it: what comes is acknowledged at once.
QUICKACK = getattr(socket, 'TCP_QUICKACK', None)


@zope.interface.implementer(IPending)
class Pending:
    """A command that is queued, and later what came of it."""

    __slots__ = ('verb', 'line', '_control', '_interpret', '_value', '_error', '_done')

    def __init__(self, control, verb, interpret):
        self.verb, self.line = verb, b''
        self._control, self._interpret = control, interpret
        self._value = self._error = None
        self._done = False

    def answer(self, reply):
        try:
            self._value = self._interpret(reply)
        except ReplyError as e:
            self._error = e
        self._done = True       # not if the reply fits no command: then it is for `fail` to tell

    def fail(self, error):
        if not self._done:
            self._done, self._error = True, error

    def get(self):
        if not self._done:
            self._control.flush()
        if not self._done:
            raise ConnectionLost('The session has ended before there was an answer')
        if self._error is not None:
            raise self._error
        return self._value


class Control:
    """Sends commands and reads replies on a Stream, whose deadline holds here, too.

    Anything that fails here ends the connection: `alive` is False then, all that was queued or
    unanswered has failed, and ConnectionLost is raised. RunLimitReached ends it as well, unless
    nothing was sent.
    """

    def __init__(self, stream, findings=None):
        """
        stream -- Stream; its `timeout` is also what a reply as a whole may take
        findings -- Findings, of all sessions of the run
        """
        self.alive = True
        self.telnet = False     # does 0xff have to be doubled? See Quirks.
        self.secret = ''        # what the server may quote in its next reply, and no log shall show
        self.stream = stream
        self.before = None      # what to call before the next commands go out
        self.logged_in = False  # then a further 230 is no reply to anything
        # Does the server write its replies in pieces, perhaps? Then each waits for our kernel to
        # acknowledge the one before (Nagle's algorithm).
        self.acknowledges = False
        # Had the last final reply a preliminary one?
        self.was_preliminary = False
        self._findings = Findings() if findings is None else findings
        self._is_heard = log.isEnabledFor(logging.DEBUG)    # it's too much to ask for each command
        self._owed = 1          # so many final replies are to come: at first, the greeting
        self._replies = protocol.ReplyReader()
        self._queue = collections.deque()

    # ------------------------------------------------------------ one after the other

    def send(self, *commands):
        """Send commands, each a tuple of verb and perhaps argument, in one write."""
        self.transmit(b''.join([self.line(*c) for c in commands]))

    def transmit(self, data):
        """Send bytes that are whole command lines."""
        if not self.alive:
            raise self.lost(ConnectionLost('The session has ended'))
        if (deadline := self.stream.deadline) is not None:
            deadline.check()    # while nothing is owed, so that others can still clean up here
        self._owed += data.count(b'\n')
        try:
            self.stream.sendall(data)
        except (OSError, ValueError) as e:
            raise self.lost(e) from e
        except BaseException:
            self.close()        # who knows how much the server has of it
            raise

    def reply(self):
        """The next Reply, which may be preliminary.

        Raises ConnectionLost after `timeout` seconds, and for a 421.
        """
        try:
            reply = self._replies.next() or self._wait()
        except (OSError, ValueError) as e:
            raise self.lost(e) from e
        except ProtocolError as e:
            raise self.lost(ProtocolError(
                'The server answered the password with what is no FTP reply.')
                if self.secret else e) from None
        except BaseException as e:      # the reply is still to come
            self.lost(e if isinstance(e, RunLimitReached) else
                      ConnectionLost('The session has ended'))
            raise
        if self.secret:
            reply = reply._replace(text=reply.text.replace(self.secret, '***'))
        if self._is_heard:
            log.debug('< %s', reply)
        code = reply.code
        if code >= 200:
            if code == 421:
                raise self.lost(ConnectionLost('The server ended the session: %s' % (reply,)))
            if code == 230 and self.logged_in:      # some greet twice
                return self.reply()
            self._owed -= 1
        return reply

    def final(self):
        """The next reply that isn't preliminary (1yz)."""
        reply = self.reply()
        self.was_preliminary = False
        return reply if reply.code >= 200 else self._final_after(reply)

    def _final_after(self, reply):
        self.was_preliminary = True
        for _ in range(PRELIMINARY - 1):
            if (reply := self.reply()).code >= 200:
                return reply
        raise self.lost(ProtocolError(
            'The server sends one preliminary reply after the other: %s' % (reply,)))

    def ask(self, *commands):
        """Send what is queued and these commands in one write; the list of their final replies.

        Where the server gets one command at a time, each waits for its turn; so below.
        """
        if self.one_at_a_time and len(commands) > 1:
            return [reply for command in commands for reply in self.ask(command)]
        self.issue(*commands)
        return [self.final_to(verb) for verb, *_ in commands]

    def final_to(self, verb):
        """The final reply to a command. Raises ConnectionLost if it can't be that."""
        try:
            reply = self.final()
        except ConnectionLost as e:
            raise self._without_answer(verb, e)
        if (verbs := protocol.ONLY_TO.get(reply.code)) is not None and verb not in verbs:
            raise self.out_of_step(verb, reply)
        return reply

    def begin(self, *command):
        """Send what is queued and this command in one write; its first reply, perhaps a 1yz."""
        self.issue(command)
        return self.first()

    def first(self):
        """The first reply to the command of a transfer: some say 200 before it."""
        reply = self.reply()
        if reply.code != 200:
            return reply
        self._owed += 1
        return self.reply()

    def issue(self, *commands):
        """Send what is queued and these commands in one write; their replies are unread."""
        self._exchange(self.last_step(), *commands)

    def comes(self, seconds):
        """Is anything of a further reply here, or comes within so many seconds? bool"""
        return not self._replies.empty or self.stream.comes(seconds)

    def forget(self, number):
        """So many replies won't come."""
        self._owed -= number

    def _wait(self):
        # The limit is for the reply as a whole: a server that sends a byte now and then is as good
        # as silent.
        end = time.monotonic() + self.stream.timeout
        while True:
            if self.acknowledges and QUICKACK is not None:
                self.stream.socket.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
            data = self.stream.recv(65536)
            if not data:
                raise ConnectionError('The server closed the connection.')
            self._replies.receive(data)
            if reply := self._replies.next():
                return reply
            if self._replies.may_lack_lf and not self.stream.comes(LINE_PAUSE):
                self._replies.be_content_with_cr()
                if reply := self._replies.next():
                    return reply
            if time.monotonic() > end:
                raise TimeoutError

    def line(self, verb, argument=None):
        """The bytes of a command."""
        line = protocol.command(verb, argument)
        if self.telnet:
            line = line.replace(b'\xff', b'\xff\xff')
        if self._is_heard:
            log.debug('> %s', 'PASS ***' if verb == 'PASS' else printable(
                verb if argument is None else '%s %s' % (verb, argument)))
        return line

    # ------------------------------------------------------------ one command at a time

    @property
    def one_at_a_time(self):
        """Does the server get no command before the reply to the last? bool"""
        return self._findings.one_at_a_time is not False

    def out_of_step(self, verb, reply):
        """The ConnectionLost to raise for a reply to a verb that is none to that."""
        return self.lost(self._from_now_on(ProtocolError(
            'The server answered %s with: %s' % (verb, reply))))

    def _without_answer(self, verb, error):
        """What to raise if the final reply to a command did not come because of `error`."""
        if not isinstance(error.__cause__, TimeoutError):
            return error
        if self._owed > 1:
            return self._from_now_on(error)
        if verb in OPTIONAL and verb not in self._findings.lacks:
            log.warning('Trying again at once, without %s from now on: %s', verb, error)
            self._findings.lack(verb)
            error.at_once = True
        return error

    def _from_now_on(self, error):
        """The server does not bear what we do, perhaps: its next session gets less at once."""
        if self._findings.one_at_a_time is not True:
            log.warning('Trying again at once, one command at a time from now on: %s', error)
            self._findings.one_at_a_time = error.at_once = True
        return error

    # ------------------------------------------------------------ several to a round trip

    def later(self, interpret, verb, argument=None):
        """Queue a command; returns its Pending, which fails with a ValueError if the argument can't
        be sent.

        interpret -- turns the Reply into the Pending's value, or raises ReplyError
        """
        pending = Pending(self, verb, interpret)
        if not self.alive:
            pending.fail(ConnectionLost('The session has ended'))
            return pending
        try:
            pending.line = self.line(verb, argument)
        except ValueError as e:
            pending.fail(e)
        else:
            self._queue.append(pending)
        return pending

    def step(self, size=0):
        """Take from the queue what fits into one write, together with `size` other bytes.

        Returns a list of Pending.
        """
        taken = []
        limit = 1 if self.one_at_a_time else STEP_COMMANDS
        while self._queue and len(taken) < limit:
            size += len(self._queue[0].line)
            if taken and size > STEP_BYTES:
                break
            taken.append(self._queue.popleft())
        return taken

    def last_step(self):
        """Take all that is queued; what does not fit into one write is done first."""
        if not self._queue:
            return []
        taken = self.step()
        while self._queue or taken and self.one_at_a_time:
            self._exchange(taken)
            taken = self.step()
        return taken

    def answer(self, taken):
        """Read the replies for some Pendings whose commands were sent."""
        for n, pending in enumerate(taken):
            try:
                pending.answer(self.final_to(pending.verb))
            except ConnectionLost as e:     # also when a reply fits no command: out of step
                if isinstance(e, ProtocolError):
                    self._from_now_on(e)
                self.give_up(taken[n:], e)
                raise self.lost(e)
            except BaseException as e:
                self.give_up(taken[n:], e)
                self.close()
                raise

    def flush(self):
        """Send all that is queued, and read the replies."""
        if not self.alive:
            raise ConnectionLost('The session has ended')
        while taken := self.step():
            self._exchange(taken)

    def _exchange(self, taken, *commands):
        """Send the commands of some Pendings, and more, in one write; read what is for the
        Pendings."""
        try:
            lines = [p.line for p in taken]
            lines += [self.line(*command) for command in commands]
            if (before := self.before) is not None:
                self.before = None
                before()
            self.transmit(b''.join(lines))
        except BaseException as e:
            self.give_up(taken, e)
            raise
        self.answer(taken)

    @staticmethod
    def give_up(pendings, error):
        """Nobody will answer these any more."""
        for pending in pendings:
            pending.fail(error)

    # ------------------------------------------------------------ the end

    def lost(self, reason):
        """End the connection because of an exception; returns the ConnectionLost to raise."""
        if not isinstance(reason, (ConnectionLost, RunLimitReached)):
            text = ('The server was silent for %g s (timeout=%g)' % (2 * (self.stream.timeout,))
                    if isinstance(reason, TimeoutError)
                    else 'The connection was lost: %s' % (reason or type(reason).__name__))
            cause, reason = reason, ConnectionLost(text)
            reason.__cause__ = cause
        self.give_up(self._queue, reason)
        self._queue.clear()
        self.close()
        return reason

    def abort(self):
        """Make whatever waits on this connection fail at once. Any thread may do that."""
        self.alive = False
        self.stream.abort()

    def secure(self, tunnel):
        """Go on inside TLS."""
        if not self._replies.empty:
            raise UntrustedServer('Plain text after the reply to AUTH TLS: somebody tampers with '
                                  'the connection.')
        try:
            self.stream = tunnel.wrap(self.stream)
        except OSError as e:
            raise self.lost(e) from e

    def quit(self):
        """Say goodbye, if that needs no waiting, and nobody waits for the answer; and close."""
        if self.alive:
            try:
                self.stream.send_at_once(self.line('QUIT'))
            except (OSError, ValueError) as e:
                log.debug('While saying QUIT: %s', e)
        self.close()

    def close(self):
        self.alive = False
        self.stream.close()
