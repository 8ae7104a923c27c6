"""Claims and heartbeats: one worker at a feed, and the feed of a dead one goes on."""
import os
import shutil
import tempfile
import threading
import time
import unittest
import uuid

from sqlalchemy import delete, false, insert, select, update

from zeit.cds.events import Outcome
from zeit.cds.fleet import crew, tables
from zeit.cds.fleet.crew import Crew, identity, me, Tuning
from zeit.cds.fleet.owners import Owners
from zeit.cds.fleet.tables import claims, now, runs
from zeit.cds.interfaces import JournalError, Locked
from zeit.cds.journal.database import Database
from zeit.cds.testing import recorded
from zeit.cds.tests.importing import MEMORY


class Case(unittest.TestCase):

    def setUp(self):
        directory = tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.addCleanup(shutil.rmtree, directory)
        self.database = Database(os.path.join(directory, 'journal.db'))
        self.addCleanup(self.database.close)
        self.crew = Crew(self.database)

    def someone(self, feed, silent=0.0, begun=None, beaten=None, over=False, **who):
        """A run of a worker that claimed the feed, and showed no sign of life for so many seconds.

        begun, beaten -- seconds since 1970, by its own clock; now, if not given
        """
        other = me()._replace(**(who or {'machine': 'other'}))
        with self.crew._writing() as connection:
            connection.execute(insert(runs).values(
                run=uuid.uuid4().hex, feed=feed, worker=identity(other), host='other',
                begun=int(begun or time.time()), beaten=beaten or time.time(),
                seen=now() - silent, over=over))
            connection.execute(delete(claims).where(claims.c.feed == feed))
            connection.execute(insert(claims).from_select(
                ['feed', 'run', 'again'],
                select(runs.c.feed, runs.c.run, false()).where(runs.c.feed == feed)))
        return other

    def row(self, feed):
        with self.crew._reading() as connection:
            return connection.execute(select(claims).where(claims.c.feed == feed)).one()

    def worker(self, feed):
        """Whose the claim is: an `identity`; None if it is nobody's."""
        with self.crew._reading() as connection:
            return connection.scalar(select(runs.c.worker).join(
                claims, claims.c.run == runs.c.run).where(claims.c.feed == feed))


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
        self.someone('dpa', Tuning().dead - 30)
        self.assertIsNone(self.crew.claim('dpa'))
        self.assertNotEqual(identity(me()), self.worker('dpa'))
        self.assertTrue(self.row('dpa').again)

    def test_that_of_a_dead_worker_is_taken_over(self):
        self.someone('dpa', Tuning().dead + 5)
        claim = self.crew.claim('dpa')
        self.assertIsNotNone(claim)
        self.assertEqual(identity(me()), self.worker('dpa'))
        self.assertFalse(claim.release())

    def test_that_of_a_process_of_this_host_that_has_ended_is_taken_over_at_once(self):
        self.someone('dpa', 0.0, start='1')
        self.assertIsNotNone(self.crew.claim('dpa'))

    def test_that_of_a_run_that_nobody_knows_is_taken_over(self):
        self.someone('dpa')
        with self.crew._writing() as connection:
            connection.execute(runs.delete())
        self.assertIsNotNone(self.crew.claim('dpa'))

    def test_what_was_taken_over_is_not_released_by_its_former_owner(self):
        claim = self.crew.claim('dpa')
        with self.crew._writing() as connection:
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
        with self.crew._writing() as connection:
            tables.metadata.drop_all(connection)
        self.assertFalse(claim.release())


    def test_one_that_could_not_be_released_is_taken_over_in_time(self):
        """Its process lives, and works on other feeds."""
        self.someone('dpa', Tuning().dead + 5, start=me().start)
        self.crew.claim('ap')
        self.assertIsNotNone(self.crew.claim('dpa'))

    def test_a_look_that_was_asked_for_before_the_last_one_began_is_merged(self):
        before = time.time()
        self.crew.claim('dpa', before).release(Outcome())
        self.assertIsNone(self.crew.claim('dpa', before))
        self.assertIsNotNone(self.crew.claim('dpa', time.time()))
        self.assertIsNone(self.crew.claim('dpa', before))
        self.assertFalse(self.row('dpa').again)

    def kill(self):
        """Whoever has a claim."""
        with self.crew._writing() as connection:
            connection.execute(update(runs).where(~runs.c.over).values(
                worker=identity(me()._replace(start='1'))))

    def test_but_not_if_that_one_has_died(self):
        before = time.time()
        self.crew.claim('dpa', before)
        self.kill()
        self.assertIsNotNone(self.crew.claim('dpa', before))

    def test_a_feed_at_which_workers_die_again_and_again_has_a_rest(self):
        for _ in range(crew.DEATHS):
            self.assertIsNotNone(self.crew.claim('dpa'))
            self.kill()
        with recorded() as log:
            self.assertIsNone(self.crew.claim('dpa'))
        self.assertIn('Workers died 3 times within 600 s at the feed dpa', log.complaints[0])
        with self.crew._writing() as connection:
            connection.execute(update(runs).values(seen=now() - Tuning().rest - 5))
        self.assertIsNotNone(self.crew.claim('dpa'))


class Heartbeats(Case):

    def seen(self):
        with self.crew._reading() as connection:
            return connection.scalar(select(now() - runs.c.seen))

    def test_a_beat_shows_life(self):
        self.crew.claim('dpa')
        with self.crew._writing() as connection:
            connection.execute(update(runs).values(seen=now() - 1000))
        self.assertGreater(self.seen(), 900)
        self.assertTrue(self.crew.beat('dpa', self.row('dpa').run))
        self.assertLess(self.seen(), 900)

    def test_a_beat_tells_that_the_claim_is_lost(self):
        self.crew.claim('dpa')
        self.assertFalse(self.crew.beat('dpa', 'another'))
        self.assertFalse(self.crew.beat('ap', 'another'))

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

    @staticmethod
    def at(owner, seconds):
        """The owner of a lock that was taken so many seconds from now."""
        return owner._replace(since=time.strftime(
            '%Y%m%dT%H%M%SZ', time.gmtime(time.time() + seconds)))

    def test_a_dead_worker_is_over(self):
        other = self.someone('dpa', Tuning().dead + 5)
        self.assertRegex(self.owners.over(self.at(other, 0)),
                         r'\Athat worker has shown no sign of life for [5-9]\d s\Z')

    def test_a_living_worker_is_not(self):
        other = self.someone('dpa', Tuning().dead - 30)
        self.assertEqual('', self.owners.over(self.at(other, 0)))

    def test_a_lock_of_another_time_is_none_of_that_run(self):
        """Its process may do other things, by which nobody beats."""
        fence, begun, beaten = Tuning().fence, time.time() - 500, time.time() - 400
        other = self.someone('dpa', 1000, begun, beaten)
        for seconds, known in ((-510, False), (-490, True), (-410, True), (-400 + fence - 5, True),
                               (-400 + fence + 5, False), (0, False)):
            self.assertEqual(known, bool(self.owners.over(self.at(other, seconds))), seconds)

    def test_what_a_run_left_that_ended_is_over_at_once(self):
        other = self.someone('dpa', 0, over=True)
        self.assertEqual('that run is over, and could not remove it',
                         self.owners.over(self.at(other, 0)))

    def test_it_is_not_over_while_another_run_of_that_process_may_have_left_it(self):
        self.someone('dpa', 0, over=True)
        other = self.someone('ap', 0)
        self.assertEqual('', self.owners.over(self.at(other, 0)))

    def test_only_a_run_that_came_to_a_good_end_is_forgotten(self):
        for error, left in ((None, False), (Locked('x'), False), (ValueError('x'), True)):
            self.crew.claim('dpa').release(Outcome(error))
            self.assertEqual(left, bool(self.owners.over(self.at(me(), 0))), error)

    def test_one_that_is_unknown_is_not(self):
        other = self.at(self.someone('dpa', Tuning().dead + 5), 0)
        self.assertNotEqual('', self.owners.over(other))
        for field in 'pid', 'start', 'boot', 'machine', 'host':
            self.assertEqual('', self.owners.over(other._replace(**{field: '1'})))
        for since in '', 'never', '99999999T999999Z', '\0':
            self.assertEqual('', self.owners.over(other._replace(since=since)))

    def test_runs_of_long_ago_are_forgotten(self):
        old = self.someone('ap', Tuning().forget + 10)
        self.crew.claim('dpa').release(Outcome(ValueError('x')))
        self.assertEqual('', self.owners.over(self.at(old, 0)))

    def test_without_its_database_nobody_is(self):
        for database in None, Database('sqlite:////nowhere/journal.db'):
            self.assertEqual('', Owners(lambda database=database: database).over(me()))


class Names(unittest.TestCase):

    def test_a_claim_is_in_time_for_others_who_judge(self):
        tuning = crew.TUNING
        self.assertLess(2 * tuning.beat, tuning.fence)
        self.assertLess(tuning.fence + 2 * tuning.beat, tuning.dead)
