"""Files that are kept on the server are taken once; from a directory of this machine."""
import os
import sqlite3
import unittest
from unittest import mock

from zeit.cds.feed import Feed
from zeit.cds.interfaces import ConfigurationError, Entry, JournalError, Locked, SpoolError
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.journal.tests.infile import InFile
from zeit.cds.main import look, preview, run_import
from zeit.cds.pipelined import pipelined
from zeit.cds.spool.notes import Notes
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.retry import Deadline


WHEN = 1_700_000_000


class Kept(InFile, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.spool, self.remote = self.make('spool'), self.make('remote')

    def make(self, name):
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        return path

    def put(self, name, text='text', when=WHEN):
        path = os.path.join(self.remote, name)
        with open(path, 'w') as f:
            f.write(text)
        os.utime(path, (when, when))

    def feed(self, **settings):
        return Feed(**{'name': 'wire', 'store_dir': self.spool, 'hostname': 'localhost',
                       'user': 'x', 'ftp_dir': self.remote, 'connection': 'file',
                       'afterwards': 'keep', **settings})

    def run_import(self, **settings):
        with recorded() as self.log:
            return run_import(self.feed(**settings), journal=self.journal)

    def taken(self):
        """What came, and is taken now: {name: text}."""
        new, found = os.path.join(self.spool, 'new'), {}
        for name in sorted(os.listdir(new)):
            with open(os.path.join(new, name)) as f:
                found[name] = f.read()
            os.unlink(os.path.join(new, name))
        return found

    def imported(self, **settings):
        outcome = self.run_import(**settings)
        self.assertTrue(outcome.successful, outcome)
        return self.taken()

    # ------------------------------------------------------------ what counts as new

    def test_a_file_comes_once(self):
        self.put('a')
        os.chmod(self.remote, 0o555)
        self.assertEqual({'a': 'text'}, self.imported())
        self.assertIn('File kept on server: a', self.log.text)
        for _ in range(2):
            self.assertEqual({}, self.imported())
            self.assertIn('No new files to import.', self.log.text)
        self.assertEqual(['a'], os.listdir(self.remote))
        self.assertNotIn('ock file', self.log.text)

    def test_another_time_or_size_is_a_new_version(self):
        self.put('a')
        self.put('b')
        self.imported()
        self.put('a', when=WHEN + 1)
        self.assertEqual({'a': 'text'}, self.imported())
        self.put('b', 'more text')
        self.assertEqual({'b': 'more text'}, self.imported())
        self.put('b')
        self.assertEqual({'b': 'text'}, self.imported())
        self.assertEqual({}, self.imported())

    def test_a_file_that_was_away(self):
        self.put('a')
        self.imported()
        os.unlink(os.path.join(self.remote, 'a'))
        self.assertEqual({}, self.imported())
        self.put('a')
        self.assertEqual({}, self.imported())

    def test_a_feed_of_another_name_has_a_memory_of_its_own(self):
        self.put('a')
        self.imported()
        self.assertEqual({'a': 'text'}, self.imported(name='other'))

    def test_a_listing_without_times_and_one_without_sizes(self):
        self.put('a')
        self.imported()
        spool = mock.Mock()
        spool.notes.read = lambda: b''
        for entry, known in ((Entry('a'), {'a'}), (Entry('a', 4), {'a'}), (Entry('a', 5), set()),
                             (Entry('a', None, WHEN * 10**9), {'a'}), (Entry('a', 4, 1), set()),
                             (Entry('b', 4, WHEN * 10**9), set())):
            self.assertEqual(known, self.journal.known(self.feed(), spool, [entry]), entry)

    def test_a_version_waits_for_the_unread_one(self):
        self.put('a')
        self.run_import()
        self.put('a', 'newer')
        self.assertEqual(['a'], [name for name, _ in self.run_import().skipped])
        self.assertEqual({'a': 'text'}, self.taken())
        self.assertEqual({'a': 'newer'}, self.imported())

    # ------------------------------------------------------------ nothing twice

    def test_a_journal_that_is_away_refuses_the_run(self):
        self.put('a')
        self.imported()
        journal, self.journal = self.journal, SQLJournal('/nowhere/journal')
        self.put('b')
        error = self.run_import().error
        self.assertIsInstance(error, JournalError)
        self.assertIn('What was taken before is not known, so nothing is imported', str(error))
        self.assertEqual({}, self.taken())
        self.journal = journal
        self.assertEqual({'b': 'text'}, self.imported())

    def test_what_the_journal_has_not_got_yet_counts_as_well(self):
        self.put('a')
        with mock.patch.object(SQLJournal, 'load', side_effect=JournalError('It is full.')):
            self.imported()
            self.put('b')
            self.assertEqual({'b': 'text'}, self.imported())
        self.assertEqual({}, self.imported())

    def test_what_cannot_be_noted_is_not_published(self):
        self.put('a')
        with mock.patch.object(Notes, 'append', side_effect=SpoolError('The disk is full.')):
            for _ in range(2):
                self.assertIsInstance(self.run_import().error, SpoolError)
                self.assertEqual({}, self.taken())
        self.assertEqual({'a': 'text'}, self.imported())
        self.assertEqual({}, self.imported())

    def test_what_a_killed_run_has_left_and_not_noted(self):
        for changed in None, 'a new version', 'gone':
            with self.subTest(changed=changed):
                self.put('a', when=WHEN)
                with mock.patch.object(
                        Notes, 'append', side_effect=SpoolError('Killed before it.')):
                    self.run_import()
                if changed == 'gone':
                    os.unlink(os.path.join(self.remote, 'a'))
                elif changed:
                    self.put('a', changed)
                self.imported_until_nothing_comes(
                    ['text', changed] if changed == 'a new version' else ['text'])
                self.put('a', str(changed) * 5)
                self.imported()

    def imported_until_nothing_comes(self, expected):
        found = []
        for _ in range(3):
            found += self.imported().values()
        self.assertEqual(expected, found)

    def test_a_publication_is_noted_before(self):
        self.put('a')
        noted = []

        def killed(*args):
            noted.append(self.notes())
            raise SpoolError('Killed.')

        with mock.patch.object(Import, '_publish', killed):
            self.run_import()
        self.assertIn(b'["kept","a",4,%d]' % (WHEN * 10**9), noted[0])
        self.assertEqual({'a': 'text'}, self.imported())
        self.assertEqual({}, self.imported())

    def notes(self):
        with open(os.path.join(self.spool, 'import.notes'), 'rb') as f:
            return f.read()

    # ------------------------------------------------------------ locks

    def test_nothing_is_taken_while_somebody_puts_files_in(self):
        self.put('a')
        self.put('write')
        self.assertIsInstance(self.run_import().error, Locked)
        os.unlink(os.path.join(self.remote, 'write'))
        self.put('read')
        self.assertEqual({'a': 'text'}, self.imported())

    # ------------------------------------------------------------ looks

    def test_a_look_sees_what_is_new(self):
        with mock.patch('zeit.cds.main.registered_journal', lambda: self.journal):
            looks = look(self.feed())
        for name in 'read', 'a':
            self.put(name)
        self.assertEqual(['a'], self.look(looks))
        self.imported()
        self.assertEqual([], self.look(looks))
        with mock.patch.object(SQLJournal, 'known', side_effect=AssertionError):
            self.assertEqual([], self.look(looks))      # nobody asks again
        self.put('a', 'newer')
        self.assertEqual(['a'], self.look(looks))

    def look(self, looks):
        with looks._remote[0].open(looks.feed, Deadline(10)) as session:
            found = looks(session, lambda session: pipelined(session).entries())
        self.assertEqual((), found.locks)
        self.assertEqual(len(found.entries), found.waiting)
        return [entry.name for entry in found.entries]

    def test_a_dry_run(self):
        self.put('a')
        self.imported()
        self.put('b')
        outcome = preview(self.feed(), journal=self.journal)
        self.assertEqual(['b'], [entry.name for entry in outcome.entries])

    # ------------------------------------------------------------ settings, and the tables

    def test_it_needs_a_journal(self):
        for verb in run_import, look, preview:
            with self.assertRaisesRegex(ConfigurationError, 'keep needs a journal.*--journal'):
                verb(self.feed())

    def test_combinations_that_cannot_be(self):
        for value in 'keep', 'move:done':
            with self.assertRaisesRegex(ConfigurationError, 'is for an import'):
                self.feed(direction='export', afterwards=value)
        for value in 'move', 'move:', 'move:a/b', 'move:..', 'move:read', 'kept', '':
            with self.assertRaises(ConfigurationError):
                self.feed(afterwards=value)

    def test_what_is_gone_for_long_is_forgotten(self):
        self.put('a')
        self.put('b')
        self.imported()
        os.unlink(os.path.join(self.remote, 'a'))
        self.put('c')
        self.imported()
        self.assertEqual(['a', 'b', 'c'], self.known())
        self.journal.expire(1)
        self.assertEqual(['a', 'b', 'c'], self.known())
        self.journal.expire(-1)
        self.assertEqual(['b', 'c'], self.known())
        self.assertEqual({}, self.imported())

    def known(self):
        with sqlite3.connect(self.path) as connection:
            return [name for name, in connection.execute('SELECT name FROM kept ORDER BY name')]

    def test_many_files(self):
        with mock.patch.multiple('zeit.cds.journal.kept', SOME=2, PAGE=2):
            for n in range(5):
                self.put('%d' % n)
            self.assertEqual(5, len(self.imported()))
            self.assertEqual({}, self.imported())
