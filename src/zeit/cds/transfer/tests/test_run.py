"""The last lines of a run tell how it ended."""
import zope.event

from zeit.cds.events import FileImported
from zeit.cds.interfaces import PermanentError, TemporaryError
from zeit.cds.transfer.tests.plain import Exchanges, Fault


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
