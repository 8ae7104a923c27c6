"""The spool on the local file system keeps the contracts."""
import os

from zeit.cds.feed import Feed
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.journal import DAY, RECORD
from zeit.cds.spool.outbox import FileSource
from zeit.cds.spool.tests.cases import InSpool
from zeit.cds.spool.tests.recorder import System
from zeit.cds.testing.contracts.sink import SinkContract
from zeit.cds.testing.contracts.source import SourceContract


class InFeed(InSpool):

    def the_feed(self, **settings):
        return Feed(**{
            'store_dir': self.path, 'hostname': 'host', 'user': 'user', 'ftp_dir': '/', **settings})


class Sink(SinkContract, InFeed):

    def setUp(self):
        super().setUp()
        self.sink, self.feed = FileSink(), self.the_feed()

    def published(self):
        return self.there('new')

    def consume(self, name):
        os.unlink(self.at('new', name))

    def modified(self, name):
        return os.stat(self.at('new', name)).st_mtime_ns


class SinkWithoutTheCallsOfLinux(Sink):
    """As on a file system that can't rename without overwriting, nor be synced as a whole."""

    def setUp(self):
        super().setUp()
        system = self.enterContext(System())
        system.without_rename()
        system.without_syncfs()


class Source(SourceContract, InFeed):

    def setUp(self):
        super().setUp()
        self.source, self.feed = FileSource(), self.the_feed(direction='export')
        self.elsewhere = self.the_feed(direction='export', ftp_dir='/elsewhere')
        self.keeping = self.the_feed(direction='export', keep=7)

    def offer(self, name, data=b'data'):
        self.make('new', name, data=data)

    def withdraw(self, name):
        os.unlink(self.at('new', name))

    def exported(self):
        return list(self.there('cur').values())

    def age(self, days):
        with open(self.at(RECORD)) as f:
            lines = f.read().splitlines()
        with open(self.at(RECORD), 'w') as f:
            for line in lines:
                seconds, _, rest = line[1:].partition(',')
                f.write('[%d,%s\n' % (int(seconds) - days * DAY, rest))


class SourceWithoutTheCallsOfLinux(Source):

    def setUp(self):
        super().setUp()
        self.enterContext(System()).without_rename()
