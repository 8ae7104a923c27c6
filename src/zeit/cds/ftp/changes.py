"""Whether a directory has changed, in one round trip: what MLST (RFC 3659) tells of itself."""
import zope.interface

from zeit.cds.ftp import protocol
from zeit.cds.interfaces import IChangeDetection


@zope.interface.implementer(IChangeDetection)
class ChangeDetection:
    """See IChangeDetection."""

    resolution = 1.0        # the fact `modify` has whole seconds with most servers

    def __init__(self, session):
        """
        session -- FTPSession
        """
        self._control = session.control

    def version(self):
        reply, = self._control.ask(('MLST',))
        entry = protocol.mlst_entry(reply) if reply.code == 250 else None
        return None if entry is None or entry.modified is None else (entry.modified, entry.size)
