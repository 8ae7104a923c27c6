"""A task for each file that arrived, until it was done."""
import os
import uuid

import celery.signals
import kombu.exceptions
import zope.component
from sqlalchemy import select, update

from zeit.cds.fleet import tasks, telling
from zeit.cds.fleet.tests.site import put, SiteCase
from zeit.cds.interfaces import IJournal
from zeit.cds.journal.database import files, outbox
from zeit.cds.testing import recorded


class Telling(SiteCase):

    def setUp(self):
        super().setUp()
        self.dpa = self.feed(tell='app.arrived')

    def arrive(self, *names):
        for name in names:
            put(self.dpa, name)
        with recorded():
            tasks.import_feed('dpa')
        self.messages()         # beat's next `tell` is enough here

    def rows(self):
        with self.journal.database.reading() as connection:
            return connection.execute(select(outbox).order_by(outbox.c.added)).all()

    def later(self):
        """All pauses are over."""
        with self.journal.database.writing() as connection:
            connection.execute(update(outbox).values(due=0))

    def test_one_task_for_each_file_with_what_the_journal_knows(self):
        self.arrive('foo.xml')
        self.assertEqual(1, tasks.tell())
        [message] = self.messages()
        with self.journal.database.reading() as connection:
            row = connection.execute(select(files)).one()
        self.assertEqual('app.arrived', message.headers['task'])
        self.assertEqual(
            {'key': row.key, 'feed': 'dpa', 'direction': 'import', 'name': 'foo.xml',
             'spool': self.dpa.store_dir, 'size': 15, 'digest': row.digest.hex(),
             'modified': row.modified, 'published': row.published}, message.payload[1])
        self.assertEqual(row.key, message.headers[telling.HEADER])
        self.assertEqual(str(uuid.uuid5(telling.TASK_IDS, row.key)), message.headers['id'])

    def test_a_run_that_brings_something_has_it_told_at_once(self):
        put(self.dpa, 'foo.xml')
        tasks.import_feed('dpa')
        self.assertEqual(['zeit.cds.tell'],
                         [message.headers['task'] for message in self.messages()])
        tasks.import_feed('dpa')
        self.assertEqual([], self.messages())

    def test_what_was_sent_is_sent_again_after_a_pause_until_it_was_done(self):
        self.arrive('foo.xml')
        ids = []
        for tries in range(3):
            self.assertEqual(1, tasks.tell())
            self.assertEqual(0, tasks.tell())
            [message] = self.messages()
            ids.append(message.headers['id'])
            [row] = self.rows()
            self.assertEqual(tries + 1, row.tries)
            self.later()
        self.assertEqual(1, len(set(ids)))
        tasks.told(message.payload[1]['key'])
        self.assertEqual(0, tasks.tell())
        self.assertIsNotNone(self.rows()[0].told)

    def test_pauses_grow_up_to_a_limit(self):
        self.arrive('foo.xml')
        pauses = []
        for _ in range(8):
            tasks.tell()
            [row] = self.rows()
            pauses.append(round((row.due - row.added) / telling.SECOND / 60))
            self.later()
        self.assertEqual([5, 10, 20, 40, 60, 60, 60, 60], pauses)

    def test_nobody_is_told_of_feeds_that_nobody_asks_for(self):
        self.dpa = self.feed('ap')
        put(self.dpa, 'foo.xml')
        tasks.import_feed('ap')
        self.assertEqual(0, tasks.tell())

    def test_while_the_broker_is_away_nothing_is_lost_nor_put_off(self):
        self.arrive('foo.xml', 'bar.xml')
        self.server.crash()
        self.app.conf.task_publish_retry = False
        for _ in range(2):
            with self.assertRaises(kombu.exceptions.OperationalError):
                tasks.tell()
        self.assertEqual([0, 0], [row.tries for row in self.rows()])
        self.server.start()
        self.assertEqual(2, tasks.tell())
        self.assertEqual(2, len(self.messages()))

    def test_more_than_are_taken_at_once(self):
        self.arrive(*('%d.xml' % number for number in range(7)))
        most, telling.MOST = telling.MOST, 3
        self.addCleanup(setattr, telling, 'MOST', most)
        self.assertEqual(7, tasks.tell())
        self.assertEqual(7, len({m.headers['id'] for m in self.messages()}))

    def test_without_a_journal_there_is_nothing_to_tell(self):
        zope.component.getGlobalSiteManager().unregisterUtility(provided=IJournal)
        self.assertEqual(0, tasks.tell())

    def test_a_file_of_odd_name(self):
        name = os.fsdecode(b'k\xf6ln "<\\.xml')
        self.arrive(name)
        tasks.tell()
        [message] = self.messages()
        self.assertEqual(name, message.payload[1]['name'])


class Done(SiteCase):
    """A worker notes by itself that the task was done."""

    def setUp(self):
        super().setUp()
        self.dpa = self.feed(tell='app.arrived')
        put(self.dpa, 'foo.xml')
        with recorded():
            tasks.import_feed('dpa')
        tasks.tell()
        self.message = self.messages()[-1]

        @self.app.task(name='app.arrived', shared=False)
        def arrived(**_):
            pass

    def do(self):
        """A worker gets the message, and does its task."""
        task = self.app.tasks['app.arrived']
        task.push_request(headers=self.message.headers)
        try:
            celery.signals.task_success.send(sender=task, result=None)
        finally:
            task.pop_request()

    def told(self):
        with self.journal.database.reading() as connection:
            return connection.scalar(select(outbox.c.told)) is not None

    def test_it_is_noted(self):
        self.do()
        self.assertTrue(self.told())

    def test_other_tasks_are_no_business_of_ours(self):
        del self.message.headers[telling.HEADER]
        self.do()
        self.assertFalse(self.told())
        zope.component.getGlobalSiteManager().unregisterUtility(provided=IJournal)
        self.do()
        self.assertEqual([], self.messages())

    def test_a_worker_without_a_journal_sends_a_task_that_notes_it(self):
        zope.component.getGlobalSiteManager().unregisterUtility(provided=IJournal)
        self.do()
        zope.component.provideUtility(self.journal, IJournal)
        self.assertFalse(self.told())
        [message] = self.messages()
        self.assertEqual('zeit.cds.told', message.headers['task'])
        tasks.told(*message.payload[0])
        self.assertTrue(self.told())
