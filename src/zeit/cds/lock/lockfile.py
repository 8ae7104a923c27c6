"""The lock of the Content-Drehscheibe: `read` for whoever takes files out, `write` for putting in.

Two programs that look for a lock file and then store their own can both succeed. So, among
ourselves, the looking and storing happens inside a directory made by MKD, which succeeds for
one only::

    MKD mutex, no lock file there? ──▶ MKD mutex/TOKEN, STOR lock file ──▶ still ours after a
        │                     │                                            while? RMD both
    another is at it       Locked                                               │
    or has died there                                                         Locked

Each arrow is one round trip (and one for a data connection), where a session can have the commands
of a step share it.

What excludes our own runs from each other is one of three, and each run finds out which it can
have:

1. The mutex, where a second MKD of it fails: atomic, by the server.
2. Where MKD succeeds for what exists, the names in the mutex: see turn.py. Safe whatever anybody's
   pace, if the server lists what was made.
3. Where there are no directories, where their contents are not listed, or `no-mutex` is set:
   the lock file alone. Whoever has stored theirs waits for twice as long as that took since
   their look, reads it, waits three times as long, and reads it again; whoever finds another's
   token withdraws, and leaves the file to the one who stored it last. This holds as long as
   nobody takes more than eight times as long as their rival from the look to the lock file.

Against programs that only look and store, the second look after a short while is what helps.

A session that dies while the lock is created is replaced by what `reopen` gives: the contents of
the lock file tell whether storing it succeeded.
"""
import contextlib
import logging
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
    ReplyError,
    RunLimitReached,
)
from zeit.cds.lock.directory import ask, Tuning
from zeit.cds.lock.mutex import Mutex
from zeit.cds.lock.stored import Stored
from zeit.cds.lock.token import Owner
from zeit.cds.net.scheduler import sleep
from zeit.cds.pipelined import pipelined


log = logging.getLogger(__name__)

TUNING = Tuning()
ANY = Entry('')         # stands for any transfer that follows


@zope.interface.implementer(ILockFile)
class LockFile:
    """See ILockFile."""

    def __init__(self, tuning=TUNING):
        """
        tuning -- Tuning
        """
        self.tuning = tuning

    @contextlib.contextmanager
    def hold(self, session, name, feed, reopen, meanwhile=None):
        log.info('Creating lock file: %s', name)
        lock = Lock(name, feed, self.tuning)
        with lock.removed_afterwards(session, reopen):
            lock.create(session, reopen, meanwhile)
            log.info('Lock file successfully created: %s', name)
            yield lock

    def inspect(self, session):
        from zeit.cds.lock import inspection  # a plain run does not need it
        return inspection.inspect(session)

    def break_(self, session, lock):
        from zeit.cds.lock import inspection
        inspection.break_(session, lock)


@zope.interface.implementer(ILock)
class Lock:
    """One attempt to hold a lock file, and what came of it."""

    def __init__(self, name, feed, tuning):
        """
        feed -- IFeed
        tuning -- Tuning
        """
        self.name = name
        self._feed = feed
        self._tuning = tuning
        self._owner = Owner.me(name)
        self._mutex = Mutex(self._owner, tuning)
        self._file = Stored(name, self._owner.token.encode('ascii'), tuning)
        self._refreshed = self._stored = time.monotonic()

    # ------------------------------------------------------------ creating

    def create(self, session, reopen, meanwhile=None):
        """Hold it, or raise Locked. See ILockFile.hold."""
        for name in self._enter(session):
            from zeit.cds.lock import inspection  # most runs find no lock
            inspection.break_dead(session, name, self._feed.stale_after)
        if self._mutex.slow:
            raise Locked('It took so long to enter the mutex that somebody else may have taken it '
                         'for forgotten.')
        session = self._store(session, reopen)
        for last in False, False, True:
            try:
                return self._make_sure(session, meanwhile)
            except ConnectionLost as e:
                if last:
                    raise
                session, meanwhile = another(session, reopen, e), None

    def _enter(self, session):
        if 'no-mutex' in self._feed.quirks:
            return self._mutex.skip(session)
        return self._mutex.enter(session, lambda names: self._judge(session, names))

    def _judge(self, session, names):
        """Raises Locked if one of these lock files may not be broken."""
        for name in names:
            from zeit.cds.lock import inspection
            inspection.judge(session, name, self._feed.stale_after)

    def _store(self, session, reopen):
        """Store it; returns the session that is there afterwards."""
        try:
            self._file.store(session)
        except ConnectionLost as e:
            session = another(session, reopen, e)
            if not self._file.is_whole(session):
                raise
        except ReplyError as e:
            from zeit.cds.lock import advice  # mostly there is nothing to advise
            e.add_note(advice.not_stored(self.name, self._feed, e, self._mutex.refusal))
            raise
        finally:
            self._file.sheltered = self._mutex.held and self._mutex.named
        self._stored = time.monotonic()
        return session

    def _make_sure(self, session, meanwhile):
        """Raises Locked if somebody else has stored a lock file."""
        seen = self._look_again(session, meanwhile)
        self._mutex.left(session)
        self._judge_look(session, seen())
        if not self._file.sheltered:
            # Who looked when we did, and took longer to store theirs, must have done so by now.
            self._judge_look(session, self._look_again(session, None, 3)())

    def _judge_look(self, session, seen):
        """What a look has shown: ours, and none beside it?"""
        if not self._file.arrived(session, by_size=self._file.sheltered):
            self._file.there = False
            raise self._found(session, self.name)
        if others := [name for name in seen if name != self.name]:
            raise self._found(session, others[0])

    @staticmethod
    def _found(session, name):
        from zeit.cds.lock import inspection
        return inspection.found(session, name)

    def _look_again(self, session, meanwhile, pauses=1):
        """Ask, after some pauses, whose the lock files are, and leave the mutex.

        Returns a callable that gives the names of the lock files that are there.
        """
        until, asked = time.monotonic() + pauses * self._pause(), []

        def also(batch):
            if not asked:
                sleep(max(0.0, until - time.monotonic()))
                self._file.look(batch)
                asked.append(ask(batch))
                self._mutex.leave(batch)
            return ANY

        if meanwhile is not None:
            meanwhile(also)
        if not asked:
            with pipelined(session).batch(ahead=True) as batch:
                also(batch)
        return asked[0]

    def _pause(self):
        """How long a rival needs that is on the same line: as long as we did, from its look to its
        lock file. Seconds. Without a mutex twice that, as it is all that there is."""
        tuning, took = self._tuning, self._stored - self._mutex.entered
        if self._file.sheltered:
            return max(tuning.pause, min(took, tuning.longest_pause))
        return max(tuning.pause_alone, min(2 * took, tuning.longest_alone))

    # ------------------------------------------------------------ working

    def refresh(self, session):
        self._file.work()
        if time.monotonic() - self._refreshed < self._feed.stale_after / 4:
            return
        if not self._file.ours(session):
            raise self._found(session, self.name)
        if not self._file.replace(session):
            self._store_anew(session)
        if not self._file.arrived(session, by_size=True):
            raise self._found(session, self.name)
        self._refreshed = time.monotonic()

    def _store_anew(self, session):
        """In its place. If we are killed meanwhile, the mutex tells whose an empty lock file is."""
        if not self._mutex.held:
            self._mutex.make(session)   # if somebody else is in there, we do without
        self._file.store(session)
        with pipelined(session).batch() as batch:
            self._file.look(batch)
            self._mutex.leave(batch)
        self._mutex.left(session)

    def look(self, batch):
        self._file.look(batch)

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
        if not self._file.there and not self._mutex.held:
            return
        if session.alive:
            try:
                return self._clear(session)
            except (FTPError, RunLimitReached) as e:    # for this, `reopen` allows some time more
                log.debug('Lock file %s could not be removed in this session: %s', self.name, e)
        for last in False, True:
            with reopen() as session:
                try:
                    return self._clear(session)
                except ConnectionLost as e:     # it need not have been a new session
                    if last:
                        raise
                    log.debug('Lock file %s could not be removed in that session either: %s',
                              self.name, e)

    def _clear(self, session):
        # The mutex first: it needs no data connection, and keeps out all others.
        self._mutex.leave_now(session)
        if not self._file.there:
            return
        try:
            self._file.remove(session)
        except ReplyError as e:
            from zeit.cds.lock import advice
            e.add_note(advice.not_removed(self.name, self._feed))
            raise


def another(session, reopen, error):
    """A session in place of one that has died; raises what ended it if it hasn't."""
    if session.alive:
        raise error
    log.debug('While the lock was made sure of: %s Going on with another session.', error)
    return reopen()
