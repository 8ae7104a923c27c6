"""The files of a run: in which state each is, and who does what next.

Several threads work on them: a worker for each session fetches files and removes them on the server; the thread that
runs the import commits them to the disk, many at a time, and publishes them in the order of the listing::

    take()      received()      committed()     removed()     settled()
    FETCHING -> RECEIVED     -> COMMITTED    -> REMOVED    -> published
       |           (worker)       (main)         (worker)      (main)
       +----> DROPPED, for a reason
"""
import collections
import logging
import threading
import time

from zeit.cds.interfaces import FTPError


log = logging.getLogger('zeit.cds')

FETCHING, RECEIVED, COMMITTED, REMOVED, DROPPED = range(5)

WINDOW = 10000          # so many files may be underway, counted from the oldest that isn't published yet, and
UNCOMMITTED = 256       # so many received ones (each an open file) may wait for the disk
GROUP = 64              # so many are worth a commit at once; fewer wait
PATIENCE = 0.05         # seconds for others to come, unless no worker has anything else to do


class Job:
    """One file of the run."""

    __slots__ = ('entry', 'state', 'incoming', 'size', 'before', 'tries', 'reason', 'failed', 'lines')

    def __init__(self, entry):
        self.entry = entry
        self.state = FETCHING
        self.before = None      # Entry: what it was when we began to fetch it
        self.incoming = None
        self.size = 0
        self.tries = 0
        self.reason = None
        self.failed = False
        self.lines = []         # for the log, while an older file's lines are not complete

    @property
    def name(self):
        return self.entry.name


class Backlog:
    """The jobs of a run. Every method may be called by any thread."""

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
        self._committed = collections.deque()
        self._active = 0        # jobs that are neither removed on the server nor dropped
        self._workers = 0
        self._waiting = 0       # workers that have nothing to do until something is committed
        self._lock = threading.Lock()
        self._for_workers = threading.Condition(self._lock)
        self._for_main = threading.Condition(self._lock)
        self.error = None

    # ------------------------------------------------------------ for workers

    def enter(self):
        """A worker begins."""
        with self._lock:
            self._workers += 1
            self.tries += 1

    def leave(self, error=None):
        """A worker ends. Its error ends the run, unless it's merely a lost session and others go on."""
        with self._lock:
            self._workers -= 1
            if error is not None and not (isinstance(error, FTPError) and (self._workers or self._idle())):
                self._stop(error)
            self._notify()

    def take(self, wait=True):
        """The next Job to fetch; None if there is none (now, or at all, or committed files are to be removed first)."""
        with self._lock:
            while True:
                if self.error is None and (job := self._next()):
                    return job
                if not wait or self._committed or self._idle():
                    return None
                self._waiting += 1
                self._for_main.notify()
                self._for_workers.wait()
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

    def _idle(self):
        """Will there be nothing more to do for a worker?"""
        return self._abandoned or not self._active and (self._exhausted or self.error is not None)

    @property
    def idle(self):
        with self._lock:
            return self._idle()

    def to_remove(self, most):
        """Up to so many jobs whose files are durable here and are now to be removed on the server."""
        with self._lock:
            return [self._committed.popleft() for _ in range(min(most, len(self._committed)))]

    def received(self, job, incoming):
        """The whole file is here."""
        with self._lock:
            job.state, job.incoming, job.size = RECEIVED, incoming, incoming.size
            self._received.append(job)
            if len(self._received) >= GROUP:
                self._for_main.notify()

    def put_back(self, job):
        """Who took it can't begin with it: somebody else will, if the run goes on."""
        with self._lock:
            if self.error is None:
                self._again.append(job)
            else:
                self._settle(job, DROPPED)
            self._notify()

    def drop(self, job, reason, failed):
        """The file is not imported in this run: something is wrong (failed), or it is not its turn."""
        with self._lock:
            job.reason, job.failed = reason, failed
            self._settle(job, DROPPED)

    def removed(self, job):
        """The server's copy is gone."""
        with self._lock:
            self._settle(job, REMOVED)

    def _settle(self, job, state):
        job.state = state
        self._active -= 1
        if self._idle():
            self._for_workers.notify_all()

    def not_removed(self, job):
        """It isn't known whether the server's copy is gone: somebody has to see to it."""
        with self._lock:
            self._committed.append(job)
            self._notify()

    def _notify(self):
        self._for_workers.notify_all()
        self._for_main.notify()

    # ------------------------------------------------------------ for the one who commits and publishes

    def wait(self, timeout):
        """Until it is time to commit or publish, or all is done, or `timeout` seconds are over. Is there more to come?

        Small files come faster than a disk can sync one by one, so they are let come together.
        """
        end = time.monotonic() + timeout
        with self._lock:
            while self._workers and not self._due() and (left := end - time.monotonic()) > 0:
                if not self._for_main.wait(min(left, PATIENCE)) and (self._received or self._ready()):
                    break
            return bool(self._received or self._ready() or self._workers)

    def _due(self):
        if self._waiting < self._workers:
            return len(self._received) >= GROUP
        return bool(self._received or self._ready())

    def _ready(self):
        return bool(self._jobs) and self._jobs[0].state in (REMOVED, DROPPED)

    def to_commit(self):
        """All jobs whose files are here, but not durable yet."""
        with self._lock:
            jobs, self._received = self._received, []
            return jobs

    def committed(self, jobs):
        """They are durable now."""
        with self._lock:
            for job in jobs:
                job.state, job.incoming = COMMITTED, None
                self._committed.append(job)
            self._for_workers.notify_all()

    def settled(self):
        """Iterate over the jobs that are next in order and come to nothing more but publication."""
        while True:
            with self._lock:
                if not self._ready():
                    return
                job = self._jobs[0]
            yield job
            with self._lock:
                self._jobs.popleft()
                for line in self._jobs[0].lines if self._jobs else ():
                    log.info(*line)

    def stop(self, error):
        """Begin no further file; the run ends with this error."""
        with self._lock:
            self._stop(error)

    def abandon(self, error):
        """Nobody commits or publishes any more: the workers end at once."""
        with self._lock:
            self._abandoned = True
            self._stop(error)

    def _stop(self, error):
        if self.error is None:
            self.error = error
        self._notify()

    # ------------------------------------------------------------ the log

    def log(self, job, text, *args):
        """A line at INFO. The lines of one file follow each other, in the order of publication."""
        with self._lock:
            if self._jobs and self._jobs[0] is job:
                log.info(text, *args)
            else:
                job.lines.append((text, *args))
