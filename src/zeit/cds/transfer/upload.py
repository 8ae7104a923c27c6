"""What one session of an export does: store files, check them, give them their names on the server.

The steps of one file in a session::

    us                                    server
    -- connect to the port of EPSV -->                            1st round trip
    -- the data and their end, and in one write
       STOR .x.part, EPSV, SIZE .x.part, RNFR .w.part, RNTO w, SIZE y -->       (w: an earlier file, noted in the
    <-------------------- 150, 226, 229, 213, 350, 250, 550       2nd             spool by now; y: the next one)

So it goes with small files where the server is known to bear it. (vsftpd makes a third round trip of it, since its 226
waits until we know that it has closed the data connection.) Others get STOR, then the data, and SIZE and what follows
after the 226, which takes four round trips, or three with pyftpdlib, where STOR need not wait for the data connection.
"""
import logging
import unicodedata

import zope.interface

from zeit.cds.interfaces import (
    ConnectionLost,
    IPending,
    PermanentError,
    ReplyError,
    TemporaryError,
    TooEarly,
    Unreadable,
)
from zeit.cds.text import printable
from zeit.cds.transfer.worker import Dropped, RESUME, Worker


log = logging.getLogger('zeit.cds')

LOCK = 'write'      # the lock file that an export holds
RENAMES = 3         # so many files get their names with the step of another


class Manner:
    """How files get to their names on the server. All sessions of an export share it."""

    def __init__(self, replace):
        """
        replace -- may a file of the same name be replaced?
        """
        self.replace = replace
        self.listed = None      # names that are on the server, a set of what `folded` gives; None: not known
        self.direct = False     # does the server refuse to rename, so that files are stored under their own names?
        self.refused = set()    # names that it refused to give by renaming
        self.ours = set()       # names under which there are parts of our own

    def is_direct(self, name):
        return self.direct or name in self.refused

    def is_free(self, name):
        """Is it known that the server has nothing of this name? bool"""
        return self.replace or name in self.ours or self.listed is not None and folded(name) not in self.listed


def folded(name):
    """The same for all names that are one name to a server which does not distinguish between upper and lower case, or
    between the ways to write an accented letter."""
    return unicodedata.normalize('NFC', name.casefold())


@zope.interface.implementer(IPending)
class Done:
    """A rename that isn't necessary."""

    def get(self):
        return None


# ---------------------------------------------------------------- looking

def there(session, name, pending=None):
    """What the server says of a regular file: an Entry, None if there is none.

    pending -- the IPending of session.size(name), if that was asked already
    """
    entry = (pending or session.size(name)).get()
    if entry is not None and entry.kind is None:
        log.debug('The server does not know SIZE.')
        entry = session.facts(name).get()
    if entry is not None and entry.kind is None:
        return entry if session.exists(name).get() else None
    return entry


def keeps_name(session, name):
    """Is a file that we stored called what we called it? Asked only for strange names; True if it can't be told. bool"""
    if name.isprintable():
        return True
    return session.called(name).get() in (None, name)


def missing(session, names):
    """The set of those names of which the server has no file, while it does see our lock file.

    Raises TemporaryError if it doesn't: then nothing else that it says can be relied upon, either.
    """
    pendings = [(name, session.size(name)) for name in names]
    lock = session.size(LOCK)
    gone = {name for name, pending in pendings if there(session, name, pending) is None}
    if there(session, LOCK, lock) is None:
        raise TemporaryError('The server does not find our lock file %s: what it says of others proves nothing.' % LOCK)
    return gone


# ---------------------------------------------------------------- working

class Uploader(Worker):
    """Works on a Backlog of files of an IOutbox. `before` of its jobs is their IOutgoing."""

    failure = 'it could not be stored: %s'
    uncertain = 'it is not known whether it has got its name on the server: %s. The next run sees to that'
    removals = RENAMES

    def __init__(self, manner, *args, **more):
        """
        manner -- Manner
        """
        super().__init__(*args, **more)
        self._manner = manner

    # ------------------------------------------------------------ storing

    def _transfer(self, job, outgoing):
        self._keep_lock()
        try:
            if job.before is not outgoing:
                offset = self._begin(job, outgoing)
            else:
                offset = self._offset(outgoing)
            self._store(job, outgoing, offset)
            if not keeps_name(self.session, outgoing.temporary or job.name):
                raise Dropped('the server cannot keep this name: it would be called something else there', True)
            if not outgoing.unchanged():
                raise Dropped('it changed while it was sent; a later run takes it', False)
        except Unreadable as e:
            raise Dropped(str(e), True) from e
        outgoing.discard()
        if outgoing.temporary is None:
            self._manner.direct = True

    def _begin(self, job, outgoing):
        """The first try."""
        outgoing.open()
        self._look(job)
        if job.before is None:
            self._backlog.log(job, 'Uploading: %s', printable(job.name))
        if self._manner.is_direct(job.name):
            outgoing.temporary = None
            outgoing.read()
        self._spool.storing(outgoing)
        if job.before is not None:
            self._forget(job.before.temporary)      # only now that the spool says that it does not count
        job.before = outgoing
        return 0

    def _look(self, job):
        """Raises Dropped if a file of this name is on the server, and is not to be replaced."""
        asked, pending = self._next_facts or (None, None)
        if asked is job:
            self._next_facts = None
        else:
            pending = None
        if not self._manner.is_free(job.name) and there(self.session, job.name, pending) is not None:
            raise Dropped("an older file of this name is still on the server; it waits in 'new'", False)

    def _offset(self, outgoing):
        """How many bytes of a large file need not be sent again. What the session before may still write there is the
        same."""
        if outgoing.size < RESUME or not outgoing.resumable:
            return 0
        entry = there(self.session, outgoing.temporary or outgoing.name)
        if entry is None or not RESUME <= (entry.size or 0) <= outgoing.size:
            return 0
        log.debug('Resuming %s at %d', printable(outgoing.name), entry.size)
        return entry.size

    def _store(self, job, outgoing, offset):
        riding = []
        try:
            self.session.store(outgoing.temporary or job.name, outgoing.pieces(offset),
                               lambda: self._ride(job, riding), offset, self._backlog.together)
        except TooEarly:
            raise
        except ConnectionLost:
            self._backlog.haste = 0     # in case that this was the cause
            raise
        except PermanentError as e:
            if not offset:
                raise Dropped('the server refuses it: %s' % e, True) from e
            outgoing.resumable = False
            raise TemporaryError('The server does not let us resume: %s' % e) from e
        finally:
            after, *renames = riding or [None]
            self._settle(renames)
        entry = there(self.session, outgoing.temporary or job.name, after)
        size = entry.size if entry is not None else 0
        if size not in (None, outgoing.size):
            raise TemporaryError('%d bytes of %d arrived on the server' % (size, outgoing.size))

    def _ask_after(self, job):
        return self.session.size(job.before.temporary or job.name)

    def _ask_before(self, job):
        if not self._manner.is_free(job.name):
            return self.session.size(job.name)

    def _drop(self, job, outgoing, reason, failed):
        if job.before is outgoing and outgoing is not None:
            self._forget(outgoing.temporary or job.name)
        super()._drop(job, outgoing, reason, failed)

    def _forget(self, name):
        """Remove what was stored in vain. What can't be removed now is left to the end of the run, or to the next."""
        if not self.session.alive:
            return
        try:
            self.session.remove(name).get()
        except (ReplyError, ConnectionLost) as e:
            return log.debug('Not removed on the server: %s: %s', printable(name), e)
        self._spool.settled(name)
        self._spool.withdrawn(name)

    # ------------------------------------------------------------ naming

    def _ask_to_remove(self, jobs):
        return [(job, self.session.rename(job.before.temporary, job.name) if job.before.temporary else Done())
                for job in jobs]

    def _removed(self, job):
        self._backlog.log(job, 'File stored on server: %s', printable(job.name))
        self._spool.settled(job.before.temporary)
        self._backlog.removed(job)

    def _remove_later(self, job, error):
        if job.tries >= self._backlog.retries and isinstance(error, TemporaryError):
            self._not_removed(job, error)       # that will not pass: Pure-FTPd says so if a directory has that name
        else:
            super()._remove_later(job, error)

    def _not_removed(self, job, error):
        """The server says no, which may also mean that an earlier try, whose answer got lost, has done it."""
        temporary = job.before.temporary
        try:
            done = temporary in missing(self.session, [temporary])
        except (ReplyError, ConnectionLost) as e:
            return super()._remove_later(job, e)
        if done:
            return self._removed(job)
        log.debug('The server does not rename %s: %s', printable(job.name), error)
        self._manner.refused.add(job.name)
        self._backlog.put_back(job)
