"""The mutex: a directory that is there for a moment, while one of us looks and stores a lock file.

::

    none ──MKD mutex──▶ ours, for `mutex_grace` ──MKD mutex/TOKEN──▶ ours, while we live
     ▲                                                                        │
     └─────────────────────────── RMD mutex/TOKEN, RMD mutex ─────────────────┘

Whoever finds one without a name waits for the grace, then removes it; one with the name of a
process that has ended is removed at once. Only one of those who try can remove a name.

MKD goes out twice, in one step. A server that takes both would let in anybody: then nobody relies
on the directory, but on the names in it, see turn.py. It is one command more a run, and no round
trip; it is not left out for the servers that are known, since a proxy, or an upgrade, can be in
front of any.
"""
import logging
import os
import time

from zeit.cds.interfaces import (
    FTPError,
    NotSupported,
    ReplyError,
    TemporaryError,
)
from zeit.cds.lock.directory import ask, LOCKS, MUTEX, occupied, present, removed
from zeit.cds.lock.token import Owner
from zeit.cds.net.scheduler import sleep
from zeit.cds.pipelined import pipelined
from zeit.cds.text import phrase


log = logging.getLogger(__name__)

FORBIDDEN_NAME = 553        # RFC 959: file name not allowed


class Mutex:
    """The mutex as one of those who want it sees it."""

    def __init__(self, owner, tuning):
        """
        owner -- Owner
        tuning -- Tuning
        """
        self.held = False           # may there be one of ours?
        self.entered = 0.0          # time.monotonic() when we began to make it
        self.refusal = None         # why the server makes none, ReplyError
        self._inner = '%s/%s' % (MUTEX, owner.token)
        self._token = owner.token
        self._tuning = tuning
        self._named = None          # IPending of putting our name in; True: it is
        self._leaving = None        # IPending of its removal
        self._empty_since = None    # since when has another's had no name in it?

    # ------------------------------------------------------------ entering

    def enter(self, session, waiting):
        """Make it, and look for lock files inside. Returns their names, a list.

        waiting -- called with such a list while somebody else is in it
        `held` is False afterwards if there is none that would keep others out. Raises Locked,
        TemporaryError, and what `waiting` raises.
        """
        refused, end = 0, time.monotonic() + self._tuning.mutex_wait
        while time.monotonic() < end:
            error, seen = self.make(session)
            if error is None:
                return seen if self._named else self._take_turn(session, waiting, end)
            there = session.exists(MUTEX)
            if there and self._taken_over(session):
                continue
            waiting(seen)
            refused = 0 if there else refused + 1
            if self.refusal is not None or refused == 3 or is_final(error):
                return self._do_without(error, seen)
            if there:       # chance lets one of two rivals be first
                sleep(0.02 + 0.08 * os.urandom(1)[0] / 255)
        raise occupied(self._tuning.mutex_wait)

    def skip(self, session):
        """Do without one, as the settings say. Returns the names of the lock files, a list."""
        self.entered = time.monotonic()
        return present(session)

    def _do_without(self, error, seen):
        if self.refusal is None:
            if isinstance(error, TemporaryError):
                raise error
            self.refusal = error
        log.debug('No mutex, since the server makes no directory that keeps others out: %s', error)
        return seen

    def _take_turn(self, session, waiting, end):
        """MKD keeps nobody out: it is ours when our name is the only one in it."""
        from zeit.cds.lock.turn import Turn  # few servers need it
        log.debug('The server says that it made the directory %s twice: its names have to show '
                  'whose turn it is.', MUTEX)
        if Turn(self._token, self._tuning).take(session, waiting, end):
            self._named = True
        else:
            self.leave_now(session)
        self.entered = time.monotonic()
        return present(session)

    def make(self, session):
        """Try to make it, and look for lock files.

        Returns the ReplyError that refused it, or None, and a list of names. Our name goes
        into it with the session's next step, if the server has shown that it keeps others out.
        """
        line = pipelined(session)
        self.entered = time.monotonic()
        self.held, self._named = True, None
        with line.batch(ahead=True) as batch:
            made = batch.make_directory(MUTEX), batch.make_directory(MUTEX)
            seen = ask(batch)
        refusals = [error for error in map(refusal, made) if error is not None]
        if len(refusals) == len(made):
            self.held = False
            return refusals[0], seen()
        if refusals:
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
        if self._named in (None, True):
            return self._named is True
        try:
            self._named.get()
        except FTPError as e:
            log.debug('Our name is not in the mutex: %s', e)
            return False
        return True

    # ------------------------------------------------------------ somebody else's

    def _taken_over(self, session):
        """Remove the mutex if its owner is dead. Was it we who did? bool"""
        names = self._names(session)
        if names is None:
            log.debug('The mutex has just been left')
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

    @staticmethod
    def _names(session):
        """The names in it, a list, which is empty too where the server lists none; None: it is
        gone."""
        try:
            return session.names(MUTEX)
        except ReplyError as e:
            log.debug('The server does not tell whose the mutex is: %s', e)
            return [] if session.exists(MUTEX) else None

    def _forgotten(self, session):
        """Remove one without a name, if it has been there for long. Is it out of the way? bool"""
        now = time.monotonic()
        if self._empty_since is None:
            self._empty_since = now
        if now - self._empty_since < self._tuning.mutex_grace:
            return False
        self._empty_since = None
        if removed(session, MUTEX):
            log.warning('The mutex %s was forgotten by an unknown process. Removing it.', MUTEX)
            return True
        # There is a name in it, after all: that of somebody who has come since, or one that the
        # server does not list.
        return not self._names(session) and (removed(session, MUTEX) or self._put_aside(session))

    def _put_aside(self, session):
        """Its owner can't be seen, nor removed, and has had time enough. Could it be done? bool"""
        aside = '%s.%s' % (MUTEX, os.urandom(4).hex())
        try:
            session.rename(MUTEX, aside)
        except ReplyError as e:
            log.warning(
                'The mutex %s was left by a process whose name the server does not list: going '
                'on without it, which takes longer. Remove that directory on the server, with all '
                'that is in it.', MUTEX)
            self.refusal = e
            return False
        log.warning('The mutex %s was left by a process whose name the server does not list. It is '
                    'called %s now: remove that directory on the server.', MUTEX, aside)
        return True

    def _remove_dead(self, session, name, owner, reason):
        """Only one of us can remove the name in it; that one goes on. Is it we? bool"""
        if not removed(session, '%s/%s' % (MUTEX, name)):
            return False
        log.warning('The mutex %s was left by %s: %s. Removing it.', MUTEX, owner, reason)
        if owner.lock in LOCKS:
            from zeit.cds.lock import inspection  # few runs need it
            inspection.remove_begun(session, owner)
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

    def leave_now(self, session):
        """Both in one step."""
        if self.held:
            with pipelined(session).batch() as batch:
                self.leave(batch)
            self.left(session)

    def _leave_at_last(self, session, error):
        """It was not removed. With our name in it, nobody gets in as long as this process runs."""
        try:
            if not session.exists(MUTEX) or self._token not in session.names(MUTEX):
                log.debug('While leaving the mutex: %s', error)
                return
            session.remove_directory(self._inner)
            session.remove_directory(MUTEX)
        except ReplyError as e:
            if session.exists(MUTEX):
                log.warning('The mutex %s stays, for the server refuses to remove it: %s. The next '
                            'run takes it over, when this process has ended. Allow RMD on the '
                            'server.', MUTEX, phrase(e))


def refusal(pending):
    """Why a directory was not made, ReplyError; None if it was."""
    try:
        pending.get()
    except ReplyError as e:
        return e


def is_final(error):
    """Will the server refuse it next time, too? bool"""
    return isinstance(error, NotSupported) or (
        getattr(error.reply, 'code', None) == FORBIDDEN_NAME)
