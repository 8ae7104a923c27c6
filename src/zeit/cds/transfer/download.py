"""Files come from the server, and are removed there when they are durable here."""
import logging

import zope.interface

from zeit.cds.interfaces import IByteSink, PermanentError, TemporaryError
from zeit.cds.text import phrase, printable
from zeit.cds.transfer.jobs import Dropped
from zeit.cds.transfer.worker import Strategy


log = logging.getLogger('zeit.cds')

@zope.interface.implementer(IByteSink)
class Limited:
    """An IIncoming, into which a server that sends without end does not send for ever."""

    __slots__ = 'buffer', '_file', '_size', '_most'

    def __init__(self, file, size, surplus):
        """
        size -- int: how large the file is supposed to be
        surplus -- so many bytes more may come
        """
        self.buffer = file.buffer
        self._file, self._size, self._most = file, size, size + surplus

    def advance(self, count):
        self._file.advance(count)
        if self._file.size > self._most:
            raise Dropped('the server sends more and more, %d bytes of a file of %d' % (
                self._file.size, self._size), True)


class Download(Strategy):
    """See Strategy."""

    failure = 'it could not be fetched: %s'

    def __init__(self, spool, tuning, jobs, afterwards):
        """
        spool -- ISpool
        tuning -- Tuning
        jobs -- Jobs
        afterwards -- zeit.cds.transfer.importing.Removed, or what else becomes of files
        """
        self._spool, self._jobs, self._afterwards = spool, jobs, afterwards
        self.uncertain = afterwards.uncertain
        self._resume, self._surplus = tuning.resume, tuning.surplus
        self.finalizations = tuning.removals
        # Does the server tell other times of a file than its listing? Then these are of no use.
        self._two_clocks = False
        self._gone = set()      # names that the server knew no more once their files were here
        self._denies = None     # does it say so of files that it lists? None: not known

    def create(self, job):
        return self._spool.create(job.name, job.entry.size)

    # ------------------------------------------------------------ before

    def prepare(self, line, job, asked):
        incoming, before = job.file, self._look(line, job, asked)
        if job.before is not None and self.moved(job) and self._complete(line, job, before):
            return None
        if before is None:
            raise Dropped('it is no regular file', False) if job.entry.kind else gone()
        if job.before is None:
            self._jobs.log(job, 'Downloading: %s', printable(job.name))
        elif (incoming.size >= self._resume and before.modified is not None
              and before == job.before):
            log.debug('Resuming %s at %d', printable(job.name), incoming.size)
            return incoming.size
        job.before = before
        if incoming.size:
            incoming.restart()
        return 0

    def _look(self, line, job, asked):
        """The Entry of the file as it is now; None if there is none.

        What the listing says is good enough, unless it is silent, or calls it empty: a pipe looks
        so too, and to fetch one would block the whole server. A large file's time is of interest.
        """
        entry, now = job.entry, None
        if job.before is None and self._told(entry):
            now = entry
        elif (now := asked.get() if asked is not None else self._stat(line, job)) is None:
            return None
        if now.modified is None and (now.size or 0) >= self._resume:
            now = self._stat(line, job, time=True) or now
        return now

    def ask_before(self, batch, job):
        return None if self._told(job.entry) else batch.stat(job.name, time=self._time(job))

    def _told(self, entry):
        """Does the listing tell enough of a file? bool"""
        return told(entry) and not (self._two_clocks and entry.modified is not None)

    def _time(self, job):
        """Is the time worth a question? Where the listing tells it, it comes with the size."""
        return job.entry.modified is not None or (
            (job.before or job.entry).size or 0) >= self._resume

    def _stat(self, line, job, time=None):
        with line.batch() as batch:
            pending = batch.stat(job.name, time=self._time(job) if time is None else time)
        return pending.get()

    # ------------------------------------------------------------ the transfer

    def transfer(self, line, job, offset, also, then):
        incoming, before = job.file, job.before
        sink = incoming
        if before.size is not None:
            sink = Limited(incoming, before.size, self._surplus)
        try:
            line.read(before, sink, offset, also, then)
        except PermanentError as e:
            if self.moved(job) and incoming.size > offset:
                # Whatever it says now: `verify` sees whether it is whole.
                log.debug('All of %s has come, though the server says: %s', printable(job.name), e)
                return
            if offset:
                incoming.restart()
                raise TemporaryError('It cannot be resumed: %s' % e) from e
            raise self._why(line, job, e) from e

    def _why(self, line, job, error):
        # Not by a batch: there, what SIZE knows may be a directory.
        if not line.session.alive or line.session.stat(job.name) is None:
            return gone()
        return Dropped('the server refuses it: %s' % error, True)

    # ------------------------------------------------------------ after

    def ask_after(self, batch, job):
        return batch.stat(job.name, regular=job.before is job.entry, time=self._time(job))

    def moved(self, job):
        return bool(job.before.size) and job.file.size == job.before.size

    def verify(self, line, job, asked, resumed):
        """Is it also still what it was when we began? Raises Dropped, TemporaryError."""
        incoming, before = job.file, job.before
        after = asked.get() if asked is not None else self._stat(line, job)
        if after is None or after.size not in (None, incoming.size):
            after = self._stat(line, job)       # perhaps it told of a link, not of the file
        if after is None and before.size not in (None, incoming.size):
            raise Dropped('it vanished while it was fetched', False)
        if not self._complete(line, job, after):
            if changed(before, after):
                raise Dropped('it changed while it was fetched; a later run takes it', False)
            self._check_size(incoming, after.size if after.size is not None else before.size,
                             resumed)

    def _complete(self, line, job, after):
        """If what is here is the whole file, note that it is: bool.

        after -- Entry: what the server tells of it now. None: it is gone, as in a mailbox that
            gives each file once; as many bytes as were announced are all of it, and so are those
            of a file of unknown size whose transfer succeeded: nobody has more of it.
        """
        incoming, before = job.file, job.before
        if after is None:
            self._gone.add(job.name)
            after = before
        size = after.size if after.size is not None else before.size
        if size not in (None, incoming.size) or not self._unchanged(line, job, after):
            return False
        incoming.complete(after.modified if after.modified is not None else before.modified)
        return True

    def _unchanged(self, line, job, after):
        """May it still be what it was when its transfer began? bool

        The time in a listing may be that of another zone, or more or less precise, than what the
        server tells of the file alone: then two listings are compared.
        """
        before = job.before
        if not changed(before, after):
            return True
        if before is not job.entry or before.size != after.size:
            return False
        listed = next((entry for entry in line.entries() if entry.name == job.name), None)
        if listed is None or changed(before, listed):
            return False
        log.debug('The listing tells another time of %s than the server does when it is asked '
                  'for the file alone.', printable(job.name))
        self._two_clocks = True
        return True

    @staticmethod
    def _check_size(incoming, size, resumed):
        received = incoming.size
        if size in (None, received):
            return
        if resumed or received > size:
            incoming.restart()      # what is here is no beginning of the file
        raise TemporaryError('%d bytes came of a file of %d' % (received, size))

    # ------------------------------------------------------------ removing

    def finalize(self, batch, job):
        return self._afterwards.finalize(batch, job.name)

    def finalized(self, job):
        self._afterwards.finalized(job.name)
        self._jobs.log(job, self._afterwards.done, printable(job.name))

    def refused(self, line, job, error):
        if self._stat(line, job) is None and not (
                job.name in self._gone and self._is_listed(line, job)):
            return True
        self._jobs.drop(job, Dropped(
            "%s. It is kept in tmp, and published when the server's copy is gone" %
            self._afterwards.refused % phrase(error), True))
        return False

    def _is_listed(self, line, job):
        """Does the server list what it says it does not know? Asked once in a run. bool"""
        if self._denies is None:
            self._denies = any(entry.name == job.name for entry in line.entries())
        return self._denies


def gone():
    """The Dropped to raise for a file that is not there any more."""
    return Dropped('it is not there (any more), or not under this name', False, gone=True)


def told(entry):
    """Does the listing tell enough of a file? bool"""
    return entry.kind == 'file' and entry.size


def changed(before, after):
    """Is it known that these two Entries tell of different contents? bool"""
    return differ(before.size, after.size) or differ(before.modified, after.modified)


def differ(one, other):
    """Are these two different values, both of which are known? bool"""
    return one != other and one is not None and other is not None
