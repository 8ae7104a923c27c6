"""The export: what happens in which order, and what a failure means.

It knows the interfaces, not the network and not the disk. See ``zeit.cds.interfaces`` for the life
of a file.
"""
import logging

from zeit.cds.events import FileExported, notify
from zeit.cds.interfaces import (
    CDSError,
    IFileSource,
    Locked,
    LoginRefused,
    PermanentError,
    TemporaryError,
    Unreachable,
)
from zeit.cds.pipelined import pipelined
from zeit.cds.text import lock_named, printable
from zeit.cds.transfer.elsewhere import Digest
from zeit.cds.transfer.naming import folded, Naming
from zeit.cds.transfer.run import Run
from zeit.cds.transfer.upload import LOCK, missing, Upload


log = logging.getLogger('zeit.cds')


class Export(Run):
    """Files from the spool's new into the FTP directory."""

    lock_name = LOCK
    beginning = 'Starting export.'
    spools = IFileSource

    def __init__(self, feed, *utilities, **kw):
        super().__init__(feed, *utilities, **kw)
        self._naming = Naming(feed.replace)

    def _run(self):
        with self._opened_spool():
            self._record.begin(())
            self._expire()      # first of all, since it may make the room that the rest needs
            entries = self._selection.choose(self._spool.waiting())
            if entries or self._spool.marked:
                self._export(entries)
            else:
                log.info('No new files to export.')
            self._give_up()
            self._expire()

    def _strategy(self, jobs):
        return Upload(self._spool, self._naming, self.tuning, jobs, self.feed)

    def _export(self, entries):
        if not entries:
            log.warning('An earlier export was interrupted; looking for what it left on the '
                        'server.')
        was_marked = self._spool.marked
        self._spool.mark()
        try:
            with self._directory.locked(self.lock_name):
                self._send(entries)
        except (Locked, Unreachable, LoginRefused):
            if self._directory.held is None and not was_marked:
                self._spool.finish()    # nothing is on the server that anybody has to look for
            raise
        self._spool.finish()    # after the lock: else nobody would look for it if nothing waits

    def _send(self, entries):
        finished = self._recover()
        try:
            if finished:
                self._selection.begin_anew()
                entries = self._selection.choose(self._spool.waiting())
            if entries:
                self._list(len(entries))
                for some in self._naming.one_at_a_time(entries):
                    self._exchange(some)
        finally:
            self._withdraw()

    def _list(self, number):
        """For many files, look at once which names are on the server; nobody else changes that
        while we hold the lock."""
        if number >= self.tuning.many and not self.feed.replace:
            entries = self._persist(lambda session: pipelined(session).entries())
            if len(entries) < self.tuning.long_listing:     # else it may have been cut off
                self._naming.listed = {folded(entry.name) for entry in entries}

    # ------------------------------------------------------------ what a killed run left

    def _recover(self):
        """See to the files that an earlier export had on their way.

        Returns whether any of them had arrived.
        """
        notes, temporaries, lost = self._spool.interrupted()
        names = [note.temporary for note in notes if note.temporary is not None]
        gone = self._persist(lambda session: missing(pipelined(session), names)) if names else ()
        self._decide(temporaries)
        finished, parts = False, []
        for note in notes:
            if note.temporary in gone or note.temporary is None and self._arrived(note, parts):
                log.warning('An earlier export was interrupted; finishing: %s',
                            printable(note.name))
                self._spool.adopt(note)
                self._record.whole([note])
                self._publish(note.name, note.size)
                finished = True
            elif note.temporary is not None:
                temporaries.append(note.temporary)
        for note in lost:
            self._arrived(note, parts)
        self._sync()
        self._spool.begin(temporaries, parts)   # from here on, that a name is gone means nothing
        self._remove(temporaries)
        return finished

    def _decide(self, temporaries):
        """Tell the journal of files that are not in new any more, and whose temporary names were
        used by the export that was killed: which of them are gone?"""
        doubtful = [name for name in self._record.doubtful if name in temporaries]
        if doubtful:
            self._record.decide(self._persist(
                lambda session: missing(pipelined(session), doubtful)))

    def _arrived(self, note, parts):
        """Did a file arrive that was stored under its own name at once?

        If only a part did, the note goes into `parts`.
        """
        whole = note.complete or self._persist(lambda session: self._is_whole(session, note))
        if whole is False:
            self._naming.ours.add(note.name)
            parts.append(note)
        return whole

    @staticmethod
    def _is_whole(session, note):
        """Does the server have the whole file of a note? bool; None if it has nothing of it, not
        even a part."""
        entry = session.stat(note.name)
        if entry is None or entry.size is not None and entry.size > note.size:
            return None
        if entry.size not in (None, note.size):
            return False
        digest = Digest()
        session.read(note.name, digest)
        return digest.hexdigest() == note.digest

    def _remove(self, temporaries):
        most = self.tuning.leftovers
        for start in range(0, len(temporaries), most):
            some = temporaries[start:start + most]
            for name in self._persist(lambda session, some=some: removed(session, some)):
                log.debug('Removed what an earlier export had left: %s', printable(name))
                self._spool.settled(name)

    # ------------------------------------------------------------ which files

    def _objection(self, entry):
        if entry.kind == 'dir':
            return 'it is a directory', False
        if entry.kind != 'file':
            return 'it is no regular file', False
        if lock_named(entry.name):
            return 'on the server, it would be taken for a lock file. Rename it', True
        if set(entry.name) & {'\r', '\n'}:
            return 'FTP cannot carry a name with a line break. Rename it', True
        return None, False

    # ------------------------------------------------------------ what becomes of them

    def _publish(self, name, size):
        path = self._spool.retire(name)
        self._record.published(name)
        if path is None:
            log.warning("Exported, but not in 'new' any more, or replaced there: %s.",
                        printable(name))
        else:
            log.info("Moved from 'new' to 'cur': %s", printable(name))
        self.outcome.files += 1
        self.outcome.bytes += size
        notify(FileExported(self.feed, name, path, size), self.outcome)

    def _withdraw(self):
        """No part of a file stays on the server under its name, as the lock, which keeps readers
        out, is about to go."""
        names = self._spool.unfinished()
        if not names:
            return
        try:
            for name in removed(self._directory.reopen(), names):
                self._spool.withdrawn(name)
        except CDSError as e:
            log.debug('While removing parts: %s', e)
        for name in self._spool.unfinished():
            log.error('A part of it may be on the server under its name, and could not be removed: '
                      '%s', printable(name))

    def _expire(self):
        for name in self._spool.expire():
            log.info("Removed from 'cur' after %g days: %s", self.feed.keep, printable(name))


def removed(session, names):
    """Those of the names which are not on the server (any more)."""
    line = pipelined(session)
    with line.batch() as batch:
        pendings = [batch.remove(name) for name in names]
    for pending in pendings:
        try:
            pending.get()
        except (PermanentError, TemporaryError):
            pass        # most likely it was never there, which is what the next line shows
    return missing(line, names)
