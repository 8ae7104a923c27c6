"""The outgoing side of a spool in an object store.

    new/NAME                      the CMS put it there: to be exported
    cur/NAME                      exported; NAME.2 if another file of that name was there already
    tmp/.export/                  the journal
    tmp/.exported/WHEN            what was exported then by a feed with a `keep`

No store moves an object: it is copied to cur, then removed from new, if it is still the one that
was sent. A CMS that overwrites what waits in new, within the milliseconds between that look and the
removal, has its newer object removed: let it write on the condition that there is none.
"""
import bisect
import hashlib
import os
import time

import zope.interface

from zeit.cds.interfaces import Entry, IBatches, IOutbox, SpoolError
from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool.journal import DAY, line_of, lines
from zeit.cds.spool.objectstore.inbox import excluded
from zeit.cds.spool.objectstore.journal import Journal
from zeit.cds.spool.objectstore.objects import IDENTITY
from zeit.cds.spool.objectstore.outgoing import Outgoing, PIECE
from zeit.cds.spool.objectstore.recovery import address
from zeit.cds.spool.outbox import numbered
from zeit.cds.spool.outgoing import temporary_name
from zeit.cds.spool.sending import Sending


EXPORTED = 'tmp/.exported/'
AHEAD = 64                  # files whose temporary names are noted with one request


class Record:
    """What was exported, so that it can be removed when it is old."""

    def __init__(self, objects, keep):
        """
        keep -- days, float; None: for ever, then nothing is recorded or removed
        """
        self._objects, self._keep = objects, keep

    def add(self, moved):
        """moved -- names in cur"""
        if self._keep is not None and moved:
            found = self._objects.each(lambda name: self._objects.head('cur/' + name), moved)
            self._objects.put(
                '%s%020d' % (EXPORTED, time.time_ns()),
                b''.join(line_of([name, one.state]) for name, one in zip(moved, found) if one),
                {IDENTITY: os.urandom(16).hex()})       # it may be sent twice, see Objects.put

    def expire(self):
        """See IOutbox."""
        removed = []
        if self._keep is not None:
            due = '%s%020d' % (EXPORTED, (time.time() - self._keep * DAY) * 10**9)
            for key in sorted(key for key, *_ in self._objects.list(EXPORTED[:-1]) if key < due):
                removed += self._expire(key)
        return removed

    def _expire(self, key):
        names = [name for name, state in lines(b''.join(self._objects.pieces(key, PIECE)))
                 if self._is_that(name, state)]
        self._objects.delete('cur/' + name for name in names)
        self._objects.delete([key])
        return names

    def _is_that(self, name, state):
        """Is it what was recorded, rather than something newer of that name? bool"""
        found = self._objects.head('cur/' + name)
        return found is not None and found.state == state


class Base:
    """What a spool is for an export, and for a look."""

    def __init__(self, objects, feed):
        self._objects, self.path = objects, objects.url
        self._names = []        # what waited, sorted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._objects.close()

    def waiting(self):
        found = [Entry(key.removeprefix('new/'), size, written, 'file')
                 for key, size, written, _ in self._objects.list('new')]
        found = [entry._replace(kind='dir', name=entry.name.partition('/')[0])
                 if '/' in entry.name else entry for entry in found]
        self._names = sorted(entry.name for entry in found if entry.kind == 'file')
        return found


@zope.interface.implementer(IOutbox)
class ReadOnlyOutbox(Base):
    """The spool of an export that is only looked at."""


@zope.interface.implementer(IOutbox, IBatches)
class Outbox(Sending, Base):
    """See IOutbox."""

    def __init__(self, objects, feed):
        Base.__init__(self, objects, feed)
        Sending.__init__(self)
        self._ahead = {}        # {name: temporary name} that were noted, and not used yet
        self._noted = set()     # all these temporary names
        self._moved = {}        # {name: name in cur, None, or an exception}: see `batch`
        self._record = Record(objects, feed.keep)
        self._lock = excluded(objects.url, 'export')
        try:
            objects.check()
            self._journal = Journal(objects, address(feed))
        except BaseException:
            self.close()
            raise

    def close(self):
        lock, self._lock = self._lock, None
        if lock is not None:
            super().close()
            lock.close()

    def create(self, name):
        return Outgoing(self._objects, name, self._ahead.pop(name, None) or temporary_name(name))

    # ------------------------------------------------------------ what an earlier export left

    def interrupted(self):
        begun, notes = self._journal.noted()
        states = self._objects.each(self._state, list(notes.values()))
        waiting = [note for note, state in zip(notes.values(), states) if state == 'new']
        known = {note.temporary for note, state in zip(notes.values(), states) if state}
        parts = [note for note in notes.values() if not note.complete and note not in waiting]
        return waiting, [name for name in begun if name not in known], parts

    def _state(self, note):
        """Where the file of a Note is: 'new', 'cur', or None."""
        found = self._objects.head('new/' + note.name)
        if found is not None and found.state == note.inode:
            self._found[note.name] = found.state
            return 'new'
        found = self._objects.head('cur/' + note.name)
        return 'cur' if found is not None and self._is_copy(note.name, found, note) else None

    def _is_copy(self, name, found, note):
        if found.size != note.size:
            return False
        if found.e_tag == note.inode[0]:
            return True
        digest = hashlib.sha256()
        for piece in self._objects.pieces('cur/' + name, PIECE):
            digest.update(piece)
        return digest.hexdigest() == note.digest

    @property
    def marked(self):
        return self._journal.marked

    def mark(self):
        self._journal.mark()

    def begin(self, temporaries, parts=()):
        self._journal.begin(temporaries, parts)

    # ------------------------------------------------------------ what is on its way

    def storing(self, outgoing):
        if outgoing.temporary in self._noted:
            self._noted.remove(outgoing.temporary)
            return self._journal.is_stored(outgoing.temporary)
        ahead = {}
        if outgoing.temporary is not None:
            ahead = {name: temporary_name(name) for name in self._following(outgoing.name)}
        self._journal.storing(outgoing, ahead.values())
        self._ahead.update(ahead)
        self._noted.update(ahead.values())

    def _following(self, name):
        """Names of the files that are next, for which nothing is noted yet: a list."""
        first = bisect.bisect_right(self._names, name)
        return [name for name in self._names[first:first + AHEAD] if name not in self._ahead]

    # ------------------------------------------------------------ what was exported

    def batch(self, names):
        moved = self._objects.each(self._copied, names)
        in_thread(self._record.add, [name for name in moved if isinstance(name, str)], join=True)
        moved = self._objects.each(self._removed, list(zip(names, moved)))
        self._moved.update(zip(names, moved))

    def _copied(self, name):
        """Its name in cur; None if that very file is not in new any more; or what went wrong, an
        exception."""
        try:
            found = self._objects.head('new/' + name)
            if found is None or found.state != self._sent[name]:
                return None
            target, number = name, 1
            while not self._copy(name, target, found):
                number += 1
                target = numbered(name, number)
            return target
        except SpoolError as e:
            return e

    def _copy(self, name, target, found):
        """Copy a file to cur; False if there is another one."""
        try:
            self._objects.copy('new/' + name, 'cur/' + target, found.identity)
        except FileExistsError:
            there = self._objects.head('cur/' + target)
            # A kill came in the middle of an earlier move?
            return there is not None and there.modified >= found.modified and (
                there.size, there.e_tag) == (found.size, found.e_tag)
        return True

    def _removed(self, item):
        """As _copied, when it was removed from new."""
        name, moved = item
        if not isinstance(moved, str):
            return moved
        try:
            now = self._objects.head('new/' + name)
            if now is not None and now.state != self._sent[name]:
                # The CMS was as fast as that. What is there now is to be exported, too.
                self._objects.delete(['cur/' + moved])
                return None
            self._objects.delete(['new/' + name])
            return moved
        except SpoolError as e:
            return e

    def retire(self, name):
        if name not in self._moved:
            self.batch([name])
        moved = self._moved.pop(name)
        if isinstance(moved, SpoolError):
            raise moved
        del self._sent[name]
        return moved and '%s/cur/%s' % (self.path, moved)

    def sync(self):
        """Nothing: what the store has answered is durable."""

    def finish(self):
        if self._journal.is_settled and not self._sent:
            self._journal.forget()

    def expire(self):
        return self._record.expire()
