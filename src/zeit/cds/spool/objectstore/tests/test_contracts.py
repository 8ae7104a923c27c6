"""Spools in object stores keep the contracts."""
import unittest

from zeit.cds.spool.journal import DAY
from zeit.cds.spool.objectstore.outbox import EXPORTED
from zeit.cds.spool.objectstore.recovery import MODIFIED
from zeit.cds.spool.objectstore.tests.cases import InStore
from zeit.cds.spool.objectstore.utilities import ObjectSink, ObjectSource
from zeit.cds.testing.contracts.sink import SinkContract
from zeit.cds.testing.contracts.source import SourceContract
from zeit.cds.testing.layers import on_servers, STORE_LAYERS


class Sink(InStore, SinkContract):

    def setUp(self):
        super().setUp()
        self.sink, self.feed = ObjectSink(), self.the_feed()

    def published(self):
        return self.contents('new')

    def consume(self, name):
        self.remove('new/' + name)

    def modified(self, name):
        modified = self.objects.head('new/' + name).metadata.get(MODIFIED)
        return modified and int(modified)


class Source(InStore, SourceContract):

    names = *(name for name in SourceContract.names if '\\' not in name), '"'

    def setUp(self):
        super().setUp()
        self.source, self.feed = ObjectSource(), self.the_feed(direction='export')
        self.elsewhere = self.the_feed(direction='export', ftp_dir='/elsewhere')
        self.keeping = self.the_feed(direction='export', keep=7.0)

    def offer(self, name, data=b'data'):
        self.make('new/' + name, data)

    def withdraw(self, name):
        self.remove('new/' + name)

    def exported(self):
        return list(self.contents('cur').values())

    def age(self, days):
        for key in self.keys(EXPORTED[:-1]):
            written = int(key.removeprefix(EXPORTED)) - days * DAY * 10**9
            self.make('%s%020d' % (EXPORTED, written), self.data(key))
            self.remove(key)


def test_suite():
    suite = unittest.TestSuite()
    for mixin in Sink, Source:
        suite.addTest(on_servers(mixin, STORE_LAYERS))
    return suite
