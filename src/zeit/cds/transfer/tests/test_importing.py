"""What an import does with the files that it finds, on each of the servers."""
import contextlib
import fcntl
import os
import random
import socket
import stat
import struct
import unittest
from unittest import mock

from zeit.cds.ftp.session import FTPConnection, FTPSession
from zeit.cds.interfaces import (
    ConfigurationError,
    Interrupted,
    LoginRefused,
    PermanentError,
    Unreachable,
)
from zeit.cds.main import import_
from zeit.cds.spool.store import FileSink, Spool
from zeit.cds.testing.layers import on_servers
from zeit.cds.testing.process import free_port
from zeit.cds.tests.importing import Importing, NOT_SMALL, recorded, WHEN
from zeit.cds.text import printable


BOUNDARIES = (0, 1, 2, 1447, 1448, 1449, 65535, 65536, 65537, 262143, 262144, 262145, 1048576, 2097151, 2097152)
LATIN_1 = [os.fsdecode(name.encode('latin-1')) for name in ('Köln.xml', 'Füße und Äpfel', 'élan', '£', 'Gruß.jpg')]
NAMES = [
    'two words', 'three  spaces', 'ends with a dot.', 'Wetter Köln.xml', 'äöüÄÖÜß€.xml', '日本.txt', 'a\u0308.xml', '🗞.xml',
    '100%.xml', '%41', '%s%n', '%00', '-rf', '--', '-', '-l x', 'a*b?c[d]', "it's", '"quoted"', 'semi;colon=x', 'a&b|c<d>',
    '$HOME', '#', '~root', 'tmp', 'new', 'read.', 'READ', 'write ~', 'x..', 'é' * 127 + 'x', 'n' * 255,
    'm' * 254, 'l' * 249, 'k' * 250, *LATIN_1]
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL = 0x80086601, 0x40086602, 0x10

# What a server can't do, and therefore tests don't ask of it.
NO_LATIN_1 = {'pyftpdlib'}
NO_TIMES = {'vsftpd'}
NOT_ACTIVE = {'pyftpdlib'}


def two_hundred():
    """{name: data} of 200 files of 0 bytes to 2 MiB."""
    chance = random.Random(200)
    names = NAMES + ['article-%03d.xml' % n for n in range(200 - len(NAMES))]
    sizes = [*BOUNDARIES, *(int(2 ** chance.uniform(0, 16)) for _ in range(200 - len(BOUNDARIES)))]
    chance.shuffle(sizes)
    return {name: chance.randbytes(size) for name, size in zip(names, sizes)}


class HookedSink(FileSink):
    """Calls `hook` with a file's name, in the thread that fetches, when the first of its data are here."""

    def __init__(self, hook):
        self.hook = hook

    def open(self, feed):
        return HookedSpool(feed.store_dir, self.hook)


class HookedSpool(Spool):

    def __init__(self, path, hook):
        super().__init__(path)
        self.hook = hook

    def create(self, name):
        incoming = super().create(name)
        incoming.write, incoming.pour = self.hooked(incoming, incoming.write), self.hooked(incoming, incoming.pour)
        return incoming

    def hooked(self, incoming, take):
        def hooked(*data):
            if not incoming.size:
                self.hook(incoming.name)
            return take(*data)
        return hooked


@contextlib.contextmanager
def immutable(path):
    """A file that nobody may remove, not even root, as long as the block runs."""
    fd = os.open(path, os.O_RDONLY)
    try:
        flags, = struct.unpack('i', fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(4)))
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack('i', flags | FS_IMMUTABLE_FL))
    except OSError as e:
        os.close(fd)
        raise unittest.SkipTest('This file system, or this user, cannot make a file immutable: %s' % e)
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
        self.assertEqual({os.fsencode(name) for name in set(files) - unfetchable}, set(self.published))
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
        self.assertEqual([], sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name)))

    def check_times(self, files, unfetchable):
        for n, name in enumerate(files):
            if name not in unfetchable:
                status = os.stat(os.path.join(self.store_dir, 'new', name))
                self.assertEqual(WHEN + n, status.st_mtime, name)

    def check_order(self, names):
        """The three lines of each file follow each other, and the files are sorted."""
        texts = ('Downloading: %s', 'File removed on server: %s', "Moved from 'tmp' to 'new': %s")
        lines = [text for text in self.log.of('INFO') if text.startswith(tuple(text[:9] for text in texts))]
        self.assertEqual(
            [text % printable(name) for name in sorted(names) for text in texts],
            [text for text in lines if '\ufffd' not in text and '?' not in text.replace('a*b?c', '')])

    def test_two_hundred_files_arrive_over_one_session(self):
        self.check_two_hundred(connections=1)

    def test_two_hundred_files_arrive_over_four_sessions(self):
        self.check_two_hundred(connections=4)

    def test_two_hundred_files_arrive_over_sixteen_sessions(self):
        self.check_two_hundred(connections=16)

    def test_two_hundred_files_arrive_over_connections_that_the_server_opens(self):
        for connections in (1, 4):
            with self.subTest(connections), recorded() as log:
                files = {'%03d.xml' % n: data for n, data in enumerate(two_hundred().values())}
                for name, data in files.items():
                    self.put(name, data)
                outcome = self.run_import(connections=connections, active=True)
                self.assertTrue(outcome.successful, log.warnings)
                self.assert_same({os.fsencode(name): data for name, data in files.items()}, self.published)
                self.assert_nothing_left()
                self.assertEqual(self.server.name in NOT_ACTIVE, any('does not open data connections' in text for text in log.warnings))
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
        outcome = self.run_import(sink=HookedSink(lambda name: name == 'a' and os.unlink(gone)), connections=1)
        self.assertTrue(outcome.successful)
        self.assertEqual({b'a': b'1', b'c': b'3'}, self.published)
        self.assert_warned(': b: ', 'taken it away')
        self.assert_nothing_left()

    def test_file_that_vanishes_while_it_is_fetched(self):
        path = self.put('a', b'1' * NOT_SMALL)
        self.put('b', b'2')
        self.run_import(sink=HookedSink(lambda name: name == 'a' and os.unlink(path)))
        self.assertEqual({b'b': b'2'}, self.published)
        self.assert_warned(': a: ', 'vanished while it was fetched')
        self.assert_nothing_left()

    def test_file_that_grows_while_it_is_fetched(self):
        for size in NOT_SMALL, 2 * 2**20:
            with self.subTest(size):
                path = self.put('a', b'1' * size)
                self.put('b', b'2')

                def grow(name):
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
            if self.server.needs_root:      # it acts as another user, who may now remove only what is his
                os.chmod(self.server.directory, 0o1775)
                os.chown(self.put('b', b'2'), os.stat(self.server.directory).st_uid, -1)
            else:
                stack.enter_context(immutable(path))
            outcome = self.run_import()
            self.assertFalse(outcome.successful)
            self.assertNotIn(b'a', self.published)
            self.assertEqual({b'a': b'1'}, {name: data for name, data in self.there.items() if name == b'a'})
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


class NoFiles(Importing):
    """What is no regular file stays, and the rest goes on."""

    def check(self, name, *texts):
        """It is still there, was told of, and hinders nobody."""
        self.put('zz', b'the rest')
        before = set(self.there) - {b'zz'}
        self.run_import(timeout=5)
        self.assertEqual({b'zz': b'the rest'}, self.published)
        self.assertEqual(before, set(self.there))
        self.assert_warned(': %s: ' % name, *texts)
        self.assertEqual(1, len(self.log.warnings), self.log.warnings)
        self.assert_nothing_left()

    def test_directory(self):
        path = os.path.join(self.server.directory, 'a')
        os.mkdir(path)
        with open(os.path.join(path, 'inner'), 'w'):
            pass
        self.check('a')
        self.assertEqual(['inner'], os.listdir(path))

    def test_pipe(self):
        os.mkfifo(os.path.join(self.server.directory, 'a'), 0o666)
        self.check('a')

    def test_device(self):
        try:
            os.mknod(os.path.join(self.server.directory, 'a'), stat.S_IFCHR | 0o666, os.makedev(1, 5))
        except PermissionError:
            self.skipTest('Only root can make a device file.')
        self.check('a')

    def test_socket(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(os.path.join(self.server.directory, 'a'))
            self.check('a')

    def test_symlink_to_nowhere(self):
        os.symlink('nowhere', os.path.join(self.server.directory, 'a'))
        self.put('zz', b'the rest')
        self.run_import()
        self.assertEqual({b'zz': b'the rest'}, self.published)
        self.assertEqual({b'a': None}, self.there)
        self.assert_nothing_left()

    def test_symlink_to_a_directory(self):
        os.mkdir(os.path.join(self.server.directory, '.hidden'))
        os.symlink('.hidden', os.path.join(self.server.directory, 'a'))
        self.check('a')

    def test_symlink_to_a_file_is_taken_and_its_target_stays(self):
        self.put('.hidden', b'target')
        os.symlink('.hidden', os.path.join(self.server.directory, 'a'))
        self.assertTrue(self.run_import().successful)
        self.assertEqual(({b'a': b'target'}, {b'.hidden': b'target'}), (self.published, self.there))

    def test_dotfiles_are_no_part_of_the_exchange(self):
        self.put('.hidden', b'1')
        self.put('..foo', b'2')
        self.assertTrue(self.run_import().successful)
        self.assertEqual(({}, {b'.hidden': b'1', b'..foo': b'2'}), (self.published, self.there))
        self.assertEqual([], self.log.warnings)
        self.assertIn('No new files to import.', self.log.of('INFO'))

    def test_names_that_no_command_can_carry_stay(self):
        names = {b'LF\nDELE zz', b'CR\rDELE zz', b'CRLF\r\nDELE zz', b'ends in CR\r', b'ends in LF\n'}
        for name in names:
            self.put(name, b'evil')
        self.put('zz', b'the rest')
        self.run_import()
        self.assertEqual({b'zz': b'the rest'}, self.published)
        self.assertEqual(names, set(self.there))
        if self.server.name != 'Pure-FTPd':     # it lists no name with a control character
            self.assertLessEqual(len(names), len(self.log.warnings))
        self.assert_nothing_left()

    def test_odd_names_arrive_or_stay_and_are_told_of(self):
        files = {name: b'of %d bytes' % len(name) for name in (
            b' leads', b'trails ', b'~', b'\xff', b'a\xffb', b'\xff\xff', b'\xff\xf4', b'a\xff\xfbXb', b'ab', b'tab\there', b'bell\x07', b'\x7f', b'\xc3', b'\xed\xa0\x80',
            b'semicolon; space', b'; x', b'a\x85b', b'a\xe2\x80\xa8b', b'a\x0bb', b'a\x1cb', b'\\')}
        for name, data in files.items():
            self.put(name, data)
        self.run_import()
        arrived, stayed = self.published, self.there
        self.assertEqual(files, {**arrived, **stayed})
        self.assertEqual(set(), set(arrived) & set(stayed))
        control = {b'tab\there', b'bell\x07', b'\x7f', b'a\x0bb', b'a\x1cb'}
        self.assertEqual(set(stayed), {
            'pyftpdlib': {name for name in files if name.decode('utf-8', 'replace').encode() != name},
            'Pure-FTPd': {b'\\', *control}, 'ProFTPD': {b'~'}, 'vsftpd': {b'~'}}[self.server.name])
        self.assert_nothing_left()


class Failures(Importing):
    """What ends a run: it is logged, not raised, and leaves no trace."""

    def check(self, error, **settings):
        self.put('a', b'1')
        outcome = self.run_import(**settings)
        self.assertIsInstance(outcome.error, error)
        self.assertFalse(outcome.successful)
        self.assertEqual('Error accessing FTP server.', self.log.of('ERROR')[0])
        self.assertEqual('Exiting with exception:', self.log.of('ERROR')[1])
        self.assertTrue(outcome.error.__notes__)
        self.assertNotIn('testpw', repr(self.log.lines))
        self.assertEqual(({}, {b'a': b'1'}), (self.published, self.there))
        self.assert_nothing_left()
        self.assertTrue(self.run_import().successful)
        self.assertEqual({b'a': b'1'}, self.published)

    def test_wrong_password(self):
        self.check(LoginRefused, password='testpw-wrong')

    def test_wrong_directory(self):
        self.check(PermanentError, ftp_dir='/nonexistent')

    def test_wrong_port(self):
        self.check(Unreachable, port=free_port())

    def test_server_that_is_down(self):
        self.put('a', b'1')
        self.server._end()
        outcome = self.run_import()
        self.assertIsInstance(outcome.error, Unreachable)
        self.assertIn('Check host name and port', outcome.error.__notes__[0])
        self.assert_nothing_left()
        self.server.restart()
        self.assertTrue(self.run_import().successful)

    def test_session_that_was_interrupted_while_it_began(self):
        with mock.patch('zeit.cds.ftp.session.DataConnections', side_effect=Interrupted('Enough.')):
            with self.assertRaisesRegex(Interrupted, 'Enough'):
                FTPConnection().open(self.feed())

    def test_session_that_was_aborted_is_closed_like_any_other(self):
        for end in FTPSession.abort, FTPSession.close:
            session = FTPConnection().open(self.feed())
            sock = session._control.stream.socket
            end(session)
            self.assertFalse(session.alive)
            session.close()
            session.close()
            self.assertEqual(-1, sock.fileno())
        FTPSession(self.feed()).close()

    def test_import_raises_nothing_and_returns_none(self):
        with recorded() as log:
            self.assertIsNone(import_(
                self.store_dir, self.server.host, self.server.port, 'test', 'testpw', '/nonexistent'))
        self.assertEqual('Error accessing FTP server.', log.of('ERROR')[0])

    def test_wrong_argument_raises_at_once(self):
        with recorded() as log:
            for wrong in (dict(port='21'), dict(connections=0), dict(colour='red'), dict(user='a\r\nDELE b')):
                arguments = {**dict(store_dir=self.store_dir, hostname=self.server.host, port=self.server.port,
                                    user='test', password='testpw', ftp_dir='/'), **wrong}
                with self.assertRaises(ConfigurationError) as caught:
                    import_(**arguments)
                self.assertNotIn('testpw', str(caught.exception))
        self.assertEqual([], log.lines)


def test_suite():
    return unittest.TestSuite([on_servers(Files), on_servers(NoFiles), on_servers(Failures)])
