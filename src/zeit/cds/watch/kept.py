"""A session that stays open from one run, or look, to the next."""
import logging
import time

import zope.interface

from zeit.cds.interfaces import IDeadline, IKeptConnection
from zeit.cds.transfer.retry import Deadline
from zeit.cds.watch.tuning import TUNING


log = logging.getLogger(__name__)


class LookDeadline(Deadline):
    """The moment at which a look has to end."""

    def _reached(self):
        error = super()._reached()
        error.args = ('A look at the directory took longer than %g s.' % self._seconds,)
        return error


@zope.interface.implementer(IDeadline)
class Renewed:
    """The deadline of a session that outlives runs: at any time, it is that of the present one."""

    def __init__(self):
        self.present = None         # IDeadline

    @property
    def left(self):
        return self.present.left

    def check(self):
        self.present.check()

    def limit(self, seconds):
        return self.present.limit(seconds)

    def extend(self, seconds):
        self.present.extend(seconds)


@zope.interface.implementer(IKeptConnection)
class Kept:
    """See IKeptConnection. Who opens a session closes it, or gives it back."""

    def __init__(self, connection, tuning=TUNING):
        """
        connection -- ICDSConnection, which opens sessions where none is kept
        tuning -- Tuning
        """
        self._connection, self._tuning = connection, tuning
        self._opened = 0.0                  # value of time.monotonic()
        self._deadline = Renewed()
        self._kept = self._lent = None      # ICDSSession; one of both, at most

    def __getattr__(self, name):
        """What the connection tells of itself: `needs_password`, `settings`."""
        return getattr(self._connection, name)

    def open(self, feed, deadline, like=None):
        self._deadline.present = deadline
        if self.is_open:
            self._lent, self._kept = self._kept, None
            return self._lent
        self._drop()
        session = self._connection.open(feed, self._deadline, like=like)
        if like is None or not like.alive:      # no further one
            self._lent, self._opened = session, time.monotonic()
        return session

    def give_back(self, session):
        self._kept, self._lent = session, None

    @property
    def is_open(self):
        """Is a session kept that is still good for another look, or run? bool

        If somebody puts another directory in the place of the one that was opened, or mounts a disk
        there, many a session does not notice. So none is kept for ever.
        """
        kept, tuning = self._kept, self._tuning
        return kept is not None and kept.alive and time.monotonic() - self._opened < (
            tuning.longest_kept if kept.latency else tuning.longest_kept_here)

    def close(self):
        """Close the session that is kept, if there is one."""
        self._deadline.present = LookDeadline(FAREWELL)
        self._drop()

    def _drop(self):
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def abort(self):
        """Have what goes on in the session end at once. Any thread may do that."""
        for session in self._kept, self._lent:
            if session is not None:
                session.abort()


FAREWELL = 5.0      # seconds that a session may take to close
