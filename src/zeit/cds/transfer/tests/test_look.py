"""A look decides as a run does, and leaves everything as it is; the record of a run."""
import contextlib
import os
import types

from zeit.cds.interfaces import Entry
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.outbox import FileSource
from zeit.cds.testing.logs import recorded as log_recorded
from zeit.cds.transfer.look import ExportLook, ImportLook, locks
from zeit.cds.transfer.recording import NO_RECORD, recorded
from zeit.cds.transfer.retry import Deadline
from zeit.cds.transfer.tests.plain import Exchanges, QUICK, QUICK_LOCK


class Looks(Exchanges):

    def setUp(self):
        super().setUp()
        for name in 'tmp', 'new', 'cur':
            os.mkdir(os.path.join(self.store_dir, name))
        self.log = self.enterContext(log_recorded())

    def look(self, kind, sink, server, **settings):
        return kind(self.feed(**settings), server, LockFile(QUICK_LOCK), sink, QUICK)

    def found(self, look, server):
        with server.open(self.feed(), Deadline(60)) as session:
            return look(session, lambda session: list(session.entries()))

    def test_for_an_import(self):
        server = self.serve(files={'b': b'data', 'a': b'data', 'WRITE;1': b'x', 'write': b'x'})
        self.offer('b', b'unread')
        os.mkdir(os.path.join(server.directory, 'd'))
        look = self.look(ImportLook, FileSink(), server)
        self.assertIsNone(look.here())
        for _ in range(2):      # it can be repeated
            found = self.found(look, server)
            self.assertEqual(['a'], [entry.name for entry in found.entries])
            self.assertEqual(({'b', 'd', 'WRITE;1'}, 3, ('write',)), found[1:])
        self.assertEqual((5, [], 0), (len(server.names()), self.log.lines, look.outcome.files))
        self.assertEqual(['open', 'entries', 'open', 'entries'],
                         [verb for verb, args in server.calls])

    def test_for_an_export(self):
        server = self.serve(files={'read': b'x'})
        self.offer('a')
        self.offer('READ')
        look = self.look(ExportLook, FileSource(), server, direction='export')
        for found, held in (look.here(), ()), (self.found(look, server), ('read',)):
            self.assertEqual(['a'], [entry.name for entry in found.entries])
            self.assertEqual(({'READ'}, 2, held), found[1:])
        self.assertEqual([], self.log.lines)

    def test_lock_files_are_asked_for_without_times(self):
        asked = []

        class Line:
            def __conform__(self, interface):
                return self

            @contextlib.contextmanager
            def batch(self):
                yield self

            def stat(self, name, regular=False, time=True):
                asked.append((name, time))
                return types.SimpleNamespace(get=lambda: Entry(name) if name == 'write' else None)

        self.assertEqual(('write',), locks(Line()))
        self.assertEqual([('read', False), ('write', False)], sorted(asked))


class Records(Exchanges):

    def test_none_is_kept(self):
        outcome = types.SimpleNamespace(error=None)
        with recorded(None, 'feed', 'spool', outcome) as record:
            self.assertIs(NO_RECORD, record)
        for verb, *args in (('begin', []), ('seen',), ('whole', []), ('published', 'a'),
                            ('settled',)):
            self.assertIsNone(getattr(NO_RECORD, verb)(*args))

    def test_it_is_closed_whatever_happens(self):
        for error in None, KeyError('x'), KeyboardInterrupt():
            done, outcome = [], types.SimpleNamespace(error=None)
            record = types.SimpleNamespace(close=lambda *args, done=done: done.append(args))

            def open(*args, done=done, record=record):
                done.append(args)
                return record

            with contextlib.suppress(KeyError, KeyboardInterrupt), recorded(
                    types.SimpleNamespace(open=open), 'feed', 'spool', outcome) as opened:
                self.assertIs(record, opened)
                if error is not None:
                    raise error
            self.assertEqual([('feed', 'spool'), (outcome,)], done)
            self.assertIs(error, outcome.error)
