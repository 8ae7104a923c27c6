"""The incoming side of a spool: names, files on their way through it, leftovers, publication."""
import errno
import os
import shutil
import tempfile

from zeit.cds.feed import Feed
from zeit.cds.interfaces import FileRefused, SpoolError
from zeit.cds.net.scheduler import Scheduler
from zeit.cds.spool import filesystem
from zeit.cds.spool.inbox import FileSink, PARTS, Spool
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.tests.cases import as_somebody_else, InboxCase, NOBODY
from zeit.cds.spool.tests.recorder import BROKEN, error, System


class Files(InboxCase):

    def test_tmp_is_empty_afterwards(self):
        self.commit('a')
        self.receive('b')
        self.assertEqual(({'a'}, {'b'}), (set(self.whole()), set(self.parts())))
        self.reopen()
        self.assertEqual(['a'], [entry.name for entry in self.spool.leftovers()])
        self.spool.publish('a')
        self.spool.close()
        self.assertEqual({}, self.there('tmp'))

    def test_publishing_overwrites_nothing_without_such_a_rename(self):
        with System() as system:
            system.without_rename()
            self.commit('a')
            self.make('new', 'a', data=b'unread')
            self.assertRaises(FileExistsError, self.spool.publish, 'a')
            self.assertEqual(({'a': b'data'}, {'a': b'unread'}), (self.whole(), self.there('new')))
            os.unlink(self.at('new', 'a'))
            self.spool.publish('a')
            self.assertEqual(({}, {'a': b'data'}), (self.whole(), self.there('new')))

    def test_no_file_stays_open(self):
        self.commit('a')
        before = os.listdir('/proc/self/fd')
        self.commit('b', 'c')
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

    def test_no_file_stays_open_where_the_disk_fails(self):
        self.commit('a')
        before = os.listdir('/proc/self/fd')
        with System() as system:
            system.fail('fsync', BROKEN)
            self.assertRaises(SpoolError, self.spool.secure, 'a')
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

    def test_no_directory_stays_open_where_the_disk_fails(self):
        os.mkdir(self.at('tmp', PARTS + '1'))
        self.make('tmp', PARTS + '1', 'a')
        before = os.listdir('/proc/self/fd')
        with System() as system:
            system.fail('unlink', BROKEN)
            self.assertRaises(SpoolError, self.spool.leftovers)
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

    def test_two_of_one_name(self):
        self.receive('a')
        self.assertRaises(FileRefused, self.spool.create, 'a')

    def test_a_symbolic_link_in_tmp_is_not_followed(self):
        target = self.at('target')
        os.mkdir(target)
        self.make('target', 'b')
        os.symlink(target, self.at('tmp', PARTS + '1'))
        self.spool.leftovers()
        self.spool.create('a')
        self.assertEqual(['b'], os.listdir(target))

    def test_who_wants_other_figures_says_so(self):
        sink = FileSink(Tuning(many=7))
        with sink.open(Feed(hostname='h', user='u', store_dir=self.reclaimed())) as spool:
            self.assertEqual(7, spool._tuning.many)

    def reclaimed(self):
        self.spool.close()
        return self.path

    def test_parts_are_far_from_other_files(self):
        def flags():
            return filesystem.ioctl_flags(tmp, filesystem.GETFLAGS) or 0

        def mkdir(real, name, dir_fd):
            seen.append(flags())
            real(name, dir_fd=dir_fd)

        path = tempfile.mkdtemp(prefix='zeit.cds-spool-')   # on a disk, mostly
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        opened = Spool(path)
        self.addCleanup(opened.close)
        tmp, seen = opened._tmp, []
        before = flags()
        spread = before | filesystem.TOPDIR
        if filesystem.ioctl_flags(tmp, filesystem.SETFLAGS, spread) is None:
            self.skipTest('This file system places files anywhere.')
        filesystem.ioctl_flags(tmp, filesystem.SETFLAGS, before)
        self.with_system().instead('mkdir', mkdir)
        opened.create('a').discard()
        self.assertEqual(([spread], before), (seen, flags()))

    def test_nobody_syncs_any_more_when_the_task_of_a_commit_has_ended(self):
        def sync(real, fd):
            real(fd)
            synced.append(fd)

        synced, incoming = [], self.receive('a')
        with System() as system:
            system.slow('fsync')
            system.instead('fsync', sync)
            with Scheduler() as scheduler:
                scheduler.spawn(lambda: self.spool.commit([incoming]))
                scheduler.turn(0)
            self.assertEqual([incoming.fd], synced)
        incoming.discard()
        self.assertEqual(({}, {}), (self.whole(), self.parts()))


class Obstacles(InboxCase):
    """Something that is no file has a file's name: nobody will ever publish or read it."""

    KINDS = ((os.mkdir, 'a directory'), (os.mkfifo, 'a pipe'),
             (lambda path: os.symlink('nowhere', path), 'a link'))

    def check(self, name, text):
        self.assertFalse(self.spool.unread(name))
        with self.assertRaises(FileRefused) as caught:
            self.spool.create(name)
        for said in str(caught.exception), self.spool.impossible(name):
            self.assertIn(text, said)
            self.assertIn('Remove it', said)

    def test_in_tmp_and_in_new(self):
        for directory in 'tmp', 'new':
            for make, text in self.KINDS:
                with self.subTest(directory, text=text):
                    name = '%s in %s' % (text, directory)
                    make(self.at(directory, name))
                    self.check(name, "%s of this name in '%s' is in its way" % (text, directory))

    def test_what_leftovers_has_seen_is_known_before(self):
        os.mkdir(self.at('tmp', 'a'))
        self.assertEqual([], self.spool.leftovers())
        self.assertIn('a directory', self.spool.impossible('a'))

    def test_a_link_to_a_file_is_for_the_consumer_to_read(self):
        self.make('cur', 'target')
        os.symlink('../cur/target', self.at('new', 'a'))
        self.assertTrue(self.spool.unread('a'))

    def test_a_name_that_this_file_system_does_not_even_look_for(self):
        """Some take less than 255 bytes, or text only: the other files come nevertheless."""
        with System() as system:
            system.fail('stat', error(errno.ENAMETOOLONG), lambda name: name == 'long')
            self.assertFalse(self.spool.unread('long'))
            system.fail('stat', BROKEN, lambda name: name == 'other')
            self.assertRaises(SpoolError, self.spool.unread, 'other')
        with self.assertRaisesRegex(FileRefused, 'refuses it: File name too long'):
            self.spool.create('long')

    def test_who_only_looks_is_told_as_well(self):
        os.mkdir(self.at('new', 'a'))
        self.make('new', 'b')
        with FileSink().look(Feed(hostname='h', user='u', store_dir=self.path)) as spool:
            self.assertIn('a directory', spool.impossible('a'))
            self.assertFalse(spool.unread('a'))
            self.assertIsNone(spool.impossible('b'))
            self.assertTrue(spool.unread('b'))
            self.assertIn('a slash', spool.impossible('a/b'))

    def test_publication_tells_what_is_in_its_way(self):
        self.commit('a', 'b')
        os.mkdir(self.at('new', 'a'))
        self.make('new', 'b')
        for name, text in ('a', "a directory of this name in 'new'"), ('b', "unread in 'new'"):
            with self.assertRaisesRegex(FileExistsError, text):
                self.spool.publish(name)
        self.assertEqual({'a', 'b'}, set(self.whole()))

    def test_nobody_waits_for_a_pipe(self):
        os.mkfifo(self.at('tmp', 'a'))
        with self.assertRaises(SpoolError):
            self.spool.secure('a')      # a pipe can't be synced
        self.spool.comparison('a').discard()


class Leftovers(InboxCase):

    def test_what_is_no_file_is_left_alone(self):
        os.mkdir(self.at('tmp', 'directory'))
        os.symlink('nowhere', self.at('tmp', 'link'))
        os.mkfifo(self.at('tmp', 'pipe'))
        self.assertEqual([], self.spool.leftovers())
        self.assertEqual({'directory', 'link', 'pipe'}, set(self.there('tmp')))

    def test_a_dotfile_is_left_alone(self):
        """NFS makes some, of files that were removed while somebody had them open."""
        self.make('tmp', '.nfs0001')
        self.assertEqual([], self.spool.leftovers())
        self.assertEqual({'.nfs0001'}, set(self.there('tmp')))

    def test_what_goes_while_we_look(self):
        self.commit('a')
        tmp = self.spool._tmp
        with System() as system:
            system.instead('listdir', lambda real, fd: real(fd) + ['gone'] * (fd == tmp))
            self.assertEqual(['a'], [entry.name for entry in self.spool.leftovers()])

    def test_a_directory_of_somebody_elses_is_left_alone(self):
        os.mkdir(self.at('tmp', '.other'))
        self.make('tmp', PARTS + 'file')
        self.assertEqual([], self.spool.leftovers())
        self.assertEqual({'.other', PARTS + 'file'}, set(self.there('tmp')))

    def test_they_are_told_in_sorted_order(self):
        self.commit(*'cab')
        with System() as system:
            system.instead('listdir', lambda real, fd: ['b', 'c', 'a'])
            self.assertEqual(list('abc'), [entry.name for entry in self.spool.leftovers()])

    def test_parts_that_cannot_be_removed_are_in_nobodys_way(self):
        """They are another user's, or somebody has made a directory there."""
        os.makedirs(self.at('tmp', PARTS + '1', 'directory'))
        os.mkdir(self.at('tmp', PARTS + '2'), 0o755)
        self.make('tmp', PARTS + '2', 'a')
        for name in 'tmp', 'new', 'cur':
            os.chmod(self.at(name), 0o777)
        os.chmod(self.path, 0o777)
        self.spool.close()
        os.unlink(self.at('import.lock'))

        def look():
            with Spool(self.path) as spool:
                spool.leftovers()

        self.assertIsNone(as_somebody_else(look))
        self.assertEqual({'a': b''}, self.there('tmp', PARTS + '2'))

    def test_a_disk_that_is_broken_is_told(self):
        os.mkdir(self.at('tmp', PARTS + '1'))
        self.with_system().fail('rmdir', BROKEN)
        self.assertRaises(SpoolError, self.spool.leftovers)

    def test_a_file_with_two_names_is_not_that_of_its_name_in_new(self):
        """A backup made a second name, and the CMS has not read an older file."""
        self.commit('a')
        os.link(self.at('tmp', 'a'), self.at('cur', 'backup'))
        self.make('new', 'a', data=b'older')
        self.assertEqual(['a'], [entry.name for entry in self.spool.leftovers()])
        self.assertEqual(({'a': b'data'}, {'a': b'older'}), (self.whole(), self.there('new')))

    def test_a_link_to_it_is_not_the_file_itself(self):
        self.commit('a')
        os.link(self.at('tmp', 'a'), self.at('cur', 'backup'))
        os.symlink('../tmp/a', self.at('new', 'a'))
        self.assertEqual(['a'], [entry.name for entry in self.spool.leftovers()])

    def test_a_move_in_two_steps_that_was_interrupted(self):
        self.commit('a', 'b')
        for name in 'a', 'b':
            os.link(self.at('tmp', name), self.at('new', name))
        os.unlink(self.at('new', 'b'))
        os.link(self.at('tmp', 'b'), self.at('cur', 'b'))
        self.assertEqual([], self.spool.leftovers())
        self.assertEqual(({}, {'a': b'data'}), (self.whole(), self.there('new')))


class FirstUsedAsRoot(InboxCase):

    def open(self):
        if os.getuid():
            self.skipTest('Only root can be root.')
        opened = super().open()
        os.chmod(self.at('import.lock'), 0o644)
        return opened

    def test_what_belongs_to_whom_and_what_to_do(self):
        self.spool.close()
        os.chown(self.path, NOBODY, NOBODY)
        for name in 'new', 'cur':
            os.chown(self.at(name), NOBODY, NOBODY)
        said = as_somebody_else(lambda: Spool(self.path).close())
        for text in ('Permission denied', 'import.lock belongs to root', 'tmp belongs to root',
                     'chown nobody %s %s' % (self.at('import.lock'), self.at('tmp'))):
            self.assertIn(text, said)
        self.assertNotIn(self.at('new'), said)
