"""What an export finds in the spool and on the server before and after it sends files."""
import os
import types

import zope.event

from zeit.cds.events import FileExported
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    LoginRefused,
    PermanentError,
    TemporaryError,
    Unreachable,
)
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.outbox import FileSource
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.elsewhere import Digest
from zeit.cds.transfer.exporting import Export, removed
from zeit.cds.transfer.retry import Deadline
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK, QUICK_LOCK


class Watched(FileSource):
    """Tells of what is asked of its spools: `calls`."""

    def __init__(self):
        self.calls = []

    def open(self, feed):
        outbox = super().open(feed)
        for name in ('mark', 'begin', 'finish', 'sync', 'expire', 'settled', 'retire'):
            setattr(outbox, name, self.told(name, getattr(outbox, name)))
        return outbox

    def told(self, name, verb):
        def call(*args):
            self.calls.append((name, *args))
            return verb(*args)
        return call

    def verbs(self):
        return [verb for verb, *_ in self.calls]


class Exports(Exchanges):

    def watched(self, server, tuning=QUICK, **settings):
        self.source = Watched()
        self.last = Export(self.feed(direction='export', **settings), server,
                           LockFile(QUICK_LOCK), self.source, tuning)
        return self.last

    def left(self, *names, noted=True):
        """An export was killed when these were on the server under temporary names."""
        server = self.serve()
        for name in names:
            self.offer(name, name.encode())
        server.faults.append(Fault('rename', ConnectionLost('Off.')))
        server.faults.append(Fault('open', ConnectionLost('Off.'), skip=1))
        with recorded():        # none gets its name before all are there
            self.export(server, QUICK._replace(gather=9.0))()
        server.faults.clear()
        with server.open(self.feed(), Deadline(9)) as session:
            for name in 'write', 'read':
                if session.stat(name) is not None:
                    session.remove(name)
        return server


class Marks(Exports):
    """The journal is marked while something may be on the server that has to be looked for."""

    def check(self, error, marked, *faults):
        self.offer('a')
        run = self.watched(self.serve(*faults))
        with recorded():
            outcome = run()
        self.assertIsInstance(outcome.error, error)
        with FileSource().open(self.feed(direction='export')) as outbox:
            self.assertEqual(marked, outbox.marked)

    def test_nothing_was_stored(self):
        for error in Unreachable('Off.'), LoginRefused('No.'):
            self.setUp()
            self.check(type(error), False, Fault('open', error))

    def test_something_may_have_been(self):
        for error in PermanentError('No.'), ConnectionLost('Off.'):
            self.setUp()
            self.check(type(error), True, Fault('open', error))
        self.setUp()
        self.check(Unreachable, True, Fault('write', Unreachable('Off.'), skip=1),
                   Fault('open', Unreachable('Off.'), skip=1))

    def test_the_order(self):
        self.offer('a')
        run = self.watched(self.serve())
        self.assertTrue(self.run_it(run).successful)
        self.assertEqual(['expire', 'mark', 'sync', 'begin', 'settled', 'retire', 'sync', 'finish',
                          'sync', 'expire'], self.source.verbs())

    def test_nothing_is_asked_for_in_vain(self):
        self.offer('a')
        server = self.serve()
        self.run_it(self.export(server))
        verbs = [verb for verb, args in server.calls]
        self.assertEqual(['stat', 'write', 'stat', 'rename', 'stat', 'remove'], verbs[-6:])
        self.assertEqual('remove_directory', verbs[-7])     # that of the lock's mutex

    def test_nothing_waits(self):
        server = self.serve()
        self.assertTrue(self.run_it(self.watched(server)).successful)
        self.assertEqual((['expire', 'expire'], []), (self.source.verbs(), server.calls))
        self.assertIn('No new files to export.', self.log.text)

    def test_nothing_waits_but_an_earlier_one_was_interrupted(self):
        server = self.left('a')
        os.unlink(os.path.join(self.store_dir, 'new', 'a'))
        self.assertEqual(1, len(server.files))
        self.assertTrue(self.run_it(self.watched(server)).successful)
        self.assertEqual(({}, []), (server.files, self.last._exchanges))
        self.assertIn('An earlier export was interrupted; looking for what it left on the server.',
                      self.log.warnings)
        self.assertNotIn('No new files', self.log.text)
        self.assertEqual(1, server.sessions[-1].closed)
        del server.calls[:]
        self.assertTrue(self.run_it(self.watched(server)).successful)
        self.assertEqual([], server.calls)


class Recovering(Exports):

    def test_parts_are_removed_some_at_a_time(self):
        server = self.left(*'abcde')
        for name in 'abcde':
            os.unlink(os.path.join(self.store_dir, 'new', name))
        self.offer('z')
        del server.calls[:]
        run = self.watched(server, QUICK._replace(leftovers=2))
        self.assertTrue(self.run_it(run).successful, self.log.text)
        self.assertEqual({'z': b'data'}, server.files)
        parts = [name for verb, *names in server.calls if verb == 'remove' for name in names[0]
                 if name.startswith('.') and name.endswith('.part')]
        self.assertEqual(5, len(parts))
        self.assertEqual({*parts}, {args[1] for args in self.source.calls
                                    if args[0] == 'settled'} - {None} & {*parts})

    def test_what_was_renamed_is_finished_and_the_rest_is_sent(self):
        server = self.left('a', 'b')
        parts = {name.split('.')[1]: name for name in server.files}
        os.rename(os.path.join(server.directory, parts['a']),
                  os.path.join(server.directory, 'a'))
        outcome = self.run_it(self.watched(server))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual((2, 2, 0), (outcome.files, outcome.bytes, outcome.waiting))
        self.assertEqual(({'a': b'a', 'b': b'b'}, {}), (server.files, self.spool('new')))
        self.assertEqual(['An earlier export was interrupted; finishing: a'], self.log.warnings)
        self.assertEqual((2, 2), (self.last.progress.files_done, self.last.progress.files))

    def whole(self, entry, data=b'', size=4, digest=None):
        def read(name, sink):
            sink.buffer()[:len(data)] = data
            sink.advance(len(data))

        if digest is None:
            sink = Digest()
            sink.buffer()[:4] = b'data'
            sink.advance(4)
            digest = sink.hexdigest()
        session = types.SimpleNamespace(stat=lambda name: entry, read=read)
        return Export._is_whole(session, types.SimpleNamespace(name='a', size=size, digest=digest))

    def test_whether_the_server_has_all_of_a_file(self):
        for entry, data, whole in (
                (None, b'', None), (Entry('a', 5), b'', None), (Entry('a', 3), b'', False),
                (Entry('a', 4), b'data', True), (Entry('a', 4), b'else', False),
                (Entry('a'), b'data', True), (Entry('a'), b'else', False)):
            self.assertIs(whole, self.whole(entry, data), (entry, data))

    def test_what_is_not_there_any_more(self):
        server = self.serve(Fault('remove', PermanentError('No.'), name='b'),
                            Fault('remove', TemporaryError('No.'), name='c'),
                            files={'a': b'', 'b': b'', 'write': b''})
        with server.open(self.feed(), Deadline(60)) as session:
            self.assertEqual({'a', 'c'}, removed(session, ['a', 'b', 'c']))
        self.assertEqual(['a', 'b', 'c'], server.called('remove'))


class Objections(Exports):

    def test_what_cannot_be_exported(self):
        run = self.export(self.serve())
        for entry, objection in (
                (Entry('a', 1, 1, 'file'), (None, False)),
                (Entry('a', kind='dir'), ('it is a directory', False)),
                (Entry('a', kind='other'), ('it is no regular file', False))):
            self.assertEqual(objection, run._objection(entry))
        for name, text in (('Read', 'taken for a lock file'), ('WRITE;1', 'taken for a lock file'),
                           ('a\r', 'line break'), ('\na', 'line break')):
            reason, failed = run._objection(Entry(name, 1, 1, 'file'))
            self.assertIn(text, reason)
            self.assertTrue(failed)


class Listed(Exports):
    """For many files, the names on the server are looked at once."""

    def check(self, listings, files=3, tuning=QUICK, **settings):
        self.setUp()
        server = self.serve(files={'older%d' % n: b'' for n in range(3)})
        for n in range(files):
            self.offer('%d' % n)
        self.assertTrue(self.run_it(self.export(server, tuning, **settings)).successful)
        self.assertEqual(listings, server.count('entries'))
        return self.last._naming.listed

    def test_when(self):
        self.assertIsNone(self.check(0, tuning=QUICK._replace(many=4)))
        self.assertEqual({'older0', 'older1', 'older2', 'write'},
                         self.check(1, tuning=QUICK._replace(many=3)))
        self.assertIsNone(self.check(0, tuning=QUICK._replace(many=3), replace=True))

    def test_not_if_it_may_have_been_cut_off(self):
        self.assertIsNone(self.check(1, tuning=QUICK._replace(many=3, long_listing=4)))
        self.assertIsNotNone(self.check(1, tuning=QUICK._replace(many=3, long_listing=5)))


class Published(Exports):

    def test_what_was_replaced_meanwhile_counts_and_is_told(self):
        events = []
        zope.event.subscribers.append(events.append)
        self.addCleanup(zope.event.subscribers.remove, events.append)
        server = self.serve(Fault('rename', lambda *args: self.offer('a', b'newer'), after=True))
        self.offer('a')
        outcome = self.run_it(self.export(server))
        self.assertEqual((1, 4), (outcome.files, outcome.bytes))
        self.assertEqual(["Exported, but not in 'new' any more, or replaced there: a."],
                         self.log.warnings)
        exported, = [event for event in events if isinstance(event, FileExported)]
        self.assertEqual(('a', None, 4), (exported.name, exported.path, exported.size))
        self.assertEqual({'a': b'newer'}, self.spool('new'))

    def test_old_files_are_removed_at_both_ends(self):
        self.offer('a')
        self.assertTrue(self.run_it(self.export(self.serve(), keep=0.0)).successful)
        self.assertIn("Removed from 'cur' after 0 days: a", self.log.text)
        self.assertEqual({}, self.spool('cur'))
