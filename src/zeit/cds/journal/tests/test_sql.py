"""Journals in SQLite and PostgreSQL keep what every journal has to keep."""
import contextlib
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import time
import unittest
from unittest import mock

from zeit.cds.interfaces import ConfigurationError, JournalError
from zeit.cds.journal import columns, compiled, database, embedded, record, statements
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.journal.tests.infile import InFile
from zeit.cds.testing.contracts.journal import JournalContract
from zeit.cds.testing.contracts.queries import QueriesContract
from zeit.cds.testing.layers import POSTGRESQL_LAYER, ServerTestCase


def write(url, number):
    """One of several processes."""
    journal = SQLJournal(url)
    for n in range(10):
        run, now = '%d-%d' % (number, n), time.time_ns()
        journal.load([[
            ('run', run, 'wire', 'import', '/spool', 'host', number, now, 0),
            *(('whole', '%s:%d' % (run, n), 'f%d' % n, 1, 2, None, '00' * 32, None, now, now)
              for n in range(1, 5)),
            *(('published', '%s:%d' % (run, n), now) for n in range(1, 5)),
            ('left', 'failing', 'it', True, now)]])
    journal.database.close()


class Several:

    def test_five_processes_at_once_lose_nothing(self):
        context = multiprocessing.get_context('fork')
        processes = [context.Process(target=write, args=(self.journal.url, n)) for n in range(5)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
            self.assertEqual(0, process.exitcode)
        with self.journal.ask() as queries:
            self.assertEqual(50, len(queries.runs(limit=1000)))
            self.assertEqual(200, len(queries.files(states=['published'])))
            [failing] = queries.files(states=['failed'])
        self.assertEqual(50, failing.tries)


class SQLite(InFile, Several, JournalContract, QueriesContract, unittest.TestCase):
    """Locked by somebody else when it is to fail."""


class PostgreSQL(Several, JournalContract, QueriesContract, ServerTestCase):
    """Away when it is to fail."""

    layer = POSTGRESQL_LAYER

    def setUp(self):
        super().setUp()
        self.journal = SQLJournal(self.layer.server.url)
        self.addCleanup(lambda: self.journal.database.close())

    @contextlib.contextmanager
    def failing(self):
        self.layer.server.kill()
        yield
        self.layer.server.restart()

    def test_nobody_waits_for_ever_for_what_somebody_has_locked(self):
        self.exchange('a')
        with mock.patch.object(embedded, 'BUSY', 0.05), self.journal.database.writing() as other:
            other.exec_driver_sql('LOCK TABLE runs')
            journal = SQLJournal(self.journal.url)
            self.addCleanup(lambda: journal.database.close())
            with self.assertRaisesRegex(JournalError, 'lock timeout'), journal.ask() as queries:
                queries.runs()
            with mock.patch.object(database, 'LONGEST', 0.05):
                with self.assertRaisesRegex(JournalError, 'statement timeout'):
                    with journal.ask() as queries:
                        queries._connection.exec_driver_sql('SELECT pg_sleep(5)')


class Long(InFile, JournalContract, unittest.TestCase):
    """All of it again, with runs that hand over what they have at each opportunity."""

    def setUp(self):
        super().setUp()
        patched = mock.patch.object(record, 'EVERY', -1.0)
        patched.start()
        self.addCleanup(patched.stop)

    def test_it_is_there_before_the_run_ends(self):
        run = self.begin()
        run.whole([self.spool.put('a')])
        self.publish(run, 'a')
        run.whole([self.spool.put('b')])
        self.assertEqual([('a', 'published'), ('b', 'whole')], self.states())
        with self.journal.ask() as queries:
            self.assertEqual([None], [found.ended for found in queries.runs()])


class Files(InFile, unittest.TestCase):

    def load(self):
        self.journal.load([[('run', 'r', 'wire', 'import', '/spool', 'host', 1, 2, 0)]])

    def test_each_commit_is_synced(self):
        with self.journal.database.writing() as connection:
            asked = [connection.exec_driver_sql('PRAGMA ' + name).scalar()
                     for name in ('journal_mode', 'synchronous')]
        self.assertEqual(['wal', 2], asked)

    def test_each_commit_of_a_run_is_synced(self):
        with embedded.Embedded(self.path).writing() as writing:
            asked = [writing._connection.execute('PRAGMA ' + name).fetchone()[0]
                     for name in ('journal_mode', 'synchronous')]
        self.assertEqual(['wal', 2], asked)

    def test_a_run_needs_no_sqlalchemy(self):
        program = (
            'import sys, time; from zeit.cds.journal.sql import SQLJournal; '
            'run = ["run", "r", "wire", "import", "/spool", "host", 1, time.time_ns(), 0]; '
            'SQLJournal(%r).load([[run]]); '
            'print("sqlite3" in sys.modules, "sqlalchemy" in sys.modules)' % self.path)
        done = subprocess.run(
            [sys.executable, '-c', program], check=True, text=True, stdout=subprocess.PIPE,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
        self.assertEqual('True False\n', done.stdout)
        with self.journal.ask() as queries:
            self.assertEqual(['r'], [found.run for found in queries.runs()])

    def test_a_url_with_options(self):
        url = 'sqlite:///%s?timeout=3' % self.path
        for n, journal in enumerate((SQLJournal(url), self.journal, SQLJournal(url))):
            journal.load([[('run', 'r%d' % n, '\\wire', 'import', '/spool', 'host', 1, n, 0),
                           ('left', 'a\udcff', 'it \\ hurts', True, n)]])
        self.assertNotIsInstance(journal.writer, embedded.Embedded)
        with self.journal.ask() as queries:
            self.assertEqual([('\\wire', 'a\udcff', 'it \\ hurts', 3)], [
                (row.feed, row.name, row.reason, row.tries) for row in queries.files()])

    def test_which_urls_are_of_a_file(self):
        for url, path in (
                ('/x', '/x'), ('sqlite:////x', '/x'), ('sqlite:///x', 'x'), ('sqlite://', None),
                ('sqlite:///', None), ('sqlite:///:memory:', None), ('sqlite:////x?y=z', None),
                ('sqlite+pysqlite:////x', None), ('postgresql:///x', None)):
            self.assertEqual(path, embedded.path_of(url), url)

    def test_a_later_version(self):
        self.load()
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute('UPDATE about SET version = 2')
            connection.commit()
        with self.assertRaisesRegex(JournalError, 'made by a later version'):
            SQLJournal(self.path).load([])
        with self.assertRaisesRegex(JournalError, 'made by a later version'):
            SQLJournal(self.path).ask()

    def test_no_journal_at_all(self):
        with open(self.path, 'w') as f:
            f.write('No database, but a text of some length. ' * 10)
        with self.assertRaisesRegex(JournalError, 'file is not a database'):
            self.load()

    def test_a_directory_that_is_missing(self):
        with self.assertRaisesRegex(JournalError, 'unable to open database file'):
            SQLJournal('sqlite:///%s/none/journal' % self.directory).load([])

    def test_what_is_neither_sqlite_nor_postgresql(self):
        for url in 'mysql://host/x', 'oracle://x', '://', '':
            with self.assertRaisesRegex(ConfigurationError, 'SQLite or PostgreSQL'):
                SQLJournal(url)
        with self.assertRaisesRegex(ConfigurationError, 'SQLite or PostgreSQL'):
            SQLJournal('postgresql://host:port/x').load([])

    def test_what_is_not_installed(self):
        for url, module in ('/x', 'sqlalchemy'), ('postgresql:///x', 'psycopg'):
            with mock.patch('importlib.util.find_spec', lambda name, module=module: (
                    None if name == module else name)):
                with self.assertRaisesRegex(ConfigurationError, module + ': pip install'):
                    SQLJournal(url)

    def test_no_password_is_told(self):
        journal = SQLJournal('postgresql://cds:secret@localhost:1/x')
        with self.assertRaises(JournalError) as caught:
            journal.load([])
        self.assertNotIn('secret', str(caught.exception))

    def test_some_is_forgotten_by_itself(self):
        with mock.patch.object(self.journal, 'expire') as expire:
            self.load()
            self.load()
        expire.assert_called_once_with(400.0, most=5000)


class Statements(unittest.TestCase):

    def test_they_are_those_of_the_tables(self):
        with open(compiled.__file__) as f:
            self.assertEqual(statements.compiled(), f.read())


class Names(unittest.TestCase):

    def test_they_come_back(self):
        for name in ('', 'a', '\\', '\\\\x41', 'a\\x41b', '\udcff\\', '\\\udc80x', 'ü\udcff',
                     'a\0b', '\\\0\udcff'):
            text = columns.written(name)
            text.encode('utf-8')
            self.assertNotIn('\0', text)
            self.assertEqual(name, columns.read(text))
