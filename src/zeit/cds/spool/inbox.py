"""The incoming side of a spool.

    tmp/.parts-*/NAME   being received, in a directory of the run; worthless after a crash
    tmp/NAME            whole and on the disk
    new/NAME            published
    cur/                the consumer's

One import at a time uses a spool; it holds the lock `import.lock` there.
"""
import contextlib
import os
import stat
import time

import zope.interface

from zeit.cds.interfaces import Entry, FileRefused, IFileSink, INotedImport, ISpool
from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool import filesystem
from zeit.cds.spool.filesystem import status_of
from zeit.cds.spool.incoming import (
    Comparison,
    Incoming,
    Memory,
    Tuning,
    UNSUITABLE,
    unsuitable,
)
from zeit.cds.spool.store import NAME_MAX, NOT_ALLOWED, ReadOnly, spool_errors, Store


LOCK = 'import.lock'
PARTS = '.parts-'       # beginning of the name of a directory for files that are being received


@zope.interface.implementer(IFileSink)
class FileSink:
    """Spools on a local file system."""

    _tuning = Tuning()

    def __init__(self, tuning=None):
        if tuning is not None:
            self._tuning = tuning

    def open(self, feed):
        return Spool(feed.store_dir, self._tuning)

    def look(self, feed):
        return ReadOnlySpool(feed.store_dir, self._tuning)


def impossible(name):
    """Why no file can have this name: a sentence (str); None if one can."""
    if name in ('', '.', '..'):
        return 'no file can have this name'
    for bad, text in (('/', 'a slash'), ('\0', 'NUL'), ('\r', 'CR'), ('\n', 'LF')):
        if bad in name:
            return 'no file can have a name with %s' % text
    if len(os.fsencode(name)) > NAME_MAX:
        return 'its name is longer than %d bytes' % NAME_MAX
    return None


def obstacle(directory, mode):
    """What is in a file's way: a sentence. `mode` as stat(2) tells it."""
    kinds = {stat.S_IFDIR: 'a directory', stat.S_IFIFO: 'a pipe', stat.S_IFLNK: 'a link'}
    what = kinds.get(stat.S_IFMT(mode), 'something that is no file')
    return "%s of this name in '%s' is in its way. Remove it" % (what, directory)


class Parts:
    """The directory of a run for files that are being received."""

    def __init__(self):
        self.fd, self._name = -1, None

    def open(self, tmp):
        """Its descriptor, in the open directory tmp."""
        if self.fd < 0:
            self._name = PARTS + os.urandom(4).hex()
            with filesystem.spread(tmp):
                os.mkdir(self._name, dir_fd=tmp)
            self.fd = self._opened(tmp, self._name)
        return self.fd

    @staticmethod
    def _opened(tmp, name):
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=tmp)

    def close(self, tmp):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            with contextlib.suppress(OSError):      # a run that failed leaves files to the next one
                os.rmdir(self._name, dir_fd=tmp)

    @classmethod
    def sweep(cls, tmp, name):
        """Remove that of an earlier run, as far as it can be: it is worthless, but in nobody's way.

        It may be another user's, and somebody may have made a directory there.
        """
        try:
            fd = cls._opened(tmp, name)
            try:
                for remains in os.listdir(fd):
                    os.unlink(remains, dir_fd=fd)
            finally:
                os.close(fd)
            os.rmdir(name, dir_fd=tmp)
        except IsADirectoryError:
            pass
        except OSError as e:
            if e.errno not in NOT_ALLOWED:
                raise


class Disk:
    """How the data of received files get to the disk: one by one, or all at once."""

    def __init__(self, many):
        """
        many -- so many files are worth a sync of the whole file system
        """
        self._many = many
        self._ours = True   # does to sync all of the disk not mean to wait for others?

    def sync(self, incomings, directory):
        """Make the data and times of files durable; `directory` is an open one of their disk."""
        at_once = len(incomings) >= self._many and self._ours and filesystem.can_sync_all(directory)
        try:
            for incoming in incomings:
                incoming.finish(alone=not at_once)
            if not at_once:
                for incoming in incomings:
                    os.fsync(incoming.fd)
        except OSError as e:
            raise incoming.error(e) from e
        if at_once:
            self._sync_all(len(incomings), directory)

    def _sync_all(self, number, directory):
        """Sync the whole file system.

        Each fsync has the disk empty its cache; for many files one syncfs is twenty times faster.
        Unless somebody else writes a lot: then it waits for them as well, and the rest of the run
        syncs file by file.
        """
        begun = time.monotonic()
        filesystem.sync_all(directory)
        self._ours = time.monotonic() - begun < 0.1 + 0.01 * number


@zope.interface.implementer(ISpool, INotedImport)
class Spool(Store):
    """See ISpool.

    It has an attribute more than ten, since publications have to be synced in two ways.
    """

    lock_file = LOCK
    _incoming = Incoming        # a class; another one if a journal is kept
    waits = 'what has not arrived yet stays on the server'
    directories = 'tmp', 'new'

    def __init__(self, path, tuning=Tuning()):  # noqa: B008  (a tuple never changes)
        self._tuning = tuning
        self._unsynced = self._two_steps = False    # publications
        self._obstacles = {}        # {name: why no file can get it}
        self._parts, self._memory, self._disk = Parts(), Memory(tuning), Disk(tuning.many)
        super().__init__(path)
        self._before_name = os.path.join(self.path, 'new', '')

    def close(self):
        self._parts.close(self._tmp)
        if self._notes is not None:
            self._notes.close()
        super().close()

    # ------------------------------------------------------------ names

    def impossible(self, name):
        return impossible(name) or self._obstacles.get(name)

    @spool_errors
    def unread(self, name):
        return self._waits('new', self._new, name) or self._waits('tmp', self._tmp, name)

    def _waits(self, where, directory, name):
        try:
            status = status_of(directory, name)
        except OSError as e:
            if e.errno not in UNSUITABLE:
                raise
            self._obstacles[name] = unsuitable(e)
            return False
        if status is None:
            return False
        if stat.S_ISREG(status.st_mode) or where == 'new' and self._is_link_to_file(name, status):
            return True
        self._obstacles[name] = obstacle(where, status.st_mode)
        return False

    def _is_link_to_file(self, name, status):
        """A consumer may read such a one."""
        try:
            return stat.S_ISLNK(status.st_mode) and stat.S_ISREG(
                os.stat(name, dir_fd=self._new).st_mode)
        except OSError:
            return False

    # ------------------------------------------------------------ what a killed run left

    @spool_errors
    def leftovers(self):
        found = []
        for name in os.listdir(self._tmp):
            status = status_of(self._tmp, name)
            if status is None:
                continue
            if name.startswith('.'):
                if name.startswith(PARTS) and stat.S_ISDIR(status.st_mode):
                    Parts.sweep(self._tmp, name)
            elif not stat.S_ISREG(status.st_mode):
                self._obstacles[name] = obstacle('tmp', status.st_mode)
            elif self._published(name, status):
                os.unlink(name, dir_fd=self._tmp)
            else:
                found.append(Entry(name, status.st_size, status.st_mtime_ns, 'file'))
        return sorted(found)

    def _published(self, name, status):
        """Is this the first name of a file that `move` had already given its second one?"""
        if status.st_nlink < 2:
            return False
        return any(os.path.samestat(status, found) for found in self._published_as(name))

    def _published_as(self, name):
        """What stat(2) says of what has this name in new, or in cur: the consumer's move."""
        for directory in 'new', 'cur':
            with contextlib.suppress(FileNotFoundError):
                yield os.stat(os.path.join(self.path, directory, name), follow_symlinks=False)

    @spool_errors
    def secure(self, name):
        fd = self._opened(name)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        os.fsync(self._tmp)

    @spool_errors
    def comparison(self, name):
        return Comparison(self, self._opened(name), self._memory)

    def _opened(self, name):
        """The descriptor of tmp/NAME, to be read; nobody waits for a pipe."""
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._tmp)

    # ------------------------------------------------------------ files

    @spool_errors
    def create(self, name, size=None):
        if name in self._obstacles:
            raise FileRefused(self._obstacles[name])
        if (size or 0) >= self._tuning.large and size > (room := filesystem.room(self._tmp)):
            raise FileRefused('the disk has no room for it: it needs %d bytes, and %d are free. '
                              'Make room' % (size, room))
        directory = self._parts.open(self._tmp)
        incoming = self._incoming(self, directory, name, self._memory, size)
        try:
            incoming.open()
        except FileExistsError as e:
            raise FileRefused(
                "to the spool's file system it has the same name as another one") from e
        return incoming

    @spool_errors
    def commit(self, incomings):
        if not incomings:
            return
        # Those that an earlier call has moved, before it was told of one that it refused, are done.
        incomings = [incoming for incoming in incomings if incoming.fd >= 0]
        in_thread(self._disk.sync, incomings, self._tmp, join=True)    # it uses open files
        # Only what is on the disk may get a name that a later run trusts. The sessions' thread does
        # this, since two threads with such short calls would spend more time on handing Python's
        # lock to each other.
        try:
            for incoming in incomings:
                incoming.close()
                filesystem.move(self._parts.fd, incoming.name, self._tmp, incoming.name)
        except FileExistsError as e:
            raise incoming.refused("something else has got its name in 'tmp' meanwhile") from e
        except OSError as e:
            raise incoming.error(e) from e
        in_thread(self._sync_names, join=True)

    def _sync_names(self):
        if self._two_steps:     # as tmp is about to forget what was published
            os.fsync(self._new)
        for fd in self._tmp, self._parts.fd:
            os.fsync(fd)

    # ------------------------------------------------------------ publication

    @spool_errors
    def publish(self, name):
        try:
            if not filesystem.move(self._tmp, name, self._new, name):
                self._two_steps = True
        except FileExistsError as e:
            raise FileExistsError(self._what_is_in_new(name)) from e
        self._unsynced = True
        return self._before_name + name

    def _what_is_in_new(self, name):
        status = status_of(self._new, name)
        if status is None or stat.S_ISREG(status.st_mode):
            return "an older file of this name is unread in 'new'"
        return obstacle('new', status.st_mode)

    @spool_errors
    def sync(self):
        if self._unsynced:
            os.fsync(self._new)
            os.fsync(self._tmp)
            self._unsynced = self._two_steps = False


    # ------------------------------------------------------------ what a journal wants

    def hash_files(self):
        from zeit.cds.spool.hashed import HashedIncoming
        self._incoming = HashedIncoming

    @spool_errors
    def identify(self, name):
        from zeit.cds.spool.hashed import digest
        fd = self._opened(name)
        try:
            return os.fstat(fd).st_ino, in_thread(digest, fd, join=True)
        finally:
            os.close(fd)

    @spool_errors
    def fate(self, name, inode, size):
        return 'waiting' if filesystem.leads_to(self._tmp, name, inode, size) else 'done'

    @spool_errors
    def untaken(self):
        return None if self._new < 0 else set(os.listdir(self._new))


class ReadOnlySpool(ReadOnly, Spool):
    """The spool of an import that is only looked at."""

    @spool_errors
    def impossible(self, name):
        if (reason := impossible(name)) is None:
            self.unread(name)       # what else has the name
        return reason or self._obstacles.get(name)

    def _waits(self, where, directory, name):
        return directory >= 0 and super()._waits(where, directory, name)
