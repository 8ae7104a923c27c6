"""What a spool keeps for the journal, until that has it: a file beside its directories."""
import os

import zope.interface

from zeit.cds.interfaces import INotes
from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool.filesystem import append, sync_directory
from zeit.cds.spool.journal import at_once, contents, NEW
from zeit.cds.spool.store import spool_errors


@zope.interface.implementer(INotes)
class Notes:
    """See INotes."""

    def __init__(self, store, name):
        """
        store -- makes errors, with `_error`
        name -- of the file in the spool
        """
        self._error = store._error
        self._directory, self._path = store.path, os.path.join(store.path, name)
        self._fd = -1

    def close(self):
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @spool_errors
    def read(self):
        return contents(self._path)

    @spool_errors
    def append(self, data, durable):
        if self._fd < 0:
            self._open()
        append(self._fd, data)
        if durable:
            in_thread(os.fdatasync, self._fd)

    def _open(self):
        is_new = not os.path.exists(self._path)
        self._fd = at_once(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        if is_new:
            sync_directory(self._directory)

    @spool_errors
    def replace(self, data):
        self.close()
        with open(self._path + NEW, 'wb', opener=at_once) as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.rename(self._path + NEW, self._path)
        sync_directory(self._directory)
