"""The export: what happens in which order, and what a failure means.

It knows the interfaces, not the network and not the disk. See ``zeit.cds.interfaces`` for the life of a file.
"""
import functools
import hashlib
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
from zeit.cds.text import printable
from zeit.cds.transfer.run import LOCKS, LONG_LISTING, Run
from zeit.cds.transfer.upload import folded, LOCK, Manner, missing, there, Uploader


log = logging.getLogger('zeit.cds')

MANY = 500          # files; fewer names are asked for one by one, which costs no round trip
REMOVALS = 100      # leftovers that are removed before we ask what became of them


class Export(Run):
    """Files from the spool's new into the FTP directory."""

    lock_name = LOCK
    beginning = 'Starting export.'
    spools = IFileSource

    def __init__(self, feed, *utilities):
        super().__init__(feed, *utilities)
        self._manner = Manner(feed.replace)
        self.worker = functools.partial(Uploader, self._manner)

    def _run(self):
        with self._sink.open(self.feed) as self._spool:
            log.info('Accessed filestore %s', self._spool.path)
            self._expire()      # first of all, since it may make the room that the rest needs
            entries = self._choose(self._spool.waiting())
            if entries or self._spool.marked:
                self._export(entries)
            else:
                log.info('No new files to export.')
            self._expire()

    def _export(self, entries):
        if not entries:
            log.warning('An earlier export was interrupted; looking for what it left on the server.')
        was_marked = self._spool.marked
        self._spool.mark()
        try:
            with self._locked_directory(lists=False) as self._held:
                self._send(entries)
        except (Locked, Unreachable, LoginRefused):
            if self._held is None and not was_marked:
                self._spool.finish()    # nothing is on the server that somebody would have to look for
            raise
        self._spool.finish()    # after the lock: else nobody would look for it if nothing else waits

    def _send(self, entries):
        finished = self._recover()
        try:
            if finished:
                self._files, self._bytes = self.outcome.files, 0
                entries = self._choose(self._spool.waiting())
            if entries:
                self._list(len(entries))
                self._exchange(entries)
        finally:
            self._withdraw()

    def _list(self, number):
        """For many files, look at once which names are on the server; nobody else changes that while we hold the lock."""
        if number >= MANY and not self.feed.replace:
            names = [entry.name for entry in self._persist(lambda session: list(session.list()))]
            if len(names) < LONG_LISTING:       # else it may have been cut off
                self._manner.listed = set(map(folded, names))

    # ------------------------------------------------------------ what a killed run left

    def _recover(self):
        """See to the files that an earlier export had on their way. Returns whether any of them had arrived."""
        notes, temporaries, lost = self._spool.interrupted()
        names = [note.temporary for note in notes if note.temporary is not None]
        gone = self._persist(lambda session: missing(session, names)) if names else ()
        finished, parts = False, []
        for note in notes:
            if note.temporary in gone or note.temporary is None and self._arrived(note, parts):
                log.warning('An earlier export was interrupted; finishing: %s', printable(note.name))
                self._spool.adopt(note)
                self._publish(note.name, note.size)
                finished = True
            elif note.temporary is not None:
                temporaries.append(note.temporary)
        for note in lost:
            self._arrived(note, parts)
        self._spool.sync()
        self._spool.begin(temporaries, parts)   # from here on, that a name is gone means nothing any more
        self._remove(temporaries)
        return finished

    def _arrived(self, note, parts):
        """Did a file arrive that was stored under its own name at once? If only a part did, the note goes into `parts`."""
        whole = note.complete or self._persist(lambda session: self._is_whole(session, note))
        if whole is False:
            self._manner.ours.add(note.name)
            parts.append(note)
        return whole

    @staticmethod
    def _is_whole(session, note):
        """Does the server have the whole file of a note? bool; None if it has nothing of it, not even a part."""
        entry = there(session, note.name)
        if entry is None or entry.size is not None and entry.size > note.size:
            return None
        if entry.size not in (None, note.size):
            return False
        digest = hashlib.sha256()
        session.fetch(note.name, digest.update)
        return digest.hexdigest() == note.digest

    def _remove(self, temporaries):
        for start in range(0, len(temporaries), REMOVALS):
            some = temporaries[start:start + REMOVALS]
            for name in self._persist(lambda session: self._removed(session, some)):
                log.debug('Removed what an earlier export had left: %s', printable(name))
                self._spool.settled(name)

    @staticmethod
    def _removed(session, names):
        """Those of the names which are not on the server (any more)."""
        pendings = [session.remove(name) for name in names]
        for pending in pendings:
            try:
                pending.get()
            except (PermanentError, TemporaryError):
                pass        # most likely it was never there, which is what the next line shows
        return missing(session, names)

    # ------------------------------------------------------------ which files

    def _objection(self, entry):
        if entry.kind == 'dir':
            return 'it is a directory', False
        if entry.kind != 'file':
            return 'it is no regular file', False
        if entry.name in LOCKS:
            return 'on the server, it would be taken for a lock file. Rename it', True
        if set(entry.name) & {'\r', '\n'}:
            return 'FTP cannot carry a name with a line break. Rename it', True
        return None, False

    # ------------------------------------------------------------ what becomes of them

    def _publish(self, name, size):
        path = self._spool.retire(name)
        if path is None:
            log.warning("Exported, but not in 'new' any more, or replaced there: %s.", printable(name))
        else:
            log.info("Moved from 'new' to 'cur': %s", printable(name))
        self.outcome.files += 1
        self.outcome.bytes += size
        notify(FileExported(self.feed, name, path, size))

    def _withdraw(self):
        """No part of a file stays on the server under its name, as the lock, which keeps readers out, is about to go."""
        names = self._spool.unfinished()
        if not names:
            return
        try:
            session = self._reopen()
            for name in self._removed(session, names):
                self._spool.withdrawn(name)
            if session is not self._session:
                session.close()
        except CDSError as e:
            log.debug('While removing parts: %s', e)
        for name in self._spool.unfinished():
            log.error('A part of it may be on the server under its name, and could not be removed: %s', printable(name))

    def _expire(self):
        for name in self._spool.expire():
            log.info("Removed from 'cur' after %g days: %s", self.feed.keep, printable(name))
