"""The lock of the Content-Drehscheibe: whoever takes files out holds `read`, whoever puts files in holds `write`.

Two programs that look for a lock file and then store their own can both succeed. So, among ourselves, the looking and
storing happens inside a directory made by MKD, which succeeds for one only::

    MKD mutex, no lock file there? --> MKD mutex/TOKEN, STOR lock file --> still ours after a while? RMD both
        |                     |                                                    |
    another is at it       Locked                                               Locked
    or has died there

Each arrow is one round trip (and one for a data connection), since the commands of a step share it.

Against programs that only look and store, the second look after a short while is what helps.
"""
import contextlib
import logging
import os
import time

import zope.interface

from zeit.cds.interfaces import (
    CDSError,
    ConnectionLost,
    Entry,
    FTPError,
    ILock,
    ILockFile,
    Locked,
    LockInfo,
    PermanentError,
    ReplyError,
)
from zeit.cds.lock.token import Owner
from zeit.cds.text import printable


log = logging.getLogger(__name__)

LOCKS = ('read', 'write')
MUTEX = '.cds-mutex'
PAUSE = 0.02            # seconds at least until a rival that looked when we looked has stored its lock file
PAUSE_ALONE = 0.2       # the same without a mutex, when the second look is all there is
LONGEST_PAUSE = 1.0     # the same at most
RECENT = 1.0            # seconds for which it is enough to have seen that the lock file is ours
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

def look(session):
    """Ask which lock files are there, with the session's next step. Returns a callable that gives a list of names.

    They are asked for by name, since listings hide files, and leave some out; only a server that can't answer is asked
    for a listing.
    """
    pendings = [session.facts(name) for name in LOCKS]

    def names():
        entries = [pending.get() for pending in pendings]
        if any(entry is not None and entry.kind is None for entry in entries):
            log.debug('The server knows neither SIZE nor MLST: the listing has to tell which lock files are there.')
            listed = {entry.name for entry in session.list()}
            return [name for name in LOCKS if name in listed]
        return [entry.name for entry in entries if entry is not None]
    return names


def present(session):
    """Which lock files are there: a list of names."""
    return look(session)()


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
    if not session.has_directory(MUTEX):
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
        self._owner = Owner.me(name)
        self._stored = False        # may there be a lock file of ours on the server?
        self._in_mutex = False      # may there be a mutex of ours?
        self._entered = 0.0         # when we began to make it
        self._seen = []             # names of lock files that were there when we looked last
        self._mark = Entry(name)    # size and time of our lock file
        self._working = False       # has anything happened since it was seen last?
        self._looked = None         # what gives its size and time as they were then
        self._looked_at = 0.0       # time.monotonic() when we asked for them last
        self._seen_whole = False    # or does only a part of it exist, since storing it failed?
        self._refreshed = time.monotonic()

    @property
    def _token(self):
        return self._owner.token.encode('ascii')

    # ------------------------------------------------------------ creating

    def create(self, session):
        mutex = self._enter(session)
        for name in self._seen:
            self._break_dead(session, name)
        self._store(session, mutex)

    def _break_dead(self, session, name):
        """Remove a lock file that a process of ours left when it died. Raises Locked if it is somebody else's."""
        if (judged := self._judge(session, name)) is not None:
            log.warning('Lock file %s was left by %s: %s. Removing it.', name, *judged)
            session.remove(name).get()

    def _judge(self, session, name):
        """Owner of a lock file, and why it may be broken; None if it is gone. Raises Locked if it may not be broken."""
        owner = load(session, name)
        reason = self._dead(session, name, owner)
        if (owner is None or reason) and name not in present(session):
            return None     # its owner has removed it since we looked, and ended
        if not reason:
            raise self._locked(name, owner)
        return owner, reason

    def _dead(self, session, name, owner):
        """Why this lock file may be broken, str; '' if it may not."""
        if owner is None:
            return ''
        if owner.over:
            return owner.over
        age = info(session, name).age
        if age is not None and age > self._feed.stale_after * 10**9 and not owner.here:
            return 'it was not renewed for %d s' % (age // 10**9)
        return ''

    def _locked(self, name, owner=None):
        error = Locked('Lock file already exists: %s' % name)
        error.add_note('It is held by %s.' % (owner,) if owner else
                       'It is foreign. If its owner has died, cds-lock --break removes it.')
        return error

    def _store(self, session, mutex):
        if mutex and time.monotonic() - self._entered > MUTEX_GRACE / 2:
            raise Locked('It took so long to enter the mutex that somebody else may have taken it for forgotten.')
        self._stored = True
        session.store(self.name, self._token)
        # A rival on the same line needs as long as we did, from its look to its lock file.
        pause = max(PAUSE if mutex else PAUSE_ALONE, min(time.monotonic() - self._entered, LONGEST_PAUSE))
        asked = []

        def ask():
            self._looked_at = time.monotonic()
            asked.extend([self._ask_mark(session), look(session), self._ask_to_leave(session)])

        session.rest(pause, ask)
        mark, seen, left = asked
        left()
        self._mark = mark()
        if not self._bears_our_mark(session, mutex):
            self._stored = False
            raise self._locked(self.name)
        self._seen_whole = True
        if others := [name for name in seen() if name != self.name]:
            raise self._locked(others[0])

    def _bears_our_mark(self, session, mutex):
        """Is the lock file that we have just looked at the one that we stored?

        In the mutex its size is proof enough, since no other program writes one of exactly this size, and saves
        three round trips. Without a mutex one of ours may have been at it as well.
        """
        if mutex and self._mark.size is not None:
            return self._mark.size == len(self._token)
        return self._contents(session) == self._token

    def _ask_mark(self, session):
        """Ask for size and time of the lock file; returns a callable that gives them as an Entry."""
        facts, modified = session.facts(self.name), session.modified(self.name)

        def mark():
            entry = facts.get() or Entry(self.name)
            return entry._replace(modified=modified.get())
        return mark

    def _contents(self, session, name=None):
        """What the lock file (ours, or of that name) holds, bytes; None if it is gone.

        Raises ReplyError if it is there, but can't be read.
        """
        name = name or self.name
        for last in False, True:
            try:
                return session.load(name, limit=4096)
            except PermanentError:
                if name not in present(session):
                    return None
                if last:        # before, another may just have stored a new one
                    raise

    def _is_our_mark(self, mark):
        return None not in mark[:3] and mark == self._mark

    def _just_seen(self):
        """Was the lock file ours a moment ago, when something happened last? bool"""
        looked, self._looked = self._looked, None
        if time.monotonic() - self._looked_at > RECENT:
            return False
        if not self._working:       # there was nothing to do
            return self._seen_whole
        if looked is None:
            return False
        try:
            return self._is_our_mark(looked())
        except FTPError as e:
            log.debug('While looking at the lock file: %s', e)
            return False

    def _still_ours(self, session):
        """Is the lock file on the server ours? bool"""
        return self._is_our_mark(self._ask_mark(session)()) or self._is_of_us(self._contents(session))

    def _is_of_us(self, held):
        """Did we store these contents of the lock file? A part of our token, too, if storing it has failed. bool"""
        return held == self._token or not self._seen_whole and held is not None and self._token.startswith(held)

    def refresh(self, session):
        self._working, self._looked = True, None
        if time.monotonic() - self._refreshed < self._feed.stale_after / 4:
            return
        if not self._still_ours(session):
            raise self._locked(self.name)
        self._seen_whole = False
        session.store(self.name, self._token)
        self._mark = self._ask_mark(session)()
        if not self._bears_our_mark(session, mutex=True):
            raise self._locked(self.name)
        self._seen_whole = True
        self._refreshed = time.monotonic()

    def look(self, session):
        self._looked_at = time.monotonic()
        self._looked = self._ask_mark(session)

    # ------------------------------------------------------------ the mutex

    @property
    def _inner(self):
        return '%s/%s' % (MUTEX, self._owner.token)

    def _enter(self, session):
        """Make the mutex directory, and look for lock files inside; False if the server allows no directories.

        Raises Locked.
        """
        refused, empty_since, end = 0, None, time.monotonic() + MUTEX_WAIT
        while time.monotonic() < end:
            self._entered = time.monotonic()
            if (error := self._make(session)) is None:
                return True
            there = session.has_directory(MUTEX)
            if there:
                removed, empty_since = self._contended(session, empty_since)
                if removed:
                    continue
            for name in self._seen:
                self._judge(session, name)
            refused = 0 if there else refused + 1
            if error.reply.code in (500, 502, 503, 504) or refused == 3:
                log.debug('No mutex, since the server makes no directory: %s', error)
                return False
            if there:
                time.sleep(0.02 + 0.08 * os.urandom(1)[0] / 255)     # chance lets one of two rivals be first
        raise Locked('Another process has been in the mutex %s for more than %d s.' % (MUTEX, MUTEX_WAIT))

    def _make(self, session):
        """Make the mutex, and look for lock files. Returns None, or the PermanentError that refused the mutex.

        Our name goes into the mutex with the next step.
        """
        self._in_mutex = True
        made, seen = session.make_directory(MUTEX), look(session)
        session.flush(ahead=True)
        self._seen = seen()
        try:
            made.get()
        except PermanentError as e:
            self._in_mutex = False
            return e
        session.make_directory(self._inner)
        return None

    def _contended(self, session, empty_since):
        """Somebody else's mutex is there: remove it if they are dead.

        Returns whether that was done, and since when the mutex has had no name in it.
        """
        try:
            names = session.names(MUTEX)
        except PermanentError as e:
            log.debug('The mutex has just been left: %s', e)
            return False, None
        for name in names:
            owner = Owner.parse(name)
            if owner is not None and (reason := owner.over):
                return self._remove_mutex(session, name, owner, reason), None
        if names:
            return False, None
        if empty_since is None:
            return False, time.monotonic()
        if time.monotonic() - empty_since < MUTEX_GRACE:
            return False, empty_since
        log.warning('The mutex %s was forgotten by an unknown process. Removing it.', MUTEX)
        with contextlib.suppress(PermanentError):
            session.remove_directory(MUTEX).get()
        return True, None

    def _remove_mutex(self, session, name, owner, reason):
        """Only one of us can remove the name in it; that one goes on. Returns whether it is us, bool."""
        try:
            session.remove_directory('%s/%s' % (MUTEX, name)).get()
        except PermanentError:
            return False
        log.warning('The mutex %s was left by %s: %s. Removing it.', MUTEX, owner, reason)
        # Killed while it stored its lock file: an empty one tells nobody whose it is, but for this mutex.
        held = self._contents(session, owner.lock) if owner.lock in LOCKS else None
        if held is not None and len(held) < len(owner.token) and owner.token.encode('ascii').startswith(held):
            log.warning('Lock file %s was begun by the same process. Removing it.', owner.lock)
            session.remove(owner.lock).get()
        with contextlib.suppress(PermanentError):
            session.remove_directory(MUTEX).get()
        return True

    def _ask_to_leave(self, session):
        """Leave the mutex with the session's next step. Returns a callable that makes sure of it afterwards."""
        if not self._in_mutex:
            return lambda: None
        session.remove_directory(self._inner)
        outer = session.remove_directory(MUTEX)

        def left():
            try:
                outer.get()
            except ReplyError as e:
                self._leave_at_last(session, e)
            self._in_mutex = False
        return left

    def _leave_at_last(self, session, error):
        """The mutex was not removed. If our name is still in it, nobody gets in as long as this process runs."""
        if not session.has_directory(self._inner):
            log.debug('While leaving the mutex: %s', error)
            return
        try:
            session.remove_directory(self._inner).get()
            session.remove_directory(MUTEX).get()
        except ReplyError as e:
            log.warning('The mutex %s stays, for the server refuses to remove it: %s. The next run takes it over, when '
                        'this process has ended. Allow RMD on the server.', MUTEX, e)

    # ------------------------------------------------------------ removing

    @contextlib.contextmanager
    def removed_afterwards(self, session, reopen):
        """Whatever happens in the block: no lock and no mutex of ours stays behind."""
        with self._owner.in_use():
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
        for last in False, True:
            with reopen() as session:
                try:
                    return self._clear(session)
                except ConnectionLost as e:     # it need not have been a new session
                    if last:
                        raise
                    log.debug('Lock file %s could not be removed in that session either: %s', self.name, e)

    def _clear(self, session):
        if self._stored:
            self._remove_lock_file(session)
        left = self._ask_to_leave(session)
        session.flush()
        left()

    def _remove_lock_file(self, session):
        log.info('Removing lock file: %s', self.name)
        held = self._token if self._just_seen() or self._still_ours(session) else self._contents(session)
        if self._is_of_us(held):
            try:
                session.remove(self.name).get()
            except PermanentError:
                if self.name in present(session):
                    raise
                log.warning('Lock file %s is gone: somebody else removed it.', self.name)
            else:
                log.info('Lock file successfully removed: %s', self.name)
        elif held is not None or self._seen_whole:
            log.warning('Lock file %s is not ours any more, and stays: %s', self.name,
                        'it is gone' if held is None else printable(held.decode('utf-8', 'replace')[:200]))
        self._stored = False
