"""The directory on the server while a run works there: its sessions, its lock, and its end in time.

::

    connect ──▶ lock ──▶ list, recover, exchange ──▶ remove the lock ──▶ disconnect
    (alone)     `call`: one task does it, while      alone again: all tasks have ended, and if
                others open sessions, transfer       the time was over, there is some for this
"""
import contextlib
import logging
import threading

from zeit.cds.interfaces import ConnectionLost, Unreachable
from zeit.cds.net.scheduler import Scheduler
from zeit.cds.text import phrase
from zeit.cds.transfer.retry import Deadline, PASSING, RetryPolicy
from zeit.cds.transfer.sessions import Sessions


log = logging.getLogger('zeit.cds')


class Stop:
    """What another thread asks of a run."""

    def __init__(self):
        self.event = threading.Event()
        self.error = None       # what the run is to end with
        self.aborted = False    # is even the file in hand to be dropped?

    def check(self):
        if self.error is not None:
            raise self.error


class Directory:
    """See above."""

    def __init__(self, feed, connection, lock, stop, tuning):
        """
        feed -- IFeed; its `run_limit` begins to count
        connection, lock -- ICDSConnection, ILockFile
        stop -- Stop
        tuning -- Tuning
        """
        self.feed = feed
        self.deadline = Deadline(feed.run_limit)
        self.policy = RetryPolicy(feed.retries, self.deadline, stop.event, tuning)
        self.tasks = Scheduler()
        self.sessions = Sessions(connection, feed, self.deadline, self.tasks.spawn)
        self.held = None            # ILock, once it is held
        self.connecting = False     # is its first session being opened?
        self._lock, self._stop = lock, stop
        self._clean_up = min(feed.timeout, tuning.clean_up)

    def connect(self):
        """Open the first session."""
        self.connecting = True
        try:
            self.sessions.renewed()
        except PASSING as e:
            if isinstance(e, Unreachable):
                raise   # the server is down, or the feed is wrong: the next run will see
            self.policy.again(e, self.sessions.renewed)
        finally:
            self.connecting = False

    @contextlib.contextmanager
    def locked(self, name, meanwhile=None):
        """Connect, and hold the lock file in the block; see ILockFile.hold.

        meanwhile -- function of the session, and of an `also`
        """
        feed = self.feed
        with self._connected(), contextlib.ExitStack() as stack:
            self.held = self.persist(lambda session: stack.enter_context(self._lock.hold(
                session, name, feed, lambda: self.reopen(session),
                meanwhile and (lambda also: meanwhile(self.sessions.first, also)))))
            try:
                yield
            finally:
                self._end_tasks()

    @contextlib.contextmanager
    def unlocked(self):
        """Connect; nothing is changed in the block, so that nothing need be locked."""
        from zeit.cds.transfer.afterwards import NO_LOCK  # few feeds leave all as it is
        with self._connected():
            self.held = NO_LOCK
            try:
                yield
            finally:
                self._end_tasks()

    @contextlib.contextmanager
    def _connected(self):
        feed = self.feed
        log.info('Connecting to CDS FTP server (host %s, port %d, user %s, dir %s)',
                 feed.hostname, feed.port, feed.user, feed.ftp_dir)
        self.connect()
        is_sound = False        # is the session of use for another run?
        try:
            yield
            is_sound = True
        finally:
            self.disconnect(is_sound)
            log.info('Disconnected from CDS FTP server')

    def disconnect(self, is_sound=False):
        """End all tasks and sessions.

        is_sound -- may the first session be of use for another run? bool
        """
        self.tasks.end()
        self.sessions.close(is_sound)

    def abort(self):
        """Have the first session end at once; `Exchange` sees to the others. After that, there is
        time for cleaning up, and for nothing else. Any thread may ask.
        """
        self.deadline.shorten(self._clean_up)
        if (session := self.sessions.first) is not None:
            session.abort()

    def _end_tasks(self):
        """From here on nothing goes on but cleaning up."""
        self.tasks.end()
        self.sessions.close_further()
        self.deadline.extend(self._clean_up)

    def reopen(self, failed=None):
        """A session for what has to be done although that one failed, and though time is over.

        It is the present one, for the server may allow no other; another if that died as well.
        """
        self.deadline.extend(self._clean_up)
        return self.policy.call(lambda: self.sessions.renewed(failed))

    # ------------------------------------------------------------ what has to be done

    def persist(self, verb):
        """verb(session); if what failed may pass by itself, again, on a new session if need be."""
        self._stop.check()
        self.deadline.check()
        return self.tasks.call(lambda: self.policy.call(lambda: self._try(verb)), self._interrupt)

    def _interrupt(self):
        self._stop.event.set()
        self.sessions.first.abort()

    def _try(self, verb):
        while True:
            session = self.sessions.renewed()
            try:
                return verb(session)
            except ConnectionLost as e:
                if not e.at_once:
                    raise
                log.debug('%s. Once more.', phrase(e))
