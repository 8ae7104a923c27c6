"""What every IFileSource has to keep, with its IOutbox and IOutgoing.

    class MySource(SourceContract, unittest.TestCase):

        def setUp(self):
            super().setUp()
            self.source, self.feed = ..., ...

        def offer(self, name, data): ...

Whether what is durable outlives a power failure no test from outside can tell: see
``zeit.cds.spool.tests.test_powerloss`` for how ours is tested.
"""
import abc
import os

from zope.interface.verify import verifyObject

from zeit.cds.interfaces import IFileSource, IOutbox, IOutgoing, Locked, Unreadable


NAMES = 'a', 'a b.xml', 'Wetter-Köln.xml', '-', '"\\', 'x' * 100


class SourceContract(abc.ABC):
    """A mixin for a TestCase. It is given `source` (IFileSource) and `feed` (IFeed) in its setUp.

    Also `elsewhere`: an IFeed with the same spool, and another directory on the server; and
    `keeping`: one with the same spool and a `keep` of 7 days. Nothing waits in the spool then, and
    it is not open.
    """

    source = feed = elsewhere = keeping = None
    names = NAMES       # a spool that can't have some of these names has others

    # ------------------------------------------------------------ what a subclass tells

    @abc.abstractmethod
    def offer(self, name, data=b'data'):
        """Put a file where files wait, as a CMS does; it takes the place of one of its name."""

    @abc.abstractmethod
    def withdraw(self, name):
        """Take a waiting file away, as a CMS does."""

    @abc.abstractmethod
    def exported(self):
        """What is kept of exported files: a list of their contents (bytes), in any order."""

    def age(self, days):
        """Have time go by for what was exported."""
        self.skipTest('Time goes by itself here.')

    # ------------------------------------------------------------ what the tests use

    def open(self, feed=None):
        outbox = self.source.open(feed or self.feed)
        self.addCleanup(outbox.close)
        return outbox

    def begun(self, feed=None):
        outbox = self.open(feed)
        outbox.mark()
        outbox.begin([])
        return outbox

    def opened(self, outbox, name):
        outgoing = outbox.create(name)
        self.addCleanup(outgoing.discard)
        outgoing.open()
        return outgoing

    def store(self, outbox, name, direct=False):
        """A file whose bytes are on the server, without a note that they are all."""
        outgoing = self.opened(outbox, name)
        if direct:
            outgoing.temporary = None
            outgoing.read()
        outbox.storing(outgoing)
        for _ in outgoing.pieces():
            pass
        outgoing.discard()
        return outgoing

    def send(self, outbox, name, direct=False):
        """A file that is whole on the server, as a note says."""
        outgoing = self.store(outbox, name, direct)
        outbox.commit([outgoing])
        return outgoing

    def interrupted(self, feed=None):
        """What the next run finds: names of notes, temporary names, names of parts."""
        with self.source.open(feed or self.feed) as outbox:
            notes, temporaries, parts = outbox.interrupted()
        return ([note.name for note in notes], list(temporaries), [note.name for note in parts])

    def waiting(self):
        with self.source.look(self.feed) as outbox:
            return {entry.name: entry for entry in outbox.waiting()}

    # ------------------------------------------------------------ the interfaces

    def test_they_are_provided(self):
        verifyObject(IFileSource, self.source)
        self.offer('a')
        outbox = self.open()
        verifyObject(IOutbox, outbox)
        verifyObject(IOutgoing, outbox.create('a'))
        self.assertIsInstance(outbox.path, str)

    # ------------------------------------------------------------ opening and closing

    def test_one_at_a_time(self):
        with self.open():
            for feed in self.feed, self.elsewhere:
                with self.assertRaises(Locked):
                    self.source.open(feed)
        self.open()

    def test_close_may_be_called_twice(self):
        outbox = self.begun()
        outbox.close()
        outbox.close()

    def test_a_look_changes_nothing_and_locks_nobody_out(self):
        with self.source.look(self.feed) as other:
            self.assertEqual([], list(other.waiting()))
            self.open().close()
        self.offer('a')
        outbox = self.begun()
        self.send(outbox, 'a')
        self.assertEqual({'a'}, set(self.waiting()))
        outbox.close()
        self.assertEqual((['a'], [], []), self.interrupted())

    # ------------------------------------------------------------ files

    def test_what_waits(self):
        for n, name in enumerate(self.names):
            self.offer(name, b'x' * n)
        found = self.open().waiting()
        self.assertEqual({(name, n, 'file') for n, name in enumerate(self.names)},
                         {(entry.name, entry.size, entry.kind) for entry in found})

    def test_contents(self):
        for size in 0, 1, 5000, 2**20, 2**20 + 1:
            data = os.urandom(size)
            self.offer('a', data)
            with self.open() as outbox:
                outgoing = self.opened(outbox, 'a')
                self.assertEqual((size, True), (outgoing.length, outgoing.resumable))
                for offset in {0, size // 2, size}:
                    got = b''.join(map(bytes, outgoing.pieces(offset)))
                    self.assertTrue(data[offset:] == got)
                    self.assertEqual(size, outgoing.size)
                self.assertTrue(outgoing.unchanged())
                outgoing.discard()
                outgoing.discard()

    def test_size_grows(self):
        self.offer('a', bytes(2**20))
        outgoing, size = self.opened(self.open(), 'a'), 0
        for piece in outgoing.pieces():
            size += len(piece)
            self.assertEqual(size, outgoing.size)

    def test_what_is_not_there_is_unreadable(self):
        outgoing = self.open().create('a')
        with self.assertRaises(Unreadable):
            outgoing.open()
        outgoing.discard()

    def test_temporary_names(self):
        outbox = self.open()
        for name in *self.names, 'x' * 255, 'é' * 127:
            one, other = (outbox.create(name).temporary for _ in range(2))
            self.assertNotEqual(one, other)
            self.assertLessEqual(len(os.fsencode(one)), 255)
            self.assertFalse(set(one) & set('/\r\n\0'))
            self.assertTrue(one.startswith('.'))    # which is no part of the exchange

    def test_what_changed_since_is_another_file(self):
        for change, same in ((lambda: None, True), (lambda: self.offer('a', b'atad'), False),
                             (lambda: self.offer('a', b'longer'), False),
                             (lambda: self.withdraw('a'), False)):
            self.offer('a', b'data')
            with self.open() as outbox:
                outgoing = self.opened(outbox, 'a')
                for _ in outgoing.pieces():
                    pass
                change()
                self.assertEqual(same, outgoing.unchanged())
                outgoing.discard()

    # ------------------------------------------------------------ the mark

    def test_the_mark(self):
        with self.open() as outbox:
            self.assertFalse(outbox.marked)
            outbox.mark()
            self.assertTrue(outbox.marked)
        with self.open() as outbox:
            self.assertTrue(outbox.marked)
            outbox.mark()
            self.assertTrue(outbox.marked)
            outbox.begin([])
            self.assertTrue(outbox.marked)
            outbox.finish()
            self.assertFalse(outbox.marked)
        with self.open() as outbox:
            self.assertFalse(outbox.marked)

    def test_the_mark_is_for_all_who_use_the_spool(self):
        with self.open() as outbox:
            outbox.mark()
        with self.open(self.elsewhere) as outbox:
            self.assertTrue(outbox.marked)

    def test_it_stays_as_long_as_something_is_left(self):
        self.offer('a')
        outbox = self.begun()
        outgoing = self.send(outbox, 'a')
        outbox.finish()
        self.assertTrue(outbox.marked)      # it was not moved
        outbox.retire('a')
        outbox.finish()
        self.assertTrue(outbox.marked)      # its temporary name may be there
        outbox.settled(outgoing.temporary)
        outbox.finish()
        self.assertFalse(outbox.marked)

    # ------------------------------------------------------------ notes

    def test_a_note_outlives_the_process(self):
        for name in self.names:
            self.offer(name)
        with self.begun() as outbox:
            sent = {name: self.send(outbox, name).temporary for name in self.names}
        with self.open() as outbox:
            notes, temporaries, parts = outbox.interrupted()
        self.assertEqual(sent, {note.name: note.temporary for note in notes})
        for note in notes:
            self.assertEqual((True, 4), (note.complete, note.size))
        self.assertEqual(([], []), (list(temporaries), list(parts)))

    def test_what_was_not_sent_as_a_whole(self):
        self.offer('a')
        with self.begun() as outbox:
            outgoing = self.store(outbox, 'a')
        self.assertEqual(([], [outgoing.temporary], []), self.interrupted())

    def test_another_file_has_the_name_now(self):
        for newer in b'longer', b'atad':
            self.offer('a')
            with self.begun() as outbox:
                outgoing = self.send(outbox, 'a')
            self.offer('a', newer)
            self.assertEqual(([], [outgoing.temporary], []), self.interrupted())

    def test_what_is_stored_under_its_own_name(self):
        self.offer('a')
        with self.begun() as outbox:
            self.store(outbox, 'a', direct=True)
            self.assertEqual(['a'], outbox.unfinished())
        with self.open() as outbox:
            (note,), temporaries, parts = outbox.interrupted()
        self.assertEqual(('a', None, False), note[:3])
        self.assertEqual(([], []), (list(temporaries), list(parts)))

    def test_a_part_of_what_does_not_wait_any_more(self):
        self.offer('a')
        with self.begun() as outbox:
            self.store(outbox, 'a', direct=True)
        self.withdraw('a')
        self.assertEqual(([], [], ['a']), self.interrupted())

    def test_what_was_stored_so_and_is_whole(self):
        self.offer('a')
        with self.begun() as outbox:
            self.send(outbox, 'a', direct=True)
            self.assertEqual([], outbox.unfinished())
        with self.open() as outbox:
            (note,), _, _ = outbox.interrupted()
        self.assertEqual(('a', None, True), note[:3])

    def test_what_was_withdrawn_from_the_server(self):
        self.offer('a')
        outbox = self.begun()
        self.store(outbox, 'a', direct=True)
        outbox.withdrawn('a')
        self.assertEqual([], outbox.unfinished())
        outbox.finish()
        self.assertFalse(outbox.marked)

    def test_notes_of_another_place_do_not_count(self):
        self.offer('a')
        with self.begun() as outbox:
            self.send(outbox, 'a')
        self.assertEqual(([], [], []), self.interrupted(self.elsewhere))
        self.assertEqual((['a'], [], []), self.interrupted())

    def test_a_moved_file_needs_no_further_look(self):
        self.offer('a')
        with self.begun() as outbox:
            self.send(outbox, 'a')
            outbox.retire('a')
            outbox.sync()
        self.assertEqual(([], [], []), self.interrupted())

    def test_begin_forgets_all_but_what_it_is_told(self):
        for name in 'abc':
            self.offer(name)
        with self.begun() as outbox:
            self.send(outbox, 'a')
            temporary = self.store(outbox, 'b').temporary
            self.store(outbox, 'c', direct=True)
        self.withdraw('c')
        with self.open() as outbox:
            _, _, parts = outbox.interrupted()
            outbox.mark()
            outbox.begin([temporary], parts)
            self.assertEqual(['c'], outbox.unfinished())
            outbox.finish()
            self.assertTrue(outbox.marked)
        self.assertEqual(([], [temporary], ['c']), self.interrupted())
        with self.open() as outbox:
            outbox.mark()
            outbox.begin([])
        self.assertEqual(([], [], []), self.interrupted())

    # ------------------------------------------------------------ what was exported

    def test_retire(self):
        outbox = self.begun()
        for data in b'1', b'2', b'3':       # nothing is overwritten
            self.offer('a', data)
            self.send(outbox, 'a')
            self.assertIsInstance(outbox.retire('a'), str)
            self.assertEqual({}, self.waiting())
        outbox.sync()
        outbox.sync()
        self.assertEqual([b'1', b'2', b'3'], sorted(self.exported()))

    def test_a_newer_file_stays(self):
        outbox = self.begun()
        for newer in b'atad', b'longer':
            self.offer('a')
            self.send(outbox, 'a')
            self.offer('a', newer)
            self.assertIsNone(outbox.retire('a'))
            self.assertEqual((['a'], []), (list(self.waiting()), self.exported()))

    def test_what_was_withdrawn_meanwhile(self):
        outbox = self.begun()
        self.offer('a')
        self.send(outbox, 'a')
        self.withdraw('a')
        self.assertIsNone(outbox.retire('a'))

    def test_what_an_earlier_export_has_sent(self):
        self.offer('a')
        with self.begun() as outbox:
            self.send(outbox, 'a')
        with self.open() as outbox:
            (note,), _, _ = outbox.interrupted()
            outbox.adopt(note)
            self.assertIsInstance(outbox.retire('a'), str)
            outbox.sync()
            outbox.mark()
            outbox.begin([])
            outbox.finish()
            self.assertFalse(outbox.marked)
        self.assertEqual([b'data'], self.exported())

    def test_expire(self):
        def export(name, feed):
            with self.begun(feed) as outbox:
                self.offer(name, name.encode())
                self.send(outbox, name)
                outbox.retire(name)

        export('a', self.keeping)
        with self.open(self.keeping) as outbox:
            self.assertEqual([], list(outbox.expire()))
        self.age(5)
        export('b', self.keeping)
        export('kept for ever', self.feed)
        self.age(3)
        with self.open() as outbox:
            self.assertEqual([], list(outbox.expire()))
        with self.open(self.keeping) as outbox:
            self.assertEqual(['a'], list(outbox.expire()))
            self.assertEqual([], list(outbox.expire()))
        self.assertEqual([b'b', b'kept for ever'], sorted(self.exported()))
