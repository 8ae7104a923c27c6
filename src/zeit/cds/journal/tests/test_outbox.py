"""Files for which an application wants a task."""
import os
import shutil
import tempfile
import time
import unittest
from unittest import mock

from sqlalchemy import select, update

from zeit.cds.events import Outcome
from zeit.cds.journal import record as record_module
from zeit.cds.journal.database import files, outbox
from zeit.cds.journal.outbox import add
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.journal.tests.infile import InFile
from zeit.cds.testing.contracts.journal import Feed
from zeit.cds.testing.noted import NotedSpool
from zeit.cds.tests.importing import MEMORY


def section(*files, run='r', published=True, task='app.arrived'):
    """What a run noted of files."""
    now = time.time_ns()
    events = [['run', run, 'dpa', 'import', '/spool', 'host', 1, now, 0]]
    for number, name in enumerate(files):
        key = '%s:%d' % (run, number)
        events.append(['whole', key, name, 1, 5, None, None, None, now, now,
                       *([task] if task else ())])
        if published:
            events.append(['published', key, now])
            events += [['wanted', key, task]] if task else []
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
        self.journal.load([section('a.xml', 'b.xml')])
        self.assertEqual([('r:0', 'app.arrived', 0, None), ('r:1', 'app.arrived', 0, None)],
                         sorted(self.rows()))

    def test_none_that_was_not(self):
        self.journal.load([section('a.xml', published=False)])
        self.assertEqual([], self.rows())

    def test_none_if_nobody_asks(self):
        self.journal.load([section('a.xml', task=None)])
        self.assertEqual([], self.rows())

    def test_each_once_whatever_is_handed_over_twice(self):
        sections = [section('a.xml')]
        self.journal.load(sections)
        with self.journal.database.writing() as connection:
            connection.execute(update(outbox).values(told=1))
        with self.journal.writer.writing() as writing:
            add(writing, {'r:0': 'app.arrived'})
        self.assertEqual([('r:0', 'app.arrived', 0, 1)], self.rows())

    def test_of_a_file_that_the_journal_does_not_have_nobody_is_told(self):
        with self.journal.writer.writing() as writing:
            add(writing, {'unknown:1': 'app.arrived'})
        self.assertEqual([], self.rows())

    def test_what_was_told_long_ago_is_forgotten_and_nothing_else(self):
        self.journal.load([section('a.xml', 'b.xml')])
        with self.journal.database.writing() as connection:
            connection.execute(update(outbox).where(outbox.c.key == 'r:0').values(
                told=time.time_ns() - 10 * 86400 * 10**9))
        self.journal.expire(20)
        self.assertEqual(2, len(self.rows()))
        self.journal.expire(5)
        self.assertEqual(['r:1'], [key for key, *_ in self.rows()])


class Shared(InFile, unittest.TestCase):
    """Two feeds have one spool; only one of them has a task sent."""

    def setUp(self):
        super().setUp()
        self.spool = NotedSpool()
        self.told, self.untold = Feed('told'), Feed('untold')
        self.told.tell, self.untold.tell = 'app.arrived', ''

    def begin(self, feed):
        record = self.journal.open(feed, self.spool)
        record.begin([])
        return record

    def tasks(self):
        with self.journal.database.reading() as connection:
            return [tuple(row) for row in connection.execute(
                select(files.c.feed, files.c.name, outbox.c.task).join(
                    outbox, outbox.c.key == files.c.key))]

    def end(self, record):
        record.close(Outcome())

    def exchange(self, feed, name):
        record = self.begin(feed)
        record.whole([self.spool.put(name, b'data')])
        self.spool.move(name)
        record.published(name)
        self.end(record)

    def test_each_file_by_its_own_feed(self):
        self.exchange(self.told, 'a')
        self.exchange(self.untold, 'b')
        self.assertEqual([('told', 'a', 'app.arrived')], self.tasks())

    def test_whoever_finds_that_it_was_published(self):
        for published in False, True:
            name = 'published' if published else 'whole'
            record = self.begin(self.told)
            record.whole([self.spool.put(name, b'data')])
            self.spool.move(name)
            if published:
                record.published(name)
            self.end(self.begin(self.untold))       # the other one was killed
        self.assertEqual({('told', 'published', 'app.arrived'), ('told', 'whole', 'app.arrived')},
                         set(self.tasks()))

    def test_also_if_the_journal_knows_the_file_and_the_notes_that_it_is_open(self):
        record = self.begin(self.told)
        record.whole([self.spool.put('a', b'data')])
        with mock.patch.object(record_module, 'EVERY', -1.0):
            record.whole([self.spool.put('b', b'data')])        # it is handed over
        self.assertEqual(2, len(self.spool.notes.read().splitlines()))
        for name in 'ab':
            self.spool.move(name)
        self.end(self.begin(self.untold))
        self.assertEqual(['a', 'b'], sorted(name for _, name, _ in self.tasks()))


class Forked(unittest.TestCase):

    def test_a_process_that_was_forked_has_its_own_connections(self):
        journal = SQLJournal('/nowhere/journal.db')
        parent = id(journal.database)
        self.assertEqual(parent, id(journal.database))
        if not (child := os.fork()):
            os._exit(10 if id(journal.database) == parent else 11)
        self.assertEqual(11, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
