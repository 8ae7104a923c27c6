"""A file's descriptor may be 0: in a process that was started without an input."""
import contextlib
import os

from zeit.cds.spool.inbox import Parts, ReadOnlySpool
from zeit.cds.spool.journal import JOURNAL, Journal
from zeit.cds.spool.outbox import ReadOnlyOutbox
from zeit.cds.spool.tests.cases import fill, InboxCase


class Zero(InboxCase):

    def setUp(self):
        super().setUp()
        saved = os.dup(0)
        self.addCleanup(os.close, saved)
        self.addCleanup(os.dup2, saved, 0)

    @contextlib.contextmanager
    def free(self):
        """The next file to be opened gets that number."""
        os.close(0)
        yield
        os.fstat(0)

    def assert_closed(self):
        self.assertRaises(OSError, os.fstat, 0)
        os.open(os.devnull, os.O_RDONLY)        # for whoever closes it next

    def test_a_journal(self):
        journal = Journal(self.path, 'here')
        with self.free():
            journal.mark()
        self.assertEqual(0, journal._fd)
        journal.begin(['.a'], [])
        self.assertEqual(b'"here"\n', self.there()[JOURNAL])     # it is new, and stays
        journal.close()
        self.assert_closed()

    def test_the_directory_of_parts(self):
        parts = Parts()
        with self.free():
            self.assertEqual(0, parts.open(self.spool._tmp))
        self.assertEqual(0, parts.open(self.spool._tmp))
        self.assertEqual(1, len(self.there('tmp')))
        parts.close(self.spool._tmp)
        self.assert_closed()
        self.assertEqual({}, self.there('tmp'))

    def test_a_file_that_comes(self):
        self.spool.create('a').discard()        # from here on there is a directory for it
        with self.free():
            incoming = self.spool.create('b')
        self.assertEqual(0, incoming.fd)
        fill(incoming, b'data')
        incoming.complete(None)
        self.spool.commit([incoming])
        self.assert_closed()
        self.assertEqual({'b': b'data'}, self.whole())

    def test_one_that_is_not_wanted(self):
        self.spool.create('a').discard()
        with self.free():
            incoming = self.spool.create('b')
        incoming.discard()
        self.assert_closed()

    def test_a_comparison(self):
        self.commit('a')
        with self.free():
            comparison = self.spool.comparison('a')
        comparison.discard()
        self.assert_closed()

    def test_a_file_that_goes(self):
        self.make('new', 'a', data=b'data')
        with ReadOnlyOutbox(self.path, '') as outbox:
            outgoing = outbox.create('a')
            with self.free():
                outgoing.open()
            outgoing.open()
            self.assertEqual(b'data', b''.join(map(bytes, outgoing.pieces())))
            outgoing.discard()
            self.assert_closed()

    def test_a_directory(self):
        for name in 'tmp', 'new':
            self.make(name, name)
        with self.free():
            spool = ReadOnlySpool(self.path)
        self.assertEqual((0, True), (spool._tmp, spool.unread('tmp')))
        spool.close()
        self.assert_closed()
        with self.free():
            outbox = ReadOnlyOutbox(self.path, '')
        self.assertEqual((0, ['new']), (outbox._new, [entry.name for entry in outbox.waiting()]))
        outbox.close()
        self.assert_closed()
