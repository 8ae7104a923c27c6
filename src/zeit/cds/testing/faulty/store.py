"""What a :class:`~zeit.cds.testing.faulty.FaultyServer` keeps and lists.

Nothing here touches a socket: files in memory, and the lines that describe
them in NLST, LIST (as ``ls -l``) and MLSD (RFC 3659, section 7).
"""

import calendar
import itertools
import time
from collections.abc import MutableMapping
from typing import NamedTuple


#: The time (seconds since the epoch, in 2024) of the files that a server is
#: made with, so that whatever is written later is certainly newer.
BEGINNING = 1714564800

BLOCK = 65536

MONTHS = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun',
          'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')


def text(name):
    """Return a name (`str` or `bytes`) as the `str` that keys use: one
    character a byte, as in Latin-1."""
    return name.decode('latin-1') if isinstance(name, bytes) else name


def stamp(seconds):
    """Return seconds since the epoch as RFC 3659 writes a time."""
    return time.strftime('%Y%m%d%H%M%S', time.gmtime(seconds))


def unstamp(value):
    """Return the seconds since the epoch of an RFC 3659 time.

    Raises ValueError for what is none.
    """
    return calendar.timegm(time.strptime(value[:14], '%Y%m%d%H%M%S'))


class Content:
    """One file: its `data` (bytes) and `mtime` (seconds since the epoch).

    A transfer reads the object while it runs: change `data` in place and the
    transfer sees it, as with a file that another process writes to.  Put
    another Content under the same name and a running transfer goes on with
    the old one, as after a rename.
    """

    _serials = itertools.count(1)

    def __init__(self, data=b'', mtime=None):
        self.data = bytes(data)
        self.mtime = time.time() if mtime is None else mtime
        self.serial = next(self._serials)

    def __repr__(self):
        return f'Content({self.data[:40]!r}, {stamp(self.mtime)})'

    def reader(self, offset=0):
        """Return a function `read(n)` that follows the living data."""
        def read(size):
            nonlocal offset
            block = self.data[offset:offset + size]
            offset += len(block)
            return block
        return read


class Files(MutableMapping):
    """The files of a server: path below its root -> :class:`Content`.

    Paths are `str` with one character a byte; `bytes` are taken too.  A bare
    `bytes` value becomes a Content of now.
    """

    def __init__(self, files=(), mtime=BEGINNING):
        self._files = {}
        for name, data in dict(files).items():
            self[name] = (
                Content(data, mtime) if isinstance(data, bytes) else data)

    def __getitem__(self, name):
        return self._files[text(name)]

    def __setitem__(self, name, content):
        if not isinstance(content, Content):
            content = Content(content)
        self._files[text(name)] = content

    def __delitem__(self, name):
        del self._files[text(name)]

    def __iter__(self):
        return iter(list(self._files))

    def __len__(self):
        return len(self._files)

    def __repr__(self):
        return f'Files({self._files!r})'

    @property
    def data(self):
        """{name: bytes} of all files, to compare."""
        return {name: content.data for name, content in self.items()}


class Directories(dict):
    """The directories of a server: path below its root -> mtime."""

    def __init__(self, paths=()):
        super().__init__(paths if isinstance(paths, dict) else (
            (text(path), BEGINNING) for path in paths))

    def add(self, path, mtime=None):
        self[text(path)] = time.time() if mtime is None else mtime

    def discard(self, path):
        self.pop(text(path), None)


class Entry(NamedTuple):
    """One line of a listing.

    `size` and `modify` (``YYYYMMDDHHMMSS``) are written as they are, so they
    may be negative, huge or garbage; None leaves the fact away.  `type` is
    ``file``, ``dir``, ``cdir``, ``pdir`` or anything.  With `line` (bytes)
    the listing has that line verbatim, and nothing else matters.
    """

    name: str = ''
    size: object = 0
    modify: object = stamp(BEGINNING)
    type: str = 'file'
    line: bytes = None
    unique: int = 0


def nlst_line(entry, facts=()):
    """Return the line of an NLST."""
    return entry.name.encode('latin-1') + b'\r\n'


def mlsd_facts(entry, facts):
    """Return the facts of an entry as MLSD and MLST write them."""
    known = {
        'type': entry.type,
        'size': entry.size if entry.type == 'file' else None,
        'modify': entry.modify,
        'perm': 'adfrw' if entry.type == 'file' else 'flcdmpe',
        'unique': f'fd00g{entry.unique:x}'}
    return ''.join(f'{fact}={known[fact]};' for fact in facts
                   if known[fact] is not None)


def mlsd_line(entry, facts):
    """Return the line of an MLSD."""
    return f'{mlsd_facts(entry, facts)} {entry.name}\r\n'.encode('latin-1')


def list_line(entry, facts=()):
    """Return the line of a LIST, as ``ls -l`` writes it."""
    mode = '-rw-r--r--' if entry.type == 'file' else 'drwxr-xr-x'
    size = '' if entry.size is None else entry.size
    return (f'{mode}   1 ftp      ftp      {size:>12} {_ls_time(entry.modify)}'
            f' {entry.name}\r\n').encode('latin-1')


def _ls_time(modify):
    """Return a time as ``ls -l`` does: older than half a year, the year."""
    try:
        seconds = unstamp(modify)
    except (TypeError, ValueError):
        return str(modify)
    when = time.gmtime(seconds)
    day = f'{MONTHS[when.tm_mon - 1]} {when.tm_mday:02}'
    if abs(time.time() - seconds) > 180 * 86400:
        return f'{day}  {when.tm_year}'
    return f'{day} {when.tm_hour:02}:{when.tm_min:02}'


LINES = {'NLST': nlst_line, 'LIST': list_line, 'MLSD': mlsd_line}


def listing(verb, entries, facts):
    """Yield the listing of `entries` in blocks of about 64 KiB, so that one
    of a million entries needs no memory."""
    line = LINES[verb]
    block, size = [], 0
    for entry in entries:
        made = line(entry, facts) if entry.line is None else entry.line
        block.append(made)
        size += len(made)
        if size >= BLOCK:
            yield b''.join(block)
            block, size = [], 0
    yield b''.join(block)
