"""A session with a directory on the local file system, and one to which things happen."""
import errno
import os
import stat
import tempfile
import time

import zope.interface

from zeit.cds.interfaces import ConnectionLost, Entry, ICDSSession, PermanentError


@zope.interface.implementer(ICDSSession)
class PlainSession:
    """See ICDSSession."""

    latency, blocking = 0.0, True

    def __init__(self, directory):
        self.directory = directory
        self.alive = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _call(self, function, *names):
        if not self.alive:
            raise ConnectionLost('The session has ended.')
        try:
            return function(*[os.path.join(self.directory, name) for name in names])
        except OSError as e:
            raise PermanentError('%s: %s' % (errno.errorcode[e.errno], names)) from e

    def entries(self):
        for name in self._call(os.listdir, ''):
            yield self.stat(name) or Entry(name, kind='other')

    def stat(self, name):
        try:
            found = self._call(os.stat, name)
        except PermanentError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return Entry(name, found.st_size, found.st_mtime_ns, 'file')

    def read(self, name, sink, offset=0):
        with self._call(lambda path: open(path, 'rb'), name) as f:
            f.seek(offset)
            count = 0
            while got := f.readinto(sink.buffer()):
                sink.advance(got)
                count += got
        return count

    def write(self, name, source, offset=0):
        with self._call(lambda path: open(path, 'wb'), name) as f:
            return f.write(source)

    def remove(self, name):
        self._call(os.unlink, name)

    def rename(self, source, target):
        self._call(os.rename, source, target)

    def exists(self, name):
        return self._call(os.path.lexists, name)

    def make_directory(self, name):
        self._call(os.mkdir, name)

    def remove_directory(self, name):
        self._call(os.rmdir, name)

    def names(self, directory):
        return self._call(os.listdir, directory)

    def stored_name(self, name):
        return name

    def clock(self):
        return time.time_ns()

    def close(self):
        self.alive = False

    def abort(self):
        self.alive = False


@zope.interface.implementer(ICDSSession)
class Intervening:
    """An ICDSSession, any, to which something happens.

    calls -- {verb: function}, which is called instead of the verb, with the verb and its arguments
    `done` are the verbs that were called, with their arguments.
    """

    def __init__(self, session, **calls):
        self.session, self.calls, self.done = session, calls, []

    def __getattr__(self, name):
        verb = getattr(self.session, name)
        if not callable(verb):
            return verb

        def call(*args, **kw):
            self.done.append((name, *args))
            return self.calls.get(name, lambda verb, *args, **kw: verb(*args, **kw))(
                verb, *args, **kw)
        return call

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()


class Plain:
    """A mixin for a TestCase: a directory with nothing in it, and how to look at it."""

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix='zeit.cds-lock-')
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def open(self):
        return PlainSession(self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def put(self, name, data=b'', modified=None):
        """A file appears, whole. modified -- seconds since 1970"""
        hidden = self.path('.being-made')
        with open(hidden, 'wb') as f:
            f.write(data)
        if modified is not None:
            os.utime(hidden, (modified, modified))
        os.rename(hidden, self.path(name))

    def there(self):
        return {entry.name: None if entry.is_dir() else self.data(entry.name)
                for entry in os.scandir(self.directory)}

    def data(self, name):
        with open(self.path(name), 'rb') as f:
            return f.read()
