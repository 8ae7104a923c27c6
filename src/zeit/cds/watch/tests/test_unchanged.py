"""Listings that are spared: only where nothing can be missed."""
import os
import unittest

import zope.interface.verify

from zeit.cds.interfaces import Entry, IChangeDetection
from zeit.cds.testing.faulty import FaultyServer, On
from zeit.cds.testing.layers import ALL_LAYERS, on_servers
from zeit.cds.tests.importing import connected, Importing
from zeit.cds.transfer.retry import Deadline
from zeit.cds.watch.tests.watches import Watches
from zeit.cds.watch.tuning import TUNING
from zeit.cds.watch.unchanged import Unchanged


LONG_AGO = 1_000_000_000


class Directory:
    """A session and its IChangeDetection."""

    resolution = -1.0       # so every listing is made long after the version was first seen

    def __init__(self):
        self.names, self.number, self.listings = [], 0, 0

    def __conform__(self, interface):
        return self if interface is IChangeDetection else None

    def put(self, *names):
        self.names, self.number = list(names), self.number + 1

    def version(self):
        return self.number

    def entries(self):
        self.listings += 1
        return [Entry(name) for name in self.names]


class Spared(unittest.TestCase):

    def setUp(self):
        self.directory, self.unchanged = Directory(), Unchanged(TUNING)

    def look(self):
        """The names that a look sees, and whether it took a listing."""
        before = self.directory.listings
        names = [entry.name for entry in self.unchanged.entries(self.directory)]
        self.assertEqual(self.directory.names, names)
        return self.directory.listings > before

    def prove(self):
        self.look()
        self.directory.put('a')
        self.assertTrue(self.look())

    def test_once_it_is_proven(self):
        self.assertTrue(self.look())
        self.assertTrue(self.look())        # does the time ever change?
        self.directory.put('a')
        self.assertTrue(self.look())
        self.assertFalse(self.look())
        self.directory.put('a', 'b')
        self.assertTrue(self.look())
        self.assertFalse(self.look())

    def test_a_run_proves_it_as_well(self):
        self.look()
        self.directory.number += 1      # its lock file came and went
        self.unchanged.has_changed()
        self.assertTrue(self.look())
        self.assertFalse(self.look())

    def test_not_if_it_did_not_show(self):
        self.look()
        self.unchanged.has_changed()
        self.assertTrue(self.look())
        self.assertTrue(self.look())

    def test_not_while_another_change_might_not_show(self):
        self.directory.resolution = 1000.0
        self.prove()
        self.assertTrue(self.look())
        self.directory.names.append('b')    # in the same second
        self.assertTrue(self.look())

    def test_not_if_there_is_no_such_time(self):
        self.directory.version = lambda: None
        self.prove()
        self.assertTrue(self.look())

    def test_not_after_files_came(self):
        self.prove()
        self.unchanged.quiet = False
        self.assertTrue(self.look())

    def test_not_for_long(self):
        self.unchanged = Unchanged(TUNING._replace(lists_again=0.0))
        self.prove()
        self.assertTrue(self.look())

    def test_never_more_if_it_was_wrong(self):
        self.unchanged = Unchanged(TUNING._replace(lists_again=0.0))
        self.prove()
        self.look()
        self.directory.names.append('b')    # and the time is the same
        self.look()
        self.unchanged._again = 1000.0
        for _ in range(3):
            self.assertTrue(self.look())


class Sessions(Importing):
    """What servers tell of their directories."""

    def session(self):
        feed, connection = connected(self.feed())
        session = connection.open(feed, Deadline(60))
        self.addCleanup(session.close)
        return session

    def version(self, detection):
        """Of the directory as if it had changed a long time ago last."""
        os.utime(self.server.directory, (LONG_AGO, LONG_AGO))
        return detection.version()

    def test_changes_show(self):
        session = self.session()
        detection = IChangeDetection(session, None)
        if self.server.name == 'vsftpd':        # it has no MLST
            return self.assertIsNone(detection)
        zope.interface.verify.verifyObject(IChangeDetection, detection)
        before = self.version(detection)
        self.assertIsNotNone(before)
        self.assertEqual(before, detection.version())
        path = self.put('a.xml', b'a')
        self.assertNotEqual(before, detection.version())
        with_file = self.version(detection)
        os.unlink(path)
        self.assertNotEqual(with_file, detection.version())
        session.write('b.xml', b'b')            # and the session is of use still
        self.assertEqual(['b.xml'], [
            entry.name for entry in session.entries() if entry.kind in ('file', None)])


class Faulty(Watches, unittest.TestCase):

    def version(self, *script):
        with FaultyServer(script=script) as server:
            feed, connection = connected(self.feed_of(server))
            with connection.open(feed, Deadline(20)) as session:
                return IChangeDetection(session).version()

    def test_a_refusal_tells_nothing(self):
        self.assertIsNone(self.version(On('MLST').reply('501 What?')))
        self.assertIsNone(self.version(On('MLST').reply('250 Yes.')))

    def test_looks_spare_listings(self):
        server = self.serve({'a.xml': b'a'})
        watch = self.watch(self.feed_of(server))
        self.wait_for('a.xml')
        self.wait_for_looks(watch.feeds[0], 3)
        server.files['b.xml'] = b'b'
        self.wait_for('b.xml')
        self.wait_for_looks(watch.feeds[0], 3)
        self.assertTrue(server.commands('MLST'))


def test_suite():
    return unittest.TestSuite([
        *map(unittest.defaultTestLoader.loadTestsFromTestCase, (Spared, Faulty)),
        on_servers(Sessions, ALL_LAYERS)])
