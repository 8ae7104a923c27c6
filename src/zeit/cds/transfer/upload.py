"""Files go to the server under temporary names, and get their own when they are whole there.

The steps of one file in a session where FTP's round trips are shared::

    us                                    server
    -- connect to the port of EPSV -->                            1st round trip
    -- the data and their end, and in one write
       STOR .x.part, EPSV, SIZE .x.part, RNFR .w.part, RNTO w, SIZE y -->
    <-------------------- 150, 226, 229, 213, 350, 250, 550       2nd

w is an earlier file, noted in the spool by now; y the next one. Other servers get SIZE and what
follows after the 226, which takes three round trips, or four.
"""
import logging

import zope.interface

from zeit.cds.interfaces import (
    ConnectionLost,
    IPending,
    PermanentError,
    ReplyError,
    TemporaryError,
    Unreadable,
)
from zeit.cds.text import printable
from zeit.cds.transfer.jobs import Dropped
from zeit.cds.transfer.worker import Strategy


log = logging.getLogger('zeit.cds')

LOCK = 'write'      # the lock file that an export holds


@zope.interface.implementer(IPending)
class Done:
    """A rename that isn't necessary."""

    def get(self):
        return None


def keeps_name(session, name):
    """Is a file that we stored called what we called it? Asked only for strange names; True if it
    can't be told. bool"""
    if name.isprintable():
        return True
    return session.stored_name(name) in (None, name)


def missing(line, names):
    """The set of those names of which the server has no file, while it does see our lock file.

    Raises TemporaryError if it doesn't: then nothing else that it says can be relied upon, either.
    """
    with line.batch() as batch:
        pendings = [(name, batch.stat(name, time=False)) for name in names]
        lock = batch.stat(LOCK, time=False)
    gone = {name for name, pending in pendings if pending.get() is None}
    if lock.get() is None:
        raise TemporaryError('The server does not find our lock file %s: what it says of others '
                             'proves nothing.' % LOCK)
    return gone


def stat(line, name):
    with line.batch() as batch:
        pending = batch.stat(name, time=False)
    return pending.get()


class Upload(Strategy):
    """See Strategy."""

    failure = 'it could not be stored: %s'
    uncertain = ('it is not known whether it has got its name on the server: %s. The next run sees '
                 'to that')
    passes = False      # Pure-FTPd says so if a directory has that name

    def __init__(self, spool, naming, tuning, jobs):
        """
        spool -- IOutbox
        naming -- Naming
        tuning -- Tuning
        jobs -- Jobs
        """
        self._spool, self._naming, self._jobs = spool, naming, jobs
        self._resume = tuning.resume
        self.finalizations = tuning.renames

    def create(self, job):
        return self._spool.create(job.name)

    # ------------------------------------------------------------ storing

    def prepare(self, line, job, asked):
        try:
            return self._offset(line, job.file) if job.begun else self._begin(line, job, asked)
        except Unreadable as e:
            raise Dropped(str(e), True) from e

    def _begin(self, line, job, asked):
        """The first try."""
        outgoing, name = job.file, job.name
        outgoing.open()
        if not self._naming.is_free(name) and (
                asked.get() if asked is not None else stat(line, name)) is not None:
            raise Dropped(self._naming.objection(name), False)
        if job.before is None:
            self._jobs.log(job, 'Uploading: %s', printable(name))
        if self._naming.is_direct(name):
            outgoing.temporary = None
            outgoing.read()
        self._spool.storing(outgoing)
        job.before, job.begun = job.entry, True
        if temporary := self._naming.refused.get(name):     # the spool does not count that any more
            self._naming.refused[name] = None
            self._forget(line.session, temporary)
        return 0

    def _offset(self, line, outgoing):
        """How many bytes of a large file need not be sent again. What the session before may still
        write there is the same."""
        if outgoing.size < self._resume or not outgoing.resumable:
            return 0
        entry = stat(line, outgoing.temporary or outgoing.name)
        if entry is None or not self._resume <= (entry.size or 0) <= outgoing.size:
            return 0
        log.debug('Resuming %s at %d', printable(outgoing.name), entry.size)
        return entry.size

    def transfer(self, line, job, offset, also):
        outgoing = job.file
        try:
            line.write(outgoing.temporary or job.name, outgoing.pieces(offset), offset, also)
        except Unreadable as e:
            raise Dropped(str(e), True) from e
        except PermanentError as e:
            if not offset:
                raise Dropped('the server refuses it: %s' % e, True) from e
            outgoing.resumable = False
            raise TemporaryError('The server does not let us resume: %s' % e) from e

    def ask_before(self, batch, job):
        return None if self._naming.is_free(job.name) else batch.stat(job.name, time=False)

    def ask_after(self, batch, job):
        return batch.stat(job.file.temporary or job.name, regular=True, time=False)

    def verify(self, line, job, asked, resumed):
        outgoing = job.file
        stored = outgoing.temporary or job.name
        entry = asked.get() if asked is not None else stat(line, stored)
        size = entry.size if entry is not None else 0
        if size not in (None, outgoing.size):
            raise TemporaryError('%d bytes of %d arrived on the server' % (size, outgoing.size))
        if not keeps_name(line.session, stored):
            raise Dropped('the server cannot keep this name: it would be called something else '
                          'there', True)
        if not outgoing.unchanged():
            raise Dropped('it changed while it was sent; a later run takes it', False)
        outgoing.discard()
        if outgoing.temporary is None:
            self._naming.direct = True

    def dropped(self, session, job):
        if job.begun and session is not None:
            self._forget(session, job.file.temporary or job.name)

    def _forget(self, session, name):
        """Remove what was stored in vain. What can't be removed now is left to the end of the run,
        or to the next."""
        try:
            session.remove(name)
        except (ReplyError, ConnectionLost) as e:
            return log.debug('Not removed on the server: %s: %s', printable(name), e)
        self._spool.settled(name)
        self._spool.withdrawn(name)

    # ------------------------------------------------------------ naming

    def finalize(self, batch, job):
        temporary = job.file.temporary
        return batch.rename(temporary, job.name) if temporary else Done()

    def finalized(self, job):
        self._jobs.log(job, 'File stored on server: %s', printable(job.name))
        self._spool.settled(job.file.temporary)

    def refused(self, line, job, error):
        temporary = job.file.temporary
        if temporary in missing(line, [temporary]):
            return True
        log.debug('The server does not rename %s: %s', printable(job.name), error)
        self._naming.refused[job.name] = temporary
        self._jobs.put_back(job)
        return False
