"""What a spool remembers of exports: a journal of what is on its way, a record of what was sent.

    export.journal   notes of what is on its way to the server, a line each
    export.record    what was exported while the feed had a `keep`, oldest first:
                     [seconds, name in cur, inode, size, mtime]

The journal is empty while no export runs. If it isn't, one was killed: the next run looks for what
it left on the server, its lock for instance, even if nothing waits. And the journal makes up for a
kill, or a power failure, between the server's rename and our move to `cur`. Its first line is the
place that the files go to; then come::

    ["storing", TEMPORARY]                                   not synced: it's only for cleaning up
    ["sent", NAME, TEMPORARY or null, INODE, SIZE, DIGEST]   synced, many at once, before the rename
    ["direct", NAME, null, INODE, SIZE, DIGEST]              synced, before it's stored so

The last line about a name counts. If a file was sent and its temporary name is gone on the server,
it was renamed, for nothing else makes that name go; it bears a random part, so that no other export
has ever used it.
"""
import json
import os
import time

from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool.filesystem import append, leads_to, status_of, sync_directory
from zeit.cds.spool.sending import Unsettled


JOURNAL = 'export.journal'
RECORD = 'export.record'
NEW = '.new'            # end of the name of one that is about to take the place of an older one
DAY = 86400             # seconds


def lines(data):
    """The values of a file of JSON lines. What a power failure left half-written is no line."""
    for line in data.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def line_of(value):
    return json.dumps(value).encode('ascii') + b'\n'


def contents(path):
    """What a file holds, bytes; none where there is no such file."""
    try:
        with open(path, 'rb', opener=at_once) as f:
            return f.read()
    except FileNotFoundError:
        return b''


def at_once(path, flags, mode=0o666):
    """Open a file, and don't wait if it turns out to be a pipe. Returns its descriptor."""
    return os.open(path, flags | os.O_NONBLOCK, mode)


class Journal(Unsettled):
    """The journal of one spool's exports. Its verbs raise OSError."""

    def __init__(self, directory, place):
        """
        directory -- path of the spool
        place -- str, which tells where the files go to: notes about another place don't count
        """
        super().__init__()
        self._directory, self._place = directory, place
        self._path = os.path.join(directory, JOURNAL)
        self._fd = -1

    def close(self):
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self, path):
        self.close()
        self._fd = at_once(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)

    # ------------------------------------------------------------ the beginning and the end

    @property
    def marked(self):
        """See IOutbox."""
        status = status_of(None, self._path)
        return status is not None and status.st_size > 0

    def mark(self):
        """See IOutbox."""
        if not self.marked:
            self._open(self._path)
            self._write_all([self._place])
            sync_directory(self._directory)

    def begin(self, temporaries, notes):
        """See IOutbox. Takes the place of an earlier one's journal, if there is one, at once."""
        self._temporaries.update(temporaries)
        self._direct.update(note.name for note in notes)
        if self._fd >= 0:       # it is new, and there is nothing to forget
            return
        self._open(self._path + NEW)
        self._write_all([
            self._place, *(['storing', name] for name in temporaries),
            *(['direct', note.name, None, note.inode, note.size, note.digest] for note in notes)])
        os.rename(self._path + NEW, self._path)
        sync_directory(self._directory)

    def _write_all(self, values):
        append(self._fd, b''.join(map(line_of, values)))
        os.fsync(self._fd)

    def forget(self):
        """Forget all notes and the mark."""
        os.ftruncate(self._fd, 0)
        os.fsync(self._fd)

    # ------------------------------------------------------------ what an earlier export left

    def noted(self):
        """See noted_in."""
        return self.noted_in(lines(contents(self._path)), self._place)

    # ------------------------------------------------------------ what is on its way

    def storing(self, outgoing):
        """See IOutbox."""
        if outgoing.temporary is None:
            self._direct.add(outgoing.name)
            append(self._fd, line_of(['direct', *outgoing.facts]))
            in_thread(os.fdatasync, self._fd)
        else:
            self._temporaries.add(outgoing.temporary)
            # a text alone is quick
            name = json.dumps(outgoing.temporary).encode('ascii')
            append(self._fd, b'["storing", %s]\n' % name)

    def commit(self, outgoings):
        """See IOutbox."""
        append(self._fd, b''.join([line_of(['sent', *outgoing.facts]) for outgoing in outgoings]))
        in_thread(os.fdatasync, self._fd)
        for outgoing in outgoings:
            self.withdrawn(outgoing.name)


class Record:
    """What was exported, so that it can be removed when it is old. Its verbs raise OSError."""

    def __init__(self, directory, keep):
        """
        directory -- path of the spool
        keep -- days, float; None: for ever, then nothing is recorded or removed
        """
        self._path = os.path.join(directory, RECORD)
        self._keep = keep

    def add(self, name, known):
        """A file of this identity was moved to cur, under this name."""
        if self._keep is not None:
            with open(self._path, 'ab', opener=at_once) as f:
                append(f.fileno(), line_of([int(time.time()), name, *known]))

    def expire(self, cur):
        """See IOutbox. `cur` is an open directory."""
        if self._keep is None:
            return []
        data, removed, due = contents(self._path), [], 0
        for line in data.splitlines(keepends=True):
            fields = next(lines(line), None)
            if fields is not None:
                if fields[0] > time.time() - self._keep * DAY:
                    break
                if leads_to(cur, *fields[1:]):
                    os.unlink(fields[1], dir_fd=cur)
                    removed.append(fields[1])
            due += len(line)
        if due * 2 > len(data):     # to write it anew each time would cost more than to look again
            self._shorten(data[due:])
        return removed

    def _shorten(self, data):
        with open(self._path + NEW, 'wb', opener=at_once) as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())    # else a power failure might leave an empty one
        os.rename(self._path + NEW, self._path)
