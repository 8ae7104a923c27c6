"""What one session of an import does: fetch files, check them, remove them on the server."""
import logging

import greenlet

from zeit.cds.interfaces import (
    ConnectionLost,
    FileRefused,
    FTPError,
    PermanentError,
    ReplyError,
    TemporaryError,
    TooEarly,
)
from zeit.cds.text import printable
from zeit.cds.transfer.retry import PASSING


log = logging.getLogger('zeit.cds')

REMOVALS = 4                    # so many DELEs ride with the step of a file: more than files come, so that none pile up
SMALL = 64 * 1024               # bytes; while a larger file comes, no session takes the next one, which another may have soon
LARGE = 1024 * 1024             # bytes; from here on it pays to write while more comes
RESUME = 8 * 1024 * 1024        # bytes; a smaller file is fetched anew rather than resumed

SURPLUS = 16 * 1024 * 1024      # bytes that may come beyond a file's size, since it may grow: no more, lest the disk is filled


GONE = 'it is not there (any more), or not under this name'


class Dropped(Exception):
    """The file is not imported in this run."""

    def __init__(self, reason, failed):
        self.reason, self.failed = reason, failed


class Worker:
    """Works on a Backlog, with a session of its own. `run` is a task of a Scheduler."""

    failure = 'it could not be fetched: %s'
    uncertain = 'it could not be removed on the server: %s. It is kept in tmp for the next run'
    removals = REMOVALS

    def __init__(self, backlog, spool, patience, open_session, lock, session=None, another=None):
        """
        open_session -- callable that returns a new ICDSSession
        lock -- the ILock that is held
        session -- the ICDSSession to begin with, which also shows that the lock's holder is alive
        another -- what to call instead, for one that still has to start
        """
        self._backlog, self._spool, self._patience, self._open = backlog, spool, patience, open_session
        self._lock, self._first = lock, session is not None
        self._another = another
        self._next = None           # a job that was taken while the last step of another ran, and
        self._next_facts = None     # what will tell what that job's file is: (Job, IPending)
        self.session = session
        self._incoming = None
        self._moved = 0             # bytes of earlier files
        backlog.enter()

    def run(self):
        error = None
        try:
            self._work()
        except greenlet.GreenletExit:
            pass        # the scheduler ends: the run is over, or tells why it isn't
        except BaseException as e:
            error = e
        if self._next is not None:
            self._backlog.put_back(self._next)
        self._backlog.leave(error)

    @property
    def moved(self):
        """Bytes of files transferred so far, int. Any thread may ask."""
        incoming = self._incoming
        return self._moved + (incoming.size if incoming is not None else 0)

    def abort(self):
        """End what the session does at once. Any thread may do that."""
        if (session := self.session) is not None:
            session.abort()

    def _work(self):
        self._begin_session()
        while True:
            job, self._next = self._next or self._backlog.take(), None
            if job is not None:
                self._exchange(job)
            elif jobs := self._backlog.to_remove(self.removals):
                removals = self._ask_to_remove(jobs)
                self._lock.look(self.session)
                self._settle(removals, alone=True)
                self._persist(lambda: None)
            elif self._backlog.idle:
                return
            else:
                self._backlog.rest(self._patience.rest)

    def _begin_session(self):
        if self._another is not None:
            self.session = self._another()
            try:
                with self._backlog.connecting():
                    self.session.start()
            except FTPError as e:
                log.debug('No further session the fast way: %s', e)
                self.session.close()        # which was alive, perhaps: the server didn't like what it said
        self._renew()

    def _renew(self):
        if self.session is None or not self.session.alive:
            if self.session is not None:
                self.session.close()
            with self._backlog.connecting():
                self.session = self._open()
            self._next_facts = None

    def _persist(self, verb):
        """Call verb; when what failed may pass by itself, again, on a new session if need be."""
        try:
            return self._at_once(verb)
        except PASSING as e:
            return self._patience.again(e, lambda: (self._renew(), self._at_once(verb))[1])

    def _at_once(self, verb):
        """Call verb; on a new session, without a pause, if the server did not bear our haste."""
        while True:
            try:
                if not self.session.alive:
                    raise ConnectionLost('The session has ended.')
                return verb()
            except TooEarly as e:
                log.debug('%s Once more.', e)
                self._backlog.haste -= 1
                self._renew()

    # ------------------------------------------------------------ fetching

    def _exchange(self, job):
        incoming = None
        try:
            incoming = self._incoming = self._spool.create(job.name)
            self._persist(lambda: self._transfer(job, incoming))
        except Dropped as e:
            self._drop(job, incoming, e.reason, e.failed)
        except FileRefused as e:
            self._drop(job, incoming, str(e), True)
            self._renew()       # the server was still sending it, perhaps
        except PASSING as e:
            self._drop(job, incoming, self.failure % e, True)
            self._renew()
        except BaseException as e:
            self._drop(job, incoming, 'the run ended: %s' % e, True)
            raise
        else:
            self._incoming, self._moved = None, self._moved + incoming.size
            self._backlog.received(job, incoming)

    def _drop(self, job, incoming, reason, failed):
        if incoming is not None:
            incoming.discard()
        self._backlog.drop(job, reason, failed)

    def _transfer(self, job, incoming):
        self._keep_lock()
        offset = self._begin(job, incoming)
        riding = []
        small = 0 < (job.before.size or 0) <= SMALL
        try:
            self.session.fetch(
                job.name, self._limited(incoming.write, job, incoming), lambda: self._ride(job, riding), offset,
                self._limited(incoming.pour, job, incoming) if (job.before.size or 0) >= LARGE else None,
                small and self._backlog.together)
        except TooEarly:
            raise
        except ConnectionLost:
            self._backlog.haste = 0     # in case that this was the cause
            raise
        except PermanentError as e:
            if offset:
                incoming.restart()
                raise TemporaryError('It cannot be resumed: %s' % e) from e
            raise self._why(job, e) from e
        finally:
            after, *removals = riding or [None]
            self._settle(removals)
        now = after.get()
        if now is not None and now.size not in (None, incoming.size):
            now = self.session.facts(job.name).get()    # perhaps MLST told of a link, not of the file
        self._check(job, incoming, now, resumed=bool(offset))

    def _keep_lock(self):
        if self._first:
            self._lock.refresh(self.session)

    @staticmethod
    def _limited(take, job, incoming):
        """The verb of `incoming` that takes data. A server that sends without end is stopped, where the size is known."""
        size = job.before.size
        if size is None:
            return take

        def limited(data):
            result = take(data)
            if incoming.size > size + SURPLUS:
                raise Dropped('the server sends more and more, %d bytes of a file of %d' % (incoming.size, size), True)
            return result
        return limited

    def _begin(self, job, incoming):
        """See what the file is; returns the number of bytes that need not be fetched again."""
        before = self._look(job)
        if job.before is None:
            self._backlog.log(job, 'Downloading: %s', printable(job.name))
        elif incoming.size >= RESUME and before.modified is not None and before == job.before:
            log.debug('Resuming %s at %d', printable(job.name), incoming.size)
            return incoming.size
        job.before = before
        if incoming.size:
            incoming.restart()
        return 0

    def _look(self, job):
        """The Entry of the file as it is now. Raises Dropped if it is none.

        What the listing says is good enough, unless it is silent, or calls it empty: a pipe looks so too, and to fetch
        one would block the whole server.
        """
        entry = job.entry
        asked, facts = self._next_facts or (None, None)
        if asked is job:
            self._next_facts = None
        else:
            facts = None
        if job.before is None and entry.kind == 'file' and entry.size:
            now = entry
        else:
            now = (facts or self.session.facts(job.name)).get()
        if now is None:
            raise Dropped('it is no regular file' if entry.kind else GONE, False)
        if now.modified is None and (now.size or 0) >= RESUME:
            now = now._replace(modified=self.session.modified(job.name).get())
        return now

    def _ride(self, job, riding):
        """While the final reply of a file is underway: ask how large the file is there, have older ones removed, and
        see what comes next. Returns what `ride` of ICDSSession.fetch does."""
        riding.append(self._ask_after(job))
        riding.extend(self._ask_to_remove(self._backlog.to_remove(self.removals)))
        if self._next is None and (following := self._backlog.take(wait=False)):
            self._next = following
            if (pending := self._ask_before(following)) is not None:
                self._next_facts = following, pending
        following = self._next
        if following is None:
            return False
        entry = following.entry
        return following.name if entry.kind == 'file' and 0 < (entry.size or 0) < LARGE and not following.before else True

    def _ask_after(self, job):
        return self.session.facts(job.name, regular=job.before is job.entry)

    def _ask_before(self, job):
        if job.entry.kind != 'file' or not job.entry.size:
            return self.session.facts(job.name)

    def _why(self, job, error):
        if not self.session.alive or self.session.facts(job.name).get() is None:
            return Dropped(GONE, False)
        return Dropped('the server refuses it: %s' % error, True)

    def _check(self, job, incoming, after, resumed):
        """Is the file whole, and still what it was when we began? Raises Dropped, TemporaryError."""
        before = job.before
        if after is None:
            raise Dropped('it vanished while it was fetched', False)
        if resumed and after.modified is None:
            after = after._replace(modified=self.session.modified(job.name).get())
        size = after.size if after.size is not None else before.size
        changed = after.size not in (None, before.size) if before.size is not None else False
        if changed or None not in (before.modified, after.modified) and before.modified != after.modified:
            raise Dropped('it changed while it was fetched; a later run takes it', False)
        if size is not None and size != incoming.size:
            received = incoming.size
            if resumed or received > size:
                incoming.restart()      # what is here is no beginning of the file
            raise TemporaryError('%d bytes came of a file of %d' % (received, size))
        incoming.complete(after.modified if after.modified is not None else before.modified)

    # ------------------------------------------------------------ removing

    def _ask_to_remove(self, jobs):
        return [(job, self.session.remove(job.name)) for job in jobs]

    def _settle(self, removals, alone=False):
        for job, pending in removals:
            try:
                pending.get()
            except PermanentError as e:
                self._not_removed(job, e)
            except PASSING as e:
                if alone or not isinstance(e, ConnectionLost):
                    self._remove_later(job, e)
                else:
                    self._backlog.not_removed(job)      # it was perhaps lost because of the file that this one rode with
            else:
                self._removed(job)

    def _removed(self, job):
        self._backlog.log(job, 'File removed on server: %s', printable(job.name))
        self._backlog.removed(job)

    def _not_removed(self, job, error):
        """The server says no, which may also mean that there is no such file any more."""
        try:
            there = self.session.facts(job.name).get()
        except (ReplyError, ConnectionLost) as e:
            return self._remove_later(job, e)
        if there is None:
            return self._removed(job)
        self._backlog.drop(job, 'the server refuses to remove it: %s. It is kept in tmp, and published when the '
                                "server's copy is gone" % error, True)

    def _remove_later(self, job, error):
        job.tries += 1
        if not isinstance(error, TemporaryError):
            if job.tries < self._backlog.tries:
                return self._backlog.not_removed(job)
        elif job.tries <= self._backlog.retries and (pause := self._patience.pause(job.tries)):
            log.debug('Asking again to remove %s in %.1f s: %s', printable(job.name), pause, error)
            return self._backlog.remove_later(job, pause)
        self._backlog.drop(job, self.uncertain % error, True)
