"""Round trips shared where a session can do it, and one verb after the other where it can't."""
import contextlib

import zope.interface

from zeit.cds.interfaces import (
    ConnectionLost,
    FTPError,
    IBatch,
    IPending,
    IPipelined,
)


def pipelined(session):
    """The IPipelined of an ICDSSession: its own, that of a registered adapter, or AtOnce."""
    return IPipelined(session, None) or AtOnce(session)


@zope.interface.implementer(IPending)
class Outcome:
    """What an operation gave, or the exception that it raised."""

    def __init__(self, verb, *args):
        self._value = self._error = None
        try:
            self._value = verb(*args)
        except (FTPError, ValueError) as e:
            self._error = e

    @property
    def ends_all(self):
        return isinstance(self._error, ConnectionLost)

    def get(self):
        if self._error is not None:
            raise self._error
        return self._value


@zope.interface.implementer(IBatch)
class Batch:
    """Does each operation when it is called."""

    def __init__(self, session):
        self._session = session
        self.error = None       # the ConnectionLost that ended the session, if one did

    def _do(self, verb, *args):
        outcome = Outcome(verb, *args)
        if outcome.ends_all:
            self.error = outcome._error
        return outcome

    def stat(self, name, regular=False, time=True):
        return self._do(self._session.stat, name)

    def remove(self, name):
        return self._do(self._session.remove, name)

    def rename(self, source, target):
        return self._do(self._session.rename, source, target)

    def make_directory(self, name):
        return self._do(self._session.make_directory, name)

    def remove_directory(self, name):
        return self._do(self._session.remove_directory, name)

    def stored_name(self, name):
        return self._do(self._session.stored_name, name)


@zope.interface.implementer(IPipelined)
class AtOnce:
    """Everything at once, for any session: see IPipelined."""

    def __init__(self, session):
        self.session = session

    @contextlib.contextmanager
    def batch(self, later=False, ahead=False):
        batch = Batch(self.session)
        yield batch
        if batch.error is not None:
            raise batch.error

    def entries(self, heard=None, also=None):
        entries = list(self.session.entries())
        if heard is not None:
            heard(len(entries))
        return self._end(entries, also)

    def read(self, entry, sink, offset=0, also=None, then=None):
        return self._end(self.session.read(entry.name, sink, offset), also)

    def write(self, name, source, offset=0, also=None):
        return self._end(self.session.write(name, source, offset), also)

    def _end(self, result, also):
        if also is not None:
            with self.batch() as batch:
                also(batch)
        return result
