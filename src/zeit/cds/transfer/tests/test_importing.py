"""What an import does with the files that it finds, on each of the servers."""
import contextlib
import fcntl
import os
import struct
import unittest

from zeit.cds.testing.layers import ALL_LAYERS, on_servers
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.importing import Importing, NOT_SMALL, WHEN
from zeit.cds.text import printable
from zeit.cds.transfer.tests.files import (
    HookedSink,
    LATIN_1,
    NO_LATIN_1,
    NO_TIMES,
    NOT_ACTIVE,
    two_hundred,
)


FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL = 0x80086601, 0x40086602, 0x10


@contextlib.contextmanager
def immutable(path):
    """A file that nobody may remove, not even root, as long as the block runs."""
    fd = os.open(path, os.O_RDONLY)
    try:
        flags, = struct.unpack('i', fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(4)))
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack('i', flags | FS_IMMUTABLE_FL))
    except OSError as e:
        os.close(fd)
        raise unittest.SkipTest(
            'This file system, or this user, cannot make a file immutable: %s' % e)
    try:
        yield
    finally:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack('i', flags))
        os.close(fd)


class Files(Importing):
    """Files arrive, whole, once, and are gone on the server."""

    def check_two_hundred(self, **settings):
        files = two_hundred()
        for n, (name, data) in enumerate(files.items()):
            self.put(name, data, WHEN + n)
        outcome = self.run_import(**settings)
        unfetchable = set(LATIN_1) if self.server.name in NO_LATIN_1 else set()
        self.assert_same(files, {**self.published, **self.there})
        self.assertEqual({os.fsencode(name) for name in unfetchable}, set(self.there))
        self.assertEqual({os.fsencode(name) for name in set(files) - unfetchable},
                         set(self.published))
        self.assert_nothing_left()
        self.assertEqual(200 - len(unfetchable), outcome.files)
        self.assertEqual(not unfetchable, outcome.successful)
        self.assertEqual(len(unfetchable), len(self.log.of('WARNING')), self.log.warnings)
        if self.server.name not in NO_TIMES:
            self.check_times(files, unfetchable)
        self.check_order(set(files) - unfetchable)

    def assert_same(self, expected, got):
        """Two large {name: data} are equal; the message tells names only."""
        expected = {os.fsencode(name): data for name, data in expected.items()}
        self.assertEqual([],
                         sorted(name for name in expected.keys() | got.keys()
                                if expected.get(name) != got.get(name)))

    def check_times(self, files, unfetchable):
        for n, name in enumerate(files):
            if name not in unfetchable:
                status = os.stat(os.path.join(self.store_dir, 'new', name))
                self.assertEqual(WHEN + n, status.st_mtime, name)

    def check_order(self, names):
        """The three lines of each file follow each other, and the files are sorted."""
        texts = ('Downloading: %s', 'File removed on server: %s', "Moved from 'tmp' to 'new': %s")
        lines = [text for text in self.log.of('INFO')
                 if text.startswith(tuple(text[:9] for text in texts))]
        self.assertEqual(
            [text % printable(name) for name in sorted(names) for text in texts],
            [text for text in lines if '\ufffd' not in text
             and '?' not in text.replace('a*b?c', '')])

    def test_two_hundred_files_arrive_over_one_session(self):
        self.check_two_hundred(connections=1)

    def test_two_hundred_files_arrive_over_four_sessions(self):
        self.check_two_hundred(connections=4)

    def test_two_hundred_files_arrive_over_sixteen_sessions(self):
        self.check_two_hundred(connections=16)

    def test_two_hundred_files_arrive_over_connections_that_the_server_opens(self):
        if self.server.feed.get('connection'):
            self.skipTest('There are data connections with FTP only.')
        for connections in (1, 4):
            with self.subTest(connections), recorded() as log:
                files = {'%03d.xml' % n: data for n, data in enumerate(two_hundred().values())}
                for name, data in files.items():
                    self.put(name, data)
                outcome = self.run_import(connections=connections, active=True)
                self.assertTrue(outcome.successful, log.warnings)
                self.assert_same({os.fsencode(name): data for name, data in files.items()},
                                 self.published)
                self.assert_nothing_left()
                self.assertEqual(self.server.name in NOT_ACTIVE,
                                 any('does not open data connections' in text
                                     for text in log.warnings))
                self.consume()

    def test_second_run_finds_nothing_new(self):
        self.put('a', b'1')
        self.run_import()
        self.assertTrue(self.run_import().successful)
        self.assertIn('No new files to import.', self.log.of('INFO'))
        self.assertEqual({b'a': b'1'}, self.published)

    def test_unread_file_in_new_is_not_overwritten(self):
        self.put('a', b'old')
        self.run_import()
        self.put('a', b'newer')
        self.put('b', b'other')
        self.assertTrue(self.run_import().successful)
        self.assertEqual({b'a': b'old', b'b': b'other'}, self.published)
        self.assertEqual({b'a': b'newer'}, self.there)
        self.assert_warned('a', "unread in 'new'")
        self.assert_nothing_left()
        self.consume()
        self.run_import()
        self.assertEqual(({b'a': b'newer'}, {}), (self.published, self.there))

    def test_file_that_comes_to_new_during_the_run_is_not_overwritten(self):
        self.put('a', b'from the server')
        new = os.path.join(self.store_dir, 'new', 'a')

        def rival(name):
            with open(new, 'wb') as f:
                f.write(b'from somebody else')

        self.run_import(sink=HookedSink(rival))
        self.assertEqual({b'a': b'from somebody else'}, self.published)
        self.assertEqual({b'a': b'from the server'}, self.spool('tmp'))
        self.assert_warned('a', "unread in 'new'")
        self.consume()
        self.run_import()
        self.assertEqual({b'a': b'from the server'}, self.published)
        self.assert_nothing_left()

    def test_file_that_vanishes_before_it_is_fetched(self):
        self.put('a', b'1')
        gone = self.put('b', b'2')
        self.put('c', b'3')
        outcome = self.run_import(sink=HookedSink(lambda name: name == 'a' and os.unlink(gone)),
                                  connections=1)
        self.assertTrue(outcome.successful)
        self.assertEqual({b'a': b'1', b'c': b'3'}, self.published)
        self.assert_warned(': b: ', 'taken it away')
        self.assert_nothing_left()

    def test_file_that_vanishes_while_it_is_fetched(self):
        path = self.put('a', b'1' * NOT_SMALL)
        self.put('b', b'2')
        outcome = self.run_import(sink=HookedSink(lambda name: name == 'a' and os.unlink(path)))
        self.assertTrue(outcome.successful)
        self.assert_same({'a': b'1' * NOT_SMALL, 'b': b'2'}, self.published)
        self.assert_nothing_left()

    def test_file_that_grows_while_it_is_fetched(self):
        for size in NOT_SMALL, 2 * 2**20:
            with self.subTest(size):
                path = self.put('a', b'1' * size)
                self.put('b', b'2')

                def grow(name, path=path):
                    if name == 'a':
                        with open(path, 'ab') as f:
                            f.write(b'more')

                self.run_import(sink=HookedSink(grow))
                self.assert_same({'b': b'2'}, self.consume())
                self.assert_same({'a': b'1' * size + b'more'}, self.there)
                self.assert_warned(': a: ', 'changed while it was fetched')
                self.assert_nothing_left()
                self.run_import()
                self.assert_same({'a': b'1' * size + b'more'}, self.consume())
                self.assertEqual({}, self.there)

    def test_file_that_changes_but_keeps_its_size(self):
        if self.server.name in NO_TIMES:
            self.skipTest('%s tells no times: the change cannot be seen.' % self.server.name)
        old, new = b'o' * NOT_SMALL, b'n' * NOT_SMALL
        self.put('a', old)
        self.run_import(sink=HookedSink(lambda name: self.put('a', new, WHEN + 60)))
        self.assertEqual({}, self.published)
        self.assert_same({'a': new}, self.there)
        self.assert_warned(': a: ', 'changed while it was fetched')
        self.assert_nothing_left()

    def test_server_that_refuses_the_removal_keeps_the_file(self):
        path = self.put('a', b'1')
        self.put('b', b'2')
        with contextlib.ExitStack() as stack:
            if self.server.needs_root:      # its user may now remove only what is his
                os.chmod(self.server.directory, 0o1775)
                os.chown(self.put('b', b'2'), os.stat(self.server.directory).st_uid, -1)
            else:
                stack.enter_context(immutable(path))
            outcome = self.run_import()
            self.assertFalse(outcome.successful)
            self.assertNotIn(b'a', self.published)
            self.assertEqual({b'a': b'1'},
                             {name: data for name, data in self.there.items() if name == b'a'})
            self.assert_warned(': a: ', 'refuses to remove it')
            self.assertEqual(b'1', self.spool('tmp')[b'a'])
            self.assertLessEqual(set(self.there), {b'a', b'b'})
            # Whether it is asked again or not: nothing is published twice, nothing is lost.
            self.assertFalse(self.run_import().successful)
            self.assertNotIn(b'a', self.published)
        os.chmod(self.server.directory, 0o775)
        self.assertTrue(self.run_import().successful)
        self.assertEqual({b'a': b'1', b'b': b'2'}, self.published)
        self.assertEqual({}, self.there)
        self.assert_nothing_left()

    def test_file_that_may_not_be_read(self):
        if not self.server.needs_root:
            self.skipTest('This server acts as the user that runs the tests, and may read all.')
        os.chmod(self.put('a', b'1'), 0)
        self.put('b', b'2')
        self.assertFalse(self.run_import().successful)
        self.assertEqual(({b'b': b'2'}, {b'a': b'1'}), (self.published, self.there))
        self.assert_warned(': a: ')
        self.assert_nothing_left()


def test_suite():
    return unittest.TestSuite([on_servers(Files, ALL_LAYERS)])
