"""The files of a run: in which state each is, and who does what next.

Several tasks of a Scheduler work on them: a worker for each session transfers files and finalizes
them on the server (an import removes them there, an export gives them their names); the run itself
makes them durable here, many at a time, and publishes them in the order of the listing::

    take()           transferred()    durable()    finalized()    settled()
    WAITING -> TRANSFERRING -> TRANSFERRED -> DURABLE -> FINALIZED -> done
                  |          (worker)      (run)     (worker)      (run)
                  +----> DROPPED, for a reason
"""
import collections
import contextlib
import logging
import math
import time

from zeit.cds.interfaces import FTPError, TemporaryError
from zeit.cds.net.scheduler import Signal


log = logging.getLogger('zeit.cds')

WAITING, TRANSFERRING, TRANSFERRED, DURABLE, FINALIZED, DROPPED = range(6)


class Dropped(Exception):
    """The file is not exchanged in this run.

    reason -- str; '' if it was not even tried
    failed -- is something wrong, or is it merely not its turn? bool
    gone -- was it not there any more when it was asked for? bool
    """

    def __init__(self, reason, failed, gone=False):
        super().__init__(reason, failed, gone)
        self.reason, self.failed, self.gone = reason, failed, gone


NOT_TRIED = Dropped('', False)


class OtherWay(TemporaryError):
    """What the server refuses is to be tried at once in another way."""

    at_once = True


class Job:
    """One file of the run."""

    __slots__ = ('entry', 'name', 'state', 'file', 'size', 'before', 'begun', 'tries', 'due',
                 'dropped', 'lines', 'reached', 'asked_again', 'older')

    def __init__(self, entry):
        self.entry, self.name = entry, entry.name
        self.state = WAITING
        self.file = None        # its IIncoming, or IOutgoing
        self.size = 0
        self.before = None      # Entry: what it was when its transfer began first
        self.begun = False      # has the transfer of this `file` begun?
        self.tries = 0          # to finalize it
        self.due = 0.0          # value of time.monotonic() before which that isn't tried again
        self.dropped = None     # Dropped
        self.lines = []         # for the log, while an older file's lines are not complete
        self.reached = 0        # the largest offset that a transfer went on from
        self.older = None       # Entry of a file on the server in whose place it is stored at once
        self.asked_again = False    # did a session get lost when all bytes had gone through?


class Order:
    """Which job is next, and which are underway, oldest first."""

    def __init__(self, entries, window):
        """
        entries -- iterable of Entry in the order of publication
        window -- so many may be underway
        """
        self._entries = iter(entries)
        self._window = window
        self._again = collections.deque()
        self.exhausted = False
        self.jobs = collections.deque()     # underway
        self.active = 0     # of these, neither finalized nor dropped

    def next(self, begins):
        """The next Job, None if there is none. begins -- may it be one that nobody began?"""
        if self._again:
            return self._again.popleft()
        if not begins or self.exhausted or len(self.jobs) >= self._window:
            return None
        entry = next(self._entries, None)
        if entry is None:
            self.exhausted = True
            return None
        job = Job(entry)
        self.jobs.append(job)
        self.active += 1
        return job

    def put_back(self, job):
        job.state = WAITING
        self._again.append(job)

    @property
    def settled(self):
        """Is the oldest at its end? bool"""
        return bool(self.jobs) and self.jobs[0].state in (FINALIZED, DROPPED)

    def pop(self):
        """The oldest is done. Returns whether another may now be underway in its place, bool."""
        self.jobs.popleft()
        return len(self.jobs) == self._window - 1


class Transferred:
    """Jobs whose files are here, or there, as a whole, but not durable yet."""

    def __init__(self, tuning):
        self._group, self._gather = tuning.group, tuning.gather
        self._jobs = []
        self._since = 0.0       # value of time.monotonic() when the first of these came

    def __len__(self):
        return len(self._jobs)

    def add(self, job):
        if not self._jobs:
            self._since = time.monotonic()
        self._jobs.append(job)

    def take(self):
        jobs, self._jobs = self._jobs, []
        return jobs

    def due(self, everybody_waits):
        """So many seconds from now it will be time for a commit, if nothing else happens: float,
        inf if there is none.

        Small files come faster than a disk can sync one by one, so some are let gather.
        """
        if not self._jobs:
            return math.inf
        if len(self._jobs) >= self._group or everybody_waits:
            return 0.0
        return max(0.0, self._since + self._gather - time.monotonic())


class Durable:
    """Jobs to be finalized on the server, now, or after a pause."""

    def __init__(self):
        self.now = collections.deque()
        self.later = collections.deque()    # the server refused them for the moment
        self.awaited = False                # does a worker wait for the first of those?

    def take(self, most):
        if self.later:
            self.remind(time.monotonic())
        return [self.now.popleft() for _ in range(min(most, len(self.now)))]

    def remind(self, now):
        """What is due is to be finalized now. now -- value of time.monotonic()"""
        while self.later and self.later[0].due <= now:
            self.now.append(self.later.popleft())


class Crew:
    """How many workers there are."""

    def __init__(self):
        self.all = 0
        self.ever = 0
        self.connecting = 0     # have no session yet, or none any more
        self.waiting = 0        # have nothing to do until something is durable


class Jobs:
    """The jobs of a run."""

    def __init__(self, entries, retries, tuning):
        """
        entries -- iterable of Entry in the order of publication
        retries -- how often it is tried again to finalize one file
        tuning -- Tuning
        """
        self.retries = retries
        self.error = None           # what the run ends with
        self.lost_ends = 0          # sessions that got lost when all bytes of a file were through
        self._abandoned = False
        self._uncommitted = tuning.uncommitted
        self._order, self._transferred = Order(entries, tuning.window), Transferred(tuning)
        self._durable, self._crew = Durable(), Crew()
        self._changed = Signal()

    # ------------------------------------------------------------ for workers

    def enter(self):
        """A worker begins."""
        self._crew.all += 1
        self._crew.ever += 1

    @property
    def tries(self):
        """How often to try to finalize one file when sessions get lost: one more for each session,
        since a server that restarts ends them all."""
        return self.retries + self._crew.ever

    @contextlib.contextmanager
    def connecting(self):
        """A worker begins a session: nobody waits for that when there is nothing more to do."""
        self._crew.connecting += 1
        try:
            yield
        finally:
            self._crew.connecting -= 1

    def leave(self, error=None):
        """A worker ends. Its error ends the run, unless it's merely a lost session, and others go
        on."""
        self._crew.all -= 1
        lost = isinstance(error, FTPError) and (self._crew.all or self.idle)
        if error is not None and not lost:
            self.stop(error)
        self._changed.notify()

    def take(self, wait=True):
        """The next Job to transfer.

        None if there is none (now, or at all, or durable ones are to be finalized first, or
        somebody has to `wait` until some are)
        """
        while True:
            if self.error is None and (job := self._next()) is not None:
                job.state = TRANSFERRING
                return job
            durable = self._durable
            if not wait or durable.now or self.idle or durable.later and not durable.awaited:
                return None
            self._crew.waiting += 1
            try:
                self._changed.wait()
            finally:
                self._crew.waiting -= 1

    def _next(self):
        return self._order.next(begins=len(self._transferred) < self._uncommitted)

    @property
    def idle(self):
        """Will there be nothing more to do for a worker? bool"""
        return self._abandoned or not self._order.active and (
            self._order.exhausted or self.error is not None)

    def transferred(self, job):
        """The whole file has come, or gone."""
        job.state, job.size = TRANSFERRED, job.file.size
        self._transferred.add(job)

    def put_back(self, job):
        """Who took it can't go on with it: somebody else will, if the run goes on."""
        if self.error is None:
            self._order.put_back(job)
        else:
            self.drop(job, NOT_TRIED)
        self._changed.notify()

    def drop(self, job, dropped):
        """It is not exchanged in this run. dropped -- Dropped"""
        job.dropped = dropped
        self._settle(job, DROPPED)

    def to_finalize(self, most):
        """Up to so many jobs whose files are durable, and are now to be finalized."""
        return self._durable.take(most)

    def finalized(self, job):
        """The server has done its part."""
        self._settle(job, FINALIZED)

    def _settle(self, job, state):
        job.state, job.file = state, None
        self._order.active -= 1     # who waits will hear of it from whoever leaves, or commits

    def not_finalized(self, job):
        """It isn't known whether it is finalized: somebody has to see to it."""
        self._durable.now.append(job)
        self._changed.notify()

    def finalize_later(self, job, seconds):
        """The server refused it for the moment: let it be asked again after so many seconds."""
        job.due = time.monotonic() + seconds
        self._durable.later.append(job)
        self._changed.notify()

    def wait(self, wait):
        """Let a worker that has nothing else to do wait until the next of these may be finalized.

        wait -- callable that waits so many seconds, and tells whether that was cut short
        """
        durable = self._durable
        durable.awaited = True
        self._crew.waiting += 1
        try:
            cut_short = wait(durable.later[0].due - time.monotonic())
        finally:
            self._crew.waiting -= 1
            durable.awaited = False
        durable.remind(math.inf if cut_short else time.monotonic())
        self._changed.notify()

    # ------------------------------------------------------------ for who commits and publishes

    @property
    def unfinished(self):
        """Is there more to come? bool"""
        working = self._crew.all - (self._crew.connecting if self.idle else 0)
        return bool(working or self._transferred or self._order.settled)

    @property
    def seconds_to_commit(self):
        """So many seconds from now it will be time to commit what was transferred, if nothing else
        happens: float, inf if nothing was."""
        return self._transferred.due(self._crew.waiting == self._crew.all)

    def to_commit(self):
        """All jobs that were transferred, and are not durable yet."""
        return self._transferred.take()

    def durable(self, jobs):
        """They are durable now."""
        for job in jobs:
            job.state = DURABLE
            self._durable.now.append(job)
        self._changed.notify()

    def finalized_first(self, most, known):
        """Names of up to so many of those that `settled` gives, which were not dropped: a list.

        known -- a set of names that are left out
        """
        found = []
        for job in self._order.jobs:
            if len(found) == most or job.state not in (FINALIZED, DROPPED):
                break
            if job.state == FINALIZED and job.name not in known:
                found.append(job.name)
        return found

    def settled(self, may=None):
        """Iterate over the jobs that are next in order and come to nothing more but publication.

        may -- None, or a function of a job: is it to be published now?
        """
        order = self._order
        while order.settled and (may is None or may(order.jobs[0])):
            yield order.jobs[0]
            if order.pop():
                self._changed.notify()
            for line in order.jobs[0].lines if order.jobs else ():
                log.info(*line)

    def stop(self, error):
        """Begin no further file; the run ends with this error."""
        if self.error is None:
            self.error = error
        self._changed.notify()

    def abandon(self, error):
        """Nobody commits or publishes any more: the workers end at once."""
        self._abandoned = True
        self.stop(error)

    # ------------------------------------------------------------ the log

    def log(self, job, text, *args):
        """A line at INFO. The lines of one file follow each other, in the order of publication."""
        if self._order.jobs and self._order.jobs[0] is job:
            log.info(text, *args)
        else:
            job.lines.append((text, *args))
