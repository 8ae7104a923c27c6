"""A spool in memory, as far as a journal wants to know it: for tests of journals."""
import hashlib
from typing import NamedTuple

import zope.interface

from zeit.cds.interfaces import Entry, INotedImport, INotes, SpoolError


class File(NamedTuple):
    """A file that a spool was to commit, see INoted."""

    name: str
    inode: int
    size: int
    digest: str
    modified: int | None = None
    temporary: str | None = None


@zope.interface.implementer(INotes)
class MemoryNotes:
    """See INotes. What is not durable, `lose` loses."""

    def __init__(self):
        self._data = self._durable = b''
        self.error = None       # SpoolError to raise whenever something is to be changed

    def read(self):
        return self._data

    def append(self, data, durable):
        self._check()
        self._data += data
        if durable:
            self._durable = self._data

    def replace(self, data):
        self._check()
        self._data = self._durable = data

    def _check(self):
        if self.error is not None:
            raise self.error

    def lose(self):
        """A power failure."""
        self._data = self._durable


@zope.interface.implementer(INotedImport)
class NotedSpool:
    """See INotedImport. `tmp`, `new` and `cur` are {name: File}."""

    def __init__(self, direction='import'):
        self.direction = direction
        self.notes = MemoryNotes()
        self.tmp, self.new, self.cur = {}, {}, {}
        self._inodes = 0

    def put(self, name, data=b'data', modified=None, temporary=None):
        """A file, which is whole: a File."""
        self._inodes += 1
        file = File(name, self._inodes, len(data), hashlib.sha256(data).hexdigest(), modified,
                    temporary)
        (self.tmp if self.direction == 'import' else self.new)[name] = file
        return file

    def move(self, name):
        """Publish it, or, of an export, put it into cur."""
        if self.direction == 'import':
            self.new[name] = self.tmp.pop(name)
        else:
            self.cur[name] = self.new.pop(name)

    @property
    def leftovers(self):
        """What `ISpool.leftovers` gives."""
        return [Entry(file.name, file.size, file.modified, 'file')
                for _, file in sorted(self.tmp.items())]

    def hash_files(self):
        """They always are."""

    def identify(self, name):
        if name not in self.tmp:
            raise SpoolError('There is no %s.' % name)
        return self.tmp[name].inode, self.tmp[name].digest

    def fate(self, name, inode, size):
        places = [(self.tmp, 'waiting')] if self.direction == 'import' else [
            (self.new, 'waiting'), (self.cur, 'done')]
        for files, fate in places:
            if name in files and files[name].inode == inode:
                return fate
        return 'done' if self.direction == 'import' else 'unknown'

    def untaken(self):
        return set(self.new) if self.direction == 'import' else None
