"""The outgoing side of a spool: edge cases that only our own has."""
import errno
import os

from zeit.cds.feed import Feed
from zeit.cds.interfaces import Locked, SpoolError, Unreadable
from zeit.cds.net.scheduler import Scheduler
from zeit.cds.spool import filesystem
from zeit.cds.spool.inbox import Spool
from zeit.cds.spool.outbox import FileSource, numbered, Outbox
from zeit.cds.spool.outgoing import FAIR, Outgoing, temporary_name
from zeit.cds.spool.tests.cases import contents, OutboxCase, PLACE
from zeit.cds.spool.tests.recorder import BROKEN, error, System


class Opening(OutboxCase):

    def test_one_export_at_a_time(self):
        self.open()
        with self.assertRaises(Locked):
            Outbox(self.path, PLACE)

    def test_an_import_may_use_the_spool_meanwhile(self):
        self.open()
        Spool(self.path).close()

    def test_no_spool(self):
        with self.assertRaisesRegex(SpoolError, 'nonexistent') as caught:
            Outbox(self.at('nonexistent'), PLACE)
        self.assertIn('Create the directory', caught.exception.__notes__[0])

    def test_a_place_is_all_that_tells_one_directory_from_another(self):
        settings = {'store_dir': self.path, 'hostname': 'host', 'user': 'user', 'port': 21,
                    'ftp_dir': '/in', 'direction': 'export'}
        self.offer('a')
        with FileSource().open(Feed(**settings)) as outbox:
            outbox.mark()
            outbox.begin([])
            self.sent(outbox, 'a')
        for other in ({'hostname': 'other'}, {'user': 'other'}, {'port': 22}, {'ftp_dir': '/out'}):
            with FileSource().open(Feed(**{**settings, **other})) as outbox:
                self.assertEqual(([], [], []), outbox.interrupted(), other)
        with FileSource().open(Feed(**settings)) as outbox:
            self.assertEqual(['a'], [note.name for note in outbox.interrupted()[0]])


class Waiting(OutboxCase):

    def test_kinds(self):
        self.offer('a', b'12345')
        os.mkdir(self.at('new', 'b'))
        os.symlink('a', self.at('new', 'c'))
        os.mkfifo(self.at('new', 'd'))
        found = {entry.name: entry for entry in self.open().waiting()}
        self.assertEqual({'a': 'file', 'b': 'dir', 'c': 'other', 'd': 'other'},
                         {name: entry.kind for name, entry in found.items()})
        self.assertEqual(5, found['a'].size)

    def test_what_cannot_be_read(self):
        os.mkdir(self.at('new', 'b'))
        os.symlink('a', self.at('new', 'c'))
        os.mkfifo(self.at('new', 'd'))
        outbox = self.open()
        before = len(os.listdir('/proc/self/fd'))
        for name in 'abcd':
            with self.assertRaises(Unreadable):
                outbox.create(name).open()
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))


    def test_why_it_cannot_be_read(self):
        outgoing = self.open().create('a')
        with self.assertRaisesRegex(Unreadable, "somebody else has taken it out of 'new'"):
            outgoing.open()
        self.offer('a')
        with System() as system:
            system.fail('open', error(errno.EACCES))
            with self.assertRaisesRegex(Unreadable, 'user %d may not read it' % os.geteuid()):
                outgoing.open()


class Reading(OutboxCase):

    def opened(self, data=b'data'):
        self.offer('a', data)
        outgoing = Outgoing(os.open(self.at('new'), os.O_RDONLY), 'a')
        self.addCleanup(os.close, outgoing._directory)
        self.addCleanup(outgoing.discard)
        outgoing.open()
        return outgoing

    def test_pieces_from_an_offset(self):
        data = os.urandom(700000)
        outgoing = self.opened(data)
        whole = b''.join(map(bytes, outgoing.pieces()))
        digest = outgoing.digest
        for offset in (1, 262143, 262144, 262145, 699999, 700000):
            pieces = list(map(bytes, outgoing.pieces(offset)))
            self.assertEqual((data[offset:], True), (b''.join(pieces), all(pieces)))
            self.assertEqual((digest, 700000), (outgoing.digest, outgoing.size))
        self.assertEqual(data, whole)

    def test_a_disk_that_gives_less_than_it_is_asked_for(self):
        data = os.urandom(5000)
        outgoing = self.opened(data)
        with System() as system:
            system.instead('preadv', lambda real, fd, buffers, at: real(fd, [buffers[0][:99]], at))
            self.assertEqual(data, b''.join(map(bytes, outgoing.pieces())))

    def test_nothing_is_read_in_vain(self):
        for size, reads in (4, 1), (0, 1), (FAIR, 5), (FAIR - 1, 4):
            outgoing, done = self.opened(bytes(size)), []
            with System() as system:
                system.instead('preadv', lambda real, *args, done=done: (
                    done.append(args) or real(*args)))
                for _ in outgoing.pieces():
                    pass
            self.assertEqual(reads, len(done), size)

    def test_a_disk_that_gives_not_all(self):
        outgoing = self.opened()
        with System() as system:
            system.instead('preadv', lambda *args: 0)
            for _ in outgoing.pieces():
                pass
        self.assertFalse(outgoing.unchanged())

    def test_a_disk_that_fails(self):
        outgoing = self.opened()
        with System() as system:
            system.fail('preadv', BROKEN)
            with self.assertRaisesRegex(Unreadable, 'Input/output error'):
                outgoing.read()

    def test_what_was_only_read_was_not_sent(self):
        outgoing = self.opened()
        outgoing.read()
        self.assertEqual((0, 4, False), (outgoing.size, outgoing.length, outgoing.unchanged()))

    def test_others_have_their_turn_while_a_large_file_is_read(self):
        outgoing, ended = self.opened(bytes(FAIR + 1)), []
        with Scheduler() as scheduler:
            scheduler.spawn(lambda: ended.append(outgoing.read()))
            scheduler.spawn(lambda: ended.append('other'))
            scheduler.turn(0)
            scheduler.turn(0)
        self.assertEqual(['other', outgoing.digest], ended)

    def test_what_makes_it_another_file(self):
        def rewritten(path):
            with open(path, 'wb') as f:
                f.write(b'DATA')

        def replaced(path):
            before = os.stat(path)
            self.make('new', 'a', data=b'DATA')
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        def appended(path):
            before = os.stat(path)
            with open(path, 'ab') as f:
                f.write(b'more')
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        for change, same in ((os.stat, True), (rewritten, False), (replaced, False),
                             (appended, False), (os.unlink, False)):
            with self.subTest(change.__name__):
                outgoing = self.opened()
                for _ in outgoing.pieces():
                    pass
                change(self.at('new', 'a'))
                self.assertEqual(same, outgoing.unchanged())

    def test_names(self):
        for name in ('a', 'ä' * 127, 'x' * 255, 'x' * 237, 'x' * 236):
            one, other = temporary_name(name), temporary_name(name)
            self.assertNotEqual(one, other)
            self.assertTrue(one.startswith('.') and one.endswith('.part'))
            self.assertLessEqual(len(os.fsencode(one)), 255)


class Retiring(OutboxCase):

    def setUp(self):
        super().setUp()
        self.outbox = self.begun()

    def send(self, name='a', data=b'data'):
        self.offer(name, data)
        self.sent(self.outbox, name)

    def test_all_is_forgotten_when_what_was_sent_is_withdrawn(self):
        self.offer('a')
        self.outbox.settled(self.sent(self.outbox, 'a').temporary)
        self.outbox.finish()
        self.assertEqual(['a'], [note.name for note in self.open_again().interrupted()[0]])
        self.outbox.mark()
        self.outbox.begin([])
        self.outbox.settled(self.sent(self.outbox, 'a').temporary)
        self.outbox.withdrawn('a')
        self.outbox.finish()
        self.assertEqual(([], [], []), self.open_again().interrupted())

    def open_again(self):
        self.outbox.close()
        self.outbox = self.open()
        return self.outbox

    def test_the_names_of_further_ones(self):
        for n in range(3):
            self.send(data=b'%d' % n)
            self.outbox.retire('a')
        self.assertEqual({'a': b'0', 'a.2': b'1', 'a.3': b'2'}, self.there('cur'))
        self.assertEqual('a.2', numbered('a', 2))
        self.assertEqual(255, len(os.fsencode(numbered('ä' * 127, 12))))
        self.assertEqual(255, len(os.fsencode(numbered('ä' * 127 + 'x', 12))))

    def test_a_newer_file_stays_although_it_has_the_same_inode(self):
        for newer in b'NEWER', b'longer than before':
            self.send(data=b'older')
            with open(self.at('new', 'a'), 'wb') as f:
                f.write(newer)
            self.assertIsNone(self.outbox.retire('a'))
            self.assertEqual(({'a': newer}, {}), (self.there('new'), self.there('cur')))

    def moving(self, before):
        """The file system, with something that happens at the last moment before a move."""
        def moved(source, name, target, new_name):
            if happens:
                happens.pop()()
            move(source, name, target, new_name)

        move, happens = filesystem.move, [before]
        system = System()
        system.filesystem(move=moved)
        return system

    def test_a_newer_file_that_comes_at_the_last_moment(self):
        for newer in b'newer', b'atad':
            self.send()
            with self.moving(lambda newer=newer: self.offer('a', newer)):
                self.assertIsNone(self.outbox.retire('a'))
            self.assertEqual(({'a': newer}, {}), (self.there('new'), self.there('cur')))

    def test_two_newer_files_that_come_at_the_last_moment(self):
        """The first of them is in cur; it is not lost, and the second one is to be exported."""
        def after():
            self.offer('a', b'second')

        self.send()
        moves = filesystem.move

        def moved(source, name, target, new_name):
            if source == self.outbox._new:
                self.offer('a', b'first')
                moves(source, name, target, new_name)
                return after()
            moves(source, name, target, new_name)

        with System() as system:
            system.filesystem(move=moved)
            self.assertIsNone(self.outbox.retire('a'))
        self.assertEqual({'a': b'second'}, self.there('new'))
        self.assertEqual({'a': b'first'}, self.there('cur'))

    def test_a_file_that_vanishes_at_the_last_moment(self):
        self.send()
        with self.moving(lambda: os.unlink(self.at('new', 'a'))):
            self.assertIsNone(self.outbox.retire('a'))
        self.assertEqual({}, self.there('cur'))

    def test_a_kill_between_link_and_unlink(self):
        """Where the file system can't rename without overwriting."""
        self.send()
        os.link(self.at('new', 'a'), self.at('cur', 'a'))
        self.assertEqual(self.at('cur', 'a'), self.outbox.retire('a'))
        self.assertEqual(({}, {'a': b'data'}), (self.there('new'), self.there('cur')))

    def test_a_directory_in_cur_is_no_file_of_ours(self):
        os.mkdir(self.at('cur', 'a'))
        self.send()
        self.assertEqual(self.at('cur', 'a.2'), self.outbox.retire('a'))
        self.assertEqual({'a': None, 'a.2': b'data'}, contents(self.at('cur')))
