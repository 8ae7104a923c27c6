"""The outgoing side of a spool: what waits in `new`, what is on its way, and what was exported.

    new/NAME         the CMS put it there: to be exported
    cur/NAME         exported; NAME.2 if another file of that name was there already
    export.journal   notes of what is on its way to the server, a line each
    export.record    what was exported while the feed had a `keep`, oldest first: [seconds, name in cur, inode, size, mtime]

One export at a time uses a spool; it holds the lock `export.lock` there. An import may use the same spool meanwhile, as
long as nobody but the import writes to `tmp`.

The journal is empty while no export runs. If it isn't, one was killed: the next run looks for what it left on the server,
its lock for instance, even if nothing waits. And the journal makes up for a kill, or a power failure, between the
server's rename and our move to `cur`. Its first line is the place that the files go to; then come::

    ["storing", TEMPORARY]                                   not synced: it's only for cleaning up
    ["sent", NAME, TEMPORARY or null, INODE, SIZE, DIGEST]   synced, many at once, before the file is renamed
    ["direct", NAME, null, INODE, SIZE, DIGEST]              synced, before it's stored under its own name

The last line about a name counts. If a file was sent and its temporary name is gone on the server, it was renamed, for
nothing else makes that name go; it bears a random part, so that no other export has ever used it.
"""
import contextlib
import errno
import hashlib
import json
import os
import stat
import time

import zope.interface

from zeit.cds.interfaces import Entry, IFileSource, IOutbox, IOutgoing, Note, Unreadable
from zeit.cds.net.scheduler import checkpoint, in_thread
from zeit.cds.spool.store import complains, Glance, move, NAME_MAX, Store


LOCK = 'export.lock'
JOURNAL = 'export.journal'
RECORD = 'export.record'
BUFFER = 256 * 1024     # bytes
FAIR = 2**20            # bytes; after so many others have their turn
DAY = 86400             # seconds


@zope.interface.implementer(IFileSource)
class FileSource:
    """Spools on a local file system."""

    def open(self, feed):
        return self._opened(Outbox, feed)

    def look(self, feed):
        return self._opened(OutboxGlance, feed)

    @staticmethod
    def _opened(kind, feed):
        return kind(feed.store_dir, '%s@%s:%d %s' % (feed.user, feed.hostname, feed.port, feed.ftp_dir), feed.keep)


def temporary_name(name):
    """A name on the server that nobody uses, for a file that is to be called `name`."""
    rest = '.%s.part' % os.urandom(6).hex()
    if len(os.fsencode(name)) + 1 + len(rest) > NAME_MAX:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return '.%s%s' % (name, rest)


def numbered(name, number):
    """The name in cur if there are `number` - 1 files of that name already."""
    suffix = b'.%d' % number
    return os.fsdecode(os.fsencode(name)[:NAME_MAX - len(suffix)] + suffix)


def lines(data):
    """The values of a file of JSON lines. What a power failure left half-written is no line."""
    for line in data.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def status_of(directory, name):
    """What lstat(2) says of a name in an open directory; None if there is nothing of this name (any more)."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def identity(status):
    """What tells a file from one that has taken its place, perhaps with its inode, or from what was made of it: a tuple."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def leads_to(directory, name, *known):
    """Is that name in an open directory one of the file with this identity, or with the beginning of one? bool"""
    status = status_of(directory, name)
    return status is not None and identity(status)[:len(known)] == known


def append(fd, data):
    """Add bytes to a file that is open for appending: all of them, or, with an OSError, none."""
    written = 0
    try:
        while written < len(data):
            written += os.write(fd, data[written:])
    except OSError:
        if written:
            os.ftruncate(fd, os.fstat(fd).st_size - written)
        raise


@zope.interface.implementer(IOutbox)
class Outbox(Store):
    """See IOutbox."""

    lock_file = LOCK
    waits = "what is not exported yet stays in 'new'"
    directories = 'new', 'cur'

    def __init__(self, path, place, keep=None):
        """
        place -- str, which tells where the files go to: notes about another place don't count
        keep -- days, float, or None
        """
        self._place, self._keep = place, keep
        self._unsynced = False
        self._journal = -1
        self._sent = {}             # name: identity
        self._found = {}            # name: identity, of the files that `interrupted` told of
        self._temporaries = set()   # on the server, as far as we know
        self._direct = set()        # names of files of which parts may be on the server
        super().__init__(path)

    def close(self):
        self._close_journal()
        super().close()

    def _path(self, name):
        return os.path.join(self.path, name)

    # ------------------------------------------------------------ what waits

    @complains
    def waiting(self):
        with os.scandir(self._new) as entries:
            return [self._entry(entry.name, status) for entry in entries
                    if (status := status_of(self._new, entry.name)) is not None]

    @staticmethod
    def _entry(name, status):
        kind = ('file' if stat.S_ISREG(status.st_mode) else 'dir' if stat.S_ISDIR(status.st_mode) else 'other')
        return Entry(name, status.st_size, status.st_mtime_ns, kind)

    def create(self, name):
        return Outgoing(self._new, name)

    # ------------------------------------------------------------ what an earlier export left

    @complains
    def interrupted(self):
        try:
            with open(self._path(JOURNAL), 'rb') as f:
                place, *noted = lines(f.read()) or [None]
        except (FileNotFoundError, ValueError):
            return [], [], []
        if place != self._place:
            return [], [], []
        notes = {fields[1]: Note(fields[1], fields[2], fields[0] == 'sent', *fields[3:])
                 for fields in noted if fields[0] != 'storing'}
        waiting = [note for note in notes.values() if self._still_waits(note)]
        known = {note.temporary for note in notes.values() if leads_to(self._cur, note.name, note.inode, note.size)}
        known.update(note.temporary for note in waiting)
        begun = dict.fromkeys(fields[1] for fields in noted if fields[0] == 'storing')
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

    @complains
    def mark(self):
        if self.marked:
            return
        fd = self._open_journal(JOURNAL)
        append(fd, self._line(self._place))
        os.fsync(fd)
        self._sync_directory(self.path)

    @property
    def marked(self):
        status = status_of(None, self._path(JOURNAL))
        return status is not None and status.st_size > 0

    def _open_journal(self, name):
        self._close_journal()
        self._journal = os.open(self._path(name), os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o666)
        return self._journal

    def _close_journal(self):
        fd, self._journal = self._journal, -1
        if fd >= 0:
            os.close(fd)

    @complains
    def begin(self, temporaries, parts=()):
        self._temporaries.update(temporaries)
        self._direct.update(note.name for note in parts)
        if self._journal >= 0:      # it is new, and there is nothing to forget
            return
        fd = self._open_journal(JOURNAL + '.new')
        append(fd, b''.join([
            self._line(self._place), *(self._line(['storing', name]) for name in temporaries),
            *(self._line(['direct', note.name, None, note.inode, note.size, note.digest]) for note in parts)]))
        os.fsync(fd)
        os.rename(self._path(JOURNAL + '.new'), self._path(JOURNAL))
        self._sync_directory(self.path)

    @staticmethod
    def _sync_directory(path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    # ------------------------------------------------------------ what is on its way

    @staticmethod
    def _line(value):
        return json.dumps(value).encode('ascii') + b'\n'

    @complains
    def _note_storing(self, temporary):
        append(self._journal, b'["storing", %s]\n' % json.dumps(temporary).encode('ascii'))     # a text alone is quick

    @complains
    def _note_direct(self, outgoing):
        append(self._journal, self._line(['direct', *outgoing.facts]))
        in_thread(os.fdatasync, self._journal)

    def storing(self, outgoing):
        if outgoing.temporary is None:
            self._direct.add(outgoing.name)
            self._note_direct(outgoing)
        else:
            self._temporaries.add(outgoing.temporary)
            self._note_storing(outgoing.temporary)

    @complains
    def commit(self, outgoings):
        append(self._journal, b''.join([self._line(['sent', *outgoing.facts]) for outgoing in outgoings]))
        in_thread(os.fdatasync, self._journal)
        for outgoing in outgoings:
            self._sent[outgoing.name] = outgoing.identity
            self.withdrawn(outgoing.name)

    def settled(self, temporary):
        self._temporaries.discard(temporary)

    def withdrawn(self, name):
        self._direct.discard(name)

    def unfinished(self):
        return sorted(self._direct)

    def adopt(self, note):
        self._sent[note.name] = self._found[note.name]

    # ------------------------------------------------------------ what was exported

    @complains
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
            # The CMS was as fast as that: what we moved is a newer file. It has to be exported, too.
            with contextlib.suppress(FileExistsError):
                move(self._cur, target, self._new, name)
            return None
        if self._keep is not None:
            self._remember(target, known)
        return os.path.join(self.path, 'cur', target)

    def _move(self, name, target, known):
        """Move a file from new to cur; False if there is another one."""
        try:
            move(self._new, name, self._cur, target)
        except FileExistsError:
            if not leads_to(self._cur, target, *known):
                return False
            os.unlink(name, dir_fd=self._new)       # a kill came in the middle of an earlier move
        return True

    @complains
    def sync(self):
        if self._unsynced:
            os.fsync(self._cur)
            os.fsync(self._new)
            self._unsynced = False

    @complains
    def finish(self):
        if not (self._temporaries or self._direct or self._sent):
            os.ftruncate(self._journal, 0)
            os.fsync(self._journal)

    # ------------------------------------------------------------ what need not be kept

    def _remember(self, name, known):
        with open(self._path(RECORD), 'ab') as f:
            append(f.fileno(), self._line([int(time.time()), name, *known]))

    @complains
    def expire(self):
        if self._keep is None:
            return []
        try:
            with open(self._path(RECORD), 'rb') as f:
                data = f.read()
        except FileNotFoundError:
            return []
        removed, due = [], 0
        for line in data.splitlines(keepends=True):
            fields = next(lines(line), None)
            if fields is not None:
                if fields[0] > time.time() - self._keep * DAY:
                    break
                if leads_to(self._cur, *fields[1:]):
                    os.unlink(fields[1], dir_fd=self._cur)
                    removed.append(fields[1])
            due += len(line)
        if due * 2 > len(data):     # to write it anew each time would cost more than to see what is gone already
            self._shorten(data[due:])
        return removed

    def _shorten(self, data):
        with open(self._path(RECORD + '.new'), 'wb') as f:
            f.write(data)
        os.rename(self._path(RECORD + '.new'), self._path(RECORD))


class OutboxGlance(Glance, Outbox):
    """The spool of an export that is only looked at."""

    def waiting(self):
        return super().waiting() if self._new >= 0 else []


@zope.interface.implementer(IOutgoing)
class Outgoing:
    """See IOutgoing."""

    def __init__(self, directory, name):
        self.name, self.temporary = name, temporary_name(name)
        self.size = self.length = 0
        self.resumable = True
        self.inode = self.digest = None
        self._directory, self._fd, self._status = directory, -1, None

    @property
    def identity(self):
        return identity(self._status)

    @property
    def facts(self):
        """The fields of its note. `digest` is known when all was sent, or `read` was called."""
        return self.name, self.temporary, self.inode, self.length, self.digest

    def open(self):
        if self._fd >= 0:
            return
        try:
            self._fd = os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._directory)
            self._status = status = os.fstat(self._fd)
        except OSError as e:
            raise self._unreadable(e) from e
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable('it is no regular file')
        self.inode, self.length = status.st_ino, status.st_size

    @staticmethod
    def _unreadable(error):
        if error.errno == errno.ENOENT:
            return Unreadable("somebody else has taken it out of 'new'")
        if error.errno == errno.EACCES:
            return Unreadable('user %d may not read it' % os.geteuid())
        return Unreadable('it cannot be read: %s' % error.strerror)

    def pieces(self, offset=0):
        digest = hashlib.sha256()
        self.size = 0
        for piece in self._read():
            digest.update(piece)
            before, self.size = self.size, self.size + len(piece)
            if self.size > offset:
                yield piece[max(0, offset - before):]
        self.digest = digest.hexdigest()

    def _read(self):
        buffer = memoryview(bytearray(min(BUFFER, self.length + 1)))
        position = 0
        while True:
            try:
                count = os.preadv(self._fd, [buffer], position)
            except OSError as e:
                raise self._unreadable(e) from e
            position += count
            if position % FAIR < count:
                checkpoint()
            if count:
                yield buffer[:count]
            if not count or position >= self.length and count < len(buffer):
                return

    def read(self):
        """Read it all; returns its digest."""
        for _ in self.pieces():
            pass
        self.size = 0
        return self.digest

    def unchanged(self):
        before, now = self._status, status_of(self._directory, self.name)
        return now is not None and self.size == self.length and identity(now) == identity(before)

    def discard(self):
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
