"""The mutex: a directory that is there for a moment, while one of us looks and stores a lock file.

::

    none ──MKD mutex──▶ ours, for `mutex_grace` ──MKD mutex/TOKEN──▶ ours, while we live
     ▲                                                                        │
     └─────────────────────────── RMD mutex/TOKEN, RMD mutex ─────────────────┘

Whoever finds one without a name waits for the grace, then removes it; one with the name of a
process that has ended is removed at once. Only one of those who try can remove a name.
"""
import logging
import os
import time

from zeit.cds.interfaces import Locked, NotSupported, PermanentError, ReplyError
from zeit.cds.lock.directory import ask, contents, LOCKS, MUTEX
from zeit.cds.lock.token import Owner
from zeit.cds.net.scheduler import sleep
from zeit.cds.pipelined import pipelined
from zeit.cds.text import phrase


log = logging.getLogger(__name__)


class Mutex:
    """The mutex as one of those who want it sees it."""

    def __init__(self, owner, tuning):
        """
        owner -- Owner
        tuning -- Tuning
        """
        self.held = False           # may there be one of ours?
        self.entered = 0.0          # time.monotonic() when we began to make it
        self._inner = '%s/%s' % (MUTEX, owner.token)
        self._token = owner.token
        self._tuning = tuning
        self._named = None          # IPending of putting our name in
        self._leaving = None        # IPending of its removal
        self._empty_since = None    # since when has another's had no name in it?

    # ------------------------------------------------------------ entering

    def enter(self, session, waiting):
        """Make it, and look for lock files inside. Returns their names, a list.

        waiting -- called with such a list while somebody else is in it
        `held` is False afterwards if the server allows no directories. Raises Locked, and what
        `waiting` raises.
        """
        refused, end = 0, time.monotonic() + self._tuning.mutex_wait
        while time.monotonic() < end:
            error, seen = self.make(session)
            if error is None:
                return seen
            there = session.exists(MUTEX)
            if there and self._taken_over(session):
                continue
            waiting(seen)
            refused = 0 if there else refused + 1
            if isinstance(error, NotSupported) or refused == 3:
                log.debug('No mutex, since the server makes no directory: %s', error)
                return seen
            if there:       # chance lets one of two rivals be first
                sleep(0.02 + 0.08 * os.urandom(1)[0] / 255)
        raise Locked('Another process has been in the mutex %s for more than %d s.' % (
            MUTEX, self._tuning.mutex_wait))

    def make(self, session):
        """Try to make it, and look for lock files.

        Returns the PermanentError that refused it, or None, and a list of names. Our name goes
        into it with the session's next step.
        """
        line = pipelined(session)
        self.entered = time.monotonic()
        self.held = True
        with line.batch(ahead=True) as batch:
            made, seen = batch.make_directory(MUTEX), ask(batch)
        try:
            made.get()
        except PermanentError as e:
            self.held = False
            return e, seen()
        with line.batch(later=True) as batch:
            self._named = batch.make_directory(self._inner)
        return None, seen()

    @property
    def slow(self):
        """Did it take so long that somebody else may have taken it for forgotten? bool"""
        return self.held and time.monotonic() - self.entered > self._tuning.mutex_grace / 2

    @property
    def named(self):
        """Is our name in it, so that nobody takes it from us? To be asked after the next step."""
        try:
            self._named.get()
        except ReplyError as e:
            log.debug('Our name is not in the mutex: %s', e)
            return False
        return True

    # ------------------------------------------------------------ somebody else's

    def _taken_over(self, session):
        """Remove the mutex if its owner is dead. Was it we who did? bool"""
        try:
            names = session.names(MUTEX)
        except ReplyError as e:
            log.debug('The mutex has just been left: %s', e)
            self._empty_since = None
            return False
        if not names:
            return self._forgotten(session)
        self._empty_since = None
        for name in names:
            owner = Owner.parse(name)
            if owner is not None and (reason := owner.over):
                return self._remove_dead(session, name, owner, reason)
        return False

    def _forgotten(self, session):
        """Remove one without a name, if it has been there for long. Was it we who did? bool"""
        now = time.monotonic()
        if self._empty_since is None:
            self._empty_since = now
        elif now - self._empty_since >= self._tuning.mutex_grace:
            self._empty_since = None
            log.warning('The mutex %s was forgotten by an unknown process. Removing it.', MUTEX)
            removed(session, MUTEX)
            return True
        return False

    def _remove_dead(self, session, name, owner, reason):
        """Only one of us can remove the name in it; that one goes on. Is it we? bool"""
        if not removed(session, '%s/%s' % (MUTEX, name)):
            return False
        log.warning('The mutex %s was left by %s: %s. Removing it.', MUTEX, owner, reason)
        # Killed while it stored its lock file: an empty one tells nobody whose it is, but for
        # this mutex.
        held = contents(session, owner.lock) if owner.lock in LOCKS else None
        token = owner.token.encode('ascii')
        if held is not None and len(held) < len(token) and token.startswith(held):
            log.warning('Lock file %s was begun by the same process. Removing it.', owner.lock)
            session.remove(owner.lock)
        removed(session, MUTEX)
        return True

    # ------------------------------------------------------------ leaving

    def leave(self, batch):
        """Leave it with this IBatch; `left` makes sure of it afterwards."""
        if self.held:
            batch.remove_directory(self._inner)
            self._leaving = batch.remove_directory(MUTEX)

    def left(self, session):
        """It is left, as far as we can tell."""
        if self._leaving is None:
            return
        leaving, self._leaving = self._leaving, None
        try:
            leaving.get()
        except ReplyError as e:
            self._leave_at_last(session, e)
        self.held = False

    def _leave_at_last(self, session, error):
        """It was not removed. With our name in it, nobody gets in as long as this process runs."""
        try:
            if self._token not in session.names(MUTEX):
                log.debug('While leaving the mutex: %s', error)
                return
            session.remove_directory(self._inner)
            session.remove_directory(MUTEX)
        except ReplyError as e:
            if session.exists(MUTEX):
                log.warning('The mutex %s stays, for the server refuses to remove it: %s. The next '
                            'run takes it over, when this process has ended. Allow RMD on the '
                            'server.', MUTEX, phrase(e))


def removed(session, name):
    """Remove a directory, if it is there and empty: could it be done? bool"""
    try:
        session.remove_directory(name)
    except PermanentError:
        return False
    return True
