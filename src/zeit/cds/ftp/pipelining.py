"""Pipelining: commands of one session that share round trips with its transfers.

The steps of one file::

    us                                    server
    -- connect to the port of EPSV -->                            1st round trip
    -- RETR x ------------------------>
    <------------------- 150, the data and their end              2nd
    -- EPSV, SIZE x, DELE w ---------->                           (w: an earlier file, durable)
    <-------------------- 226, 229, 213, 250                      3rd

The third begins before the 226 was read, since vsftpd and ProFTPD hold it back until we close the
data connection; but a DELE goes out only after the 226 of its own file was read.

A small file needs fewer. Pure-FTPd does not look at commands that it has read together with RETR
before that is done, so EPSV, SIZE and DELE go out in the same write: two round trips. (So it goes
with vsftpd and ProFTPD as well, but these still wait for the data connection's end.) pyftpdlib has
handed over all of a small file soon after it read RETR, so they go out half a round trip after it;
on a short line the data are here by then. An EPSV that comes too soon breaks the transfer off,
which its 229 in place of the 226 shows.

In an upload the data may go out first::

    -- the data and their end, and in one write
       STOR x, EPSV, SIZE x ---------->
    <-------------------- 150, 226, 229, 213

So it goes where the server is known to bear it. Others get STOR, then the data, and what follows
after the 226; with pyftpdlib, STOR need not wait for the data connection.

With the setting `active` the server opens the data connection, which takes two round trips, too::

    -- SIZE v, DELE u, EPRT, RETR x -->
    <------ 226, 213, 250, 200; the server connects               1st
    -- the kernel accepts ------------>
    <------------------- 150, the data and their end              2nd

What a server bears is in `zeit.cds.ftp.quirks`.


The states of a transfer
------------------------

In a state whose name ends in _AHEAD, the batch (the commands that share the transfer's last round
trip, see `also` in IPipelined) went out before its turn. Should the server not bear that, replies
fit no command any more: the session is lost, and the transfer can be tried again at once.

============  =========  ============  =========================================================
state         event      next state    what happened
============  =========  ============  =========================================================
IDLE          FEED       FED           data of an upload went out, its STOR did not
IDLE          ASK        ASKED         the command of a transfer went out
IDLE          ASK_BATCH  ASKED_AHEAD   it went out in one write with the batch
FED           ASK        ASKED         the STOR went out
FED           ASK_BATCH  ASKED_AHEAD   it went out in one write with the batch: all data are sent
ASKED         BATCH      ASKED_AHEAD   the batch went out while the data are underway
ASKED         START      MOVING        1yz
ASKED         REFUSE     IDLE          another reply
ASKED_AHEAD   START      MOVING_AHEAD  1yz
ASKED_AHEAD   REFUSE     ANSWERING     another reply; those to the batch will follow
MOVING        END        MOVED         all data are here, or sent
MOVING        BREAK      IDLE          the data connection broke; the final reply was read
MOVING_AHEAD  END        MOVED_AHEAD   all data are here, or sent
MOVING_AHEAD  BREAK      LOST          the data connection broke, perhaps for the batch
MOVED         BATCH      ENDING        the batch went out (the server holds the 226 back)
MOVED         FINISH     IDLE          226: the batch of an upload will go out alone
MOVED         FAIL       IDLE          another final reply
MOVED_AHEAD   FINISH     ANSWERING     226
MOVED_AHEAD   FAIL       LOST          another final reply, perhaps one to the batch
ENDING        FINISH     ANSWERING     226
ENDING        FAIL       ANSWERING     another final reply
ANSWERING     ANSWER     IDLE          the replies to the batch were read
ANSWERING     BEGIN      BEGUN         so they were; EPRT and RETR of the next file are underway
BEGUN         START      MOVING        1yz
BEGUN         REFUSE     IDLE          another reply
============  =========  ============  =========================================================

Whatever else happens in a state but IDLE and BEGUN leaves replies unread, and leads to LOST.
"""
import logging
from typing import NamedTuple

from zeit.cds.ftp.batch import FTPBatch
from zeit.cds.ftp.transfers import Kept
from zeit.cds.interfaces import ConnectionLost, ReplyError, TemporaryError
from zeit.cds.text import phrase


log = logging.getLogger(__name__)

COMPLETE = 226, 250     # what a transfer ends with if all went well (RFC 959, 5.4)

STATES = ('IDLE', 'FED', 'ASKED', 'ASKED_AHEAD', 'MOVING', 'MOVING_AHEAD', 'MOVED', 'MOVED_AHEAD',
          'ENDING', 'ANSWERING', 'BEGUN', 'LOST')
(IDLE, FED, ASKED, ASKED_AHEAD, MOVING, MOVING_AHEAD, MOVED, MOVED_AHEAD,
 ENDING, ANSWERING, BEGUN, LOST) = STATES
EVENTS = ('FEED', 'ASK', 'ASK_BATCH', 'BATCH', 'START', 'REFUSE', 'END', 'BREAK', 'FINISH', 'FAIL',
          'ANSWER', 'BEGIN')
(FEED, ASK, ASK_BATCH, BATCH, START, REFUSE, END, BREAK, FINISH, FAIL, ANSWER, BEGIN) = EVENTS

TABLE = {
    (IDLE, FEED): FED,
    (IDLE, ASK): ASKED,
    (IDLE, ASK_BATCH): ASKED_AHEAD,
    (FED, ASK): ASKED,
    (FED, ASK_BATCH): ASKED_AHEAD,
    (ASKED, BATCH): ASKED_AHEAD,
    (ASKED, START): MOVING,
    (ASKED, REFUSE): IDLE,
    (ASKED_AHEAD, START): MOVING_AHEAD,
    (ASKED_AHEAD, REFUSE): ANSWERING,
    (MOVING, END): MOVED,
    (MOVING, BREAK): IDLE,
    (MOVING_AHEAD, END): MOVED_AHEAD,
    (MOVING_AHEAD, BREAK): LOST,
    (MOVED, BATCH): ENDING,
    (MOVED, FINISH): IDLE,
    (MOVED, FAIL): IDLE,
    (MOVED_AHEAD, FINISH): ANSWERING,
    (MOVED_AHEAD, FAIL): LOST,
    (ENDING, FINISH): ANSWERING,
    (ENDING, FAIL): ANSWERING,
    (ANSWERING, ANSWER): IDLE,
    (ANSWERING, BEGIN): BEGUN,
    (BEGUN, START): MOVING,
    (BEGUN, REFUSE): IDLE,
}


class Tuning(NamedTuple):
    """When pipelining pays."""

    small: int = 64 * 1024          # bytes; while a larger file comes, no batch goes out
    begun: int = 1024 * 1024        # bytes; no larger file is asked for before its turn
    far: float = 0.008              # seconds to the server and back; nearer, all data are here
    memory: int = 4 * 1024 * 1024   # bytes of a file that came before it was wanted


TUNING = Tuning()


class PipeliningFailed(ConnectionLost):
    """The server does not bear what was sent before its turn. Others of the run will do less."""

    at_once = True


class Step(NamedTuple):
    """What went out in one write beside the command of a transfer; its replies are unread."""

    taken: list         # of Pending
    ahead: bool         # is a data connection arranged for? Its reply comes first.
    begins: str | None  # name of a file that was asked for; then the replies to that come last


class Machine:
    """The transfers of a session, one after the other, and what shares their round trips.

    It sees to it that each reply is taken for that to its own command.
    """

    def __init__(self, session, tuning):
        """
        session -- FTPSession
        tuning -- Tuning
        """
        self.state = IDLE
        self.begun = None       # name and Listener of the file in state BEGUN
        self.kept = None        # name of a file that came before it was wanted, Kept or ReplyError
        self._session, self._tuning = session, tuning
        self._control, self._data = session.control, session.data
        self._findings, self._quirks = session.findings, session.quirks
        self._step = None       # Step, until its replies were read

    def on(self, event):
        """Something happened: go to the next state. A KeyError is a mistake of ours."""
        self.state = TABLE[self.state, event]

    def guarded(self, verb, *args):
        """Call verb. Afterwards all replies were read, or the session has ended."""
        try:
            if not self._control.alive:
                raise ConnectionLost('The session has ended')
            try:
                return verb(*args)
            except ReplyError:
                if self.state is ANSWERING:
                    self._answer()      # the next command is not affected
                raise
        except BaseException as e:
            if self.state not in (IDLE, BEGUN):
                self._lose()
            if isinstance(e, ConnectionLost):
                self._count(e)
            raise

    def close(self):
        if self.begun is not None:
            self.begun[1].close()

    def _lose(self):
        self.state = LOST
        self._control.close()
        step, self._step = self._step, None
        if step is not None:
            self._control.give_up(step.taken, ConnectionLost('The session has ended'))

    def _count(self, error):
        if error.at_once:
            log.debug('%s. Once more.', phrase(error))
            self._findings.pipelining_failed()
        else:
            self._findings.stop_pipelining()    # in case that this was the cause

    # ------------------------------------------------------------ a transfer

    def ask(self, data, verb, argument=None, offset=0):
        """Send the command of a transfer; returns the Stream of the data connection after its
        1yz."""
        try:
            self._session.transfers.go_to(offset)
            self._control.issue((verb, argument))
            self.on(ASK)
            return self.started(data, self._control.first())
        except BaseException:
            data.close()
            raise

    def started(self, data, reply):
        """Take the first reply to a transfer's command; returns as `ask`."""
        try:
            data = self._data.started(data, reply)
        except ReplyError:
            if self._control.alive:
                if reply.preliminary:   # no TLS; the final reply was read
                    self.on(START)
                    self.on(BREAK)
                else:
                    self.on(REFUSE)
            raise
        self.on(START)
        return data

    def end(self, also):
        """Send the batch, unless it went out before; read the final reply, and those to the batch.

        Returns the text of the final reply.
        """
        if self.state is MOVED:
            self.send_batch(also)
        return self.final(self.last_reply())

    def last_reply(self):
        """The final reply of a transfer."""
        if self.state is MOVED_AHEAD:
            return self._control.final()    # `final` knows what it may be
        return self._control.final_to('RETR')

    def final(self, final):
        """Take the final reply of a transfer, read those to the batch, raise what it tells."""
        good = final.code in COMPLETE if self.state is MOVED_AHEAD else final.code // 100 == 2
        self.on(FINISH if good else FAIL)
        if self.state is LOST:
            raise self._control.lost(PipeliningFailed('The transfer went wrong: %s' % (final,)))
        error = None if good else self._data.error(final)
        if isinstance(error, ConnectionLost):   # it fits no command
            self._lose()
            raise error
        if self.state is ANSWERING:
            self._answer()
        if error is not None:
            raise error
        return final.text

    def receive(self, data, sink):
        """See Transfers."""
        try:
            count = self._session.transfers.receive(data, sink)
        except TemporaryError as e:
            if self._control.alive:     # else it was the sink's
                self.on(BREAK)
                if self.state is LOST:  # who knows what the server has read, and when
                    raise self._control.lost(PipeliningFailed(str(e))) from e
            raise
        self.on(END)
        return count

    def send(self, data, source):
        """See Transfers."""
        try:
            self._session.transfers.send(data, source)
        except ReplyError:
            if self._control.alive:     # else it was the source's
                self.on(BREAK)
            raise
        self.on(END)

    # ------------------------------------------------------------ a file that was begun

    def start_begun(self):
        """Read the replies for it; returns as `ask`."""
        (_, listener), self.begun = self.begun, None
        try:
            arranged, reply = self._control.reply(), self._control.reply()
            if arranged.code != 200:
                raise self._control.lost(ConnectionLost('No data connection: %s' % (arranged,)))
            return self.started(listener, reply)
        except BaseException:
            listener.close()
            if self.state is BEGUN:
                self._lose()
            raise

    def be_idle(self):
        """Somebody wants something else than that: take it out of the way."""
        if self.state is BEGUN:
            name = self.begun[0]
            kept = Kept(name, self._tuning.memory)
            try:
                self.receive(self.start_begun(), kept)
                self.final(self.last_reply())
                self.kept = name, kept
            except ReplyError as e:
                self.kept = name, e

    # ------------------------------------------------------------ the batch

    def send_batch(self, also, *transfer):
        """Have `also` put operations into the batch and send it, perhaps in one write with the
        command of a transfer."""
        earlier = self._control.last_step() if transfer else []     # they come before it
        try:
            following = None if also is None else also(FTPBatch(self._session))
            lines = [p.line for p in earlier]
            lines += [self._control.line(*command) for command in transfer]
            self._step = self._send_step(lines, following)
        except BaseException as e:
            self._control.give_up(earlier, e)
            raise
        self.on(ASK_BATCH if transfer else BATCH)
        self._control.answer(earlier)

    def _send_step(self, lines, following):
        """Send lines and what is queued in one write; returns the Step.

        following -- Entry of the next file, as far as that is known
        """
        taken = self._control.step(sum(map(len, lines)))
        begins = self._may_begin(following)
        command = self._data.arrange_ahead() if self._wants_connection(following) else None
        begins = following.name if begins and command is not None else None
        try:
            # First of all what is no reply to a RETR, should pyftpdlib break that off for it,
            # after all.
            if command is not None and begins is None:
                lines.append(self._control.line(*command))
            lines += [p.line for p in taken]
            if begins is not None:
                lines += [self._control.line(*command), self._control.line('RETR', begins)]
            if lines:
                self._control.transmit(b''.join(lines))
        except BaseException as e:
            self._control.give_up(taken, e)
            raise
        return Step(taken, command is not None, begins)

    def _wants_connection(self, following):
        return following is not None and (self.kept is None or self.kept[0] != following.name)

    def _may_begin(self, following):
        """May this file (Entry) be asked for already? bool"""
        return (following is not None and not self._findings.passive
                and self._quirks.retr_with_eprt and self._findings.may_pipeline
                and following.kind == 'file' and 0 < (following.size or 0) < self._tuning.begun)

    def _answer(self):
        """Read the replies to the batch."""
        step, self._step = self._step, None
        try:
            if step.ahead and step.begins is None:
                self._data.connect_ahead(self._control.final_to('EPSV'))
            self._control.answer(step.taken)
        except BaseException as e:
            self._control.give_up(step.taken, e)
            raise       # `guarded` ends the session
        if step.begins is None:
            return self.on(ANSWER)
        self.begun = step.begins, self._data.take_listener()
        self._control.before = lambda: self.guarded(self.be_idle)
        self.on(BEGIN)
