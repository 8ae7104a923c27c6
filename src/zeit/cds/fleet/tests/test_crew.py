"""Claims and heartbeats: one worker at a feed, and the feed of a dead one goes on."""
import os
import shutil
import tempfile
import threading
import unittest

from sqlalchemy import insert, select, update

from zeit.cds.fleet import crew, tables
from zeit.cds.fleet.crew import Crew, identity, me, Tuning
from zeit.cds.fleet.owners import Owners
from zeit.cds.fleet.tables import claims, now, workers
from zeit.cds.interfaces import JournalError
from zeit.cds.journal.database import Database
from zeit.cds.tests.importing import MEMORY


class Case(unittest.TestCase):

    def setUp(self):
        directory = tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.addCleanup(shutil.rmtree, directory)
        self.database = Database(os.path.join(directory, 'journal.db'))
        self.addCleanup(self.database.close)
        self.crew = Crew(self.database)

    def someone(self, feed, silent=0.0, **who):
        """A worker that claimed the feed, and showed no sign of life for so many seconds."""
        other = me()._replace(**(who or {'machine': 'other'}))
        with self.crew.writing() as connection:
            connection.execute(insert(workers).values(
                worker=identity(other), host='other', seen=now() - silent))
            connection.execute(insert(claims).values(
                feed=feed, run='theirs', worker=identity(other), since=now() - silent, again=False))
        return other

    def row(self, feed):
        with self.crew.reading() as connection:
            return connection.execute(select(claims).where(claims.c.feed == feed)).one_or_none()


class Claims(Case):

    def test_a_feed_is_one_claim_at_a_time(self):
        first = self.crew.claim('dpa')
        self.assertIsNotNone(first)
        self.assertIsNone(self.crew.claim('dpa'))
        self.assertIsNotNone(self.crew.claim('ap'))
        first.release()
        self.assertIsNotNone(self.crew.claim('dpa'))

    def test_who_found_it_claimed_has_it_looked_at_once_more(self):
        first = self.crew.claim('dpa')
        self.crew.claim('dpa')
        self.crew.claim('dpa')
        self.assertTrue(first.release())
        second = self.crew.claim('dpa')
        self.assertFalse(second.release())

    def test_that_of_a_living_worker_is_kept(self):
        self.someone('dpa', Tuning().dead - 5)
        self.assertIsNone(self.crew.claim('dpa'))
        self.assertEqual('theirs', self.row('dpa').run)
        self.assertTrue(self.row('dpa').again)

    def test_that_of_a_dead_worker_is_taken_over(self):
        self.someone('dpa', Tuning().dead + 5)
        claim = self.crew.claim('dpa')
        self.assertIsNotNone(claim)
        self.assertEqual(identity(me()), self.row('dpa').worker)
        self.assertFalse(claim.release())

    def test_that_of_a_process_of_this_host_that_has_ended_is_taken_over_at_once(self):
        self.someone('dpa', 0.0, start='1')
        self.assertIsNotNone(self.crew.claim('dpa'))

    def test_that_of_a_worker_that_nobody_knows_is_taken_over(self):
        self.someone('dpa')
        with self.crew.writing() as connection:
            connection.execute(workers.delete())
        self.assertIsNotNone(self.crew.claim('dpa'))

    def test_what_was_taken_over_is_not_released_by_its_former_owner(self):
        claim = self.crew.claim('dpa')
        with self.crew.writing() as connection:
            connection.execute(update(claims).values(run='theirs'))
        self.assertFalse(claim.release())
        self.assertEqual('theirs', self.row('dpa').run)

    def test_many_threads_one_claim(self):
        found, barrier = [], threading.Barrier(6)

        def claim():
            barrier.wait()
            found.append(self.crew.claim('dpa'))
        threads = [threading.Thread(target=claim) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(1, sum(each is not None for each in found))

    def test_it_tells_who_works_on_what(self):
        self.crew.claim('dpa')
        [(feed, host, seconds, again)] = self.crew.working()
        self.assertEqual(('dpa', me().host, False), (feed, host, again))
        self.assertGreaterEqual(seconds, 0)

    def test_without_its_database_nothing_is_claimed(self):
        broken = Crew(Database('sqlite:////nowhere/journal.db'))
        with self.assertRaises(JournalError):
            broken.claim('dpa')

    def test_a_release_that_fails_raises_nothing(self):
        claim = self.crew.claim('dpa')
        with self.crew.writing() as connection:
            tables.metadata.drop_all(connection)
        self.assertFalse(claim.release())


class Heartbeats(Case):

    def test_a_beat_shows_life(self):
        claim = self.crew.claim('dpa')
        with self.crew.writing() as connection:
            connection.execute(update(workers).values(seen=now() - 1000))
        self.assertGreater(self.crew.silence(me()), 900)
        self.assertTrue(self.crew.beat('dpa', self.row('dpa').run))
        self.assertIsNone(self.crew.silence(me()))
        claim.release()

    def test_a_beat_tells_that_the_claim_is_lost(self):
        self.crew.claim('dpa')
        self.assertFalse(self.crew.beat('dpa', 'another'))
        self.assertFalse(self.crew.beat('ap', 'another'))

    def test_of_who_was_never_seen_nothing_is_known(self):
        self.assertIsNone(self.crew.silence(me()._replace(host='nobody')))

    def test_workers_of_long_ago_are_forgotten(self):
        old = self.someone('dpa', Tuning().forget + 10)
        self.crew.claim('ap')
        self.assertIsNone(self.crew.silence(old))

    def test_it_is_the_process_that_works_and_not_its_parent(self):
        parent = identity(me())
        reading, writing = os.pipe()
        if not (child := os.fork()):
            os.write(writing, identity(me()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with open(reading) as f:
            self.assertEqual(parent.split()[:3] + [str(child)], f.read().split()[:4])


class Judges(Case):
    """What a lock's owner is told of: see ILockOwners."""

    def setUp(self):
        super().setUp()
        self.owners = Owners(lambda: self.database)

    def test_a_dead_worker_is_over(self):
        other = self.someone('dpa', Tuning().dead + 5)
        self.assertEqual('that worker has shown no sign of life for 50 s', self.owners.over(other))

    def test_a_living_worker_is_not(self):
        self.assertEqual('', self.owners.over(self.someone('dpa', Tuning().dead - 5)))

    def test_one_that_is_unknown_is_not(self):
        self.someone('dpa', Tuning().dead + 5)
        for change in {'pid': '1'}, {'start': '1'}, {'boot': '1'}, {'machine': '1'}, {'host': '1'}:
            self.assertEqual('', self.owners.over(me()._replace(**{'machine': 'other', **change})))

    def test_without_its_database_nobody_is(self):
        for database in None, Database('sqlite:////nowhere/journal.db'):
            self.assertEqual('', Owners(lambda database=database: database).over(me()))


class Names(unittest.TestCase):

    def test_a_claim_is_in_time_for_others_who_judge(self):
        tuning = crew.TUNING
        self.assertLess(2 * tuning.beat, tuning.fence)
        self.assertLess(tuning.fence + 2 * tuning.beat, tuning.dead)
