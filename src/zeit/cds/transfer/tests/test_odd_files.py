"""What is no regular file, or has an odd name, on each of the servers."""
import os
import socket
import stat
import unittest

from zeit.cds.testing.layers import ALL_LAYERS, on_servers
from zeit.cds.tests.importing import Importing


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
            os.mknod(os.path.join(self.server.directory, 'a'), stat.S_IFCHR | 0o666,
                     os.makedev(1, 5))
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
        names = {b'LF\nDELE zz', b'CR\rDELE zz', b'CRLF\r\nDELE zz', b'ends in CR\r',
                 b'ends in LF\n'}
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
            b' leads', b'trails ', b'~', b'\xff', b'a\xffb', b'\xff\xff', b'\xff\xf4',
            b'a\xff\xfbXb', b'ab', b'tab\there', b'bell\x07', b'\x7f', b'\xc3', b'\xed\xa0\x80',
            b'semicolon; space', b'; x', b'a\x85b', b'a\xe2\x80\xa8b', b'a\x0bb', b'a\x1cb', b'\\')}
        for name, data in files.items():
            self.put(name, data)
        self.run_import()
        arrived, stayed = self.published, self.there
        self.assertEqual(files, {**arrived, **stayed})
        self.assertEqual(set(), set(arrived) & set(stayed))
        control = {b'tab\there', b'bell\x07', b'\x7f', b'a\x0bb', b'a\x1cb'}
        self.assertEqual(set(stayed), {
            'pyftpdlib': {name for name in files
                          if name.decode('utf-8', 'replace').encode() != name},
            'Pure-FTPd': {b'\\', *control}, 'ProFTPD': {b'~'}, 'vsftpd': {b'~'},
            'sshd': set(), 'mod_sftp': set()}[self.server.name])
        self.assert_nothing_left()


def test_suite():
    return unittest.TestSuite([on_servers(NoFiles, ALL_LAYERS)])
