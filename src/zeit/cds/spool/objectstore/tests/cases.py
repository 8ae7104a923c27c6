"""What tests of spools in object stores have in common. A support module."""
import tempfile
import unittest.mock

from zeit.cds.feed import Feed
from zeit.cds.own import configured
from zeit.cds.spool.objectstore.objects import Objects
from zeit.cds.spool.objectstore.utilities import ObjectSink, ObjectSource


class InStore:
    """A mixin for a test with a `server`, an ObjectStore, and an empty spool there: `url`."""

    def setUp(self):
        super().setUp()
        # where this machine's locks are
        directory = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(unittest.mock.patch.object(tempfile, 'tempdir', directory))
        self.url = self.server.url()
        feed = self.the_feed()
        self.objects = Objects(self.url, feed.of('sink'), feed.timeout, feed.retries)
        self.addCleanup(self.objects.close)

    def the_feed(self, **settings):
        utility = ObjectSink() if settings.get('direction') != 'export' else ObjectSource()
        return configured(Feed(**{
            'store_dir': self.url, 'hostname': 'host', 'user': 'user', 'ftp_dir': '/',
            'timeout': 20, 'retries': 1, **self.server.settings, **settings}), {'sink': utility})

    def keys(self, prefix=None):
        """Keys below a prefix, sorted; without what shows that conditions are honoured."""
        return sorted(key for key, *_ in self.objects.list(prefix)
                      if not key.startswith('tmp/.conditions/'))

    def contents(self, prefix):
        return {key.removeprefix(prefix + '/'): self.data(key) for key in self.keys(prefix)}

    def data(self, key):
        return b''.join(self.objects.pieces(key, 2**20))

    def make(self, key, data=b'data'):
        """An object, which takes the place of one of its key."""
        self.objects.delete([key])
        self.objects.put(key, data, {})

    def remove(self, key):
        self.objects.delete([key])

    def move(self, name):
        """Take a published file as a gocept.filestore does: to cur."""
        self.objects.copy('new/' + name, 'cur/' + name, None)
        self.objects.delete(['new/' + name])
