"""What goes on in one session of a run, whichever way the files go.

A worker takes one job after the other from the Jobs. What is to be done with it, and how it is
finalized on the server, is said by a Strategy: a Download, or an Upload::

    prepare ──▶ transfer ──▶ verify ──▶ (durable, by the run) ──▶ finalize
                   └─ on its last round trip: ask about this file, finalize older ones, prepare the
                      next one
"""
import collections
import logging

import greenlet

from zeit.cds.interfaces import ConnectionLost, FileRefused, PermanentError, TemporaryError
from zeit.cds.pipelined import pipelined
from zeit.cds.text import phrase, printable
from zeit.cds.transfer.following import Following
from zeit.cds.transfer.jobs import Dropped, OtherWay
from zeit.cds.transfer.retry import PASSING


log = logging.getLogger('zeit.cds')


class Strategy:
    """What is done with files, and how. All workers of an exchange share one.

    `line` is the IPipelined of a worker's session; errors are those of ICDSSession, but for
    Dropped, which says that the file is not exchanged in this run.
    """

    failure = None      # why a file is dropped that could not be transferred: a text with one %s
    uncertain = None    # the same of one that could not be finalized
    finalizations = 1   # so many files are finalized on the round trip of another
    passes = True       # what the server refuses for the moment (TemporaryError): is it possible
                        # later? If not, `refused` is asked in the end

    def why(self, error):
        """Why a file is dropped that could not be transferred: str.

        error -- TemporaryError, ConnectionLost
        """
        return self.failure % phrase(error)

    def create(self, job):
        """The IIncoming or IOutgoing of a job."""

    def prepare(self, line, job, asked):
        """Begin, or begin again. Returns the offset (bytes) to begin at; None if all of it is where
        it belongs already, and nothing is left to be done but `finalize`.

        asked -- IPending that `ask_before` gave, or None
        """

    def transfer(self, line, job, offset, also, then):
        """Transfer it. also, then -- see IPipelined

        Raises OtherWay if it is to be tried again at once.
        """

    def moved(self, job):
        """Have all bytes gone through, so that a session that was lost then is worth a question
        rather than another transfer? bool"""

    def verify(self, line, job, asked, resumed):
        """Is the file whole?

        asked -- IPending that `ask_after` gave, or None if the session did not ask
        resumed -- bool: was there an offset?
        """

    def ask_before(self, batch, job):
        """Ask what `prepare` wants to know: an IPending, or None."""

    def ask_after(self, batch, job):
        """Ask what `verify` wants to know: an IPending."""

    def finalize(self, batch, job):
        """Let the server do its last part: an IPending."""

    def finalized(self, job):
        """It has done so."""

    def refused(self, line, job, error):
        """The server says no (PermanentError), which may also mean that it did it before.

        True if it did; else the job is dropped, or put back. Raises ReplyError, ConnectionLost if
        it can't be told.
        """

    def dropped(self, session, job):
        """It is not exchanged in this run: clean up. session -- ICDSSession, or None"""


class Worker:
    """See above. `run` is a task of a Scheduler."""

    def __init__(self, jobs, strategy, directory, first):
        """
        first -- does it work in the first session? Then it also shows that the lock's holder lives
        """
        self._jobs, self._strategy, self._directory = jobs, strategy, directory
        self._first = first
        self._line = None           # IPipelined
        self._following = Following(jobs, strategy)
        self._finalizing = collections.deque()      # pairs of a job and an IPending
        self._current = None        # the job in hand
        self._moved = 0             # bytes of earlier files
        jobs.enter()

    def run(self):
        error = None
        try:
            self._begin()
            self._work()
        except greenlet.GreenletExit:
            pass        # the scheduler ends: the run is over, or tells why it isn't
        except BaseException as e:
            error = e
        self._following.put_back()
        if not self._first and error is None and self._line is not None:
            self._directory.sessions.give_back(self._line.session)
        self._jobs.leave(error)

    @property
    def moved(self):
        """Bytes of files transferred so far, int. Any thread may ask."""
        job = self._current
        file = job and job.file
        return self._moved + (file.size if file else 0)

    def _work(self):
        strategy, jobs = self._strategy, self._jobs
        while True:
            job = self._following.take() or jobs.take(wait=not self._finalizing)
            if job is not None:
                self._exchange(job)
            elif self._finalizing:
                self._settle(self._finalizing)
            elif durable := jobs.to_finalize(strategy.finalizations):
                self._finalize(durable)
            elif jobs.idle:
                return
            else:
                jobs.wait(self._directory.policy.wait)

    # ------------------------------------------------------------ the session

    def _begin(self):
        if not self._first:
            with self._jobs.connecting():
                session = self._directory.sessions.take()
            if session is not None:
                self._line = pipelined(session)
        if not self._jobs.idle:
            self._renew()       # once: a server that allows no more sessions is nothing to tell of

    def _renew(self):
        """Open a session if there is none, or it is dead."""
        line, sessions = self._line, self._directory.sessions
        if line is not None and line.session.alive:
            return
        self._following.forget()
        with self._jobs.connecting():
            if self._first:
                session = sessions.renewed()
            else:
                session = sessions.open(instead=line and line.session)
        self._line = pipelined(session)

    def _persist(self, verb):
        """verb(line); if what failed may pass by itself, again, on a new session if need be."""
        return self._directory.policy.call(lambda: self._try(verb))

    def _try(self, verb):
        """A session that has ended before is none of this verb's failures."""
        while True:
            self._renew()
            try:
                return verb(self._line)
            except (ConnectionLost, OtherWay) as e:
                if not e.at_once:
                    raise
                log.debug('%s. Once more.', phrase(e))

    # ------------------------------------------------------------ transfers

    def _exchange(self, job):
        self._current = job
        try:
            job.file, job.begun = self._strategy.create(job), False
            self._persist_transfer(job)
        except Dropped as e:
            self._drop(job, e)
        except FileRefused as e:
            self._drop(job, Dropped(str(e), True))
        except PASSING as e:
            self._drop(job, Dropped(self._strategy.why(e), True))
        except BaseException as e:
            self._discard(job)
            self._jobs.drop(job, Dropped('the run ended: %s' % e, True))
            raise
        else:
            self._current, self._moved = None, self._moved + job.file.size
            self._jobs.transferred(job)

    def _drop(self, job, dropped):
        self._discard(job)
        self._jobs.drop(job, dropped)
        # The session that died with it, since the server was still sending, is not the next one's.
        self._directory.policy.call(self._renew)

    def _discard(self, job):
        self._current = None
        if job.file is not None:
            line = self._line
            self._strategy.dropped(
                line.session if line is not None and line.session.alive else None, job)
            job.file.discard()

    def _persist_transfer(self, job):
        """A large file that comes on by some bytes with each try is not given up."""
        while True:
            reached = job.reached
            try:
                return self._persist(lambda line: self._transfer(line, job))
            except PASSING as e:
                if job.reached <= reached or self._directory.policy.is_over:
                    raise
                log.debug('%s. But it has come on.', phrase(e))

    def _transfer(self, line, job):
        strategy = self._strategy
        if self._first:
            self._directory.held.refresh(line.session)
        offset = strategy.prepare(line, job, self._following.asked(job))
        if offset is None:
            return
        job.reached = max(job.reached, offset)
        after = []
        try:
            strategy.transfer(line, job, offset, lambda batch: self._also(batch, job, after),
                              self._following)
        except ConnectionLost as e:
            if not (type(e).at_once or job.asked_again) and strategy.moved(job):
                # (A way of pipelining that failed is no news.)
                job.asked_again = e.at_once = True
                self._tell_of_lost_end(job, e)
            raise
        finally:
            self._settle(self._finalizing, answered=True)
        strategy.verify(line, job, after[0] if after else None, bool(offset))

    def _tell_of_lost_end(self, job, error):
        """All bytes went through, but the session was lost before the server said so."""
        jobs = self._jobs
        log.log(logging.DEBUG if jobs.lost_ends else logging.WARNING,
                'Trying again at once, since all of %s had gone through: %s', printable(job.name),
                error)
        jobs.lost_ends += 1

    def _also(self, batch, job, after):
        """What shares the last round trip of a transfer. See IPipelined."""
        strategy = self._strategy
        after.append(strategy.ask_after(batch, job))
        for durable in self._jobs.to_finalize(strategy.finalizations):
            self._finalizing.append((durable, strategy.finalize(batch, durable)))
        return self._following.first(batch)

    # ------------------------------------------------------------ finalizing

    def _finalize(self, jobs):
        """With nothing else to share a round trip with."""
        finalizing = collections.deque()
        try:
            with self._line.batch() as batch:
                for job in jobs:
                    finalizing.append((job, self._strategy.finalize(batch, job)))
                self._directory.held.look(batch)
        except ConnectionLost as e:
            log.debug('While finalizing: %s', e)    # each of them tells what became of it
        self._settle(finalizing, alone=True)
        self._directory.policy.call(self._renew)

    def _settle(self, finalizing, alone=False, answered=False):
        """
        finalizing -- deque of pairs of a job and an IPending; it is empty afterwards, but for
            those that are not answered yet if only `answered` ones are wanted
        alone -- did they go with no file?
        """
        while finalizing and not (answered and is_awaited(finalizing[0][1])):
            job, pending = finalizing.popleft()
            try:
                pending.get()
            except PermanentError as e:
                self._refused(job, e)
            except PASSING as e:
                if alone or not isinstance(e, ConnectionLost):
                    self._finalize_later(job, e)
                else:       # lost because of the file that this one went with, perhaps
                    self._jobs.not_finalized(job)
            else:
                self._finalized(job)

    def _finalized(self, job):
        self._strategy.finalized(job)
        self._jobs.finalized(job)

    def _refused(self, job, error):
        try:
            done = self._strategy.refused(self._line, job, error)
        except PASSING as e:
            return self._finalize_later(job, e)
        if done:
            self._finalized(job)

    def _finalize_later(self, job, error):
        jobs, policy = self._jobs, self._directory.policy
        job.tries += 1
        if not isinstance(error, TemporaryError):
            if job.tries < jobs.tries:
                return jobs.not_finalized(job)
        elif job.tries <= jobs.retries and (pause := policy.pause(job.tries)):
            log.debug('Asking again to finalize %s in %.1f s: %s',
                      printable(job.name), pause, error)
            return jobs.finalize_later(job, pause)
        elif job.tries == jobs.retries + 1 and not self._strategy.passes:
            return self._refused(job, error)
        jobs.drop(job, Dropped(self._strategy.uncertain % phrase(error), True))


def is_awaited(pending):
    """Would the `get` of an IPending wait? bool"""
    return not getattr(pending, 'done', True)
