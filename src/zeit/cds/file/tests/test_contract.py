"""The contract of sessions, kept by a directory."""
import shutil
import tempfile
import unittest

from zeit.cds.feed import Feed
from zeit.cds.file.session import FileConnection
from zeit.cds.testing.contracts.directory import LocalDirectory
from zeit.cds.testing.contracts.session import SessionContract


class Contract(SessionContract, unittest.TestCase):

    connection = FileConnection()

    def setUp(self):
        self.directory = LocalDirectory(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory.path)

    def feed(self, **settings):
        return Feed(**{**dict(
            store_dir='', hostname='localhost', user='', ftp_dir=self.directory.path), **settings})
