"""The utilities, which load what they take when a spool is opened."""
import zope.interface

from zeit.cds.interfaces import IFileSink, IFileSource
from zeit.cds.spool.objectstore.location import ISettings, SCHEMES


class InStore:
    """Keeps no state; see `location` for where what is."""

    schemes = tuple(SCHEMES)
    keeps_notes = False
    settings = ISettings

    @staticmethod
    def _objects(feed):
        from zeit.cds.spool.objectstore.objects import Objects
        return Objects(feed.store_dir, feed.of('sink'), feed.timeout, feed.retries)


@zope.interface.implementer(IFileSink)
class ObjectSink(InStore):
    """Spools in object stores."""

    def open(self, feed):
        from zeit.cds.spool.objectstore.inbox import Spool
        return Spool(self._objects(feed), feed)

    def look(self, feed):
        from zeit.cds.spool.objectstore.inbox import ReadOnlySpool
        return ReadOnlySpool(self._objects(feed), feed)


@zope.interface.implementer(IFileSource)
class ObjectSource(InStore):
    """Spools in object stores, for exports."""

    def open(self, feed):
        from zeit.cds.spool.objectstore.outbox import Outbox
        return Outbox(self._objects(feed), feed)

    def look(self, feed):
        from zeit.cds.spool.objectstore.outbox import ReadOnlyOutbox
        return ReadOnlyOutbox(self._objects(feed), feed)
