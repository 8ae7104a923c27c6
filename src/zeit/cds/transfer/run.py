"""The import, and what it has in common with the export: what happens in which order, and what a failure means.

It knows the interfaces, not the network and not the disk. See ``zeit.cds.interfaces`` for the life of a file.
"""
import contextlib
import fnmatch
import logging
import threading
import time

from zeit.cds.events import FileSkipped, notify, Outcome, RunFinished
from zeit.cds.interfaces import (
    FTPError,
    Interrupted,
    Locked,
    Progress,
    RunLimitReached,
    Unreachable,
)
from zeit.cds.net import scheduler
from zeit.cds.text import printable
from zeit.cds.transfer.jobs import Backlog, DROPPED
from zeit.cds.transfer.retry import PASSING, Patience
from zeit.cds.transfer.worker import GONE


log = logging.getLogger('zeit.cds')

LOCKS = ('read', 'write')
FILES_A_SESSION = 8             # another session pays for its login with so many small files
BYTES_A_SESSION = 16 * 2**20    # or with so many bytes
LONG_LINE = 0.002               # seconds to the server and back; on a shorter line large files wait for disks and processors,
NEAR = 2                        # and so many further sessions are enough to keep those busy
LONG_LISTING = 1000             # names; servers cut longer listings off
COMPLAINTS = 1000               # files that are told of one by one, lest a hostile listing fills the disk with log
TICK = 0.5                      # seconds after which signals and the run limit are looked after at the latest


class Run:
    """What an import and an export have in common: all but what becomes of a file."""

    lock_name = None
    beginning = None
    spools = None           # the interface of the utility that opens the spool
    worker = None           # class of what works in a session
    connecting = False      # is it opening its first session, and has nothing to clean up yet?

    def __init__(self, feed, connection, lock, sink):
        """
        feed -- IFeed
        connection, lock, sink -- the utilities: ICDSConnection, ILockFile, and what `spools` says
        """
        self.feed = feed
        self.outcome = Outcome()
        self._connection, self._lock, self._sink = connection, lock, sink
        self._stopped = threading.Event()
        self._patience = Patience(feed.retries, feed.run_limit, self._stopped)
        self._session = None
        self._held = None               # ILock, once it is held
        self._others = []               # sessions that have begun to connect
        self._settled_names = set()     # skipped in this run, for a reason that was given
        self._no_files = set()          # those of them that are directories and the like, for which nobody waits
        self._interruption = None       # what the run was asked to end with
        self._aborted = False
        self._workers_so_far = []
        self._files = self._bytes = 0       # of what was chosen so far
        self._committing = False

    def __call__(self):
        """Do it; returns the Outcome. What goes wrong is logged, and kept in the outcome."""
        begun = time.monotonic()
        log.info(self.beginning)
        try:
            self._run()
        except Exception as e:
            self.outcome.error = e
        except BaseException as e:
            self.outcome.error = Interrupted(str(e) or type(e).__name__)
            raise
        finally:
            self.outcome.seconds = time.monotonic() - begun
            self._tell_end()
            notify(RunFinished(self.feed, self.outcome))
        return self.outcome

    # ------------------------------------------------------------ an early end

    def stop(self, interruption):
        """Finish the file in hand, begin no other, and end with this exception. Called by another thread."""
        self._interruption = interruption
        self._stopped.set()

    def abort(self):
        """Drop the file in hand as well. Called by another thread, after `stop`."""
        self._aborted = True
        if (session := self._session) is not None:
            session.abort()

    def _look_for_stop(self):
        if self._interruption is not None:
            raise self._interruption
        self._look_at_the_limit()

    def _look_at_the_limit(self):
        if self._patience.left <= 0:
            raise RunLimitReached('The run took longer than %g s.' % self.feed.run_limit)

    def _tell_end(self):
        error, outcome = self.outcome.error, self.outcome
        if isinstance(error, Locked):
            log.warning('%s', '\n'.join([str(error), *getattr(error, '__notes__', ())]))
            log.info('Exiting, the next run tries again.')
        elif isinstance(error, Interrupted):
            log.warning('%s Exiting, the next run takes the rest.', error)
        elif error is not None:
            if isinstance(error, FTPError):
                log.error('Error accessing FTP server.')
            log.error('Exiting with exception:', exc_info=error)
        elif outcome.failed:
            log.error('Exiting with failure: %d of %d files were not exchanged, see the warnings.',
                      len(outcome.failed), len(outcome.failed) + outcome.files)
        else:
            log.info('Exiting with success.')

    # ------------------------------------------------------------ sessions

    def _open(self):
        return self._connection.open(self.feed)

    def _reopen(self, failed=None):
        """A session for what has to be done although that one failed: the present one, for the server may allow no other;
        a new one if that has died as well."""
        if self._session.alive and self._session is not failed:
            return self._session
        try:
            return self._open()
        except PASSING as e:
            return self._patience.again(e, self._open)

    def _persist(self, verb):
        """verb(session); when what failed may pass by itself, again, on a new session if need be."""
        self._look_for_stop()
        try:
            return verb(self._session)
        except PASSING as e:
            return self._patience.again(e, lambda: verb(self._renewed()))

    def _renewed(self):
        if not self._session.alive:
            self._session.close()
            self._session = self._open()
        return self._session

    @contextlib.contextmanager
    def _locked_directory(self, lists):
        """Connect, and hold the lock in the block. `lists`: does it list the directory first of all?"""
        feed = self.feed
        log.info('Connecting to CDS FTP server (host %s, port %d, user %s, dir %s)',
                 feed.hostname, feed.port, feed.user, feed.ftp_dir)
        self._session = self._connect()
        if lists:
            self._session.announce_list(self._hear)
        try:
            with contextlib.ExitStack() as stack:
                held = self._persist(lambda session: stack.enter_context(
                    self._lock.hold(session, self.lock_name, feed, lambda: self._reopen(session))))
                yield held
        finally:
            for session in (*self._others, self._session):
                session.close()
            log.info('Disconnected from CDS FTP server')

    def _connect(self):
        self.connecting = True
        try:
            return self._open()
        except PASSING as e:
            if isinstance(e, Unreachable):
                raise   # the server is down, or the feed is wrong: the next run will see
            return self._patience.again(e, self._open)
        finally:
            self.connecting = False

    # ------------------------------------------------------------ which files

    def _choose(self, found):
        """The entries to exchange, in sorted order."""
        chosen, last = [], None
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.name != last and self._wanted(entry):
                chosen.append(entry)
            last = entry.name
        self.outcome.waiting = len(chosen) + len(self._settled_names - self._no_files)
        if self.feed.limit is not None:
            del chosen[max(0, self.feed.limit - self.outcome.files - len(self.outcome.failed)):]
        self._files += len(chosen)
        self._bytes += sum(entry.size or 0 for entry in chosen)
        return chosen

    @property
    def progress(self):
        """How far the run is: a Progress. Any thread may ask."""
        return Progress(self.outcome.files, self._files, sum(worker.moved for worker in self._workers_so_far),
                        self._bytes or None)

    def _wanted(self, entry):
        name, feed = entry.name, self.feed
        if name in self._settled_names:
            return False
        if name.startswith('.'):
            log.debug('No part of the exchange: %s', printable(name))
            return False
        if feed.include and not any(fnmatch.fnmatchcase(name, pattern) for pattern in feed.include) or any(
                fnmatch.fnmatchcase(name, pattern) for pattern in feed.exclude):
            log.debug('Excluded: %s', printable(name))
            return False
        reason, failed = self._objection(entry)
        if reason:
            self._skip(name, reason, failed)
            self._settled_names.add(name)
            if entry.kind not in ('file', None):
                self._no_files.add(name)
        return not reason

    # ------------------------------------------------------------ the files

    def _exchange(self, entries):
        backlog = Backlog(entries, self.feed.retries)
        workers = self._workers(backlog, entries)
        self._workers_so_far.extend(workers)
        with scheduler.Scheduler() as tasks:
            for worker in workers:
                tasks.spawn(worker.run)
            try:
                while backlog.unfinished or self._committing:
                    tasks.turn(min(TICK, self._patience.left, backlog.seconds_to_commit))
                    self._look_at_the_clock(backlog)
                    if not self._committing and backlog.seconds_to_commit <= 0:
                        self._committing = True
                        tasks.spawn(lambda: self._commit(backlog))
                    self._publish_settled(backlog)
            except BaseException as e:
                backlog.abandon(e)
                self._stopped.set()
                for worker in workers:
                    worker.abort()
                tasks.end()
                self._discard(backlog.to_commit())
                raise
            finally:
                self._close_sessions(workers)
        self._spool.sync()
        self._exchanged()
        if backlog.error is not None:
            raise backlog.error

    def _workers(self, backlog, entries):
        more = self._further_sessions(len(entries), sum(entry.size or 0 for entry in entries))
        return [self.worker(backlog, self._spool, self._patience, self._open, self._held, self._session),
                *(self.worker(backlog, self._spool, self._patience, self._open, self._held, another=self._another)
                  for _ in range(more))]

    def _further_sessions(self, files, size):
        """How many sessions pay for their login, beside the first."""
        for_size = size // BYTES_A_SESSION
        if self._session.round_trip < LONG_LINE:
            for_size = min(for_size, NEAR)
        return min(self.feed.connections - 1, files - 1, max(files // FILES_A_SESSION, for_size))

    def _hear(self, files):
        """So many files are in the directory, at least: let the sessions for them connect meanwhile."""
        while len(self._others) < self._further_sessions(files, 0):
            self._others.append(self._session.another())

    def _another(self):
        return self._others.pop() if self._others else self._session.another()

    def _look_at_the_clock(self, backlog):
        if self._interruption is not None:
            backlog.stop(self._interruption)
        if self._aborted:
            raise self._interruption
        self._look_at_the_limit()

    def _commit(self, backlog):
        jobs = backlog.to_commit()
        try:
            self._spool.commit([job.incoming for job in jobs])
        except BaseException:
            self._discard(jobs)
            raise
        finally:
            self._committing = False
        backlog.committed(jobs)

    @staticmethod
    def _discard(jobs):
        for job in jobs:
            job.incoming.discard()

    def _publish_settled(self, backlog):
        for job in backlog.settled():
            self._settle(job)

    def _settle(self, job):
        """It comes to nothing more but publication."""
        if job.state != DROPPED:
            self.outcome.waiting -= 1
            self._publish(job.name, job.size)
        else:
            self._settled_names.add(job.name)
            if job.reason and job.reason != GONE:
                self._skip(job.name, job.reason, job.failed)

    def _exchanged(self):
        """All files have come to their end."""

    def _skip(self, name, reason, failed=False):
        """Leave a file, say why, go on with the others."""
        outcome = self.outcome
        (outcome.failed if failed else outcome.skipped).append((name, reason))
        few = len(outcome.failed) + len(outcome.skipped) <= COMPLAINTS
        log.log(logging.WARNING if few else logging.DEBUG, 'Not exchanged: %s: %s.', printable(name), reason)
        notify(FileSkipped(self.feed, name, reason, failed))

    def _close_sessions(self, workers):
        for worker in workers:
            if worker.session is not None and worker.session is not self._session:
                worker.session.close()
