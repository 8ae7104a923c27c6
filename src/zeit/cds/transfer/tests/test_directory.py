"""The directory on the server while a run works there: what begins and ends with it."""
import threading
from unittest import mock

from zeit.cds.interfaces import (
    ConnectionLost,
    Interrupted,
    RunLimitReached,
    TemporaryError,
)
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.net.scheduler import Scheduler
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.directory import Directory, Stop
from zeit.cds.transfer.tests.plain import Exchanges, Fault, hangs, QUICK, QUICK_LOCK


class Directories(Exchanges):

    def directory(self, *faults, tuning=QUICK, **settings):
        self.server, self.stop = self.serve(*faults), Stop()
        return Directory(self.feed(**settings), self.server, LockFile(QUICK_LOCK), self.stop,
                         tuning)

    def test_it_is_connecting_while_it_opens_its_first_session(self):
        seen = []
        for retries, faults in (1, ()), (1, [TemporaryError('busy')]), (0, [TemporaryError('no')]):
            self.last = directory = self.directory(
                *(Fault('open', error, times=1) for error in faults),
                Fault('open', lambda *args: seen.append(self.last.connecting)), retries=retries)
            self.assertFalse(directory.connecting)
            with recorded():
                if retries:
                    directory.connect()
                else:
                    self.assertRaises(TemporaryError, directory.connect)
            self.assertFalse(directory.connecting)
            directory.disconnect()
        self.assertEqual([True, True], seen)

    def test_a_run_tells_that_it_is_connecting(self):
        server = self.serve()
        run = self.import_(server)
        self.assertFalse(run.connecting)
        seen = []
        server.faults += [Fault('open', lambda *args: seen.append(run.connecting)),
                          Fault('make_directory', lambda *args: seen.append(run.connecting))]
        self.run_it(run)
        self.assertEqual([True, False], seen[:2])
        self.assertFalse(run.connecting)

    def test_there_is_nothing_to_abort_before_there_is_a_session(self):
        self.directory().abort()
        self.import_(self.serve()).abort()

    def test_after_that_there_is_only_time_to_clean_up(self):
        directory = self.directory(timeout=3.0, run_limit=1000.0)
        directory.connect()
        directory.abort()
        self.assertLessEqual(directory.deadline.left, 3.0)

    def test_to_abort_ends_its_session(self):
        directory = self.directory()
        directory.connect()
        directory.abort()
        self.assertFalse(directory.sessions.first.alive)
        directory.disconnect()

    def test_to_abort_a_run_ends_whatever_it_asks_for(self):
        server = self.serve(Fault('entries', hangs, times=1), files={'a': b'data'})
        run = self.import_(server, run_limit=9)

        def end(*args):
            run.stop(Interrupted('Enough.'))
            threading.Timer(0.02, run.abort).start()

        server.faults.insert(0, Fault('entries', end, times=1))
        self.assertLess(self.run_it(run).seconds, 8)
        self.assertFalse(run.outcome.successful)

    def test_nothing_is_begun_once_it_was_stopped_or_the_time_is_over(self):
        for error in Interrupted('Enough.'), RunLimitReached('Over.'):
            directory, called = self.directory(), []
            directory.connect()
            if isinstance(error, Interrupted):
                self.stop.error = error
            else:       # there are sessions that do not look at the time
                directory.deadline._end = 0
            self.assertRaises(type(error), directory.persist, called.append)
            self.assertEqual([], called)
            directory.disconnect()

    def test_a_lost_session_is_a_failure(self):
        directory = self.directory()
        directory.connect()
        self.assertRaises(ConnectionLost, directory.persist, self.loses(ConnectionLost('lost')))
        directory.disconnect()

    def test_it_is_none_where_pipelining_was_the_cause(self):
        error = ConnectionLost('lost')
        error.at_once = True
        directory = self.directory()
        directory.connect()
        with recorded():
            session = directory.persist(self.loses(error))
        self.assertIs(self.server.sessions[1], session)
        directory.disconnect()

    @staticmethod
    def loses(error):
        """A verb that loses its first session, and gives the second one."""
        used = []

        def verb(session):
            used.append(session)
            if len(used) == 1:
                session.abort()
                raise error
            return session
        return verb

    def test_a_pause_ends_when_a_signal_comes(self):
        directory = self.directory(
            Fault('stat', TemporaryError('busy')), retries=1, run_limit=60,
            tuning=QUICK._replace(first_pause=40.0, longest_pause=40.0))
        directory.connect()
        turn, turns = Scheduler.turn, []

        def interrupted(scheduler, seconds):
            turn(scheduler, 0)
            turns.append(seconds)
            if len(turns) == 3:
                raise KeyboardInterrupt('Enough.')

        with mock.patch.object(Scheduler, 'turn', interrupted), recorded():
            self.assertRaises(KeyboardInterrupt, directory.persist,
                              lambda session: session.stat('a'))
        directory.disconnect()
        self.assertGreater(directory.deadline.left, 20)

    def test_at_its_end_nothing_goes_on_but_cleaning_up(self):
        alive = []

        def remove(session, name):
            if name == 'read':
                alive.extend(other.alive for other in self.server.sessions)

        for fails in False, True:
            del alive[:]
            directory = self.directory(Fault('remove', remove), timeout=5)
            with recorded(), self.raised_if(fails), directory.locked('read'):
                further = directory.sessions.open()
                task = directory.tasks.spawn(further.abort)
                directory.deadline._end = 0
                if fails:
                    raise KeyError('It fails.')
            self.assertEqual([True, False], alive)
            self.assertTrue(task.dead)
            self.assertLessEqual(4, directory.deadline.left)
            self.assertEqual(2, len(self.server.sessions))

    def test_a_session_is_kept_for_another_run_only_if_all_went_well(self):
        for fails in False, True:
            directory, kept = self.directory(), []
            self.server.give_back = kept.append
            with recorded(), self.raised_if(fails), directory.locked('read'):
                if fails:
                    raise KeyError('It fails.')
            first, = self.server.sessions
            self.assertEqual(([] if fails else [first], not fails), (kept, first.alive))
            first.close()
        directory = self.directory()
        self.server.give_back = kept.append
        del kept[:]
        directory.connect()
        directory.disconnect()
        self.assertEqual([], kept)

    def raised_if(self, fails):
        return self.assertRaises(KeyError) if fails else self.subTest()

    def test_what_needs_no_session_is_asked_for_while_the_lock_is_made_sure_of(self):
        seen = []
        directory = self.directory()
        with recorded(), directory.locked(
                'read', lambda session, also: seen.append((session, also))):
            pass
        (session, also), = seen
        self.assertIs(directory.sessions._all[0], session)
        self.assertTrue(callable(also))
