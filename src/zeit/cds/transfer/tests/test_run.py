"""The last lines of a run tell how it ended."""
import zope.event

from zeit.cds.events import FileImported
from zeit.cds.interfaces import PermanentError, TemporaryError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink, Spool
from zeit.cds.transfer.importing import Import
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

    def test_the_disk_refuses_the_last_file_while_all_wait_for_it(self):
        for connections in 1, 3:
            with self.subTest(connections=connections):
                server = self.serve(files={'a': b'data'})
                outcome = self.run_it(Import(
                    self.feed(connections=connections, run_limit=20, stale_after=60), server,
                    LockFile(QUICK_LOCK), RefusingSink(), QUICK))
                self.assertEqual(['a'], [name for name, _ in outcome.failed])
                self.assertIsNone(outcome.error)
