"""Bytes of files on their way: whose memory they use, how they are written, and when."""
import contextlib
import mmap
import os
import types
import unittest
import unittest.mock

from zeit.cds.interfaces import FileRefused, SpoolError
from zeit.cds.spool import directio, filesystem
from zeit.cds.spool.directio import ALIGNED, Blocks, BlockTuning, BlockWriter
from zeit.cds.spool.inbox import Disk, impossible, obstacle
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.tests.cases import fill, InboxCase, WHEN
from zeit.cds.spool.tests.recorder import error, NO_SPACE, System


LARGE = 2 * ALIGNED


class Buffers(InboxCase):

    tuning = Tuning(buffer=3000, large=LARGE)

    def test_what_a_small_file_gets(self):
        incoming = self.spool.create('a')
        self.assertEqual(3000, len(incoming.buffer()))
        self.assertIs(incoming.buffer().obj, incoming.buffer().obj)
        fill(incoming, b'x' * (LARGE - 2999))
        self.assertEqual(2999, len(incoming.buffer()))
        fill(incoming, b'x' * 2998)
        self.assertEqual(1, len(incoming.buffer()))
        self.assertIsNone(incoming._writer)
        fill(incoming, b'x')
        self.assertIsNone(incoming._buffer)
        self.assertLess(3000, len(incoming.buffer()))
        self.assertIsNotNone(incoming._writer)
        incoming.discard()

    def test_the_time_is_that_of_the_server(self):
        for size, expected in (5, None), (LARGE + 5, None), (LARGE + 5, LARGE + 5):
            self.spool.commit([self.receive('a', b'x' * size, WHEN, expected)])
            self.assertEqual(WHEN, os.stat(self.at('tmp', 'a')).st_mtime_ns)
            os.unlink(self.at('tmp', 'a'))

    def test_no_time_is_none_of_the_server(self):
        self.spool.commit([self.receive('a')])
        self.assertLess(WHEN, os.stat(self.at('tmp', 'a')).st_mtime_ns)

    def test_the_disk_begins_with_what_is_synced_one_by_one(self):
        for alone in True, False:
            incoming, advised = self.receive('a'), []
            with System() as system:
                system.instead('posix_fadvise', lambda real, *args, advised=advised: (
                    advised.append(args)))
                incoming.finish(alone)
            self.assertEqual([(incoming.fd, 0, 0, os.POSIX_FADV_DONTNEED)] if alone else [],
                             advised)
            incoming.discard()

    def test_which_errors_concern_one_file_only(self):
        small, large = self.spool.create('a'), self.spool.create('b', LARGE)
        for incoming, refused in (small, False), (large, True):
            self.assertEqual(refused, isinstance(incoming.error(NO_SPACE), FileRefused))
            self.assertIsInstance(incoming.error(NO_SPACE), SpoolError)
        fill(small, b'x' * LARGE)
        self.assertIsInstance(small.error(NO_SPACE), FileRefused)
        self.assertIsInstance(small.error(error(5)), SpoolError)
        self.assertNotIsInstance(small.error(error(5)), FileRefused)
        for incoming in small, large:
            incoming.discard()
        incoming = self.spool.create('c')
        self.assertFalse(self.spool._memory.is_for_large_ones)
        large = self.spool.create('d', LARGE)
        large.buffer()
        self.assertTrue(self.spool._memory.is_for_large_ones)
        self.assertIsInstance(incoming.error(NO_SPACE), FileRefused)
        self.assertIs(incoming, incoming.error(NO_SPACE).incoming)
        incoming.discard()
        large.discard()

    def test_what_is_synced(self):
        with System() as system:
            synced = []
            system.without_syncfs()
            system.instead('fsync', lambda real, fd: synced.append(fd))
            self.spool.commit([])
            self.assertEqual([], synced)
            incoming = self.receive('a')
            fd = incoming.fd
            self.spool.commit([incoming])
            self.assertEqual([fd, self.spool._tmp, self.spool._parts.fd], synced)
            del synced[:]
            self.spool.publish('a')
            self.spool.sync()
            self.spool.sync()
            self.assertEqual([self.spool._new, self.spool._tmp], synced)

    def test_where_a_move_takes_two_steps_what_was_published_is_synced_before(self):
        with System() as system:
            synced = []
            system.without_rename()
            system.without_syncfs()
            system.instead('fsync', lambda real, fd: synced.append(fd))
            self.commit('a')
            self.spool.publish('a')
            del synced[:]
            self.commit('b')
            new, tmp = self.spool._new, self.spool._tmp
            self.assertLess(synced.index(new), synced.index(tmp))
            self.spool.sync()
            del synced[:]
            self.commit('c')
            self.assertNotIn(new, synced)

    def test_room_is_asked_for_before_a_large_file_begins(self):
        asked = []

        def room(directory):
            asked.append(directory)
            return LARGE

        with System() as system:
            system.filesystem(room=room)
            for size in None, 0, LARGE - 1:
                self.spool.create('%s' % size, size).discard()
            self.assertEqual([], asked)
            self.spool.create('a', LARGE).discard()
            with self.assertRaisesRegex(FileRefused, 'it needs %d bytes, and %d are free' % (
                    LARGE + 1, LARGE)):
                self.spool.create('b', LARGE + 1)
        self.assertEqual([self.spool._tmp] * 2, asked)


class Places(InboxCase):

    def test_the_directory_of_a_run_is_made_far_from_other_files(self):
        def ioctl_flags(directory, request, flags=0):
            self.assertEqual(self.spool._tmp, directory)
            done.append((request == filesystem.SETFLAGS, flags))
            return 5

        def mkdir(real, *args, **kw):
            done.append('made')
            real(*args, **kw)

        done = []
        with System() as system:
            system.filesystem(ioctl_flags=ioctl_flags)
            system.instead('mkdir', mkdir)
            self.spool.create('a').discard()
            self.spool.create('b').discard()
        self.assertEqual([(False, 0), (True, 5 | filesystem.TOPDIR), 'made', (True, 5)], done)


class Names(unittest.TestCase):

    def test_impossible_ones(self):
        for name, reason in (
                ('', 'no file can have this name'), ('.', 'no file can have this name'),
                ('..', 'no file can have this name'), ('a/b', 'with a slash'), ('a\0', 'with NUL'),
                ('a\r', 'with CR'), ('\na', 'with LF'), ('x' * 256, 'longer than 255 bytes'),
                ('ä' * 128, 'longer than 255 bytes')):
            self.assertIn(reason, impossible(name))
        for name in 'a', '...', '.a', 'x' * 255, 'ä' * 127, 'a\\b':
            self.assertIsNone(impossible(name))

    def test_obstacles(self):
        for mode, what in (
                (0o040755, 'a directory'), (0o010644, 'a pipe'), (0o120777, 'a link'),
                (0o140755, 'something that is no file'), (0o020644, 'something that is no file')):
            self.assertEqual("%s of this name in 'new' is in its way. Remove it" % what,
                             obstacle('new', mode))


class Syncing(unittest.TestCase):
    """One by one, or all at once."""

    def sync(self, number, many=3, honest=True):
        """What is done with so many files."""
        done = []
        incomings = [types.SimpleNamespace(
            fd=n, finish=lambda alone, n=n: done.append(('finish', n, alone)))
            for n in range(number)]
        with System() as system:
            system.instead('fsync', lambda real, fd: done.append(('sync', fd)))
            system.filesystem(can_sync_all=lambda directory: honest,
                              sync_all=lambda directory: done.append(('all', directory)))
            Disk(many).sync(incomings, 'directory')
        return done

    def test_few(self):
        self.assertEqual([('finish', 0, True), ('finish', 1, True), ('sync', 0), ('sync', 1)],
                         self.sync(2))

    def test_many(self):
        self.assertEqual([*(('finish', n, False) for n in range(3)), ('all', 'directory')],
                         self.sync(3))

    def test_many_where_the_whole_disk_does_not_tell_of_errors(self):
        self.assertEqual([('sync', n) for n in range(3)], self.sync(3, honest=False)[3:])


class BlockMemory(unittest.TestCase):

    TUNING = BlockTuning(size=4 * ALIGNED, each=2, second_until=3, most=4, little=ALIGNED)

    def test_each_file_has_so_many(self):
        blocks = Blocks(self.TUNING)
        self.assertFalse(blocks.are_in_use)
        first = blocks.take(0)
        self.assertTrue(blocks.are_in_use)
        second = blocks.take(1)
        self.assertIsNone(blocks.take(2))
        self.assertEqual([4 * ALIGNED] * 2, [len(first), len(second)])
        blocks.take(1)
        self.assertIsNone(blocks.take(1))       # three are in use
        self.assertEqual((4 * ALIGNED, False), (len(blocks.take(0)), blocks.are_scarce))
        little = blocks.take(0)
        self.assertEqual((ALIGNED, True), (len(little), blocks.are_scarce))
        blocks.give(little)
        self.assertEqual(([], False), (blocks._free, blocks.are_scarce))
        blocks.give(first)
        self.assertEqual([first], blocks._free)
        self.assertIs(first, blocks.take(0))
        self.assertEqual([], blocks._free)

    def test_each_is_in_one_piece_where_the_system_can(self):
        class Map(mmap.mmap):
            def madvise(self, *args):
                advised.append(args)
                raise OSError('It cannot.')

        advised = []
        with unittest.mock.patch.object(mmap, 'mmap', Map):
            Blocks(self.TUNING).take(0)
        self.assertEqual([(mmap.MADV_HUGEPAGE,)], advised)

    def test_little_ones_are_new(self):
        blocks = Blocks(self.TUNING._replace(most=0))
        blocks._free.append('a large one')
        self.assertEqual([ALIGNED] * 2, [len(blocks.take(0)) for _ in range(2)])


class Writers(InboxCase):

    def writer(self, blocks):
        fd = os.open(self.at('file'), os.O_CREAT | os.O_RDWR | os.O_TRUNC)
        self.addCleanup(os.close, fd)
        writer = BlockWriter(fd, 0, blocks)
        self.addCleanup(writer.drop)
        return writer, fd

    def test_all_memory_is_given_back(self):
        blocks = Blocks(BlockTuning(size=ALIGNED))
        for ends in (lambda writer: writer.join(), lambda writer: writer.drop()):
            writer, _ = self.writer(blocks)
            for _ in range(5):
                room = writer.room()
                writer.filled(len(room))
            writer.room()
            ends(writer)
            self.assertFalse(blocks.are_in_use)

    def test_what_is_dropped_frees_the_disk_at_once(self):
        blocks = Blocks(BlockTuning(size=ALIGNED))
        with System() as system:
            system.fail('pwrite', NO_SPACE)
            writer, fd = self.writer(blocks)
            os.write(fd, b'x' * 9)
            writer.filled(len(writer.room()))
            with contextlib.suppress(OSError):
                writer.join()
        self.assertEqual(0, os.fstat(fd).st_size)

    def test_the_disk_is_told_to_begin_with_what_is_not_direct(self):
        advised = []
        with System() as system:
            system.instead('posix_fadvise', lambda real, *args: advised.append(args))
            writer, fd = self.writer(Blocks(BlockTuning(size=ALIGNED)))
            writer.room()[:7] = b'1234567'
            writer.filled(7)
            writer.join()
        self.assertEqual([(fd, 0, 7, os.POSIX_FADV_DONTNEED)], advised)

    def test_its_thread_ends_with_it_and_works_for_ours(self):
        writer, _ = self.writer(Blocks())
        self.assertIs(directio.threading.current_thread(), writer._thread.parent)
        self.assertTrue(writer._thread.daemon)
        writer.join()
        self.assertFalse(writer._thread.is_alive())

    def test_others_wait_only_where_memory_is_scarce(self):
        for most, waits in (0, True), (9, False):
            waited = []
            with System() as system, unittest.mock.patch.object(
                    directio, 'in_thread', lambda verb, waited=waited: waited.append(verb())):
                system.slow('pwrite', 0.001)
                writer, _ = self.writer(Blocks(BlockTuning(size=ALIGNED, most=most)))
                writer.room()
                writer.filled(7)
                writer.end()
                writer.end()
                writer.join()
            self.assertEqual(waits, bool(waited))
