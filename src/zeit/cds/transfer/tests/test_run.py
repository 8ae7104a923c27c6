"""The last lines of a run tell how it ended."""
import zope.event

from zeit.cds.events import FileImported, RunFinished
from zeit.cds.interfaces import Entry, Interrupted, PermanentError, TemporaryError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink, Spool
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.jobs import Dropped, Job, NOT_TRIED
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK, QUICK_LOCK


class Refusing(Spool):
    """Its disk takes no file."""

    def commit(self, incomings):
        for incoming in incomings:
            raise incoming.refused('there is no room for it')


class RefusingSink(FileSink):

    def open(self, feed):
        return Refusing(feed.store_dir)


class LastLines(Exchanges):

    def last(self, *faults, level='ERROR'):
        server = self.serve(*faults, files={'a': b'data', 'b': b'data', 'c': b'data'})
        self.outcome = self.run_it(self.import_(server))
        return self.log.of('INFO', 'WARNING', 'ERROR')[-1], self.log.of(level)

    def test_success(self):
        last, errors = self.last()
        self.assertEqual(('Exiting with success.', []), (last, errors))

    def test_files_that_were_not_exchanged(self):
        line = 'Exiting with failure: 1 of 3 files were not exchanged, see the warnings.'
        last, errors = self.last(Fault('read', PermanentError('no'), name='b'))
        self.assertEqual((line, [line]), (last, errors))
        self.assertEqual(2, self.outcome.files)

    def test_subscribers_that_failed(self):
        def subscriber(event):
            if isinstance(event, FileImported) and event.name != 'b':
                raise ValueError('deaf')

        zope.event.subscribers.append(subscriber)
        self.addCleanup(zope.event.subscribers.remove, subscriber)
        last, _ = self.last()
        self.assertEqual('Exiting with failure: all files were exchanged, but subscribers failed '
                         '2 times, see above.', last)

    def test_the_server_fails(self):
        last, errors = self.last(Fault('entries', TemporaryError('no')))
        self.assertEqual(['Error accessing FTP server.', 'Exiting with exception:'], errors)
        self.assertEqual(last, errors[-1])

    def test_what_is_none_of_the_servers_faults(self):
        _, errors = self.last(Fault('stat', ValueError('no')))
        self.assertEqual(['Exiting with exception:'], errors)
        self.assertIsInstance(self.outcome.error, ValueError)

    def test_somebody_else_holds_the_lock(self):
        server = self.serve(files={'read': b'foreign', 'a': b'data'})
        with recorded() as log:
            self.import_(server)()
        locked, last = log.of('INFO', 'WARNING', 'ERROR')[-2:]
        self.assertEqual('Exiting, the next run tries again.', last)
        self.assertTrue(locked.startswith('Lock file already exists: read\nIt is foreign.'), locked)

    def test_it_is_interrupted(self):
        def stop(session, *args):
            run.stop(Interrupted('Enough.'))

        server = self.serve(Fault('read', stop, times=1), files={'a': b'data', 'b': b'data'})
        run = self.import_(server)
        self.assertLess(0.0, self.run_it(run).seconds)
        self.assertEqual((['Enough. Exiting, the next run takes the rest.'], []),
                         (self.log.of('WARNING'), self.log.of('ERROR')))

    def test_an_interruption_without_a_word_is_told_by_its_name(self):
        for error, said in (KeyboardInterrupt(), 'KeyboardInterrupt'), (SystemExit(3), '3'):
            def fail(session, *args, error=error):
                raise error

            run = self.import_(self.serve(Fault('entries', fail)))
            with self.assertRaises(type(error)), recorded():
                run()
            self.assertEqual(said, str(run.outcome.error))

    def test_an_event_tells_of_the_end(self):
        events = []
        zope.event.subscribers.append(events.append)
        self.addCleanup(zope.event.subscribers.remove, events.append)
        self.last(Fault('entries', TemporaryError('no')))
        finished, = events
        self.assertIsInstance(finished, RunFinished)
        self.assertIs(self.outcome, finished.outcome)

    def test_what_was_not_even_tried_is_not_told_of(self):
        run = self.import_(self.serve())
        for dropped in NOT_TRIED, Dropped('no', False):
            job = Job(Entry('a'))
            job.dropped = dropped
            with recorded() as log:
                run._settle(job)
        self.assertEqual(([('a', 'no')], []), (run.outcome.skipped, run.outcome.failed))
        self.assertEqual(['Not exchanged: a: no.'], log.warnings)

    def test_how_far_it_is(self):
        server, seen = self.serve(files={'a': b'data', 'b': b'more data'}), []
        run = self.import_(server)
        for verb, after in ('open', False), ('read', False), ('read', True):
            server.faults.append(Fault(verb, lambda *args: seen.append(run.progress), after=after))
        self.run_it(run)
        self.assertEqual((0, 0, 0, None), seen[0])
        self.assertEqual([(0, 2, 0, 13), (0, 2, 4, 13)], seen[1:3])
        self.assertEqual((0, 2, 4, 13), seen[3]._replace(files_done=0))
        self.assertEqual((2, 2, 13, 13), run.progress)

    def test_the_disk_refuses_the_last_file_while_all_wait_for_it(self):
        for connections in 1, 3:
            with self.subTest(connections=connections):
                server = self.serve(files={'a': b'data'})
                outcome = self.run_it(Import(
                    self.feed(connections=connections, run_limit=20, stale_after=60), server,
                    LockFile(QUICK_LOCK), RefusingSink(), QUICK))
                self.assertEqual(['a'], [name for name, _ in outcome.failed])
                self.assertIsNone(outcome.error)
