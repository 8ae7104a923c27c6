"""What every IFileSink has to keep, with its ISpool, IIncoming and IComparison.

    class MySink(SinkContract, unittest.TestCase):

        def setUp(self):
            super().setUp()
            self.sink, self.feed = ..., ...

        def published(self): ...

Whether what is durable outlives a power failure no test from outside can tell: see
``zeit.cds.spool.tests.test_powerloss`` for how ours is tested.
"""
import abc
import os

from zope.interface.verify import verifyObject

from zeit.cds.interfaces import (
    FileRefused,
    IComparison,
    IFileSink,
    IIncoming,
    ISpool,
    Locked,
    SpoolError,
)


WHEN = 1_500_000_000_000000000          # nanoseconds since 1970; some keep whole seconds only
MIB = 2**20
PLAIN_NAMES = 'a', 'a b.xml', 'Wetter-Köln.xml', '-', '%s', 'x' * 100
STRANGE_NAMES = (                       # a spool may say that it can't have these
    ' ', '\udcff', 'tab\t', 'x' * 255, 'é' * 127, 'a.part', '~', '*', 'a\\b', 'CON')
NO_NAMES = '', '.', '..', 'a/b', '/a', 'a\0'


def fill(sink, data, most=50_000):
    """Hand data to an IByteSink, as it comes from a network."""
    data = memoryview(data)
    while data:
        room = sink.buffer()
        count = min(len(room), len(data), most)
        room[:count] = data[:count]
        sink.advance(count)
        data = data[count:]


class SinkContract(abc.ABC):
    """A mixin for a TestCase. Its setUp gives it `sink` (IFileSink) and `feed` (IFeed), whose spool
    is empty then, and not open.
    """

    sink = feed = None

    # ------------------------------------------------------------ what a subclass tells

    @abc.abstractmethod
    def published(self):
        """What consumers see: {name: contents (bytes)}."""

    @abc.abstractmethod
    def consume(self, name):
        """Take a published file away, as a consumer does."""

    @abc.abstractmethod
    def modified(self, name):
        """The time (int) that consumers see of a published file; None if they see none."""

    # ------------------------------------------------------------ for the tests

    def open(self):
        spool = self.sink.open(self.feed)
        self.addCleanup(spool.close)
        return spool

    def look(self):
        spool = self.sink.look(self.feed)
        self.addCleanup(spool.close)
        return spool

    def receive(self, spool, name, data=b'data', modified=WHEN, size=None):
        incoming = spool.create(name, size)
        fill(incoming, data)
        incoming.complete(modified)
        return incoming

    def commit(self, spool, *names, data=b'data', modified=WHEN):
        spool.commit([self.receive(spool, name, data, modified) for name in names])

    def leftovers(self):
        """What a new run finds: {name: Entry}."""
        with self.sink.open(self.feed) as spool:
            return {entry.name: entry for entry in spool.leftovers()}

    # ------------------------------------------------------------ the interfaces

    def test_they_are_provided(self):
        verifyObject(IFileSink, self.sink)
        spool = self.open()
        verifyObject(ISpool, spool)
        incoming = self.receive(spool, 'a')
        verifyObject(IIncoming, incoming)
        spool.commit([incoming])
        comparison = spool.comparison('a')
        self.addCleanup(comparison.discard)
        verifyObject(IComparison, comparison)
        self.assertIsInstance(spool.path, str)

    # ------------------------------------------------------------ opening and closing

    def test_one_at_a_time(self):
        with self.open():
            with self.assertRaises(Locked):
                self.sink.open(self.feed)
        self.open()

    def test_close_may_be_called_twice(self):
        spool = self.open()
        spool.close()
        spool.close()

    def test_a_look_changes_nothing_and_locks_nobody_out(self):
        with self.look() as spool:
            self.assertFalse(spool.unread('a'))
            self.assertIsNone(spool.impossible('a'))
            self.open().close()
        with self.open() as spool:
            self.commit(spool, 'a')
            incoming = self.receive(spool, 'b')
            with self.look() as other:
                self.assertTrue(other.unread('a'))
                self.assertFalse(other.unread('b'))
            spool.commit([incoming])
        self.assertEqual({'a', 'b'}, set(self.leftovers()))

    # ------------------------------------------------------------ names

    def test_names_that_no_file_can_have(self):
        spool = self.open()
        for name in NO_NAMES:
            self.assertIsInstance(spool.impossible(name), str, repr(name))

    def test_plain_names(self):
        spool = self.open()
        for name in PLAIN_NAMES:
            self.assertIsNone(spool.impossible(name), repr(name))

    def test_a_file_goes_its_way_whatever_its_name(self):
        spool = self.open()
        for name in PLAIN_NAMES + STRANGE_NAMES:
            if spool.impossible(name) is None:
                with self.subTest(name=name):
                    self.check_way(spool, name)

    def check_way(self, spool, name):
        incoming = self.receive(spool, name, os.fsencode(name))
        self.assertEqual(name, incoming.name)
        self.assertEqual((False, {}), (spool.unread(name), self.published()))
        spool.commit([incoming])
        self.assertEqual((True, {}), (spool.unread(name), self.published()))
        self.assertIsInstance(spool.publish(name), str)
        spool.sync()
        self.assertEqual({name: os.fsencode(name)}, self.published())
        self.assertIn(self.modified(name), (WHEN, None))
        self.assertTrue(spool.unread(name))
        self.consume(name)
        self.assertFalse(spool.unread(name))

    def test_names_differ_by_what_they_are_made_of(self):
        """Or the second one is refused: nothing is overwritten."""
        spool = self.open()
        for one, other in (('name', 'NAME'), ('caf\xe9', 'cafe\u0301')):
            self.commit(spool, one, data=b'1')
            try:
                self.commit(spool, other, data=b'2')
            except FileRefused:
                pass
            else:
                spool.publish(other)
                self.assertEqual(b'2', self.published()[other])
            spool.publish(one)
            self.assertEqual(b'1', self.published()[one])

    # ------------------------------------------------------------ receiving

    def test_all_sizes(self):
        data = os.urandom(3 * MIB + 7)
        spool = self.open()
        for size in 0, 1, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB + 7:
            for hint in None, size, 0, 2 * MIB:
                with self.subTest(size=size, hint=hint):
                    incoming = self.receive(spool, 'a', data[:size], size=hint)
                    self.assertEqual(size, incoming.size)
                    spool.commit([incoming])
                    spool.publish('a')
                    self.assertTrue(data[:size] == self.published()['a'])
                    self.consume('a')

    def test_several_at_once(self):
        spool = self.open()
        names = ['file-%02d' % n for n in range(20)]
        incomings = [spool.create(name) for name in names]
        rooms = [incoming.buffer() for incoming in incomings]
        for n, room in enumerate(rooms):
            room[:3] = b'1%02d' % n
        for incoming in incomings:
            incoming.advance(3)
        for n, incoming in enumerate(incomings):
            fill(incoming, b'2%02d' % n)
            incoming.complete(WHEN)
        spool.commit(incomings)
        for name in names:
            spool.publish(name)
        self.assertEqual({name: b'1%02d2%02d' % (n, n) for n, name in enumerate(names)},
                         self.published())

    def test_buffers_are_not_empty_and_may_be_filled_in_part(self):
        spool = self.open()
        incoming = spool.create('a', 5)
        for n in range(10):
            self.assertLess(0, len(incoming.buffer()))
            incoming.buffer()[:1] = b'%d' % n
            incoming.advance(1)
            self.assertEqual(n + 1, incoming.size)
        incoming.complete(None)
        spool.commit([incoming])
        spool.publish('a')
        self.assertEqual({'a': b'0123456789'}, self.published())

    def test_restart(self):
        spool = self.open()
        for wrong in b'', b'wrong', b'wrong' * MIB:
            incoming = spool.create('a')
            fill(incoming, wrong)
            incoming.restart()
            self.assertEqual(0, incoming.size)
            fill(incoming, b'right')
            self.assertEqual(5, incoming.size)
            incoming.complete(WHEN)
            spool.commit([incoming])
            spool.publish('a')
            self.assertEqual({'a': b'right'}, self.published())
            self.consume('a')

    def test_discard(self):
        spool = self.open()
        for data in b'', b'data', b'data' * MIB:
            begun, complete = spool.create('a'), self.receive(spool, 'b', data)
            fill(begun, data)
            for incoming in begun, complete:
                incoming.discard()
                incoming.discard()
            self.assertFalse(spool.unread('a') or spool.unread('b'))
        self.commit(spool, 'a')
        spool.close()
        self.assertEqual({'a'}, set(self.leftovers()))

    def test_one_of_a_name_at_a_time(self):
        spool = self.open()
        first = self.receive(spool, 'a')
        with self.assertRaises(FileRefused):
            spool.create('a')
        spool.commit([first])
        self.assertEqual({}, self.published())

    # ------------------------------------------------------------ whole and durable

    def test_what_was_not_committed_never_was(self):
        for complete in False, True:
            with self.open() as spool:
                incoming = spool.create('a')
                fill(incoming, b'data')
                if complete:
                    incoming.complete(WHEN)
            with self.open() as spool:
                self.assertEqual([], list(spool.leftovers()))
                self.assertFalse(spool.unread('a'))
                self.commit(spool, 'a', data=b'again')
                spool.publish('a')
            self.assertEqual({'a': b'again'}, self.published())
            self.consume('a')

    def test_what_was_committed_is_found(self):
        with self.open() as spool:
            for name in 'c', 'a', 'b':
                self.commit(spool, name, data=name.encode() * 7)
        for _ in range(2):
            with self.open() as spool:
                self.assertEqual([(name, 7, WHEN, 'file') for name in 'abc'],
                                 list(map(tuple, spool.leftovers())))
                self.assertTrue(all(map(spool.unread, 'abc')))
        self.assertEqual({}, self.published())
        with self.open() as spool:
            for entry in spool.leftovers():
                spool.secure(entry.name)
                spool.publish(entry.name)
            spool.sync()
        self.assertEqual({name: name.encode() * 7 for name in 'abc'}, self.published())
        self.assertEqual({}, self.leftovers())

    def test_the_time_of_a_large_file(self):
        with self.open() as spool:
            spool.commit([self.receive(spool, 'a', b'x' * (2 * MIB), size=2 * MIB)])
        self.assertEqual((2 * MIB, WHEN), self.leftovers()['a'][1:3])

    def test_a_file_without_a_time(self):
        spool = self.open()
        self.commit(spool, 'a', modified=None)
        spool.publish('a')
        self.assertEqual({'a': b'data'}, self.published())
        spool.commit([])        # nor is one without a file anything to complain of

    def test_committing_overwrites_nothing(self):
        spool = self.open()
        self.commit(spool, 'a', data=b'older')
        with self.assertRaises(FileRefused):
            self.commit(spool, 'a', data=b'newer')
        spool.publish('a')
        self.assertEqual({'a': b'older'}, self.published())

    def test_one_that_is_refused_and_the_others(self):
        spool = self.open()
        self.commit(spool, 'b', data=b'older')
        try:
            incomings = [self.receive(spool, name) for name in 'abc']
        except FileRefused:
            return      # who tells as early as that does well
        while True:
            try:
                spool.commit(incomings)
                break
            except FileRefused as e:
                self.assertEqual('b', e.incoming.name)
                self.assertTrue(str(e))
                e.incoming.discard()
                incomings.remove(e.incoming)
        spool.close()
        self.assertEqual({'a': 4, 'b': 5, 'c': 4},
                         {name: entry.size for name, entry in self.leftovers().items()})

    # ------------------------------------------------------------ comparing

    def test_comparison(self):
        data = os.urandom(2 * MIB)
        spool = self.open()
        self.commit(spool, 'a', data=data)
        last, first = data[:-1] + bytes([data[-1] ^ 1]), bytes([data[0] ^ 1]) + data[1:]
        for other, equal in (
                (data, True), (last, False), (first, False), (data[:-1], False), (b'', False),
                (data + b'x', False)):
            comparison = spool.comparison('a')
            fill(comparison, other)
            self.assertEqual(equal, comparison.equal)
            comparison.discard()
            comparison.discard()
        spool.publish('a')
        self.assertTrue(data == self.published()['a'])

    def test_comparison_with_an_empty_file(self):
        spool = self.open()
        self.commit(spool, 'a', data=b'')
        comparison = spool.comparison('a')
        self.addCleanup(comparison.discard)
        self.assertTrue(comparison.equal)
        fill(comparison, b'x')
        self.assertFalse(comparison.equal)

    def test_comparison_with_nothing(self):
        with self.assertRaises(SpoolError):
            self.open().comparison('a').discard()

    # ------------------------------------------------------------ publishing

    def test_publishing_overwrites_nothing(self):
        spool = self.open()
        self.commit(spool, 'a', data=b'older')
        spool.publish('a')
        self.commit(spool, 'a', data=b'newer')
        with self.assertRaises(FileExistsError) as caught:
            spool.publish('a')
        self.assertIn('unread', str(caught.exception))
        self.assertEqual({'a': b'older'}, self.published())
        spool.close()
        self.assertEqual({'a'}, set(self.leftovers()))
        self.consume('a')
        self.open().publish('a')
        self.assertEqual({'a': b'newer'}, self.published())

    def test_there_is_nothing_to_publish(self):
        with self.assertRaises(SpoolError):
            self.open().publish('a')

    def test_what_is_published_is_no_leftover(self):
        with self.open() as spool:
            self.commit(spool, 'a', 'b')
            spool.publish('a')
            spool.sync()
            spool.sync()
        self.assertEqual({'b'}, set(self.leftovers()))
