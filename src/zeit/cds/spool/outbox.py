"""The outgoing side of a spool: what waits in `new`, what is on its way, and what was exported.

    new/NAME         the CMS put it there: to be exported
    cur/NAME         exported; NAME.2 if another file of that name was there already

One export at a time uses a spool; it holds the lock `export.lock` there. An import may use the same
spool meanwhile, as long as nobody but the import writes to `tmp`. What outlives the process is in
`zeit.cds.spool.journal`.
"""
import contextlib
import os
import stat

import zope.interface

from zeit.cds.interfaces import Entry, IFileSource, INoted, IOutbox, Unreadable
from zeit.cds.spool import filesystem
from zeit.cds.spool.filesystem import identity, leads_to, status_of
from zeit.cds.spool.journal import Journal, Record
from zeit.cds.spool.outgoing import Outgoing
from zeit.cds.spool.sending import Sending
from zeit.cds.spool.store import NAME_MAX, ReadOnly, spool_errors, Store


LOCK = 'export.lock'


@zope.interface.implementer(IFileSource)
class FileSource:
    """Spools on a local file system."""

    def open(self, feed):
        return self._opened(Outbox, feed)

    def look(self, feed):
        return self._opened(ReadOnlyOutbox, feed)

    @staticmethod
    def _opened(kind, feed):
        place = '%s@%s:%d %s' % (feed.user, feed.hostname, feed.port, feed.ftp_dir)
        return kind(feed.store_dir, place, feed.keep)


def numbered(name, number):
    """The name in cur if there are `number` - 1 files of that name already."""
    suffix = b'.%d' % number
    return os.fsdecode(os.fsencode(name)[:NAME_MAX - len(suffix)] + suffix)


@zope.interface.implementer(IOutbox, INoted)
class Outbox(Sending, Store):
    """See IOutbox."""

    lock_file = LOCK
    waits = "what is not exported yet stays in 'new'"
    directories = 'new', 'cur'

    def __init__(self, path, place, keep=None):
        """
        place -- str, which tells where the files go to: notes about another place don't count
        keep -- days, float, or None
        """
        self._unsynced = False
        Sending.__init__(self)
        self._journal, self._record = Journal(path, place), Record(path, keep)
        Store.__init__(self, path)

    def close(self):
        self._journal.close()
        if self._notes is not None:
            self._notes.close()
        super().close()

    # ------------------------------------------------------------ what waits

    @spool_errors
    def waiting(self):
        with os.scandir(self._new) as entries:
            return [self._entry(entry.name, status) for entry in entries
                    if (status := status_of(self._new, entry.name)) is not None]

    @staticmethod
    def _entry(name, status):
        mode = status.st_mode
        kind = 'file' if stat.S_ISREG(mode) else 'dir' if stat.S_ISDIR(mode) else 'other'
        return Entry(name, status.st_size, status.st_mtime_ns, kind)

    def create(self, name):
        return Outgoing(self._new, name)

    # ------------------------------------------------------------ what an earlier export left

    @spool_errors
    def interrupted(self):
        begun, notes = self._journal.noted()
        waiting = [note for note in notes.values() if self._still_waits(note)]
        known = {note.temporary for note in waiting}
        known.update(note.temporary for note in notes.values()
                     if leads_to(self._cur, note.name, note.inode, note.size))
        parts = [note for note in notes.values() if not note.complete and note not in waiting]
        return waiting, [name for name in begun if name not in known], parts

    def _still_waits(self, note):
        status = status_of(self._new, note.name)
        if status is None or (status.st_ino, status.st_size) != (note.inode, note.size):
            return False
        self._found[note.name] = identity(status)
        outgoing = self.create(note.name)
        try:
            outgoing.open()
            return outgoing.read() == note.digest
        except Unreadable:
            return True     # nothing speaks against it
        finally:
            outgoing.discard()

    @property
    def marked(self):
        return self._journal.marked

    @spool_errors
    def mark(self):
        self._journal.mark()

    @spool_errors
    def begin(self, temporaries, parts=()):
        self._journal.begin(temporaries, parts)

    # ------------------------------------------------------------ what is on its way

    @spool_errors
    def storing(self, outgoing):
        self._journal.storing(outgoing)

    commit = spool_errors(Sending.commit)

    # ------------------------------------------------------------ what was exported

    @spool_errors
    def retire(self, name):
        known = self._sent.pop(name)
        if not leads_to(self._new, name, *known):
            return None
        target, number = name, 1
        try:
            while not self._move(name, target, known):
                number += 1
                target = numbered(name, number)
        except FileNotFoundError:       # the CMS was quicker
            return None
        self._unsynced = True
        if not leads_to(self._cur, target, *known):
            # The CMS was as fast as that: what we moved is a newer file. It is to be exported, too.
            with contextlib.suppress(FileExistsError):
                filesystem.move(self._cur, target, self._new, name)
            return None
        self._record.add(target, known)
        return os.path.join(self.path, 'cur', target)

    def _move(self, name, target, known):
        """Move a file from new to cur; False if there is another one."""
        try:
            filesystem.move(self._new, name, self._cur, target)
        except FileExistsError:
            if not leads_to(self._cur, target, *known):
                return False
            os.unlink(name, dir_fd=self._new)       # a kill came in the middle of an earlier move
        return True

    @spool_errors
    def sync(self):
        if self._unsynced:
            os.fsync(self._cur)
            os.fsync(self._new)
            self._unsynced = False

    @spool_errors
    def finish(self):
        if self._journal.is_settled and not self._sent:
            self.sync()     # else a power failure might bring back what nobody knows of any more
            self._journal.forget()

    @spool_errors
    def expire(self):
        return self._record.expire(self._cur)


    # ------------------------------------------------------------ what a journal wants

    def hash_files(self):
        """They have been hashed anyway."""

    @spool_errors
    def fate(self, name, inode, size):
        if leads_to(self._new, name, inode, size):
            return 'waiting'
        target, number = name, 1
        while (status := status_of(self._cur, target)) is not None:
            if (status.st_ino, status.st_size) == (inode, size):
                return 'done'
            number += 1
            target = numbered(name, number)
        return 'unknown'

    def untaken(self):
        return None


class ReadOnlyOutbox(ReadOnly, Outbox):
    """The spool of an export that is only looked at."""

    def waiting(self):
        return super().waiting() if self._new >= 0 else []
