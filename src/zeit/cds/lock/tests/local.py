"""A directory on the local file system, and a session to which things happen."""
import os
import tempfile
import types

import zope.interface

from zeit.cds.file.session import FileConnection
from zeit.cds.interfaces import ICDSSession
from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.transfer.retry import Deadline


@zope.interface.implementer(ICDSSession)
class Intervening:
    """An ICDSSession, any, to which something happens.

    calls -- {verb: function}, which is called instead of the verb, with the verb and its arguments
    `done` are the verbs that were called, with their arguments.
    """

    def __init__(self, session, **calls):
        self.session, self.calls, self.done = session, calls, []

    def __getattr__(self, name):
        if name.startswith('__'):       # it can't be adapted to what would pass us by
            raise AttributeError(name)
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


class Directory:
    """A mixin for a TestCase: how to look into a `directory`, and to put things there."""

    directory = None

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


class Plain(Directory):
    """A directory with nothing in it."""

    layer = BESIDE_LAYER

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix='zeit.cds-lock-')
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def open(self):
        return FileConnection().open(types.SimpleNamespace(ftp_dir=self.directory), Deadline(600))
