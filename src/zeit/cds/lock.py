"""The lock of the Content-Drehscheibe: whoever takes files out holds `read`, whoever puts files in holds `write`.

Two programs that look for a lock file and then store their own can both succeed. So, among ourselves, the looking and
storing happens inside a directory made by MKD, which succeeds for one only::

    MKD mutex --> MKD mutex/TOKEN, no lock file there? --> STOR lock file --> still ours after a while? --> RMD both
        |                    |                                                       |
    another is at it     Locked                                                   Locked
    or has died there

Against programs that only look and store, the second look after a short while is what helps.
"""
import contextlib
import logging
import random
import time

import zope.interface

from zeit.cds.interfaces import (
    CDSError, FTPError, ILock, ILockFile, Locked, LockInfo, PermanentError, ReplyError)
from zeit.cds.owner import Owner
from zeit.cds.protocol import printable


log = logging.getLogger(__name__)

LOCKS = ('read', 'write')
MUTEX = '.cds-mutex'
PAUSE = 0.02            # seconds until a rival that looked when we looked has stored its lock file
PAUSE_ALONE = 0.2       # the same without a mutex, when the second look is all there is
MUTEX_GRACE = 5.0       # seconds after which a mutex without an owner's name counts as forgotten
MUTEX_WAIT = 10.0       # seconds to wait for somebody else to leave the mutex


@zope.interface.implementer(ILockFile)
class LockFile:
    """See ILockFile."""

    @contextlib.contextmanager
    def hold(self, session, name, feed, reopen):
        log.info('Creating lock file: %s', name)
        lock = Lock(name, feed)
        with lock.removed_afterwards(session, reopen):
            lock.create(session)
            log.info('Lock file successfully created: %s', name)
            yield lock

    def inspect(self, session):
        return [info(session, name) for name in present(session)] + mutexes(session)

    def break_(self, session, name):
        if name == MUTEX:
            for owner in session.names(MUTEX):
                session.remove_directory('%s/%s' % (MUTEX, owner)).get()
            session.remove_directory(MUTEX).get()
        else:
            session.remove(name).get()


# ---------------------------------------------------------------- looking

def present(session):
    """Which of the lock files are there: a list of names.

    Asked by name, since listings hide files and leave some out; only a server that can't answer is asked for a listing.
    """
    entries = [session.facts(name) for name in LOCKS]
    entries = [entry.get() for entry in entries]
    if any(entry is not None and entry.kind is None for entry in entries):
        log.debug('The server knows neither SIZE nor MLST: the listing has to tell which lock files are there.')
        listed = {entry.name for entry in session.list()}
        return [name for name in LOCKS if name in listed]
    return [entry.name for entry in entries if entry is not None]


def load(session, name):
    """The Owner of a lock file; None if it is foreign, or gone."""
    try:
        return Owner.parse(session.load(name, limit=4096).decode('ascii', 'replace'))
    except ReplyError as e:
        log.debug('Lock file %s cannot be read: %s', name, e)
        return None


def info(session, name):
    """The LockInfo of a lock file."""
    owner = load(session, name)
    since = session.modified(name).get()
    clock = session.clock()
    return LockInfo(name, str(owner or 'unknown'), owner is not None, since,
                    clock - since if clock is not None and since is not None else None)


def mutexes(session):
    if not session.exists(MUTEX).get():
        return []
    owners = [Owner.parse(name) for name in session.names(MUTEX)]
    return [LockInfo(MUTEX, str(owner or 'unknown'), True) for owner in owners or [None]]


# ---------------------------------------------------------------- holding

@zope.interface.implementer(ILock)
class Lock:
    """One attempt to hold a lock file, and what came of it."""

    def __init__(self, name, feed):
        self.name = name
        self._feed = feed
        self._owner = Owner.me()
        self._stored = False        # may there be a lock file of ours on the server?
        self._in_mutex = False      # may there be a mutex of ours?
        self._refreshed = time.monotonic()

    @property
    def _token(self):
        return self._owner.token.encode('ascii')

    # ------------------------------------------------------------ creating

    def create(self, session):
        self._break_dead(session, inside=False)
        alone = not self._enter(session)
        self._break_dead(session, inside=True)
        self._store(session, PAUSE_ALONE if alone else PAUSE)
        self._leave(session)

    def _break_dead(self, session, inside):
        """Raise Locked if there is a lock file; but remove one that a process of ours left when it died.

        inside -- in the mutex (or where there can be none), when it may be removed
        """
        for name in present(session):
            owner = load(session, name)
            reason = self._dead(session, name, owner)
            if not reason:
                raise self._locked(name, owner)
            if inside:
                log.warning('Lock file %s was left by %s: %s. Removing it.', name, owner, reason)
                session.remove(name).get()

    def _dead(self, session, name, owner):
        """Why this lock file may be broken, str; '' if it may not."""
        if owner is None:
            return ''
        if owner.gone:
            return 'that process has ended'
        age = info(session, name).age
        if age is not None and age > self._feed.stale_after * 10**9:
            if (owner.host, owner.machine) != (self._owner.host, self._owner.machine):
                return 'it was not renewed for %d s' % (age // 10**9)
        return ''

    def _locked(self, name, owner=None):
        error = Locked('Lock file already exists: %s' % name)
        error.add_note('It is held by %s.' % (owner,) if owner else
                       'It is foreign. If its owner has died, cds-lock --break removes it.')
        return error

    def _store(self, session, pause):
        self._stored = True
        session.store(self.name, self._token)
        time.sleep(pause)
        if self._contents(session) != self._token:
            self._stored = False
            raise self._locked(self.name)
        others = [name for name in present(session) if name != self.name]
        if others:
            raise self._locked(others[0])

    def _contents(self, session):
        """What the lock file holds, bytes; None if it is gone. Raises ReplyError if it is there, but can't be read."""
        try:
            return session.load(self.name, limit=4096)
        except PermanentError:
            if self.name in present(session):
                raise
            return None

    def refresh(self, session):
        if time.monotonic() - self._refreshed < self._feed.stale_after / 4:
            return
        if self._contents(session) != self._token:
            raise self._locked(self.name)
        session.store(self.name, self._token)
        self._refreshed = time.monotonic()

    # ------------------------------------------------------------ the mutex

    @property
    def _inner(self):
        return '%s/%s' % (MUTEX, self._owner.token)

    def _enter(self, session):
        """Make the mutex directory; False if the server allows no directories. Raises Locked."""
        refused, empty_since, end = 0, None, time.monotonic() + MUTEX_WAIT
        while time.monotonic() < end:
            begun = time.monotonic()
            error = self._make(session)
            if error is None:
                if time.monotonic() - begun < MUTEX_GRACE / 2:
                    return True
                raise Locked('The server took so long that somebody else may have taken our mutex for forgotten.')
            if error.reply.code in (500, 502, 503, 504) or refused == 3:
                log.debug('No mutex, since the server makes no directory: %s', error)
                return False
            if not session.exists(MUTEX).get():
                refused += 1
                continue
            refused = 0
            empty_since = self._contended(session, empty_since)
            time.sleep(random.uniform(0.02, 0.1))
        raise Locked('Another process has been in the mutex %s for more than %d s.' % (MUTEX, MUTEX_WAIT))

    def _make(self, session):
        """Make the mutex and our name in it. Returns None, or the PermanentError that refused it."""
        self._in_mutex = True
        try:
            session.make_directory(MUTEX).get()
        except PermanentError as e:
            self._in_mutex = False
            return e
        try:
            session.make_directory(self._inner).get()
        except PermanentError as e:
            log.debug('The mutex cannot carry our name: %s', e)
        return None

    def _contended(self, session, empty_since):
        """Somebody else's mutex is there: remove it if they are dead. Returns since when it has had no name in it."""
        names = session.names(MUTEX)
        for name in names:
            owner = Owner.parse(name)
            if owner is not None and owner.gone:
                self._remove_mutex(session, name, owner)
                return None
        if names:
            return None
        if empty_since is None:
            return time.monotonic()
        if time.monotonic() - empty_since > MUTEX_GRACE:
            log.warning('The mutex %s was forgotten by an unknown process. Removing it.', MUTEX)
            with contextlib.suppress(PermanentError):
                session.remove_directory(MUTEX).get()
            return None
        return empty_since

    @staticmethod
    def _remove_mutex(session, name, owner):
        try:
            session.remove_directory('%s/%s' % (MUTEX, name)).get()
        except PermanentError:
            return      # somebody else was faster, and goes on
        log.warning('The mutex %s was left by %s: that process has ended. Removing it.', MUTEX, owner)
        with contextlib.suppress(PermanentError):
            session.remove_directory(MUTEX).get()

    def _leave(self, session):
        if not self._in_mutex:
            return
        inner, outer = session.remove_directory(self._inner), session.remove_directory(MUTEX)
        for pending in (inner, outer):
            try:
                pending.get()
            except PermanentError as e:
                log.debug('While leaving the mutex: %s', e)
        self._in_mutex = False

    # ------------------------------------------------------------ removing

    @contextlib.contextmanager
    def removed_afterwards(self, session, reopen):
        """Whatever happens in the block: no lock and no mutex of ours stays behind."""
        try:
            yield
        except BaseException as e:
            try:
                self._remove(session, reopen)
            except CDSError as again:
                e.add_note('The lock could not be removed either: %s' % again)
            raise
        self._remove(session, reopen)

    def _remove(self, session, reopen):
        if not self._stored and not self._in_mutex:
            return
        if session.alive:
            try:
                return self._clear(session)
            except FTPError as e:
                log.debug('Lock file %s could not be removed in this session: %s', self.name, e)
        with reopen() as session:
            self._clear(session)

    def _clear(self, session):
        self._leave(session)
        if not self._stored:
            return
        log.info('Removing lock file: %s', self.name)
        held = self._contents(session)
        if held == self._token:
            session.remove(self.name).get()
            log.info('Lock file successfully removed: %s', self.name)
        else:
            log.warning('Lock file %s is not ours any more, and stays: %s', self.name,
                        'it is gone' if held is None else printable(held.decode('utf-8', 'replace')[:200]))
        self._stored = False
