"""Runs with a server that fails at will, and fast."""
import logging
import shutil
import unittest

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.lock.directory import Tuning as LockTuning
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.outbox import FileSource
from zeit.cds.testing.faulty import FaultyServer
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.importing import contents, new_spool
from zeit.cds.transfer.exporting import Export
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.tuning import Tuning


# Pauses that are of use between machines only
QUICK = Tuning(first_pause=0.005, longest_pause=0.02, gather=0.002)
QUICK_LOCK = LockTuning(pause=0.002, pause_alone=0.002)


def new_run(feed, tuning=QUICK, connection=None):
    """An Import, or an Export, by FTP."""
    connection, lock = connection or FTPConnection(), LockFile(QUICK_LOCK)
    if feed.direction == 'import':
        return Import(feed, connection, lock, FileSink(), tuning)
    return Export(feed, connection, lock, FileSource(), tuning)


class ServerTest(unittest.TestCase):

    files = {'a.xml': b'a'}
    tuning = Tuning(first_pause=0.01)

    def setUp(self):
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)

    def serve(self, *script, **kw):
        server = FaultyServer(**{'files': self.files, 'script': script, **kw})
        server.start()
        self.addCleanup(server.stop)
        return server

    def feed(self, server, **settings):
        return Feed(**{**dict(
            store_dir=self.store_dir, hostname=server.host, port=server.port, user=server.user,
            timeout=10, password=server.password, ftp_dir='/', connections=1), **settings})

    def exchange(self, server, level=logging.DEBUG, by=None, **settings):
        """Run once, by FTP or this ICDSConnection; the Outcome."""
        with recorded(level) as self.log:
            return new_run(self.feed(server, **settings), self.tuning, by)()

    @property
    def published(self):
        return {name.decode(): data for name, data in contents(self.store_dir + '/new').items()}
