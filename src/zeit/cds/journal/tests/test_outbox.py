"""Files for which an application wants a task."""
import os
import shutil
import tempfile
import time
import unittest

from sqlalchemy import select, update

from zeit.cds.journal.database import outbox
from zeit.cds.journal.outbox import add
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.tests.importing import MEMORY


def section(*files, run='r', published=True):
    """What a run noted of files."""
    now = time.time_ns()
    events = [['run', run, 'dpa', 'import', '/spool', 'host', 1, now, 0]]
    for number, name in enumerate(files):
        key = '%s:%d' % (run, number)
        events.append(['whole', key, name, 1, 5, None, None, None, now, now])
        if published:
            events.append(['published', key, now])
    return events


class Outbox(unittest.TestCase):

    def setUp(self):
        directory = tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.addCleanup(shutil.rmtree, directory)
        self.journal = SQLJournal(os.path.join(directory, 'journal.db'))
        self.addCleanup(lambda: self.journal.database.close())

    def rows(self):
        with self.journal.database.reading() as connection:
            return [tuple(row) for row in connection.execute(
                select(outbox.c.key, outbox.c.task, outbox.c.tries, outbox.c.told))]

    def test_a_file_that_was_published(self):
        self.journal.load([section('a.xml', 'b.xml')], tell='app.arrived')
        self.assertEqual([('r:0', 'app.arrived', 0, None), ('r:1', 'app.arrived', 0, None)],
                         sorted(self.rows()))

    def test_none_that_was_not(self):
        self.journal.load([section('a.xml', published=False)], tell='app.arrived')
        self.assertEqual([], self.rows())

    def test_none_if_nobody_asks(self):
        self.journal.load([section('a.xml')])
        self.assertEqual([], self.rows())

    def test_each_once_whatever_is_handed_over_twice(self):
        sections = [section('a.xml')]
        self.journal.load(sections, tell='app.arrived')
        with self.journal.database.writing() as connection:
            connection.execute(update(outbox).values(told=1))
        with self.journal.writer.writing() as writing:
            add(writing, sections, 'app.arrived')
        self.assertEqual([('r:0', 'app.arrived', 0, 1)], self.rows())

    def test_of_a_file_that_the_journal_does_not_have_nobody_is_told(self):
        with self.journal.writer.writing() as writing:
            add(writing, [[['published', 'unknown:1', 2]]], 'app.arrived')
        self.assertEqual([], self.rows())

    def test_what_was_told_long_ago_is_forgotten_and_nothing_else(self):
        self.journal.load([section('a.xml', 'b.xml')], tell='app.arrived')
        with self.journal.database.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.key == 'r:0').values(
                told=time.time_ns() - 10 * 86400 * 10**9))
        self.journal.expire(20)
        self.assertEqual(2, len(self.rows()))
        self.journal.expire(5)
        self.assertEqual(['r:1'], [key for key, *_ in self.rows()])


class Forked(unittest.TestCase):

    def test_a_process_that_was_forked_has_its_own_connections(self):
        journal = SQLJournal('/nowhere/journal.db')
        parent = id(journal.database)
        self.assertEqual(parent, id(journal.database))
        if not (child := os.fork()):
            os._exit(10 if id(journal.database) == parent else 11)
        self.assertEqual(11, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
