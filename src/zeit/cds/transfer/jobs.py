"""The files of a run: in which state each is, and who does what next.

Several tasks of a Scheduler work on them: a worker for each session fetches files and removes them on the server; the run
itself commits them to the disk, many at a time, and publishes them in the order of the listing::

    take()      received()      committed()     removed()     settled()
    FETCHING -> RECEIVED     -> COMMITTED    -> REMOVED    -> published
       |           (worker)       (run)          (worker)      (run)
       +----> DROPPED, for a reason
"""
import collections
import contextlib
import logging
import math
import time

from zeit.cds.interfaces import FTPError
from zeit.cds.net.scheduler import Signal


log = logging.getLogger('zeit.cds')

FETCHING, RECEIVED, COMMITTED, REMOVED, DROPPED = range(5)

WINDOW = 10000          # so many files may be underway, counted from the oldest that isn't published yet, and
UNCOMMITTED = 256       # so many received ones (each an open file) may wait for the disk
GROUP = 64              # so many are worth a commit at once; fewer wait
HASTE = 3               # so many files may be lost on the way, and fetched again, for commands that came too early
PATIENCE = 0.05         # seconds for others to come, unless no worker has anything else to do


class Job:
    """One file of the run."""

    __slots__ = ('entry', 'state', 'incoming', 'size', 'before', 'tries', 'due', 'reason', 'failed', 'lines')

    def __init__(self, entry):
        self.entry = entry
        self.state = FETCHING
        self.before = None      # Entry: what it was when we began to fetch it
        self.incoming = None
        self.size = 0
        self.tries = 0
        self.due = 0.0          # value of time.monotonic() before which its removal isn't tried again
        self.reason = None
        self.failed = False
        self.lines = []         # for the log, while an older file's lines are not complete

    @property
    def name(self):
        return self.entry.name


class Backlog:
    """The jobs of a run."""

    def __init__(self, entries, retries):
        """
        entries -- iterable of Entry in the order of publication
        retries -- how often the removal of one file is tried again
        """
        self.retries = retries
        self.tries = retries    # to remove a file; and one a session, since a server that restarts ends them all
        self._entries = iter(entries)
        self._exhausted = self._abandoned = False
        self._jobs = collections.deque()        # underway, oldest first
        self._again = collections.deque()
        self._received = []
        self._since = 0.0       # value of time.monotonic() when the first of these came
        self._committed = collections.deque()
        self._refused = collections.deque()     # jobs whose removal is to be tried again after a pause
        self._resting = False   # does a worker wait for that?
        self._active = 0        # jobs that are neither removed on the server nor dropped
        self._workers = 0
        self._connecting = 0    # workers that have no session yet, or none any more
        self._waiting = 0       # workers that have nothing to do until something is committed
        self._changed = Signal()
        self.haste = HASTE      # how often a server may still show that it does not bear commands before it is their turn
        self.error = None

    # ------------------------------------------------------------ for workers

    def enter(self):
        """A worker begins."""
        self._workers += 1
        self.tries += 1

    @contextlib.contextmanager
    def connecting(self):
        """A worker begins a session: nobody waits for that once there is nothing more to do."""
        self._connecting += 1
        try:
            yield
        finally:
            self._connecting -= 1

    def leave(self, error=None):
        """A worker ends. Its error ends the run, unless it's merely a lost session and others go on."""
        self._workers -= 1
        if error is not None and not (isinstance(error, FTPError) and (self._workers or self.idle)):
            self.stop(error)
        self._changed.notify()

    def take(self, wait=True):
        """The next Job to fetch; None if there is none (now, or at all, or committed files are to be removed first, or
        somebody has to `rest` until some are)."""
        while True:
            if self.error is None and (job := self._next()):
                return job
            if not wait or self._committed or self.idle or self._refused and not self._resting:
                return None
            self._waiting += 1
            self._changed.wait()
            self._waiting -= 1

    def _next(self):
        if self._again:
            return self._again.popleft()
        if self._exhausted or len(self._jobs) >= WINDOW or len(self._received) >= UNCOMMITTED:
            return None
        entry = next(self._entries, None)
        if entry is None:
            self._exhausted = True
            return None
        job = Job(entry)
        self._jobs.append(job)
        self._active += 1
        return job

    @property
    def idle(self):
        """Will there be nothing more to do for a worker? bool"""
        return self._abandoned or not self._active and (self._exhausted or self.error is not None)

    def to_remove(self, most):
        """Up to so many jobs whose files are durable here and are now to be removed on the server."""
        if self._refused:
            self._remind(time.monotonic())
        return [self._committed.popleft() for _ in range(min(most, len(self._committed)))]

    def received(self, job, incoming):
        """The whole file is here."""
        job.state, job.incoming, job.size = RECEIVED, incoming, incoming.size
        if not self._received:
            self._since = time.monotonic()
        self._received.append(job)

    def put_back(self, job):
        """Who took it can't begin with it: somebody else will, if the run goes on."""
        if self.error is None:
            self._again.append(job)
        else:
            self._settle(job, DROPPED)
        self._changed.notify()

    def drop(self, job, reason, failed):
        """The file is not imported in this run: something is wrong (failed), or it is not its turn."""
        job.reason, job.failed = reason, failed
        self._settle(job, DROPPED)

    def removed(self, job):
        """The server's copy is gone."""
        self._settle(job, REMOVED)

    def _settle(self, job, state):
        job.state = state
        self._active -= 1
        if self.idle:
            self._changed.notify()

    def not_removed(self, job):
        """It isn't known whether the server's copy is gone: somebody has to see to it."""
        self._committed.append(job)
        self._changed.notify()

    def remove_later(self, job, seconds):
        """The server refused to remove it for the moment: let it be asked again after so many seconds."""
        job.due = time.monotonic() + seconds
        self._refused.append(job)
        self._changed.notify()

    def rest(self, wait):
        """Let a worker that has nothing else to do wait until the next of these may be removed.

        wait -- callable that waits so many seconds, and tells whether that was cut short
        """
        self._resting = True
        self._waiting += 1
        cut_short = wait(self._refused[0].due - time.monotonic())
        self._waiting -= 1
        self._resting = False
        self._remind(math.inf if cut_short else time.monotonic())
        self._changed.notify()

    def _remind(self, now):
        while self._refused and self._refused[0].due <= now:
            self._committed.append(self._refused.popleft())

    # ------------------------------------------------------------ for the one who commits and publishes

    @property
    def unfinished(self):
        """Is there more to come? bool"""
        working = self._workers - (self._connecting if self.idle else 0)
        return bool(working or self._received or self._ready())

    @property
    def seconds_to_commit(self):
        """So many seconds from now it will be time to commit what is here, if nothing else happens: float, inf if none is.

        Small files come faster than a disk can sync one by one, so they are let come together.
        """
        if not self._received:
            return math.inf
        if len(self._received) >= GROUP or self._waiting == self._workers:
            return 0.0
        return max(0.0, self._since + PATIENCE - time.monotonic())

    def _ready(self):
        return bool(self._jobs) and self._jobs[0].state in (REMOVED, DROPPED)

    def to_commit(self):
        """All jobs whose files are here, but not durable yet."""
        jobs, self._received = self._received, []
        return jobs

    def committed(self, jobs):
        """They are durable now."""
        for job in jobs:
            job.state, job.incoming = COMMITTED, None
            self._committed.append(job)
        self._changed.notify()

    def settled(self):
        """Iterate over the jobs that are next in order and come to nothing more but publication."""
        while self._ready():
            yield self._jobs[0]
            self._jobs.popleft()
            if len(self._jobs) == WINDOW - 1:
                self._changed.notify()
            for line in self._jobs[0].lines if self._jobs else ():
                log.info(*line)

    @property
    def together(self):
        """May a session send commands before it is their turn, where the server is known to bear it? bool"""
        return self.haste > 0

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
        if self._jobs and self._jobs[0] is job:
            log.info(text, *args)
        else:
            job.lines.append((text, *args))
