"""Whether a directory has changed, in one round trip: its attributes."""
import zope.interface

from zeit.cds.interfaces import IChangeDetection
from zeit.cds.sftp import packets
from zeit.cds.sftp.batch import attributes_of


@zope.interface.implementer(IChangeDetection)
class ChangeDetection:
    """See IChangeDetection."""

    resolution = 1.0        # times of SFTP are whole seconds

    def __init__(self, session):
        """
        session -- SFTPSession
        """
        self._channel, self._place = session.channel, session.place
        self._lingering = session.transfers.lingering

    def version(self):
        self._channel.check()
        self._lingering.close()
        found = self._channel.ask(
            packets.STAT, packets.text(self._place.path), attributes_of(None)).get()
        return None if found is None or found.modified is None else (found.modified, found.size)
