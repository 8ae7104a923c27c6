"""The outgoing side of a spool: edge cases."""
import errno
import os
import shutil
import tempfile
import unittest
from unittest import mock

from zope.interface.verify import verifyClass, verifyObject

from zeit.cds.interfaces import IFileSource, IOutbox, IOutgoing, Locked, SpoolError, Unreadable
from zeit.cds.spool.outbox import (
    append,
    DAY,
    FileSource,
    JOURNAL,
    numbered,
    Outbox,
    Outgoing,
    RECORD,
    temporary_name,
)
from zeit.cds.spool.store import Spool
from zeit.cds.tests.importing import contents, new_spool, put


PLACE = 'user@host:21 /'


class OutboxTest(unittest.TestCase):

    def setUp(self):
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)

    def open(self, place=PLACE, keep=None):
        outbox = Outbox(self.store_dir, place, keep)
        self.addCleanup(outbox.close)
        return outbox

    def path(self, *names):
        return os.path.join(self.store_dir, *names)

    def offer(self, name, data=b'data'):
        put(self.path('new'), name, data)

    def cur(self):
        return contents(self.path('cur'))

    def sent(self, outbox, name):
        """A file that is on the server, as a note says that is on the disk."""
        outgoing = outbox.create(name)
        outgoing.open()
        outbox.storing(outgoing)
        outgoing.read()
        outgoing.discard()
        outbox.commit([outgoing])
        return outgoing

    def begun(self, **settings):
        outbox = self.open(**settings)
        outbox.mark()
        outbox.begin([])
        return outbox


class Contracts(OutboxTest):

    def test_they_are_kept(self):
        verifyClass(IFileSource, FileSource)
        verifyClass(IOutbox, Outbox)
        self.offer('a')
        with self.open() as outbox:
            verifyObject(IOutbox, outbox)
            verifyObject(IOutgoing, outbox.create('a'))
        verifyClass(IOutgoing, Outgoing)


class Opening(OutboxTest):

    def test_one_export_at_a_time(self):
        self.open()
        with self.assertRaises(Locked):
            Outbox(self.store_dir, PLACE)

    def test_an_import_may_use_the_spool_meanwhile(self):
        self.open()
        Spool(self.store_dir).close()

    def test_no_spool(self):
        with self.assertRaisesRegex(SpoolError, 'nonexistent') as caught:
            Outbox(self.path('nonexistent'), PLACE)
        self.assertIn('Create the directory', caught.exception.__notes__[0])


class Waiting(OutboxTest):

    def test_kinds(self):
        self.offer('a', b'12345')
        os.mkdir(self.path('new', 'b'))
        os.symlink('a', self.path('new', 'c'))
        self.assertEqual([('a', 5, 'file'), ('b', 'dir'), ('c', 'other')], [
            (e.name, e.size, e.kind) if e.kind == 'file' else (e.name, e.kind) for e in sorted(self.open().waiting())])

    def test_what_cannot_be_read(self):
        os.mkdir(self.path('new', 'b'))
        os.symlink('a', self.path('new', 'c'))
        os.mkfifo(self.path('new', 'd'))
        outbox = self.open()
        for name in 'abcd':
            with self.assertRaises(Unreadable):
                outbox.create(name).open()

    def test_pieces_from_an_offset(self):
        data = os.urandom(700000)
        self.offer('a', data)
        outgoing = self.open().create('a')
        outgoing.open()
        whole = b''.join(map(bytes, outgoing.pieces()))
        digest = outgoing.digest
        for offset in (1, 262143, 262144, 262145, 699999, 700000):
            self.assertEqual(data[offset:], b''.join(map(bytes, outgoing.pieces(offset))))
            self.assertEqual((digest, 700000), (outgoing.digest, outgoing.size))
        outgoing.discard()
        self.assertEqual(data, whole)


    def opened(self, data=b'data'):
        self.offer('a', data)
        outgoing = Outgoing(os.open(self.path('new'), os.O_RDONLY), 'a')
        self.addCleanup(os.close, outgoing._directory)
        self.addCleanup(outgoing.discard)
        outgoing.open()
        return outgoing

    def test_a_disk_that_gives_less_than_it_is_asked_for(self):
        data, outgoing, preadv = os.urandom(5000), self.opened(bytes(5000)), os.preadv
        with open(self.path('new', 'a'), 'r+b') as f:
            f.write(data)
        with mock.patch.object(os, 'preadv', lambda fd, buffers, offset: preadv(fd, [buffers[0][:1000]], offset)):
            self.assertEqual(data, b''.join(map(bytes, outgoing.pieces())))

    def test_a_disk_that_gives_not_all(self):
        outgoing = self.opened()
        with mock.patch.object(os, 'preadv', lambda fd, buffers, offset: 0):
            for _ in outgoing.pieces():
                pass
        self.assertFalse(outgoing.unchanged())

    def test_what_makes_it_another_file(self):
        def rewritten(path):
            with open(path, 'wb') as f:
                f.write(b'DATA')

        def replaced(path):
            before = os.stat(path)
            put(self.path('new'), 'a', b'DATA')
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        def appended(path):
            before = os.stat(path)
            with open(path, 'ab') as f:
                f.write(b'more')
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        for change, same in (os.stat, True), (rewritten, False), (replaced, False), (appended, False), (os.unlink, False):
            with self.subTest(change.__name__):
                outgoing = self.opened()
                for _ in outgoing.pieces():
                    pass
                change(self.path('new', 'a'))
                self.assertEqual(same, outgoing.unchanged())


class Notes(OutboxTest):

    def test_a_note_outlives_the_process(self):
        self.offer('a')
        with self.begun() as outbox:
            temporary = self.sent(outbox, 'a').temporary
        with self.open() as outbox:
            self.assertTrue(outbox.marked)
            (note,), temporaries, parts = outbox.interrupted()
        self.assertEqual(('a', temporary, True, 4), (note.name, note.temporary, note.complete, note.size))
        self.assertEqual(([], []), (temporaries, parts))

    def assert_only_the_temporary_name(self, temporary, **settings):
        with self.open(**settings) as outbox:
            self.assertEqual(([], [temporary], []), outbox.interrupted())

    def test_what_is_stored_under_its_own_name_is_noted_on_the_disk_before(self):
        self.offer('a')
        outbox = self.begun()
        outgoing = outbox.create('a')
        outgoing.open()
        outgoing.temporary = None
        outgoing.read()
        with mock.patch.object(os, 'fdatasync') as sync:
            outbox.storing(outgoing)
        sync.assert_called_once_with(outbox._journal)

    def test_another_file_has_the_name_now(self):
        for newer in (b'newer, longer', b'atad'):
            self.offer('a')
            with self.begun() as outbox:
                temporary = self.sent(outbox, 'a').temporary
            self.offer('a', newer)
            self.assert_only_the_temporary_name(temporary)

    def test_another_file_in_the_same_place_on_the_disk(self):
        self.offer('a')
        with self.begun() as outbox:
            temporary = self.sent(outbox, 'a').temporary
        with open(self.path('new', 'a'), 'r+b') as f:
            f.write(b'atad')
        self.assert_only_the_temporary_name(temporary)

    def test_a_file_that_was_not_sent_as_a_whole(self):
        self.offer('a')
        with self.begun() as outbox:
            outgoing = outbox.create('a')
            outbox.storing(outgoing)
        self.assert_only_the_temporary_name(outgoing.temporary)

    def test_notes_about_another_place_do_not_count(self):
        self.offer('a')
        with self.begun() as outbox:
            self.sent(outbox, 'a')
        with self.open(place='user@elsewhere:21 /') as outbox:
            self.assertEqual(([], [], []), outbox.interrupted())

    def test_what_a_power_failure_left_half_written_is_no_note(self):
        self.offer('a')
        with self.begun() as outbox:
            self.sent(outbox, 'a')
        with open(self.path(JOURNAL), 'ab') as f:
            f.write(b'["sent", "b", nu\n\0\0\0\0')
        with self.open() as outbox:
            self.assertEqual(['a'], [note.name for note in outbox.interrupted()[0]])

    def test_a_moved_file_needs_no_further_look(self):
        self.offer('a')
        with self.begun() as outbox:
            self.sent(outbox, 'a')
            outbox.retire('a')
        with self.open() as outbox:
            self.assertEqual(([], [], []), outbox.interrupted())

    def test_finish_forgets_all_unless_something_is_left(self):
        self.offer('a')
        with self.begun() as outbox:
            temporary = self.sent(outbox, 'a').temporary
            outbox.retire('a')
            outbox.finish()
            self.assertTrue(outbox.marked)
            outbox.settled(temporary)
            outbox.finish()
            self.assertFalse(outbox.marked)

    def test_names_that_are_no_text(self):
        name = os.fsdecode(b'K\xf6ln\xff "\\')
        self.offer(name)
        with self.begun() as outbox:
            self.sent(outbox, name)
        with self.open() as outbox:
            self.assertEqual([name], [note.name for note in outbox.interrupted()[0]])


class Appending(unittest.TestCase):

    def setUp(self):
        self.file = self.enterContext(tempfile.TemporaryFile())
        self.file.write(b'before\n')
        self.file.flush()

    def append(self, *sizes):
        """Append to a file of which the system takes so many bytes with each call, and no more then."""
        write, sizes = os.write, iter(sizes)

        def some(fd, data):
            size = next(sizes, None)
            if size is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(fd, data[:size])

        with mock.patch('os.write', some):
            append(self.file.fileno(), b'12345')

    def assert_holds(self, data):
        self.assertEqual(data, os.pread(self.file.fileno(), 100, 0))

    def test_bit_by_bit(self):
        self.append(1, 3, 9)
        self.assert_holds(b'before\n12345')

    def test_all_or_nothing(self):
        for sizes in (), (1,), (1, 3):
            self.assertRaises(OSError, self.append, *sizes)
            self.assert_holds(b'before\n')
            self.file.seek(0, os.SEEK_END)


class Retiring(OutboxTest):

    def test_nothing_is_overwritten(self):
        outbox = self.begun()
        for n in range(3):
            self.offer('a', b'%d' % n)
            self.sent(outbox, 'a')
            outbox.retire('a')
        self.assertEqual({b'a': b'0', b'a.2': b'1', b'a.3': b'2'}, self.cur())

    def test_a_newer_file_stays(self):
        outbox = self.begun()
        self.offer('a', b'older')
        self.sent(outbox, 'a')
        self.offer('a', b'newer')
        self.assertIsNone(outbox.retire('a'))
        self.assertEqual(({b'a': b'newer'}, {}), (contents(self.path('new')), self.cur()))

    def test_a_newer_file_stays_although_it_has_the_same_inode(self):
        outbox = self.begun()
        for newer in b'NEWER', b'longer than before':
            self.offer('a', b'older')
            self.sent(outbox, 'a')
            with open(self.path('new', 'a'), 'wb') as f:
                f.write(newer)
            self.assertIsNone(outbox.retire('a'))
            self.assertEqual(({b'a': newer}, {}), (contents(self.path('new')), self.cur()))

    def test_a_file_that_vanishes_at_the_last_moment(self):
        outbox = self.begun()
        self.offer('a')
        self.sent(outbox, 'a')
        with mock.patch('zeit.cds.spool.outbox.move', side_effect=FileNotFoundError):
            self.assertIsNone(outbox.retire('a'))

    def test_a_kill_between_link_and_unlink(self):
        """Where the file system can't rename without overwriting."""
        outbox = self.begun()
        self.offer('a')
        self.sent(outbox, 'a')
        os.link(self.path('new', 'a'), self.path('cur', 'a'))
        self.assertEqual(self.path('cur', 'a'), outbox.retire('a'))
        self.assertEqual(({}, {b'a': b'data'}), (contents(self.path('new')), self.cur()))

    def test_names(self):
        self.assertEqual('a.2', numbered('a', 2))
        self.assertEqual(255, len(os.fsencode(numbered('ä' * 127, 12))))
        self.assertEqual(255, len(os.fsencode(numbered('ä' * 127 + 'x', 12))))
        for name in ('a', 'ä' * 127, 'x' * 255, 'x' * 237, 'x' * 236):
            one, other = temporary_name(name), temporary_name(name)
            self.assertNotEqual(one, other)
            self.assertTrue(one.startswith('.') and one.endswith('.part') and len(os.fsencode(one)) <= 255)


class Keeping(OutboxTest):

    def export(self, *names, keep, ago=0.0):
        """Export files, so many days ago."""
        outbox = self.begun(keep=keep)
        for name in names:
            self.offer(name)
            self.sent(outbox, name)
            outbox.retire(name)
        outbox.close()
        self.age(ago)

    def age(self, days):
        try:
            with open(self.path(RECORD)) as f:
                lines = f.read().splitlines()
        except FileNotFoundError:
            return
        with open(self.path(RECORD), 'w') as f:
            for line in lines:
                seconds, _, rest = line[1:].partition(',')
                f.write('[%d,%s\n' % (int(seconds) - days * DAY, rest))

    def expire(self, keep):
        with self.open(keep=keep) as outbox:
            return outbox.expire()

    def test_old_files_go_and_young_ones_stay(self):
        self.export('a', 'b', keep=7, ago=5)
        self.export('c', keep=7, ago=3)
        put(self.path('cur'), 'somebody-elses')
        self.assertEqual(['a', 'b'], self.expire(7))
        self.assertEqual({b'c', b'somebody-elses'}, set(self.cur()))
        self.assertEqual([], self.expire(7))
        self.age(5)
        self.assertEqual(['c'], self.expire(7))

    def test_without_keep_nothing_is_recorded_or_removed(self):
        self.export('a', keep=None, ago=5)
        self.assertFalse(os.path.exists(self.path(RECORD)))
        self.export('b', keep=1, ago=5)
        self.assertEqual([], self.expire(None))
        self.assertEqual(['b'], self.expire(1))
        self.assertEqual({b'a'}, set(self.cur()))

    def test_what_was_made_of_it_stays(self):
        self.export('a', keep=1, ago=5)
        with open(self.path('cur', 'a'), 'ab') as f:
            f.write(b'more')
        self.assertEqual([], self.expire(1))

    def test_another_file_of_that_name_stays(self):
        self.export('a', 'b', keep=1, ago=5)
        put(self.path('cur'), 'a', b"the CMS' own")
        os.unlink(self.path('cur', 'b'))
        self.assertEqual([], self.expire(1))
        self.assertEqual({b'a': b"the CMS' own"}, self.cur())

    def test_the_record_does_not_grow(self):
        for n in range(10):
            self.export('a%d' % n, keep=2, ago=1)
            self.expire(2)
        with open(self.path(RECORD)) as f:
            self.assertLessEqual(len(f.readlines()), 4)
