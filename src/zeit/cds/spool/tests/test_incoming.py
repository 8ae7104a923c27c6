"""Files of a spool while their bytes come."""
import itertools
import os
import time
from unittest import mock

from zeit.cds.interfaces import SpoolError
from zeit.cds.spool import directio
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.tests.cases import fill, InboxCase, WHEN
from zeit.cds.spool.tests.recorder import BROKEN, System


LARGE = 2 * directio.ALIGNED
TUNING = Tuning(buffer=3000, large=LARGE, blocks=directio.BlockTuning(size=4 * LARGE))
DATA = os.urandom(100_000)


class Small(InboxCase):

    tuning = TUNING

    def test_each_has_memory_of_its_own(self):
        first, second = self.spool.create('a'), self.spool.create('b')
        for incoming, data in (first, b'first'), (second, b'second'):
            incoming.buffer()[:len(data)] = data
        first.advance(5)
        second.advance(6)
        self.spool.commit([first, second])
        self.assertEqual({'a': b'first', 'b': b'second'}, self.whole())

    def test_memory_is_used_again(self):
        first = self.receive('a')
        second = self.spool.create('b')
        second.buffer()
        second.discard()
        third = self.spool.create('c')
        third.buffer()
        third.discard()
        fill(comparison := self.spool.create('d'), b'data')
        comparison.discard()
        comparison.discard()
        first.discard()
        self.assertEqual(1, len(self.spool._memory._free))

    def test_a_disk_that_takes_less_than_it_is_given(self):
        with System() as system:
            system.instead('write', lambda real, fd, data: real(fd, data[:7]))
            incoming = self.receive('a', DATA[:1000])
        self.spool.commit([incoming])
        self.assertEqual({'a': DATA[:1000]}, self.whole())

    def test_nothing_of_the_block_writer_is_needed(self):
        with mock.patch.object(directio, 'BlockWriter', side_effect=AssertionError):
            self.receive('a', DATA[:LARGE - 1], size=LARGE - 1).discard()


class Large(InboxCase):
    """From a certain size on, past the page cache."""

    tuning = TUNING

    def written(self, size, expected):
        """Where the block writer began, if at all, with a file of this size."""
        writers = []
        writer = directio.BlockWriter

        def beginning(fd, offset, blocks, digest):
            writers.append(offset)
            return writer(fd, offset, blocks, digest)

        with mock.patch.object(directio, 'BlockWriter', beginning):
            incoming = self.receive('a', DATA[:size], WHEN, expected)
        self.assertEqual(size, incoming.size)
        self.spool.commit([incoming])
        self.assertEqual({'a': DATA[:size]}, self.whole())
        self.assertEqual(WHEN, os.stat(self.at('tmp', 'a')).st_mtime_ns)
        os.unlink(self.at('tmp', 'a'))
        self.assertLessEqual(len(self.spool._memory._free), 1)
        return writers

    def test_from_the_beginning_if_it_is_known(self):
        for size in 5, LARGE, 100_000:
            self.assertEqual([0], self.written(size, LARGE))

    def test_once_so_much_has_come_if_it_is_not(self):
        for expected in None, 0, 17, LARGE - 1:
            self.assertEqual([LARGE], self.written(100_000, expected))
            self.assertEqual([], self.written(LARGE, expected))
            self.assertEqual([LARGE], self.written(LARGE + 1, expected))

    def test_restart(self):
        sizes = 10, LARGE, 100_000
        for before, after, expected in itertools.product(sizes, sizes, (None, LARGE)):
            with self.subTest(before=before, after=after, expected=expected):
                incoming = self.spool.create('a', expected)
                fill(incoming, b'wrong' * (before // 5))
                incoming.restart()
                self.assertEqual(0, incoming.size)
                fill(incoming, DATA[:after])
                incoming.complete(None)
                self.spool.commit([incoming])
                self.assertEqual({'a': DATA[:after]}, self.whole())
                os.unlink(self.at('tmp', 'a'))

    def test_nothing_is_written_to_its_descriptor_once_it_is_discarded(self):
        def write(real, fd, data, offset):
            written.append((fd, incoming.fd))
            return real(fd, data, offset)

        written = []
        with System() as system:
            system.instead('pwrite', write)
            system.slow('pwrite')
            incoming = self.receive('a', size=LARGE)
            incoming.discard()
            time.sleep(0.1)
        for fd, still_open in written:
            self.assertEqual(fd, still_open)

    def test_what_goes_wrong_is_told(self):
        with System() as system:
            system.fail('pwrite', BROKEN)
            incoming = self.receive('a', size=LARGE)
            self.addCleanup(incoming.discard)
            with self.assertRaisesRegex(SpoolError, 'Input/output error'):
                self.spool.commit([incoming])
            self.assertEqual({}, self.whole())


class Comparing(InboxCase):

    tuning = TUNING

    def setUp(self):
        super().setUp()
        self.spool.commit([self.receive('a', DATA)])

    def compare(self, data):
        comparison = self.spool.comparison('a')
        self.addCleanup(comparison.discard)
        fill(comparison, data)
        return comparison.equal

    def test_from_the_first_to_the_last_byte(self):
        self.assertTrue(self.compare(DATA))
        for place in 0, 50_000, 99_999:
            other = bytearray(DATA)
            other[place] ^= 1
            self.assertFalse(self.compare(other))
        for data in b'', DATA[:-1], DATA + b'x', DATA[1:], DATA + DATA:
            self.assertFalse(self.compare(data))

    def test_nothing_is_read_in_vain(self):
        done = []
        with System() as system:
            system.instead('pread', lambda real, *args: done.append(args) or real(*args))
            self.assertTrue(self.compare(DATA))
        self.assertEqual((len(DATA), True), (sum(count for fd, count, at in done),
                                             all(count for fd, count, at in done)))

    def test_a_disk_that_gives_less_than_it_is_asked_for(self):
        with System() as system:
            system.instead('pread', lambda real, fd, count, at: real(fd, min(count, 7), at))
            self.assertTrue(self.compare(DATA))

    def test_it_takes_no_room_on_the_disk(self):
        def forbidden(real, *args, **kw):
            raise AssertionError(args)

        with System() as system:
            for name in 'write', 'pwrite', 'ftruncate', 'mkdir', 'unlink':
                system.instead(name, forbidden)
            self.assertTrue(self.compare(DATA))

    def test_it_is_closed(self):
        before = os.listdir('/proc/self/fd')
        comparison = self.spool.comparison('a')
        comparison.discard()
        comparison.discard()
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))
        self.assertLessEqual(len(self.spool._memory._free), 1)

    def test_there_is_none(self):
        self.assertRaises(SpoolError, self.spool.comparison, 'b')

    def test_a_disk_that_fails(self):
        with System() as system:
            system.fail('pread', BROKEN)
            self.assertRaises(SpoolError, self.compare, DATA)
