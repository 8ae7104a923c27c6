"""A dry run leaves nothing behind, and opens one session only."""
import os

from zeit.cds.interfaces import Entry, PermanentError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink
from zeit.cds.transfer.dryrun import ImportPreview, looked_at
from zeit.cds.transfer.retry import Deadline
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK, QUICK_LOCK


class Imports(Exchanges):

    def check(self, *faults, more=()):
        """No session stays open, no file was touched; the Seen."""
        server = self.serve(*faults, files={'a': b'data', 'b': b'data', **dict(more)})
        seen = self.run_it(ImportPreview(self.feed(), server, LockFile(QUICK_LOCK), FileSink(),
                                         QUICK))
        self.assertEqual(1, len(server.sessions))
        self.assertEqual([], [verb for verb, args in server.calls
                              if verb not in ('open', 'entries', 'stat')])
        return seen

    def test_its_session_is_closed(self):
        self.assertEqual(['a', 'b'], [entry.name for entry in self.check().entries])

    def test_its_session_is_closed_when_it_fails(self):
        seen = self.check(Fault('entries', PermanentError('no')))
        self.assertIsInstance(seen.error, PermanentError)
        self.assertEqual([], seen.entries)

    def test_what_is_wrong_with_a_name_and_what_merely_waits(self):
        self.offer('b', b'an older one')
        seen = self.check(more={'WRITE;1': b'data'})
        self.assertEqual(['a'], [entry.name for entry in seen.entries])
        self.assertEqual(['WRITE;1'], [name for name, _ in seen.failed])
        self.assertEqual(['b'], [name for name, _ in seen.skipped])

    def test_a_server_that_takes_directories_for_files_is_asked_for_their_kind(self):
        server = self.serve(files={'a': b'data'})
        os.mkdir(os.path.join(server.directory, 'd'))
        with server.open(self.feed(), Deadline(60)) as session:
            session.stat = lambda name: Entry(name, 4)
            self.assertEqual({'a': Entry('a', 4), 'd': None}, looked_at(session, ['a', 'd']))
