"""What both sides of an exchange need of a spool: a gocept.filestore, for one process alone.

    tmp/    ours alone: what is on its way
    new/    published, by an import for its consumer, or by a CMS for an export
    cur/    the consumer's; an export puts there what it has sent

`inbox` is the side of an import, `outbox` that of an export. Each holds a lock there, which the
operating system releases when the process dies.
"""
import contextlib
import errno
import functools
import os
import stat

import zc.lockfile

from zeit.cds.interfaces import Locked, SpoolError
from zeit.cds.text import printable


NAME_MAX = 255          # bytes; what ext4, XFS, and most others allow
DIRECTORIES = 'tmp', 'new', 'cur'
NOTES = 'import.notes', 'export.notes'
OURS = ('import.lock', 'export.lock', 'export.journal', 'export.record', *NOTES, *DIRECTORIES)
NOT_ALLOWED = errno.EACCES, errno.EPERM
HINTS = {
    errno.ENOSPC: 'The disk is full. Make room; %s.',
    errno.EDQUOT: 'The quota is used up. Raise it; %s.',
    errno.EROFS: 'The file system is read-only: look for disk errors in the log of the system.',
    errno.ENOENT: 'Create the directory first, or mount its file system.',
    errno.ENOTDIR: 'It must be a directory, or a link to one that is there.',
    errno.EISDIR: 'It must be a file. Remove the directory.',
    errno.ENXIO: 'It must be a file. Remove what is there.',
    errno.EMFILE: 'Raise the limit for open files (ulimit -n).',
    errno.ENFILE: 'The system has too many open files: raise its limit (fs.file-max).',
    errno.EFBIG: 'Raise the limit for the size of files (ulimit -f), or use another file system.',
}


def spool_errors(verb):
    """Turn an OSError of a method into what `_error` makes of it, mostly a SpoolError.

    FileExistsError is let through: whoever calls has an answer to it.
    """
    @functools.wraps(verb)
    def guarded(self, *args, **kw):
        try:
            return verb(self, *args, **kw)
        except FileExistsError:
            raise
        except OSError as e:
            raise self._error(e) from e
    return guarded


def spool_error(path, error, waits):
    """The SpoolError of an OSError in the spool `path`.

    waits -- tells where the files are safe meanwhile, str
    """
    text = 'Spool %s: %s' % (path, error.strerror or error)
    if isinstance(error.filename, str) and error.filename != path:
        text += ': %s' % printable(error.filename)
    result = SpoolError(text)
    result.add_note(hint(path, error, waits))
    return result


def hint(path, error, waits):
    """What a person can do about an OSError: a sentence."""
    if error.errno in NOT_ALLOWED:
        return who_may_not_write(path)
    text = HINTS.get(error.errno, 'Look for disk errors in the log of the system.')
    return text % waits if '%s' in text else text


def who_may_not_write(path):
    """What of a spool belongs to others, and keeps us out: a sentence, or several.

    So it is after somebody, often root, has tried a command by hand.
    """
    text = 'User %s needs the right to write there.' % user_name(os.geteuid())
    closed = {}
    for name in OURS:
        one = os.path.join(path, name)
        with contextlib.suppress(OSError):
            owner = os.lstat(one).st_uid
            if owner != os.geteuid() and not os.access(one, os.W_OK):
                closed[one] = user_name(owner)
    if closed:
        import shlex  # few runs need it
        text += ' %s. If it was first used by mistake as another user: chown %s %s' % (
            ', '.join('%s belongs to %s' % item for item in closed.items()),
            user_name(os.geteuid()), ' '.join(map(shlex.quote, closed)))
    return text


def user_name(number):
    """The name of a user; the number where it has none. str"""
    import pwd  # few runs need it
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return '%d' % number


def _no_directory(path):
    return NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


class Store:
    """Some directories of a filestore, for this process alone."""

    lock_file = None
    waits = None            # where are the files while the spool can't be used? For error texts
    directories = ()        # two that files move between; `_NAME` is the open directory NAME
    _notes = None           # notes.Notes, once a journal wants them

    def __init__(self, path):
        self.path = path
        self._lock = None
        for name in self.directories:
            setattr(self, '_' + name, -1)
        try:
            self._open()
        except BaseException as e:
            self.close()
            if isinstance(e, OSError):
                raise self._error(e) from e
            raise

    def _open(self):
        if not stat.S_ISDIR(os.stat(self.path).st_mode):
            raise _no_directory(self.path)
        try:
            self._lock = zc.lockfile.LockFile(os.path.join(self.path, self.lock_file))
        except zc.lockfile.LockError as e:
            raise Locked('Another process uses the spool %s.' % self.path) from e
        self._prepare()
        for name in self.directories:
            setattr(self, '_' + name, self._directory(name))
        if len({os.fstat(getattr(self, '_' + name)).st_dev for name in self.directories}) > 1:
            raise SpoolError('Spool %s: %s must be on one file system, since a file moves there '
                             'in one atomic step.' % (self.path, ' and '.join(self.directories)))

    def _prepare(self):
        if not all(os.path.isdir(os.path.join(self.path, name)) for name in DIRECTORIES):
            import gocept.filestore.filestore  # so only a spool's first run has to load it
            try:
                gocept.filestore.filestore.FileStore(self.path).prepare()
            except FileExistsError as e:    # a link to nothing, or an export has just made it, too
                if not os.path.isdir(e.filename):
                    raise _no_directory(e.filename) from e

    def _directory(self, name):
        path = os.path.join(self.path, name)
        if not os.access(path, os.W_OK | os.X_OK):
            if not os.path.isdir(path):
                raise _no_directory(path)
            is_read_only = os.statvfs(path).f_flag & os.ST_RDONLY
            number = errno.EROFS if is_read_only else errno.EACCES
            raise OSError(number, os.strerror(number), path)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    @property
    def notes(self):
        """See INoted."""
        if self._notes is None:
            from zeit.cds.spool.notes import Notes  # without a journal there are none
            self._notes = Notes(self, NOTES[self.lock_file.startswith('export')])
        return self._notes

    def _error(self, error):
        return spool_error(self.path, error, self.waits)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for name in self.directories:
            if (fd := getattr(self, '_' + name)) >= 0:
                os.close(fd)
                setattr(self, '_' + name, -1)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class ReadOnly:
    """Mixed into a Store, it opens one that may be in use, and changes nothing there.

    Before the first run its directories are not there; `_NAME` stays -1 then.
    """

    def _open(self):
        os.stat(self.path)
        for name in self.directories:
            with contextlib.suppress(FileNotFoundError):
                path = os.path.join(self.path, name)
                setattr(self, '_' + name, os.open(path, os.O_RDONLY | os.O_DIRECTORY))
