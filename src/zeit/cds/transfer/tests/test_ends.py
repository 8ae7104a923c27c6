"""When a run's time is over, or somebody stops it, in whatever it does: its lock goes."""
import os
import threading
import time
from unittest import mock

from zeit.cds.interfaces import ConnectionLost, Interrupted, RunLimitReached, TemporaryError
from zeit.cds.net.scheduler import Scheduler
from zeit.cds.transfer.tests.plain import Exchanges, Fault, hangs, QUICK


def outlasts(session, *args):
    """It takes until the run's time is over, and does its work."""
    time.sleep(max(0.0, session.deadline.left))


class RunLimit(Exchanges):

    files = {'%02d' % n: b'data' for n in range(20)}

    def check(self, *faults, **settings):
        server = self.serve(*faults, files=self.files)
        outcome = self.run_it(self.import_(server, run_limit=1, **settings))
        self.assertIsInstance(outcome.error, RunLimitReached, self.log.text)
        self.assertEqual({fault.used for fault in faults}, {1})
        return server

    def test_one_deadline_for_all_sessions(self):
        server = self.serve(Fault('read', ConnectionLost('lost'), name='03', times=1),
                            files=self.files)
        self.assertTrue(self.run_it(self.import_(server, connections=3, retries=1)).successful)
        self.assertGreater(len(server.sessions), 3)
        self.assertEqual(1, len({id(session.deadline) for session in server.sessions}))

    def test_it_hangs(self):
        for verb in 'entries', 'read', 'remove', 'write':
            with self.subTest(verb=verb):
                self.check(Fault(verb, hangs, times=1))

    def test_it_is_over_between_two_verbs(self):
        for verb in 'make_directory', 'write', 'entries', 'read', 'remove':
            with self.subTest(verb=verb):
                self.check(Fault(verb, outlasts, times=1, after=True))

    def test_a_session_that_is_well_is_good_enough_for_cleaning_up(self):
        os.makedirs(os.path.join(self.store_dir, 'tmp'))
        with open(os.path.join(self.store_dir, 'tmp', 'left'), 'wb') as f:
            f.write(b'data')        # so that the listing comes after the lock
        server = self.check(Fault('entries', outlasts, times=1))
        self.assertEqual(1, len(server.sessions))
        self.assertNotIn('could not be removed', self.log.text)

    def test_no_pause_goes_on(self):
        """A pause that would is none: the failure ends the run at once."""
        server = self.serve(Fault('entries', TemporaryError('busy')), files=self.files)
        outcome = self.run_it(self.import_(
            server, QUICK._replace(first_pause=5.0, longest_pause=5.0), retries=9, run_limit=1))
        self.assertIsInstance(outcome.error, TemporaryError)
        self.assertEqual(1, server.count('entries'))

    def test_some_time_is_left_for_cleaning_up_and_no_more(self):
        server = self.check(Fault('read', hangs, times=1), timeout=0.5)
        self.assertLess(server.sessions[0].deadline.left, 0.5)


class Stopped(Exchanges):

    def interrupt(self, session, *args):
        raise KeyboardInterrupt('Enough.')

    def test_an_exception_of_a_signal_handler_leaves_no_lock(self):
        for verb in 'write', 'entries', 'read':
            for after in False, True:
                with self.subTest(verb=verb, after=after):
                    server = self.serve(Fault(verb, self.interrupt, times=1, after=after),
                                        files={'a': b'data'})
                    with self.assertRaises(KeyboardInterrupt):
                        self.run_it(self.import_(server))
                    self.assertFalse({'read', '.cds-mutex'} & server.names())
                    self.assertIsInstance(self.last.outcome.error, Interrupted)

    def test_one_that_comes_while_all_wait(self):
        server = self.serve(Fault('entries', hangs, times=1), files={'a': b'data'})
        run, turn = self.import_(server), Scheduler.turn

        def interrupted(scheduler, seconds):
            turn(scheduler, seconds)
            if server.faults[0].used == 1:
                server.faults[0].used += 1
                raise KeyboardInterrupt('Enough.')

        with mock.patch.object(Scheduler, 'turn', interrupted):
            with self.assertRaises(KeyboardInterrupt):
                self.run_it(run)
        self.assertFalse({'read', '.cds-mutex'} & server.names())

    def test_stop_lets_the_file_in_hand_come(self):
        server = self.serve(files={'%02d' % n: b'data' for n in range(9)})
        run = self.import_(server)
        server.faults.append(Fault('read', lambda *args: run.stop(Interrupted('Enough.')), times=1))
        outcome = self.run_it(run)
        self.assertIsInstance(outcome.error, Interrupted)
        self.assertEqual(({'00'}, [], []),
                         (set(self.spool('new')), outcome.skipped, outcome.failed))
        self.assertEqual(8, len(server.files))

    def test_abort_ends_all_sessions(self):
        server = self.serve(Fault('read', hangs), files={'%02d' % n: b'data' for n in range(40)})
        run = self.import_(server, connections=3, run_limit=9)

        def end(*args):
            run.stop(Interrupted('Enough.'))
            threading.Timer(0.05, run.abort).start()

        server.faults.insert(0, Fault('read', end, times=1))
        outcome = self.run_it(run)
        self.assertIsInstance(outcome.error, Interrupted)
        self.assertEqual(40, len(server.files))

    def test_abort_does_not(self):
        server = self.serve(Fault('read', hangs, times=1), files={'a': b'data'})
        run = self.import_(server)

        def end(*args):
            run.stop(Interrupted('Enough.'))
            threading.Timer(0.05, run.abort).start()

        server.faults.insert(0, Fault('read', end, times=1))
        outcome = self.run_it(run)
        self.assertIsInstance(outcome.error, Interrupted)
        self.assertEqual({'a': b'data'}, server.files)
