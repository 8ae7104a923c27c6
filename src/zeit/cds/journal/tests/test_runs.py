"""Runs with a journal, from a directory of this machine: no server is needed."""
import os
import unittest

import zope.component
import zope.component.testing

from zeit.cds.feed import Feed
from zeit.cds.interfaces import IJournal
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.journal.tests.infile import InFile
from zeit.cds.main import run_export, run_import


class Runs(InFile, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.spool, self.remote = self.make('spool'), self.make('remote')

    def make(self, name):
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        return path

    def put(self, *names):
        path = os.path.join(self.directory, *names)
        with open(path, 'w') as f:
            f.write('text')
        os.utime(path, (1_700_000_000, 1_700_000_000))

    def feed(self, **settings):
        return Feed(name='wire', store_dir=self.spool, hostname='localhost', user='x',
                    ftp_dir=self.remote, connection='file', **settings)

    def rows(self):
        with self.journal.ask() as queries:
            return sorted((row.name, row.state, row.size, row.reason) for row in queries.files())

    def test_an_import(self):
        self.put('remote', 'a')
        self.put('remote', 'b')
        os.mkdir(os.path.join(self.remote, 'd'))
        self.assertEqual(2, run_import(self.feed(), journal=self.journal).files)
        self.assertEqual([('a', 'published', 4, None), ('b', 'published', 4, None),
                          ('d', 'waiting', None, 'it is a directory')], self.rows())
        with self.journal.ask() as queries:
            [row] = queries.files(name='a')
            [run] = queries.runs()
        self.assertEqual(1_700_000_000 * 10**9, row.modified)
        self.assertEqual((2, 8, 1, 0, None), (
            run.files, run.bytes, run.skipped, run.failed, run.error))

    def test_an_export(self):
        for name in 'tmp', 'new', 'cur':
            os.mkdir(os.path.join(self.spool, name))
        self.put('spool', 'new', 'a')
        outcome = run_export(self.feed(direction='export'), journal=self.journal)
        self.assertTrue(outcome.successful, outcome)
        self.assertEqual([('a', 'published', 4, None)], self.rows())
        with self.journal.ask() as queries:
            [row] = queries.files()
        self.assertEqual(('export', 1_700_000_000 * 10**9), (row.direction, row.modified))
        self.assertEqual(64, len(row.digest))

    def test_the_registered_journal_is_kept(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        zope.component.provideUtility(self.journal, IJournal)
        self.put('remote', 'a')
        run_import(self.feed())
        self.assertEqual([('a', 'published', 4, None)], self.rows())

    def test_a_run_that_fails_has_a_row(self):
        os.rmdir(self.remote)
        outcome = run_import(self.feed(), journal=self.journal)
        self.assertIsNotNone(outcome.error)
        with self.journal.ask() as queries:
            [run] = queries.runs()
        self.assertEqual(str(outcome.error), run.error)
        self.assertLess(run.begun, run.ended)

    def test_a_journal_that_is_nowhere_changes_nothing(self):
        self.put('remote', 'a')
        with self.assertLogs('zeit.cds', 'WARNING') as logged:
            outcome = run_import(self.feed(), journal=SQLJournal('/nowhere/journal'))
        self.assertTrue(outcome.successful)
        self.assertEqual(1, len(logged.records))
        self.assertEqual([], os.listdir(os.path.join(self.spool, 'tmp')))
        run_import(self.feed(), journal=self.journal)
        self.assertEqual([('a', 'published', 4, None)], self.rows())
        self.assertEqual(0, os.path.getsize(os.path.join(self.spool, 'import.notes')))

    def test_without_a_journal_there_are_no_notes(self):
        self.put('remote', 'a')
        run_import(self.feed())
        self.assertEqual(['cur', 'import.lock', 'new', 'tmp'], sorted(os.listdir(self.spool)))
