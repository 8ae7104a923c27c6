"""The command cds-watch: signals, statuses, what is printed."""
import os
import shutil
import signal
import socket
import subprocess
import sys

from zeit.cds.journal.sql import SQLJournal
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.testing.process import free_port
from zeit.cds.tests.commands import environment
from zeit.cds.tests.importing import new_spool, put
from zeit.cds.watch.tests.processes import Processes


PLAIN = '''\
import sys
from zeit.cds.cli import exchange
assert exchange.import_() == 0
print([name for name in sys.modules if "watch" in name or "inotify" in name])
'''
TERMINATED = ('<subscriber for="zeit.cds.interfaces.IFileImported" '
              'handler="zeit.cds.tests.commands.terminate_at_20" />')


class Command(Processes, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def test_it_ends_when_told_so(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.watching('-v', '--every=0.2', '--password-file', self.secret(),
                               self.store_dir, self.url()) as process:
                self.put('a.xml', b'a')
                self.wait_for('a.xml')
                self.put('b.xml', b'b')
                self.wait_for('b.xml')
                self.wait_until(lambda: self.err.count('Exiting with success.') >= 2)
                self.assertEqual(0, self.end(process, number), self.err)
            lines = self.err.splitlines()
            self.assertEqual('cds-watch: INFO: Watching 1 feed.', lines[0])
            self.assertEqual('cds-watch: INFO: The watch has ended.', lines[-1])
            self.assertEqual([], [line for line in lines if not line.startswith(
                'cds-watch: INFO: ')])
            self.assert_nothing_left()

    def test_it_keeps_a_journal(self):
        path = os.path.join(self.store_dir, 'journal')
        with self.watching('--every=0.2', '--journal', path, '--password-file', self.secret(),
                           self.store_dir, self.url()) as process:
            for name in 'ab':
                self.put(name, b'x')
                self.wait_for(name)
            self.assertEqual(0, self.end(process), self.err)
        with SQLJournal(path).ask() as answers:
            self.assertEqual({'a', 'b'}, {row.name for row in answers.files()})

    def test_what_was_cut_short_shows_in_the_status(self):
        names = ['%03d.xml' % number for number in range(200)]
        for name in names:
            self.put(name, b'x')
        site = self.site(TERMINATED + self.directive('feed', password_file=self.secret()))
        with self.watching('--zcml', site) as process:
            self.assertEqual(128 + signal.SIGTERM, process.wait(30))
        self.assertIn('SIGTERM: the file in hand is finished first', self.err)
        self.assertIn('Interrupted by SIGTERM. Exiting, the next run takes the rest.', self.err)
        self.assertEqual(set(map(os.fsencode, names)),
                         self.published.keys() | self.there.keys())
        self.assertEqual(200, len(self.published) + len(self.there))
        self.assert_nothing_left()

    def test_a_server_that_hangs_delays_neither_the_others_nor_the_end(self):
        spool = new_spool()
        self.addCleanup(shutil.rmtree, spool)
        with socket.create_server(('127.0.0.1', 0)) as silent:
            site = self.site(
                self.directive('hangs', store_dir=spool, port=silent.getsockname()[1],
                               password_file=self.secret())
                + self.directive('works', password_file=self.secret(), every='0.2'))
            with self.watching('-v', '--zcml', site) as process:
                self.put('a.xml', b'a')
                self.wait_for('a.xml')
                self.wait_until(lambda: 'Exiting with success' in self.err)
                self.assertEqual(0, self.end(process), self.err)
        self.assertIn('cds-watch: works: INFO: Downloading: a.xml\n', self.err)
        self.assertIn('cds-watch: INFO: Watching 2 feeds.\n', self.err)

    def test_it_backs_off_from_a_server_that_is_down(self):
        port = free_port()
        with self.watching('--every=0.2', '--password-file', self.secret(), self.store_dir,
                           self.url(port=port)) as process:
            self.wait_until(lambda: 'Backing off' in self.err)
            self.assertEqual(0, self.end(process), self.err)
        self.assertEqual(1, self.err.count('WARNING: Backing off'))
        self.assertNotIn('ERROR', self.err)

    def test_once(self):
        spool = new_spool()
        self.addCleanup(shutil.rmtree, spool)
        put(os.path.join(spool, 'new'), 'b.xml', b'b')
        self.put('a.xml', b'a')
        site = self.site(
            self.directive('in', password_file=self.secret())
            + self.directive('out', store_dir=spool, direction='export', ftp_dir='/out',
                             password_file=self.secret())
            + self.directive('down', store_dir=new_spool(), port=free_port(),
                             password_file=self.secret()))
        out = os.path.join(self.server.directory, 'out')
        os.mkdir(out)
        os.chmod(out, 0o777)
        self.assertEqual(69, self.run_command('cds-watch', '--once', '--zcml', site, password=''))
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertEqual(['b.xml'], os.listdir(out))
        self.assertIn('cds-watch: down: ERROR: ', self.err)
        self.assertEqual(
            0, self.run_command('cds-watch', '--once', '--zcml', site, 'in', 'out', password=''))

    def test_once_with_a_wrong_setting(self):
        site = self.site(self.directive('dpa', password_file=self.home / 'missing',
                                        logfile=self.home / 'log'))
        self.assertEqual(78, self.run_command('cds-watch', '--once', '--zcml', site, password=''))
        self.assertIn('ERROR The password file', (self.home / 'log').read_text())

    def test_a_log_file_has_the_lines_of_its_feed(self):
        spool, port = new_spool(), free_port()
        self.addCleanup(shutil.rmtree, spool)
        site = self.site(
            self.directive('works', password_file=self.secret(), logfile=self.home / 'works.log')
            + self.directive('down', store_dir=spool, port=port, password_file=self.secret(),
                             logfile=self.home / 'down.log'))
        self.put('a.xml', b'a')
        with self.watching('--zcml', site) as process:
            self.wait_for('a.xml')
            self.wait_until(lambda: 'Backing off' in self.err)
            self.end(process)
        works = (self.home / 'works.log').read_text()
        down = (self.home / 'down.log').read_text()
        self.assertEqual(1, works.count('Downloading: a.xml'))
        self.assertEqual((0, 1), (works.count('Backing off'), down.count('Backing off')))

    def test_wrong_usage(self):
        self.assertEqual(2, self.run_command('cds-watch', self.store_dir))
        self.assertIn('STORE_DIR and URL wanted', self.err)
        site = self.site(self.directive('feed'))
        self.assertEqual(
            2, self.run_command('cds-watch', '--direction=export', '--zcml', site))
        self.assertIn('--direction is for a feed that is given by its URL', self.err)
        self.assertEqual(78, self.run_command('cds-watch', '--zcml', site, 'no-feed'))
        self.assertIn("No feed is registered under the name 'no-feed'", self.err)
        self.assertEqual(2, self.run_command('cds-import', '--every=3', self.store_dir, self.url()))

    def test_a_plain_run_knows_nothing_of_it(self):
        done = subprocess.run(
            [sys.executable, '-c', PLAIN, self.store_dir, self.url()], capture_output=True,
            text=True, env=environment(self.home, CDS_PASSWORD=self.server.password))
        self.assertEqual('[]\n', done.stdout, done.stderr)
