"""The IPipelined of an SFTPSession."""
import zope.interface

from zeit.cds.interfaces import IPipelined
from zeit.cds.sftp.batch import SFTPBatch
from zeit.cds.sftp.listing import Listing


class SharedBatch(SFTPBatch):
    """A context manager, see IPipelined.batch."""

    __slots__ = ('_later',)

    def __init__(self, session, later):
        super().__init__(session.channel, session.place, session.transfers.lingering)
        self._later = later

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error is None and not self._later:
            self.settle()


@zope.interface.implementer(IPipelined)
class Pipelined:
    """See IPipelined."""

    def __init__(self, session):
        """
        session -- SFTPSession
        """
        self.session = session
        self._channel, self._transfers = session.channel, session.transfers

    def batch(self, later=False, ahead=False):
        return SharedBatch(self.session, later)

    def entries(self, heard=None, also=None):
        def share():
            batch = self._transfers.batch()
            also(batch)
            batch.settle()

        self._channel.check()
        return Listing(self._channel, self.session.place, self._transfers.lingering).entries(
            heard, share if also is not None else None)

    def read(self, entry, sink, offset=0, also=None, then=None):
        self._channel.check()
        return self._transfers.read(entry.name, sink, offset, entry.size, also, then)

    def write(self, name, source, offset=0, also=None):
        return self._transfers.write(name, source, offset, also)
