"""What a person at a terminal sees, and what nobody else does."""
import fcntl
import math
import os
import pty
import re
import struct
import termios
import unittest

from zeit.cds.cli.progress import Pace
from zeit.cds.interfaces import Progress as RunProgress
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase, VSFTPD_LAYER
from zeit.cds.tests.commands import Commands, LIMIT
from zeit.cds.tests.importing import put


SIZE = 24, 100      # rows and columns


class Terminal(Commands):

    def on_terminal(self, command, *options, question=None, answer='', password=None):
        """Run it on a pseudo-terminal; returns the status. `self.screen` is what the terminal got.

        question, answer -- when the first is on the screen, the second is typed
        """
        master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', *SIZE, 0, 0))
            process = self.popen(
                command,
                *options,
                password=password,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
            os.close(slave)
            self.screen = self.talk(master, question, answer)
        finally:
            os.close(master)
        return process.wait(LIMIT)

    @staticmethod
    def talk(master, question, answer):
        screen = b''
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:         # Linux says so when nobody has the terminal open any more
                piece = b''
            if not piece:
                return screen.decode()
            screen += piece
            if question and question.encode() in screen:
                question = None
                os.write(master, answer.encode())

    def put_many(self):
        for n in range(20):
            self.put('%02d.xml' % n, bytes(1000))


class Paces(unittest.TestCase):
    """The speed and the time left that the bar shows."""

    def pace(self, *seen):
        pace = Pace(window=10)
        for when, progress in seen:
            pace.add(when, progress)
        return pace.bytes_per_second, pace.left

    def test_bytes_tell_even_within_one_large_file(self):
        self.assertEqual((100, 8), self.pace(
            (0, RunProgress(0, 1, 0, 1000)), (2, RunProgress(0, 1, 200, 1000))))

    def test_a_stall_shows(self):
        seen = [(second, RunProgress(0, 1, min(second, 10) * 100, 2000)) for second in range(40)]
        self.assertEqual((100, 11), self.pace(*seen[:10]))
        self.assertEqual((0, math.inf), self.pace(*seen))

    def test_without_sizes_files_are_counted(self):
        self.assertEqual((100, 16), self.pace(
            (0, RunProgress(0, 10, 0)), (4, RunProgress(2, 10, 400))))

    def test_at_the_end_nothing_is_left(self):
        self.assertEqual((0, 0), self.pace((0, RunProgress(1, 1, 1000, 1000))))


class Progress(Terminal, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def test_a_bar_ends_at_100_percent(self):
        self.put_many()
        self.assertEqual(0, self.on_terminal('cds-import', self.store_dir, self.url()), self.screen)
        last = self.screen.rstrip().rpartition('\r')[2]
        self.assertRegex(
            last, r'20 of 20 files: 100%\|.*\| 20\.0k/20\.0k \[\d\d:\d\d<\d\d:\d\d, .*B/s\]'
        )

    def test_feeds_that_are_exchanged_at_once_share_one(self):
        self.put_many()
        os.mkdir(os.path.join(self.server.directory, 'other'))
        put(os.path.join(self.server.directory, 'other'), 'a.xml', bytes(1000))
        site = self.site(
            self.directive('dpa', exclude='other', password_file='secret') + self.directive(
                'afp', ftp_dir='/other', password_file='secret', store_dir='other'))
        os.mkdir(self.home / 'other')
        self.write('secret', self.server.password, 0o600)
        self.assertEqual(0, self.on_terminal(
            'cds-import', '--jobs=2', '-v', '--zcml', site, '--all'), self.screen)
        bars = re.findall(r'(\d+) of (\d+) files: +(\d+)%', self.screen)
        self.assertEqual(('21', '21', '100'), bars[-1])
        lines = [line.rpartition('\r')[2] for line in self.screen.split('\r\n')]
        self.assertIn("cds-import: afp: INFO: Moved from 'tmp' to 'new': a.xml", lines)

    def test_there_is_none_when_nothing_is_to_be_done(self):
        self.assertEqual(0, self.on_terminal('cds-import', self.store_dir, self.url()))
        self.assertEqual('', self.screen)

    def test_there_is_none_when_output_goes_to_a_file(self):
        self.put_many()
        with open(self.home / 'err', 'w') as err:
            self.assertEqual(
                0, self.run_command('cds-import', self.store_dir, self.url(), stderr=err)
            )
        self.assertEqual('', (self.home / 'err').read_text())

    def test_there_is_none_with_q(self):
        self.put_many()
        self.assertEqual(0, self.on_terminal('cds-import', '-q', self.store_dir, self.url()))
        self.assertEqual('', self.screen)

    def test_log_lines_and_the_bar_leave_each_other_whole(self):
        self.put_many()
        os.mkdir(os.path.join(self.server.directory, 'directory'))
        self.assertEqual(
            0, self.on_terminal('cds-import', '-v', '--logfile=log', self.store_dir, self.url())
        )
        lines = [line.rpartition('\r')[2] for line in self.screen.split('\r\n')]
        for n in range(20):
            self.assertIn("cds-import: INFO: Moved from 'tmp' to 'new': %02d.xml" % n, lines)
        self.assertNotRegex((self.home / 'log').read_text(), r'%|\r')

    def test_a_password_is_asked_for_and_not_shown(self):
        self.put_many()
        self.assertEqual(
            0,
            self.on_terminal(
                'cds-import',
                self.store_dir,
                self.url(),
                password='',
                question='Password of test@127.0.0.1:%d/: ' % self.server.port,
                answer=self.server.password + '\n',
            ),
            self.screen,
        )
        self.assertNotIn(self.server.password, self.screen)
        self.assertEqual(20, len(self.published))

    def test_breaking_a_lock_is_asked_for(self):
        self.put('write', b'foreign')
        command = 'cds-lock', '--break=write', self.url()
        self.assertEqual(
            1, self.on_terminal(*command, question='? [y/N] ', answer='n\n'), self.screen
        )
        self.assertIn('Remove the lock test@127.0.0.1', self.screen)
        self.assertEqual([b'write'], list(self.there))
        self.assertEqual(
            0, self.on_terminal(*command, question='? [y/N] ', answer='y\n'), self.screen
        )
        self.assertEqual({}, self.there)


class WithoutSizes(Terminal, ServerTestCase):
    """A server whose listing has names only."""

    layer = VSFTPD_LAYER

    def test_the_bar_counts_files(self):
        self.put_many()
        self.assertEqual(0, self.on_terminal('cds-import', self.store_dir, self.url()), self.screen)
        last = self.screen.rstrip().rpartition('\r')[2]
        self.assertTrue(re.search(r'20 of 20 files: 100%.*20/20.*20\.0kB, .*B/s\]', last), last)
