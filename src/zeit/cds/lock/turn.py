"""Whose turn it is in the mutex, where MKD makes directories that exist already (ftp-srv, rclone).

There nobody is kept out, but whoever has come in shows, by a name that nobody else has::

    MKD mutex/TOKEN ──▶ NLST mutex ──▶ only ours: our turn, until we remove it
          ▲               │     ▲
          │               │     └── only such as come after ours in the alphabet: look again
          └── they are gone ◀──── any that comes before ours: remove ours, wait

Of two who both put in their names before they look, whoever looks last sees the other's: so it is
never the turn of both. This needs no clock, and no atomic operation; only that a directory that
was made is listed. Where ours is not listed, it can't be done.
"""
import logging
import os
import time

from zeit.cds.interfaces import PermanentError, ReplyError, TemporaryError
from zeit.cds.lock.directory import LOCKS, MUTEX, occupied, present, removed
from zeit.cds.lock.inspection import remove_begun
from zeit.cds.lock.token import Owner
from zeit.cds.net.scheduler import sleep


log = logging.getLogger(__name__)


class Turn:
    """See above."""

    def __init__(self, token, tuning):
        """
        token -- our name, str
        tuning -- Tuning
        """
        self._token, self._tuning = token, tuning
        self._inner = '%s/%s' % (MUTEX, token)
        self._dead = []         # Owners whose names are in it, too

    def take(self, session, waiting, end):
        """Wait until it is ours. Is it? bool; False: the server can't tell.

        waiting -- see Mutex.enter
        end -- value of time.monotonic() until which to wait
        Raises Locked, and what `waiting` raises.
        """
        while self._put_in(session):
            others = self._others(session)
            while others and min(others) > self._token and time.monotonic() < end:
                sleep(self._pause())
                others = self._others(session)
            if others is None:
                return False
            if not others:
                self._remove_dead(session)
                return True
            self._stand_back(session, waiting, end)
        return False

    def _stand_back(self, session, waiting, end):
        """Take our name out, until there is no other, or a lock file shows."""
        removed(session, self._inner)
        while True:
            waiting(present(session))
            if self._is_free(session):
                return
            if time.monotonic() >= end:
                raise occupied(self._tuning.mutex_wait)
            sleep(self._pause())

    def _is_free(self, session):
        try:
            return not self._living(self._names(session))
        except TemporaryError as e:     # 451 where it has just been removed: ftp-srv
            log.debug('The server does not list the mutex: %s', e)
            return not session.exists(MUTEX)

    @staticmethod
    def _pause():
        """Seconds: chance lets one of two rivals be first."""
        return 0.02 + 0.08 * os.urandom(1)[0] / 255

    def _put_in(self, session):
        """Have our name in the mutex: could it be done? bool"""
        for name in self._inner, MUTEX, self._inner:    # who left it last has removed the mutex
            try:
                session.make_directory(name)
            except ReplyError as e:
                log.debug('Our name is not in the mutex: %s', e)
            else:
                if name == self._inner:
                    return True
        return False

    @staticmethod
    def _names(session):
        """The names in it, a set, which is empty where the server lists none."""
        try:
            return set(session.names(MUTEX))
        except PermanentError as e:
            log.debug('The server does not list the mutex: %s', e)
            return set()

    def _others(self, session):
        """The names of others in it, a set; None if ours is not listed."""
        names = self._names(session)
        return self._living(names - {self._token}) if self._token in names else None

    def _living(self, names):
        owners = {name: Owner.parse(name) for name in names}
        self._dead = [owner for owner in owners.values() if owner and owner.over]
        return {name for name, owner in owners.items() if not owner or not owner.over}

    def _remove_dead(self, session):
        """Only in our turn: what they had begun to store looks like what a living one stores."""
        for owner in self._dead:
            log.warning('The mutex %s was left by %s: %s. Removing it.', MUTEX, owner, owner.over)
            removed(session, '%s/%s' % (MUTEX, owner.token))
            if owner.lock in LOCKS:
                remove_begun(session, owner)
