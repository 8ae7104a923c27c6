"""The tasks: a run of a feed, once at a time, and once more for who came meanwhile."""
import datetime
import os
import sqlite3
import threading
import time

import zope.component
from sqlalchemy import insert, select, update

from zeit.cds.fleet import crew, tasks
from zeit.cds.fleet.crew import Crew, identity, me, Tuning
from zeit.cds.fleet.schedule import SENT
from zeit.cds.fleet.tables import claims, now, runs
from zeit.cds.fleet.tests.site import put, SiteCase
from zeit.cds.interfaces import (
    ConfigurationError,
    IFileImported,
    IFileSink,
    IJournal,
    ILockOwners,
)
from zeit.cds.journal.database import files
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.lock.token import Owner
from zeit.cds.spool.inbox import FileSink
from zeit.cds.testing import recorded
from zeit.cds.testing.faulty import FaultyServer, On


class Tasks(SiteCase):

    def test_it_imports(self):
        feed = self.feed()
        put(feed, 'foo.xml')
        self.assertEqual(
            {'files': 1, 'bytes': 15, 'failed': 0, 'waiting': 0, 'error': None},
            tasks.import_feed('dpa'))
        self.assertEqual(['foo.xml'], os.listdir(os.path.join(feed.store_dir, 'new')))

    def test_it_exports(self):
        feed = self.feed(direction='export')
        with open(os.path.join(feed.store_dir, 'new', 'foo.xml'), 'w') as f:
            f.write('foo')
        self.assertEqual(1, tasks.export_feed('dpa')['files'])
        self.assertEqual(['foo.xml'], os.listdir(feed.ftp_dir))

    def test_a_feed_that_is_not_there_or_goes_the_other_way_is_an_error(self):
        self.feed()
        for task, name in (tasks.import_feed, 'ap'), (tasks.export_feed, 'dpa'):
            with self.assertRaises(ConfigurationError):
                task(name)

    def test_what_fails_is_in_the_result(self):
        self.feed(store_dir=self.work)
        os.mkdir(os.path.join(self.work, 'dpa', 'read'))
        self.assertIn('Error: ', tasks.import_feed('dpa')['error'])

    def test_the_log_tells_which_feed_it_is(self):
        self.feed()
        with recorded() as log:
            tasks.import_feed('dpa')
        self.assertEqual(['Feed: dpa', 'Starting import.'], log.of('INFO')[:2])

    def test_nothing_is_done_while_another_works_on_it(self):
        feed = self.feed()
        put(feed, 'foo.xml')
        claim = Crew(self.journal.database).claim('dpa')
        with recorded() as log:
            self.assertIsNone(tasks.import_feed('dpa'))
        self.assertEqual([], log.of('INFO'))
        self.assertEqual(['foo.xml'], os.listdir(feed.ftp_dir))
        self.assertTrue(claim.release())

    def test_who_came_meanwhile_has_it_looked_at_once_more(self):
        feed = self.feed(every=30)
        put(feed, 'foo.xml')
        zope.component.provideHandler(
            lambda event: [tasks.import_feed('dpa') for _ in range(3)], [IFileImported])
        tasks.import_feed('dpa')
        [message] = self.messages()
        self.assertEqual('zeit.cds.import_feed', message.headers['task'])
        self.assertEqual([['dpa'], {}], message.payload[:2])
        self.assertIsNotNone(message.headers['expires'])
        tasks.import_feed('dpa')
        self.assertEqual([], self.messages())

    def test_looks_that_pile_up_are_one(self):
        feed = self.feed()
        task, now = self.app.tasks['zeit.cds.import_feed'], time.time()
        looks = []
        for sent in now - 9, now - 6, now - 3, now + 3600:
            put(feed, '%d.xml' % sent)
            task.push_request(headers={SENT: sent})
            looks.append(task('dpa'))
            task.pop_request()
        self.assertEqual([True, False, False, True], [look is not None for look in looks])
        self.assertEqual(3, looks[-1]['files'])
        self.assertEqual([], self.messages())

    def test_what_a_dead_worker_had_is_done_again_when_it_is_known_to_be_dead(self):
        self.feed(every=3600)
        Crew(self.journal.database).claim('dpa')        # by one of another host, as far as we know
        task, sent = self.app.tasks['zeit.cds.import_feed'], time.time() - 9
        for redelivered in False, True:
            task.push_request(headers={SENT: sent}, delivery_info={'redelivered': redelivered})
            self.assertIsNone(task('dpa'))
            task.pop_request()
        [message] = self.messages()
        self.assertEqual([['dpa'], {}], message.payload[:2])
        self.assertEqual(sent, message.headers[SENT])
        later = datetime.datetime.fromisoformat(message.headers['eta']).timestamp() - time.time()
        self.assertTrue(Tuning().dead - 10 < later <= Tuning().dead, later)

    def test_a_broker_that_is_away_is_no_failure(self):
        feed = self.feed(tell='app.arrived')
        put(feed, 'foo.xml')
        self.app.conf.broker_url = 'redis://127.0.0.1:1/0'
        self.assertEqual(1, tasks.import_feed('dpa')['files'])

    def test_the_claim_is_released_whatever_happens(self):
        self.feed(ca_file='/nowhere')
        for _ in range(2):
            with self.assertRaisesRegex(ConfigurationError, '/nowhere'):
                tasks.import_feed('dpa')

    def test_without_its_database_nobody_works(self):
        feed = self.feed()
        put(feed, 'foo.xml')
        zope.component.provideUtility(SQLJournal('sqlite:////nowhere/journal.db'), IJournal)
        with recorded() as log:
            self.assertIsNone(tasks.import_feed('dpa'))
        [text] = log.of('ERROR')
        self.assertIn('whether another worker does cannot be told', text)
        self.assertEqual(['foo.xml'], os.listdir(feed.ftp_dir))

    def test_without_a_journal_the_locks_alone_count(self):
        feed = self.feed()
        put(feed, 'foo.xml')
        zope.component.getGlobalSiteManager().unregisterUtility(provided=IJournal)
        self.assertEqual(1, tasks.import_feed('dpa')['files'])


    def test_nobody_can_be_told_without_a_journal(self):
        feed = self.feed(tell='app.arrived')
        put(feed, 'foo.xml')
        zope.component.getGlobalSiteManager().unregisterUtility(provided=IJournal)
        with self.assertRaisesRegex(ConfigurationError, 'feed dpa wants .* takes a journal'):
            tasks.import_feed('dpa')
        self.assertEqual(['foo.xml'], os.listdir(feed.ftp_dir))


    def test_of_a_spool_that_keeps_no_notes_there_is_a_claim_and_no_journal(self):
        class Sink(FileSink):
            keeps_notes = False
        zope.component.provideUtility(Sink(), IFileSink, 'noteless')
        put(self.feed(sink='noteless'), 'foo.xml')
        self.assertEqual(1, tasks.import_feed('dpa')['files'])
        with self.journal.database.reading() as connection:
            self.assertEqual([], connection.execute(select(files)).all())
            self.assertEqual(['dpa'], list(connection.scalars(select(claims.c.feed))))
        self.feed('ap', sink='noteless', tell='app.arrived')
        with self.assertRaisesRegex(ConfigurationError, 'a sink that keeps notes'):
            tasks.import_feed('ap')


class CutOff(SiteCase):
    """A worker that can't reach the database ends its run, and leaves no lock."""

    TUNING = Tuning(beat=0.1, fence=0.5, dead=1.0)

    def setUp(self):
        super().setUp()
        self.ftp = FaultyServer(files={'foo.xml': b'foo', 'bar.xml': b'bar'})
        self.ftp.start()
        self.addCleanup(self.ftp.stop)
        former, crew.TUNING = crew.TUNING, self.TUNING
        self.addCleanup(setattr, crew, 'TUNING', former)
        self.dpa = self.feed(
            connection='', hostname=self.ftp.host, port=self.ftp.port, user='test',
            password='testpw', ftp_dir='/', connections=1)

    def occupy(self):
        """Nobody else gets into the database until the lock is gone on the server."""
        self.ftp.wait_until(lambda: self.ftp.commands('RETR'), 30)
        database = sqlite3.connect(self.journal.url)
        database.execute('BEGIN EXCLUSIVE')
        self.ftp.wait_until(lambda: 'read' not in self.ftp.files, 30)
        database.rollback()
        database.close()

    def test_in_the_middle_of_a_file(self):
        self.ftp.script = [On('RETR').stall()]
        occupying = threading.Thread(target=self.occupy)
        occupying.start()
        with recorded() as log:
            found = tasks.import_feed('dpa')
        occupying.join()
        self.assertIn('Interrupted: this worker could not show', found['error'])
        self.assertIn('Is the database of the journal within reach?', log.of('ERROR')[0])
        self.assertEqual(['bar.xml', 'foo.xml'], sorted(self.ftp.files))
        self.ftp.behave()
        with recorded():
            self.assertEqual(2, tasks.import_feed('dpa')['files'])


class DeadOwners(SiteCase):
    """The lock of a worker on another host, which is known to be dead, is broken."""

    def lock(self, feed, silent, known=True):
        other = Owner.me('read')._replace(machine='other')
        with open(os.path.join(feed.ftp_dir, 'read'), 'w') as f:
            f.write(other.token)
        if known:
            Crew(self.journal.database).claim('another').release()
            with self.journal.database.writing() as connection:
                connection.execute(insert(runs).values(
                    run='theirs', feed='dpa', worker=identity(other), host='other', over=False,
                    begun=int(time.time()), beaten=time.time(), seen=now() - silent))

    def test_dead(self):
        feed = self.feed()
        put(feed, 'foo.xml')
        self.lock(feed, 50)
        with recorded() as log:
            self.assertEqual(1, tasks.import_feed('dpa')['files'])
        [text] = log.warnings
        self.assertRegex(text, 'that worker has shown no sign of life for [5-9]. s[.] Removing it.')
        self.assertEqual([], os.listdir(feed.ftp_dir))

    def test_alive_or_unknown(self):
        for name, silent, known in ('a', 15, True), ('b', 0, False):
            feed = self.feed(name)
            self.lock(feed, silent, known)
            with recorded():
                self.assertEqual('Lock file already exists: read', tasks.import_feed(name)['error'])


class Utilities(SiteCase):

    def test_the_judge_is_registered_once(self):
        self.feed()
        tasks.import_feed('dpa')
        first = zope.component.getUtility(ILockOwners)
        tasks.import_feed('dpa')
        self.assertIs(first, zope.component.getUtility(ILockOwners))

    def test_a_worker_beats_while_it_works(self):
        feed = self.feed()
        put(feed, 'foo.xml')
        seen = []

        def look(event):
            with self.journal.database.reading() as connection:
                seen.append(connection.execute(select(runs.c.feed, runs.c.worker)).all())
        zope.component.provideHandler(look, [IFileImported])
        tasks.import_feed('dpa')
        self.assertEqual([[('dpa', identity(me()))]], seen)

    def test_a_worker_that_lost_its_claim_releases_nothing(self):
        feed = self.feed()
        put(feed, 'foo.xml')

        def lose(event):
            with self.journal.database.writing() as connection:
                connection.execute(update(claims).values(run='theirs'))
        zope.component.provideHandler(lose, [IFileImported])
        tasks.import_feed('dpa')
        with self.journal.database.reading() as connection:
            self.assertEqual(['theirs'], list(connection.scalars(select(claims.c.run))))
