"""What a spool keeps for a journal, and what it knows of files for it."""
import hashlib
import os

from zope.interface.verify import verifyObject

from zeit.cds.interfaces import INoted, INotedImport, INotes, SpoolError
from zeit.cds.spool.inbox import ReadOnlySpool
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.outbox import Outbox
from zeit.cds.spool.tests.cases import fill, InboxCase, InSpool, PLACE
from zeit.cds.spool.tests.recorder import NO_SPACE


LARGE = 40_000      # bytes
DATA = os.urandom(200_000)


class Notes(InboxCase):

    def test_interfaces(self):
        verifyObject(INotedImport, self.spool)
        verifyObject(INotes, self.spool.notes)

    def test_without_a_journal_there_are_none(self):
        self.commit('a')
        self.assertFalse(os.path.exists(self.at('import.notes')))

    def test_they_outlive_the_spool(self):
        notes = self.spool.notes
        self.assertEqual(b'', notes.read())
        notes.append(b'1\n', durable=True)
        notes.append(b'2\n', durable=False)
        self.reopen()
        notes = self.spool.notes
        self.assertEqual(b'1\n2\n', notes.read())
        notes.append(b'3\n', durable=False)
        notes.replace(b'4\n')
        notes.append(b'5\n', durable=False)
        self.reopen()
        self.assertEqual(b'4\n5\n', self.spool.notes.read())
        self.assertEqual(['import.lock', 'import.notes'], sorted(
            name for name in os.listdir(self.path) if name.startswith('import')))

    def test_durable_ones_are_synced(self):
        notes = self.spool.notes
        notes.append(b'1', durable=False)
        system, synced = self.with_system(), []
        system.instead('fdatasync', lambda verb, fd: synced.append(verb(fd)))
        notes.append(b'2', durable=False)
        self.assertEqual([], synced)
        notes.append(b'3', durable=True)
        self.assertEqual([None], synced)

    def test_a_full_disk(self):
        notes = self.spool.notes
        notes.append(b'1', durable=True)
        system = self.with_system()
        system.fail('write', NO_SPACE)
        with self.assertRaises(SpoolError):
            notes.append(b'2', durable=True)
        self.assertEqual(b'1', notes.read())


class Hashed(InboxCase):

    tuning = Tuning(large=LARGE)

    def test_each_file_has_its_digest(self):
        self.spool.hash_files()
        for size in 0, 10, LARGE - 1, LARGE, LARGE + 1, len(DATA):
            for expected in None, size:
                for restarts in 0, 1:
                    with self.subTest(size=size, expected=expected, restarts=restarts):
                        incoming = self.spool.create('a', expected)
                        if restarts:
                            fill(incoming, DATA[:size // 2])
                            incoming.restart()
                        fill(incoming, DATA[:size])
                        incoming.complete(None)
                        self.spool.commit([incoming])
                        digest = hashlib.sha256(DATA[:size]).hexdigest()
                        self.assertEqual(digest, incoming.digest)
                        self.assertEqual((incoming.inode, digest), self.spool.identify('a'))
                        self.assertEqual('waiting', self.spool.fate('a', incoming.inode, size))
                        os.unlink(self.at('tmp', 'a'))
                        self.assertEqual('done', self.spool.fate('a', incoming.inode, size))

    def test_what_waits_for_the_consumer(self):
        self.commit('a', 'b')
        self.spool.publish('a')
        self.assertEqual({'a'}, self.spool.untaken())

    def test_a_new_that_is_away_was_not_emptied(self):
        os.rename(self.at('new'), self.at('away'))
        spool = ReadOnlySpool(self.path)
        self.addCleanup(spool.close)
        self.assertIsNone(spool.untaken())


class Outgoing(InSpool):

    def setUp(self):
        super().setUp()
        self.outbox = Outbox(self.path, PLACE)
        self.addCleanup(self.outbox.close)
        self.outbox.mark()
        self.outbox.begin([])

    def exported(self, data):
        """The inode of a file that was put into new, and exported."""
        self.make('new', 'a', data=data)
        outgoing = self.outbox.create('a')
        outgoing.open()
        outgoing.read()
        self.outbox.commit([outgoing])
        self.assertEqual('waiting', self.outbox.fate('a', outgoing.inode, len(data)))
        self.outbox.retire('a')
        outgoing.discard()
        return outgoing.inode

    def test_fate(self):
        verifyObject(INoted, self.outbox)
        self.outbox.hash_files()
        for data in b'1', b'two', b'three':
            inode = self.exported(data)
            self.assertEqual('done', self.outbox.fate('a', inode, len(data)))
        self.assertEqual('unknown', self.outbox.fate('a', inode, 17))
        self.assertEqual('unknown', self.outbox.fate('b', inode, 1))
        self.assertIsNone(self.outbox.untaken())

    def test_its_notes_are_others(self):
        self.outbox.notes.append(b'1', durable=True)
        self.assertTrue(os.path.exists(self.at('export.notes')))
