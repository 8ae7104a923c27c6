"""What happens around an exchange: full disks, closed pipes, several feeds, settings in scripts."""
import json
import os
import re
import stat
import subprocess
import time

from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.testing.process import free_port
from zeit.cds.tests.commands import arguments, Commands, environment, LIMIT


class Logs(Commands, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def test_a_log_file_on_a_full_disk_is_told_of_once_and_hides_no_run(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.cds_import('--logfile=/dev/full'), self.err)
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertRegex(self.err, r'\Acds-import: ERROR: The log file /dev/full cannot be written'
                                   r'.*No space left.*\n\Z')
        self.assertTrue(stat.S_ISCHR(os.stat('/dev/full').st_mode))

    def two_feeds(self, **settings):
        secret = self.write('secret', self.server.password, 0o600)
        return self.site(self.directive('afp', password_file='missing', **settings)
                         + self.directive('dpa', password_file=secret, **settings))

    def test_one_missing_password_file_stops_one_feed(self):
        self.put('a.xml', b'a')
        self.assertEqual(78, self.run_command(
            'cds-import', '--json', '--zcml', self.two_feeds(), '--all', password=''), self.err)
        self.assertEqual([('afp', 78), ('dpa', 0)],
                         [(told['feed'], told['status']) for told in self.printed])
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertRegex(self.err, r'\Acds-import: afp: ERROR: The password file .*missing')

    def test_the_log_file_has_it(self):
        self.assertEqual(78, self.run_command(
            'cds-import', '--logfile=log', '--zcml', self.two_feeds(), 'afp', password=''))
        self.assertRegex((self.home / 'log').read_text(),
                         r' afp\[\d+\] ERROR The password file .*missing')

    def test_each_line_names_its_feed(self):
        site = self.two_feeds(ftp_dir='/missing', logfile='log')
        self.assertEqual(
            1, self.run_command('cds-import', '-v', '--zcml', site, '--all', password='')
        )
        self.assertIn('cds-import: dpa: ERROR: 550 ', self.err)
        self.assertIn("cds-import: dpa: ERROR: Check the directory '/missing'", self.err)
        for line in self.err.splitlines():
            self.assertRegex(line, '^cds-import: (afp|dpa): [A-Z]+: ')
        lines = (self.home / 'log').read_text().splitlines()
        self.assertGreater(len(lines), 5)
        for line in lines:
            self.assertRegex(line, r'^[-0-9]{10} [0-9:,]{12}[+-]\d{4} (dpa|afp)\[\d+\] [A-Z]+ ')

    def test_a_traceback_is_for_who_wants_all(self):
        self.assertEqual(1, self.run_command(
            'cds-import', '-vv', '--logfile=log', self.store_dir, self.url('/missing')))
        self.assertIn('Traceback', self.err)
        self.assertIn('Traceback', (self.home / 'log').read_text())

    def test_q_tells_of_a_lock_that_is_older_than_stale_after(self):
        self.put('write', b'foreign')       # it is of 2023
        self.assertEqual(75, self.cds_import('-q'), self.err)
        self.assertRegex(self.err, r'^cds-import: ERROR: Somebody has held the lock for \d+ days, '
                                   r'longer than stale_after \(2 h\)')
        os.unlink(os.path.join(self.server.directory, 'write'))
        self.put('write', b'foreign', time.time())
        self.assertEqual(75, self.cds_import('-q'), self.err)
        self.assertEqual('', self.err)

    def test_without_any_password_nothing_is_sent(self):
        self.assertEqual(78, self.run_command(
            'cds-import', '-v', self.store_dir, self.url(port=free_port()), password=''))
        self.assertIn('There is no password for test@127.0.0.1', self.err)
        self.assertNotIn('Connecting', self.err)


class Scripts(Commands, ServerTestCase):
    """The scripts of buildout, which have their settings inside."""

    layer = PYFTPDLIB_LAYER

    def script(self, *options):
        server = self.server
        settings = repr((self.store_dir, server.host, server.port, server.user, server.password,
                         '/'))[1:-1]
        return self.run_command('cds-import', *options, settings=settings)

    def test_options_work(self):
        for name in ('a.xml', 'b.xml'):
            self.put(name, b'1')
        self.assertEqual(0, self.script('--dry-run'), self.err)
        self.assertEqual('           1  a.xml\n           1  b.xml\n', self.out)
        self.assertEqual({}, self.published)
        self.assertEqual(0, self.script('--limit=1', '--name=dpa', '--json'), self.err)
        self.assertEqual(('dpa', ['a.xml']), (self.printed[0]['feed'], self.printed[0]['names']))

    def test_what_is_no_option_is_refused(self):
        self.put('a.xml', b'1')
        for options in (['--dry-run', '--nonsense'], ['spool'], ['--zcml=site.zcml'], ['--all']):
            with self.subTest(options):
                self.assertEqual(2, self.script(*options))
                self.assertRegex(self.err, r'\Ausage: \S+ \[OPTION...\]\n')
        self.assertEqual({b'a.xml': b'1'}, self.there)


class Pipes(Commands, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def shell(self, line, *options):
        """Execute a line of the shell with a command as "$@"; what it printed is in `self.err`."""
        self.put('a.xml', b'a')
        command = arguments('cds-import', *options, self.store_dir, self.url())
        done = subprocess.run(
            ['bash', '-c', line, 'bash', *command], cwd=self.home, text=True, timeout=LIMIT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment(self.home, CDS_PASSWORD=self.server.password))
        self.out = done.stdout
        return done.returncode

    def test_nobody_reads_the_output(self):
        for options in (['--json'], ['--dry-run'], ['--dry-run', '--json'], ['--help']):
            with self.subTest(options):
                self.shell('"$@" 2> /dev/null | true; echo ${PIPESTATUS[0]}', *options)
                self.assertEqual('0\n', self.out)

    def test_nobody_reads_the_log(self):
        self.assertEqual(0, self.shell('exec 3>&1; "$@" 2>&1 >&3 | true; exit ${PIPESTATUS[0]}',
                                       '-v'), self.out)
        self.assertEqual('', self.out)
        self.assertEqual({b'a.xml': b'a'}, self.published)

    def test_standard_files_are_closed(self):
        for closed in ('<&-', '2>&-', '<&- 2>&-', '<&- >&- 2>&-'):
            with self.subTest(closed):
                self.assertEqual(0, self.shell('"$@" %s' % closed, '-v'), self.out)
                self.assertNotIn('Traceback', self.out)
                self.assertEqual({b'a.xml': b'a'}, self.consume())

    def test_no_file_of_ours_gets_what_is_printed(self):
        self.assertEqual(0, self.shell('"$@" >&- 2>&-', '-v', '--json', '--logfile=log'))
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertNotRegex((self.home / 'log').read_text(), re.compile('^(cds-import|{)', re.M))

    def test_output_on_a_full_disk_is_a_failure(self):
        self.assertEqual(1, self.shell('"$@" > /dev/full', '--json'))
        self.assertIn('Standard output cannot be written', self.out)
        self.assertEqual({b'a.xml': b'a'}, self.published)

    def test_lists_in_json_are_bounded(self):
        for n in range(1003):
            os.mkdir(os.path.join(self.server.directory, '%04d' % n))
        self.assertEqual(0, self.shell('"$@" 2> /dev/null', '--json'))
        told = json.loads(self.out)
        self.assertEqual((1000, 3, ['a.xml']),
                         (len(told['skipped']), told['unnamed'], told['names']))
