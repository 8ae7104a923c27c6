"""One file that the spool does not take, whole disks that fail, and which is which."""
import errno
import os

from zeit.cds.interfaces import FileRefused, SpoolError
from zeit.cds.spool import filesystem
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.tests.cases import fill, InboxCase
from zeit.cds.spool.tests.recorder import BROKEN, error, NO_SPACE, System, TOO_LARGE


LARGE = 8192        # bytes


class Refusal(InboxCase):
    """One file that the file system does not take: the others go on."""

    tuning = Tuning(large=LARGE)

    def committed(self, incomings):
        """Commit as the contract says; the names of those that were refused, with the reasons."""
        refused = []
        while True:
            try:
                self.spool.commit(incomings)
                return refused
            except FileRefused as e:
                refused.append((e.incoming.name, str(e)))
                incomings.remove(e.incoming)
                e.incoming.discard()

    def refused_in_the_last_block(self, reason, many):
        self.spool._disk._many = many
        large = self.spool.create('large', LARGE)
        failing = large.fd
        with System() as system:
            system.fail('pwrite', reason, lambda fd, data, offset: fd == failing)
            fill(large, b'x' * LARGE)
            large.complete(None)
            incomings = [self.receive('a'), large, self.receive('larger', b'y' * (LARGE + 1)),
                         self.receive('z')]
            names = [name for name, _ in self.committed(incomings)]
        self.assertEqual(['large'], names)
        self.assertEqual({'a', 'larger', 'z'}, set(self.whole()))
        self.assertEqual({}, self.parts())
        for name in self.whole():
            os.unlink(self.at('tmp', name))

    def test_too_large_in_its_last_block(self):
        for many in 1, 99:
            self.refused_in_the_last_block(TOO_LARGE, many)

    def test_no_room_for_its_last_block(self):
        for many in 1, 99:
            self.refused_in_the_last_block(NO_SPACE, many)

    def test_the_sync_of_one_file_tells(self):
        self.spool._disk._many = 99
        incomings = [self.receive(name) for name in 'abc']
        failing = incomings[1].fd
        with System() as system:
            system.fail('fsync', TOO_LARGE, lambda fd: fd == failing)
            self.assertEqual(
                [('b', "the spool's file system refuses it: File too large")],
                self.committed(incomings))
        self.assertEqual({'a', 'c'}, set(self.whole()))

    def test_its_whole_name(self):
        incomings = [self.receive(name) for name in 'abc']
        move = filesystem.move

        def refusing(source, name, target, new_name):
            if name == 'b':
                raise error(errno.ENAMETOOLONG)
            move(source, name, target, new_name)

        with System() as system:
            system.filesystem(move=refusing)
            self.assertEqual(['b'], [name for name, _ in self.committed(incomings)])
        self.assertEqual({'a', 'c'}, set(self.whole()))
        self.assertEqual({}, self.parts())

    def test_something_else_got_its_name_meanwhile(self):
        incomings = [self.receive(name) for name in 'abc']
        os.mkdir(self.at('tmp', 'b'))
        (name, reason), = self.committed(incomings)
        self.assertIn("something else has got its name in 'tmp'", reason)
        self.assertEqual({'a': b'data', 'b': None, 'c': b'data'}, self.whole())

    def test_what_was_moved_before_is_durable_in_the_end(self):
        incomings = [self.receive(name) for name in 'ab']
        os.mkdir(self.at('tmp', 'b'))
        with self.assertRaises(FileRefused):
            self.spool.commit(incomings)
        synced = []
        with System() as system:
            system.instead('fsync', lambda real, fd: synced.append(fd))
            self.spool.commit(incomings[:1])
        self.assertIn(self.spool._tmp, synced)

    def test_a_disk_that_is_broken_concerns_all(self):
        incomings = [self.receive('large', b'x' * LARGE)]
        with System() as system:
            system.fail('fsync', BROKEN)
            with self.assertRaises(SpoolError) as caught:
                self.spool.commit(incomings)
        self.assertNotIsInstance(caught.exception, FileRefused)

    def test_no_room_for_a_large_file(self):
        room = filesystem.room(self.spool._tmp)
        with self.assertRaisesRegex(FileRefused, 'no room for it'):
            self.spool.create('large', room + 2**40)
        self.assertEqual({}, self.parts())
        self.receive('a').discard()

    def test_no_room_for_a_large_file_whose_size_nobody_knew(self):
        incoming = self.spool.create('large')
        self.addCleanup(incoming.discard)
        with System() as system:
            system.fail('pwrite', NO_SPACE)
            with self.assertRaisesRegex(FileRefused, 'no room for it') as caught:
                for _ in range(20):
                    room = incoming.buffer()
                    incoming.advance(len(room))
        self.assertIs(incoming, caught.exception.incoming)

    def test_no_room_for_a_small_file_is_a_full_disk(self):
        incoming = self.spool.create('a', 5)
        self.addCleanup(incoming.discard)
        with System() as system:
            system.fail('write', NO_SPACE)
            incoming.buffer()
            with self.assertRaises(SpoolError) as caught:
                incoming.advance(5)
        self.assertNotIsInstance(caught.exception, FileRefused)
        self.assertIn('The disk is full', caught.exception.__notes__[0])

    def test_no_room_for_a_small_file_beside_a_large_one(self):
        """Which may give it back: the others, and the next run, shall have a chance."""
        large = self.spool.create('large', LARGE)
        large.buffer()
        incoming = self.spool.create('a', 5)
        with System() as system:
            system.fail('write', NO_SPACE)
            incoming.buffer()
            self.assertRaises(FileRefused, incoming.advance, 5)
            large.discard()
            with self.assertRaises(SpoolError) as caught:
                incoming.advance(5)
        self.assertNotIsInstance(caught.exception, FileRefused)
        incoming.discard()

    def test_a_large_file_that_finds_no_room_gives_back_what_it_had(self):
        large = self.spool.create('large', LARGE)
        writes = []
        with System() as system:
            system.fail('pwrite', NO_SPACE, lambda *_: writes.append(1) or len(writes) > 1)
            room = large.buffer()
            large.advance(len(room))
            with self.assertRaises(FileRefused):
                while True:
                    large.advance(len(large.buffer()))
        self.assertEqual(0, os.fstat(large.fd).st_size)
        large.discard()

    def test_no_room_for_a_name(self):
        """Then there is none for any other."""
        with System() as system:
            system.fail('open', NO_SPACE, lambda path, flags, *_: path == 'large')
            with self.assertRaises(SpoolError) as caught:
                self.spool.create('large', LARGE)
        self.assertNotIsInstance(caught.exception, FileRefused)

    def test_what_only_some_verbs_may_refuse(self):
        """That the directory can't be synced says nothing of a file."""
        self.commit('a')
        self.spool.publish('a')
        with System() as system:
            system.fail('fsync', error(errno.EINVAL))
            with self.assertRaises(SpoolError) as caught:
                self.spool.sync()
        self.assertNotIsInstance(caught.exception, FileRefused)
