"""Files become durable while others come, and none stays open or half whatever happens."""
import os

from zeit.cds.interfaces import FileRefused, RunLimitReached, SpoolError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.net.scheduler import sleep
from zeit.cds.spool.inbox import FileSink
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.tests.plain import Exchanges, Fault, hangs, QUICK, QUICK_LOCK


class Sink(FileSink):
    """Calls `hook` with each list of names before a commit."""

    def __init__(self, hook):
        self.hook, self.commits = hook, []

    def open(self, feed):
        spool = super().open(feed)
        commit = spool.commit

        def hooked(incomings):
            self.commits.append([incoming.name for incoming in incomings])
            self.hook(incomings)
            commit(incomings)
        spool.commit = hooked
        return spool


class Committing(Exchanges):

    files = {'%02d' % n: b'data' for n in range(6)}

    def commit(self, *faults, hook=lambda incomings: None, tuning=QUICK, files=None, **settings):
        self.server, self.sink = self.serve(*faults, files=files or self.files), Sink(hook)
        self.run_ = Import(self.feed(**settings), self.server, LockFile(QUICK_LOCK), self.sink,
                           tuning)
        return self.run_it(self.run_)

    def assert_nothing_half(self):
        """No file is open, and no part is there."""
        paths = []
        for fd in os.listdir('/proc/self/fd'):
            try:
                paths.append(os.readlink('/proc/self/fd/' + fd))
            except FileNotFoundError:
                pass    # that of the listing itself
        self.assertEqual([], [path for path in paths if path.startswith(self.store_dir)])
        self.assertEqual([], os.listdir(os.path.join(self.store_dir, 'tmp')))

    def test_all_at_once_when_nothing_else_is_to_be_done(self):
        self.commit(tuning=QUICK._replace(gather=60.0))
        self.assertEqual([sorted(self.files)], self.sink.commits)

    def test_so_many_at_once(self):
        self.commit(tuning=QUICK._replace(gather=60.0, group=2))
        self.assertLess(1, len(self.sink.commits))
        self.assertEqual(sorted(self.files), sum(self.sink.commits, []))

    def test_one_after_the_other(self):
        busy, most = [], []

        def slowly(incomings):
            busy.append(incomings)
            most.append(len(busy))
            sleep(0.02)
            busy.pop()

        self.commit(hook=slowly, tuning=QUICK._replace(group=1))
        self.assertLess(1, len(most))
        self.assertEqual({1}, set(most))

    def test_what_was_not_durable_when_the_run_ended_is_dropped(self):
        outcome = self.commit(Fault('read', hangs, name='03'), run_limit=1,
                              tuning=QUICK._replace(gather=60.0, tick=0.05))
        self.assertIsInstance(outcome.error, RunLimitReached)
        self.assertEqual(([], self.files), (self.sink.commits, self.server.files))
        self.assert_nothing_half()

    def test_the_disk_fails(self):
        def fail(incomings):
            raise SpoolError('broken')

        outcome = self.commit(hook=fail)
        self.assertEqual('broken', str(outcome.error))
        self.assertEqual((self.files, {}), (self.server.files, self.spool('new')))
        self.assert_nothing_half()

    def test_it_refuses_one_after_the_other(self):
        def refuse(incomings):
            for incoming in incomings:
                if incoming.name in ('01', '04'):
                    raise incoming.refused('too large')

        outcome = self.commit(hook=refuse, tuning=QUICK._replace(gather=60.0))
        self.assertEqual([('01', 'too large'), ('04', 'too large')], outcome.failed)
        self.assertEqual({'01', '04'}, set(self.server.files))
        self.assertEqual([6, 5, 4], [len(names) for names in self.sink.commits])
        self.assert_nothing_half()

    def test_it_refuses_all(self):
        def refuse(incomings):
            for incoming in incomings:
                raise incoming.refused('too large')

        outcome = self.commit(hook=refuse, files={'a': b'', 'b': b''},
                              tuning=QUICK._replace(gather=60.0))
        self.assertEqual(['a', 'b'], [name for name, _ in outcome.failed])
        self.assertEqual([['a', 'b'], ['b']], self.sink.commits)

    def test_a_refusal_that_tells_of_no_file_ends_the_run(self):
        def refuse(incomings):
            error = FileRefused('which?')
            error.incoming = None
            raise error

        outcome = self.commit(hook=refuse)
        self.assertEqual('which?', str(outcome.error))
        self.assert_nothing_half()

    def test_how_many_bytes_have_come(self):
        self.commit()
        self.assertEqual(24, self.run_.progress.bytes_done)

    def test_sessions_for_all_bytes(self):
        for size, sessions in (49, 1), (99, 2), (100, 3):
            self.setUp()
            self.commit(files={'a': b'x' * 20, 'b': b'x' * (size - 20), 'c': b'', 'd': b''},
                        connections=4, tuning=QUICK._replace(bytes_a_session=50, near=9))
            self.assertEqual(sessions, len(self.server.sessions))
