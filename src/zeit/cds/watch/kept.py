"""A session that stays open from one run, or look, to the next."""
import logging

import zope.interface

from zeit.cds.interfaces import IDeadline, IKeptConnection
from zeit.cds.transfer.retry import Deadline


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

    def __init__(self, connection):
        """
        connection -- ICDSConnection, which opens sessions where none is kept
        """
        self._connection = connection
        self._deadline = Renewed()
        self._kept = self._lent = None      # ICDSSession; one of both, at most

    def __getattr__(self, name):
        """What the connection tells of itself: `needs_password`, `settings`."""
        return getattr(self._connection, name)

    def open(self, feed, deadline, like=None):
        self._deadline.present = deadline
        kept, self._kept = self._kept, None
        if kept is not None and kept.alive:
            self._lent = kept
            return kept
        session = self._connection.open(feed, self._deadline, like=like)
        if like is None or not like.alive:      # no further one
            self._lent = session
        return session

    def give_back(self, session):
        self._kept, self._lent = session, None

    @property
    def is_open(self):
        """Is a session kept? bool"""
        return self._kept is not None and self._kept.alive

    def close(self):
        """Close the session that is kept, if there is one."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._deadline.present = LookDeadline(FAREWELL)
            kept.close()

    def abort(self):
        """Have what goes on in the session end at once. Any thread may do that."""
        for session in self._kept, self._lent:
            if session is not None:
                session.abort()


FAREWELL = 5.0      # seconds that a session may take to close
