"""Large files, written by a thread while they come."""
import fcntl
import functools
import mmap
import os
import tempfile
import threading
import time
import unittest
from unittest import mock

from zeit.cds.net.scheduler import Scheduler
from zeit.cds.spool import directio
from zeit.cds.spool.directio import ALIGNED, Blocks, BlockTuning, BlockWriter
from zeit.cds.spool.tests.recorder import INVALID, NO_SPACE, System


SIZE = 4 * ALIGNED      # bytes of a block in these tests
TUNING = BlockTuning(size=SIZE, little=ALIGNED)
DATA = os.urandom(10 * SIZE)
LENGTHS = (
    0, 1, ALIGNED - 1, ALIGNED, ALIGNED + 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE, 10 * SIZE - 1)
LIMIT = 10              # seconds; what takes longer will never happen


class BlocksCase(unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.blocks = Blocks(TUNING)
        self.system = self.enterContext(System())
        self.fcntl = fcntl.fcntl
        self.written = []       # number of bytes, and whether past the page cache

    def open(self):
        """The descriptor of an empty file, on a disk, mostly."""
        file = self.enterContext(tempfile.TemporaryFile(buffering=0))
        return file.fileno()

    def writer(self, fd, offset=0):
        writer = BlockWriter(fd, offset, self.blocks)
        self.addCleanup(writer.drop)
        return writer

    def fill(self, writer, data):
        while data:
            room = writer.room()
            count = min(len(room), len(data), 5000)
            room[:count] = data[:count]
            writer.filled(count)
            data = data[count:]

    def contents(self, fd):
        return os.pread(fd, len(DATA) + 1, 0)

    def remember(self, real, fd, data, offset):
        """A pwrite that remembers."""
        self.written.append((len(data), self.is_direct(fd)))
        return real(fd, data, offset)

    def is_direct(self, fd):
        return bool(self.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT)


class Writing(BlocksCase):

    def test_all_of_it(self):
        for offset in 0, ALIGNED, 5:
            for length in LENGTHS:
                with self.subTest(offset=offset, length=length):
                    fd = self.open()
                    os.write(fd, DATA[:offset])
                    writer = self.writer(fd, offset)
                    self.fill(writer, DATA[offset:length])
                    writer.join()
                    self.assertEqual(DATA[:max(offset, length)], self.contents(fd))

    def test_past_the_page_cache(self):
        fd = self.open()
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
        except OSError:
            self.skipTest('This file system has no way past its cache.')
        fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        self.system.instead('pwrite', self.remember)
        writer = self.writer(fd)
        self.fill(writer, DATA[:2 * SIZE + ALIGNED + 7])
        writer.join()
        self.assertEqual([(SIZE, True), (SIZE, True), (ALIGNED, True), (7, False)], self.written)
        self.assertEqual(flags, fcntl.fcntl(fd, fcntl.F_GETFL))

    def test_who_writes_to_it_afterwards_need_not_care(self):
        """As whole blocks only can be written past the page cache."""
        def call(fd, command, flags=0):
            if command != fcntl.F_SETFL:
                return self.fcntl(fd, command, flags)
            done.append(bool(flags & os.O_DIRECT))

        self.enterContext(mock.patch.object(fcntl, 'fcntl', call))
        for size, changes in (2 * SIZE, [True, False]), (ALIGNED, [True, False]), (ALIGNED - 1, []):
            done = []
            writer = self.writer(self.open())
            self.fill(writer, DATA[:size])
            writer.join()
            self.assertEqual(changes, done)

    def test_file_system_that_has_no_way_past_its_cache(self):
        def refused(fd, command, *flags):
            if flags and flags[0] & os.O_DIRECT:
                raise INVALID
            return self.fcntl(fd, command, *flags)

        self.enterContext(mock.patch.object(fcntl, 'fcntl', refused))
        self.check_not_direct()

    def test_file_system_that_notices_late(self):
        self.system.instead('pwrite', self.remember)
        self.system.fail('pwrite', INVALID, lambda fd, *_: self.is_direct(fd))
        self.check_not_direct(remembered=False)

    def check_not_direct(self, remembered=True):
        if remembered:
            self.system.instead('pwrite', self.remember)
        fd = self.open()
        writer = self.writer(fd)
        self.fill(writer, DATA[:2 * SIZE + 7])
        writer.join()
        self.assertEqual(DATA[:2 * SIZE + 7], self.contents(fd))
        self.assertEqual([(SIZE, False), (SIZE, False), (7, False)], self.written)

    def test_less_is_written_than_asked_for(self):
        for most in 1000, ALIGNED, ALIGNED + 512:
            with self.subTest(most), System() as system, \
                    mock.patch.object(BlockWriter, '_be_direct', lambda *args: None):
                system.instead('pwrite', lambda real, fd, data, offset, most=most: real(
                    fd, bytes(data[:most]) if len(data) > most else data, offset))
                self.check_all_is_written()

    def test_no_thread(self):
        error = RuntimeError("can't start new thread")
        with mock.patch.object(threading.Thread, 'start', side_effect=error):
            self.check_all_is_written()

    def check_all_is_written(self):
        fd = self.open()
        writer = self.writer(fd)
        self.fill(writer, DATA)
        writer.join()
        self.assertEqual(DATA, self.contents(fd))


class GoingWrong(BlocksCase):

    def test_a_later_call_tells(self):
        self.system.fail('pwrite', NO_SPACE)
        writer = self.writer(self.open())
        with self.assertRaises(OSError) as raised:
            for _ in range(TUNING.each + 1):
                self.fill(writer, DATA[:SIZE])
        self.assertIs(NO_SPACE, raised.exception)

    def test_the_end_tells(self):
        self.system.fail('pwrite', NO_SPACE)
        writer = self.writer(self.open())
        self.fill(writer, b'data')
        writer.end()
        for _ in range(2):
            with self.assertRaises(OSError) as raised:
                writer.join()
            self.assertIs(NO_SPACE, raised.exception)

    def test_an_invalid_argument_that_is_not_our_fault(self):
        self.system.fail('pwrite', INVALID)
        writer = self.writer(self.open())
        self.fill(writer, DATA[:SIZE])
        self.assertRaises(OSError, writer.join)

    def test_nothing_is_written_once_it_is_dropped(self):
        begun, go_on = threading.Event(), threading.Event()

        def slow(*args):
            begun.set()
            go_on.wait()
            return self.remember(*args)

        self.system.instead('pwrite', slow)
        writer = self.writer(self.open())
        self.fill(writer, DATA[:SIZE + 5])
        begun.wait()
        threading.Timer(0.05, go_on.set).start()
        writer.drop()
        writer.drop()
        self.assertEqual([SIZE], [count for count, _ in self.written])


class Memory(BlocksCase):

    def setUp(self):
        super().setUp()
        self.scheduler = self.enterContext(Scheduler())
        self.ended = []         # names of tasks, in the order in which they ended

    def work(self, **tasks):
        """Run functions as tasks until all have ended."""
        def run(name, function):
            function()
            self.ended.append(name)

        for name, function in tasks.items():
            self.scheduler.spawn(functools.partial(run, name, function))
        end = time.monotonic() + LIMIT
        while len(self.ended) < len(tasks):
            self.assertLess(time.monotonic(), end, 'tasks do not end')
            self.scheduler.turn(0.1)

    def test_who_gets_what(self):
        further = [self.blocks.take(held) for held in [1] * (TUNING.second_until - 1)]
        taken = [self.blocks.take(0), *further]
        self.assertIsNone(self.blocks.take(1))
        taken += [self.blocks.take(0) for _ in range(TUNING.most - TUNING.second_until)]
        self.assertEqual({SIZE}, set(map(len, taken)))
        self.assertFalse(self.blocks.are_scarce)
        self.assertEqual(ALIGNED, len(self.blocks.take(0)))
        self.assertTrue(self.blocks.are_scarce)
        for block in taken:
            self.blocks.give(block)
        self.assertIsNone(self.blocks.take(TUNING.each))
        self.assertIn(self.blocks.take(0), taken)

    def slow_disk(self):
        self.system.slow('pwrite', 0.005)

    def test_a_file_waits_for_its_own_blocks_and_others_do_not(self):
        self.slow_disk()
        fd = self.open()
        writer = self.writer(fd)
        waits = self.enterContext(
            mock.patch.object(directio, 'in_thread', side_effect=directio.in_thread))
        self.work(large=lambda: self.fill(writer, DATA), other=lambda: None)
        writer.join()
        self.assertEqual(['other', 'large'], self.ended)
        self.assertEqual(DATA, self.contents(fd))
        self.assertEqual(TUNING.each, len(self.blocks._free))
        self.assertLessEqual(waits.call_count, len(DATA) // SIZE)

    def test_many_files(self):
        self.slow_disk()
        files = [self.open() for _ in range(30)]
        most = 0

        def fill():
            nonlocal most
            for fd in files:
                writer = self.writer(fd)
                self.fill(writer, DATA[:ALIGNED])
                writer.end()
                most = max(most, self.blocks._taken)

        self.work(fill=fill)
        self.assertLessEqual(most, TUNING.most + 1)
        for thread in threading.enumerate():
            if thread.name == 'zeit.cds-write':
                thread.join(LIMIT)
        self.assertEqual(0, self.blocks._taken)
        for fd in files:
            self.assertEqual(DATA[:ALIGNED], self.contents(fd))

    def test_many_sessions(self):
        self.slow_disk()
        files = [self.open() for _ in range(16)]
        mapped, mmap_ = [], mmap.mmap
        self.enterContext(mock.patch.object(
            mmap, 'mmap', lambda fd, size, **kw: mapped.append(size) or mmap_(fd, size, **kw)))

        def fill(fd):
            writer = self.writer(fd)
            self.fill(writer, DATA)
            writer.join()

        self.work(**{'file %d' % fd: functools.partial(fill, fd) for fd in files})
        self.assertLessEqual(mapped.count(SIZE), TUNING.most)
        self.assertEqual({SIZE, ALIGNED}, set(mapped))
        self.assertEqual({SIZE}, set(map(len, self.blocks._free)))
        for fd in files:
            self.assertEqual(DATA, self.contents(fd))
