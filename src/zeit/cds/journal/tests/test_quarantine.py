"""Files that fail again and again are given up; from a directory of this machine."""
import os
import unittest
from unittest import mock

from zeit.cds.feed import Feed
from zeit.cds.interfaces import ConfigurationError, JournalError
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.journal.tests.infile import InFile
from zeit.cds.main import look, preview, run_export, run_import
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.retry import Deadline


class Quarantine(InFile, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.spool, self.remote = self.make('spool'), self.make('remote')
        for name in 'tmp', 'new', 'cur':
            self.make('spool', name)
        self.put('bad')
        self.obstacle = self.make('spool', 'tmp', 'bad')
        self.settings = {}

    def make(self, *names):
        path = os.path.join(self.directory, *names)
        os.mkdir(path)
        return path

    def put(self, name, text='text'):
        path = os.path.join(self.remote, name)
        with open(path, 'w') as f:
            f.write(text)
        os.utime(path, (1_700_000_000, 1_700_000_000))

    def feed(self):
        return Feed(**{'name': 'wire', 'store_dir': self.spool, 'hostname': 'localhost',
                       'user': 'x', 'ftp_dir': self.remote, 'connection': 'file',
                       'give_up_after': 3, **self.settings})

    def run_import(self):
        """(numbers of files that failed, are set aside, and wait) of a run."""
        with recorded() as self.log:
            outcome = run_import(self.feed(), journal=self.journal)
        self.assertIsNone(outcome.error)
        return len(outcome.failed), outcome.aside, outcome.waiting

    def give_up(self):
        for _ in range(3):
            self.run_import()

    def states(self, name='bad'):
        with self.journal.ask() as queries:
            return [(row.state, row.tries) for row in queries.files(name=name)]

    # ------------------------------------------------------------ set aside

    def test_a_file_is_given_up_and_named_once(self):
        self.assertEqual([(1, 0, 1), (1, 0, 1)], [self.run_import() for _ in range(2)])
        self.assertNotIn('Given up', self.log.text)
        self.assertEqual((1, 1, 0), self.run_import())
        [line] = [line for line in self.log.warnings if 'Given up' in line]
        self.assertEqual(
            "Given up after 3 tries: bad: a directory of this name in 'tmp' is in its way. Remove "
            'it. It stays where it is, and is not tried again before cds-log --retry.', line)
        self.assertEqual([('aside', 3)], self.states())
        for _ in range(2):
            self.assertEqual((0, 1, 0), self.run_import())
            self.assertEqual([], self.log.warnings)
        self.assertEqual([('aside', 3)], self.states())
        self.assertEqual(['bad'], os.listdir(self.remote))

    def test_others_come_meanwhile(self):
        self.give_up()
        self.put('good')
        self.assertEqual((0, 1, 0), self.run_import())
        self.assertEqual(['good'], os.listdir(os.path.join(self.spool, 'new')))

    def test_a_file_that_came_before_it_was_given_up(self):
        for _ in range(2):
            self.run_import()
        os.rmdir(self.obstacle)
        self.assertEqual((0, 0, 0), self.run_import())
        self.assertEqual([('published', 3)], self.states())

    def test_a_new_version_is_tried(self):
        self.give_up()
        self.put('bad', 'newer')
        self.assertEqual((1, 0, 1), self.run_import())
        self.assertEqual(['aside', 'failed'], sorted(state for state, _ in self.states()))
        os.rmdir(self.obstacle)
        self.assertEqual((0, 0, 0), self.run_import())
        self.assertEqual(['gone', 'published'], sorted(state for state, _ in self.states()))

    def test_a_file_that_goes_away(self):
        self.give_up()
        os.unlink(os.path.join(self.remote, 'bad'))
        self.assertEqual((0, 0, 0), self.run_import())
        self.assertEqual([('gone', 3)], self.states())

    def test_it_is_tried_again_by_request(self):
        self.give_up()
        self.assertEqual(0, self.journal.retry('bad', 'other'))
        self.assertEqual((0, 1, 0), self.run_import())
        self.assertEqual(1, self.journal.retry('bad', 'wire'))
        self.assertEqual(0, self.journal.retry('bad'))
        self.assertEqual([(1, 0, 1), (1, 0, 1), (1, 1, 0)], [self.run_import() for _ in range(3)])
        self.journal.retry('bad')
        os.rmdir(self.obstacle)
        self.assertEqual((0, 0, 0), self.run_import())
        self.assertEqual([('published', 1)], self.states())

    def test_while_the_journal_is_away_nothing_is_given_up(self):
        for _ in range(2):
            self.run_import()
        with mock.patch.object(SQLJournal, 'failures', side_effect=JournalError('It is away.')):
            self.assertEqual((1, 0, 1), self.run_import())
        self.assertEqual((1, 1, 0), self.run_import())

    # ------------------------------------------------------------ moved

    def test_it_is_moved(self):
        self.settings = {'quarantine': 'bad files'}
        for expected in ['bad'], ['bad', 'bad.1']:
            self.give_up()
            self.assertIn("It is now bad files/%s there" % expected[-1], self.log.text)
            self.assertEqual(['bad files'], os.listdir(self.remote))
            self.assertEqual(expected, sorted(os.listdir(
                os.path.join(self.remote, 'bad files'))))
            self.assertEqual((0, 0, 0), self.run_import())
            self.put('bad', 'text' * len(expected) * 2)
        self.assertEqual(['aside', 'gone'], sorted(state for state, _ in self.states()))

    def test_what_is_like_a_lock_file_is_not_moved(self):
        os.unlink(os.path.join(self.remote, 'bad'))
        self.put('Read')
        self.settings = {'quarantine': 'q'}
        self.give_up()
        self.assertIn('Given up after 3 tries: Read', self.log.text)
        self.assertEqual(['Read'], os.listdir(self.remote))

    def test_what_cannot_be_moved_stays(self):
        self.put('q')
        self.settings = {'quarantine': 'q', 'exclude': ('q',)}
        self.give_up()
        self.assertIn('It stays where it is, as it could not be moved: ', self.log.text)
        self.assertEqual([('aside', 3)], self.states())

    # ------------------------------------------------------------ who looks

    def test_a_look_and_a_dry_run(self):
        with mock.patch('zeit.cds.main.registered_journal', lambda: self.journal):
            looks = look(self.feed())
        looks._quarantine._again = 0.0
        self.assertEqual((['bad'], 1), self.look(looks))
        self.give_up()
        self.assertEqual(([], 0), self.look(looks))
        self.assertEqual([], preview(self.feed(), journal=self.journal).failed)
        self.journal.retry('bad')
        self.assertEqual((['bad'], 1), self.look(looks))

    def look(self, looks):
        os.rename(self.obstacle, self.obstacle + '-')       # else it would not be looked for
        with looks._remote[0].open(looks.feed, Deadline(10)) as session:
            found = looks(session, lambda session: pipelined(session).entries())
        os.rename(self.obstacle + '-', self.obstacle)
        return [entry.name for entry in found.entries], found.waiting

    # ------------------------------------------------------------ exports, settings

    def test_an_export(self):
        new = os.path.join(self.spool, 'new')
        os.mkdir(os.path.join(self.remote, 'x'))
        with open(os.path.join(new, 'x'), 'w') as f:
            f.write('text')
        self.settings = {'direction': 'export', 'replace': True, 'retries': 0}
        asides = []
        for _ in range(4):
            with recorded():
                outcome = run_export(self.feed(), journal=self.journal)
            asides.append((len(outcome.failed), outcome.aside))
        self.assertEqual([(1, 0), (1, 0), (1, 1), (0, 1)], asides)
        self.assertEqual(['x'], os.listdir(new))

    def test_settings_that_contradict_each_other(self):
        for settings in ({'give_up_after': None, 'quarantine': 'q'}, {'give_up_after': 1},
                         {'quarantine': 'q', 'afterwards': 'keep'}, {'quarantine': 'a/b'},
                         {'quarantine': 'q', 'afterwards': 'move:q'},
                         {'quarantine': 'q', 'direction': 'export'}):
            self.settings = settings
            with self.subTest(settings), self.assertRaises(ConfigurationError):
                self.feed()

    def test_it_needs_a_journal(self):
        with self.assertRaisesRegex(ConfigurationError, 'give_up_after needs a journal.*--journal'):
            run_import(self.feed())
