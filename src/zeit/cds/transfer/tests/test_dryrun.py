"""A dry run leaves nothing behind, and opens one session only."""
import contextlib
import os

from zeit.cds.interfaces import Entry, PermanentError, Unreachable
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.pipelined import AtOnce, Outcome
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.outbox import FileSource
from zeit.cds.transfer.dryrun import ExportPreview, ImportPreview, looked_at
from zeit.cds.transfer.retry import Deadline
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK, QUICK_LOCK


class Imports(Exchanges):

    def check(self, *faults, more=()):
        """No session stays open, no file was touched; the Seen."""
        server = self.server = self.serve(
            *faults, files={'a': b'data', 'b': b'data', **dict(more)})
        seen = self.run_it(ImportPreview(self.feed(), server, LockFile(QUICK_LOCK), FileSink(),
                                         QUICK))
        self.assertEqual(1, len(server.sessions))
        self.assertEqual([], [verb for verb, args in server.calls
                              if verb not in ('open', 'entries', 'stat')])
        return seen

    def test_its_session_is_closed(self):
        self.assertEqual(['a', 'b'], [entry.name for entry in self.check().entries])
        self.assertEqual([], self.server.called('stat'))    # the listing tells enough

    def test_its_session_is_closed_when_it_fails(self):
        seen = self.check(Fault('entries', PermanentError('no')))
        self.assertIsInstance(seen.error, PermanentError)
        self.assertEqual([], seen.entries)

    def test_a_server_that_is_down_is_not_asked_again(self):
        server = self.serve(Fault('open', Unreachable('down')))
        preview = ImportPreview(self.feed(retries=2), server, LockFile(QUICK_LOCK), FileSink(),
                                QUICK)
        self.assertIsInstance(self.run_it(preview).error, Unreachable)
        self.assertEqual(1, server.count('open'))

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

    def test_what_is_asked(self):
        """First whether it takes directories for files; then nothing that is not needed."""
        asked = []

        class Pipelined(AtOnce):
            @contextlib.contextmanager
            def batch(self, **kw):
                yield self

            def stat(self, name, regular=False, time=True):
                asked.append((name, regular, time))
                return Outcome(self.session.stat, name)

        server = self.serve(Fault('stat', PermanentError('550 No.'), name='b'),
                            files=dict.fromkeys('abc', b'data'))
        server.pipelined = Pipelined
        with server.open(self.feed(), Deadline(60)) as session:
            seen = looked_at(session, ['a', 'b', 'c', 'd'])
        self.assertEqual(['a', 'a', 'b', 'c', 'd'], server.called('stat'))
        self.assertEqual([(name, False, False) for name in 'abcd'], asked)
        self.assertEqual((4, Entry('b', kind='file'), 4, None),
                         (seen['a'].size, seen['b'], seen['c'].size, seen['d']))

    def test_directories_that_listings_show_like_files(self):
        server = self.serve(files={'a': b'data', 'b': b''})
        os.mkdir(os.path.join(server.directory, 'd'))
        preview = ImportPreview(self.feed(), server, LockFile(QUICK_LOCK), FileSink(), QUICK)
        preview._persist = lambda verb: kindless(preview._directory.persist(verb))
        seen = self.run_it(preview)
        self.assertEqual((['a', 'b'], [4, 0]), ([entry.name for entry in seen.entries],
                                                [entry.size for entry in seen.entries]))
        self.assertEqual([('d', 'it is a directory')], seen.skipped)

    def test_exports_too(self):
        self.offer('a')
        self.offer('read')
        preview = ExportPreview(self.feed(direction='export'), self.serve(),
                                LockFile(QUICK_LOCK), FileSource(), QUICK)
        seen = self.run_it(preview)
        self.assertEqual((['a'], ['read']), ([entry.name for entry in seen.entries],
                                             [name for name, _ in seen.failed]))


def kindless(entries):
    """A listing that tells nothing but names, if it is one."""
    if not isinstance(entries, list):
        return entries
    return [Entry(entry.name) for entry in entries]
