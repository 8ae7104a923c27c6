"""A directory for the contract of sessions."""
import shutil
import tempfile

from zeit.cds.feed import Feed
from zeit.cds.file.session import FileConnection
from zeit.cds.testing.contracts.directory import LocalDirectory


class Local:
    """See SessionCase."""

    connection = FileConnection()

    def setUp(self):
        self.directory = LocalDirectory(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory.path)

    def feed(self, **settings):
        return Feed(**{**dict(
            store_dir='', hostname='localhost', user='', ftp_dir=self.directory.path), **settings})
