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
from zeit.cds.net.scheduler import sleep
from zeit.cds.text import phrase, printable
from zeit.cds.transfer import elsewhere
from zeit.cds.transfer.jobs import Dropped, OtherWay
from zeit.cds.transfer.worker import Strategy


log = logging.getLogger('zeit.cds')

LOCK = 'write'      # the lock file that an export holds
# Replies to STOR that may mean that the name begins with a dot, and some others that do not.
NAME_REFUSED = 501, 504, 550, 553


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

    def __init__(self, spool, naming, tuning, jobs, feed):
        """
        spool -- IOutbox
        naming -- Naming
        tuning -- Tuning
        jobs -- Jobs
        feed -- IFeed
        """
        self._spool, self._naming, self._jobs, self._feed = spool, naming, jobs, feed
        self._resume, self._appears = tuning.resume, tuning.appears
        self.finalizations = tuning.renames

    def create(self, job):
        return self._spool.create(job.name)

    # ------------------------------------------------------------ storing

    def prepare(self, line, job, asked):
        try:
            if not job.begun:
                return self._begin(line, job, asked)
            if self.moved(job) and self._is_there(line, job):
                return None
            return self._offset(line, job.file)
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
            self._store_directly(line, job)
        self._spool.storing(outgoing)
        job.before, job.begun = job.entry, True
        if temporary := self._naming.refused.get(name):     # the spool does not count that any more
            self._naming.refused[name] = None
            self._forget(line.session, temporary)
        return 0

    def _store_directly(self, line, job):
        """It gets its own name at once."""
        job.older = stat(line, job.name) if self._naming.replace else None
        job.file.temporary = None
        job.file.read()

    def _offset(self, line, outgoing):
        """How many bytes of a large file need not be sent again. What the session before may still
        write there is the same."""
        if outgoing.size < self._resume or not outgoing.resumable or self._may_be_older(outgoing):
            return 0
        entry = stat(line, outgoing.temporary or outgoing.name)
        if entry is None or not self._resume <= (entry.size or 0) <= outgoing.size:
            return 0
        log.debug('Resuming %s at %d', printable(outgoing.name), entry.size)
        return entry.size

    def _may_be_older(self, outgoing):
        """May what the server has of this name be another, older file? bool"""
        return outgoing.temporary is None and (
            self._naming.replace or outgoing.name in self._naming.ours)

    def moved(self, job):
        outgoing = job.file
        return (0 < outgoing.size == outgoing.length) and not self._may_be_older(outgoing)

    def _is_there(self, line, job):
        """Has all of it arrived, although the reply to that got lost? bool"""
        entry = stat(line, job.file.temporary or job.name)
        if entry is None or entry.size != job.file.size:
            return False
        self._accept(line, job)
        return True

    def transfer(self, line, job, offset, also, then):
        outgoing = job.file
        try:
            line.write(outgoing.temporary or job.name, outgoing.pieces(offset), offset, also)
        except Unreadable as e:
            raise Dropped(str(e), True) from e
        except PermanentError as e:
            if not offset:
                self._store_otherwise(line, job, e)
                raise Dropped('the server refuses it: %s' % self._told(e), True) from e
            outgoing.resumable = False
            raise TemporaryError('The server does not let us resume: %s' % e) from e

    def _store_otherwise(self, line, job, error):
        """Raises OtherWay if what the server does not like may be the temporary name."""
        outgoing, temporary = job.file, job.file.temporary
        code = error.reply.code if error.reply is not None else None
        if temporary is None or code not in NAME_REFUSED:
            if temporary is None and self._naming.replace and line.session.alive and (
                    stat(line, job.name) == job.older):
                job.begun = False       # nothing of it is there: the older one is to stay
                self._spool.withdrawn(job.name)
            return
        if temporary in missing(line, [temporary]):
            self._spool.settled(temporary)
        else:
            self._forget(line.session, temporary)
        self._store_directly(line, job)
        self._spool.storing(outgoing)
        raise OtherWay('The server does not take the name %s: %s' % (printable(temporary), error))

    def _told(self, error):
        """What the server said, and what to ask for."""
        return phrase(error) + elsewhere.remedy(error, self._feed)

    def why(self, error):
        return self.failure % (self._told(error) if isinstance(error, ReplyError)
                               else phrase(error))

    def ask_before(self, batch, job):
        return None if self._naming.is_free(job.name) else batch.stat(job.name, time=False)

    def ask_after(self, batch, job):
        return batch.stat(job.file.temporary or job.name, regular=True, time=False)

    def verify(self, line, job, asked, resumed):
        outgoing = job.file
        stored = outgoing.temporary or job.name
        entry = asked.get() if asked is not None else stat(line, stored)
        if entry is None:
            entry = self._look_for(line, job, stored)
        size = entry.size if entry is not None else 0
        if size not in (None, outgoing.size):
            raise TemporaryError('%d bytes of %d arrived on the server' % (size, outgoing.size))
        self._accept(line, job)

    def _look_for(self, line, job, stored):
        """The server says that it stored the file, and does not find it: perhaps it does soon, or
        under another name. Raises Dropped then."""
        outgoing = job.file
        entry = (elsewhere.temporary(line, stored) if outgoing.temporary
                 else elsewhere.final(line, stored, outgoing.size, outgoing.digest,
                                      self._naming.is_of_another))
        if entry is not None and entry.name != stored:
            self._drop_elsewhere(line, stored, entry.name, outgoing.temporary)
        for seconds in self._appears if entry is None else ():
            sleep(seconds)
            if (entry := stat(line, stored)) is not None:
                break
        return entry

    def _drop_elsewhere(self, line, stored, name, temporary):
        """Remove what the server stored under that name. Raises Dropped."""
        reason = elsewhere.reason(name, temporary)
        try:
            line.session.remove(name)
        except ReplyError as e:
            reason += '. What was stored is still there, and is to be removed: %s' % phrase(e)
        else:
            self._spool.settled(stored)
            self._spool.withdrawn(stored)
        raise Dropped(reason, True)

    def _accept(self, line, job):
        """All of it has arrived. Raises Dropped if that is of no use."""
        outgoing = job.file
        stored = outgoing.temporary or job.name
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
        if not temporary:
            return Done()
        renamed = batch.rename(temporary, job.name)
        if elsewhere.is_plain(job.name):
            return renamed
        return elsewhere.Renamed(renamed, batch.stat(job.name, time=False), job)

    def finalized(self, job):
        self._jobs.log(job, 'File stored on server: %s', printable(job.name))
        self._spool.settled(job.file.temporary)

    def refused(self, line, job, error):
        temporary = job.file.temporary
        if isinstance(error, elsewhere.NotThere):
            return self._has_its_name(line, job)
        if temporary in missing(line, [temporary]) or self._replaced(line, job, temporary):
            return True
        log.debug('The server does not rename %s: %s', printable(job.name), error)
        self._naming.refused[job.name] = temporary
        self._jobs.put_back(job)
        return False

    def _replaced(self, line, job, temporary):
        """Some servers rename no file onto another: if that may be replaced, remove it before. Did
        that help? bool"""
        if not self._naming.replace or stat(line, job.name) is None:
            return False
        try:
            line.session.remove(job.name)
            line.session.rename(temporary, job.name)
        except PermanentError as e:
            log.debug('The server replaces no %s: %s', printable(job.name), e)
            return False
        return True

    def _has_its_name(self, line, job):
        """It was renamed, but not found. Has it got its name after all? Else what was stored is
        removed, and the file waits. bool"""
        outgoing, name = job.file, job.name
        entry = stat(line, name) or elsewhere.final(
            line, name, job.size, outgoing.digest, self._naming.is_of_another)
        if entry is not None and entry.name == name and entry.size in (None, job.size):
            return True
        temporary, outgoing.temporary = outgoing.temporary, None
        self._spool.storing(outgoing)       # what was noted, that it is there, is not so
        try:
            if entry is None or entry.name == name:
                raise Dropped('the server says that it stored it, but does not find it under its '
                              'name. Rename it', True)
            self._drop_elsewhere(line, temporary, entry.name, None)
        except Dropped as e:
            self._spool.settled(temporary)
            self._spool.withdrawn(name)
            self._jobs.drop(job, e)
        return False
