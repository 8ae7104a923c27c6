"""Several feeds at once, by real processes."""
import contextlib
import os
import shutil
import signal
import socket
import unittest

from zeit.cds.cli.jobs import Runs
from zeit.cds.interfaces import Interrupted, Progress
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.commands import Commands
from zeit.cds.tests.importing import contents, new_spool, put


NAMES = 'afp', 'ap', 'dpa', 'epd'
LIMIT = 20      # seconds: much less than a server may be silent


class Jobs(Commands, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def setUp(self):
        super().setUp()
        self.secret = self.write('secret', self.server.password, 0o600)
        self.spools = {}

    def declared(self, name, **settings):
        self.spools[name] = new_spool()
        self.addCleanup(shutil.rmtree, self.spools[name])
        return self.directive(name, **{
            'password_file': self.secret, 'store_dir': self.spools[name], **settings})

    def directories(self, files=3):
        """The directives of feeds, each with a directory of its own that has files in it."""
        for name in NAMES:
            directory = os.path.join(self.server.directory, name)
            os.mkdir(directory)
            for n in range(files):
                put(directory, '%s%d.xml' % (name, n), name.encode())
        return ''.join(self.declared(name, ftp_dir='/' + name, logfile=self.home / (name + '.log'))
                       for name in NAMES)

    def silent(self):
        """A server that never greets."""
        listening = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listening.close)
        listening.settimeout(LIMIT)
        return listening

    def let_in(self, listening):
        self.addCleanup(listening.accept()[0].close)

    def options(self, site, jobs=2):
        return ['cds-import', '--json', '--jobs', jobs, '--zcml', self.site(site), '--all']

    @contextlib.contextmanager
    def begun(self, *options):
        with self.popen(*options) as process:
            try:
                yield process
                self.out, self.err = process.communicate(timeout=LIMIT)
            finally:
                process.kill()

    def told(self, *names):
        return [tuple(told[name] for name in names) for told in self.printed]

    # ------------------------------------------------------------ all is well

    def test_each_feed_gets_its_own(self):
        site = self.directories()
        self.assertEqual(0, self.run_command(*self.options(site, 3), '--metrics=m', '-v'), self.err)
        self.assertEqual([(name, ['%s%d.xml' % (name, n) for n in range(3)]) for name in NAMES],
                         self.told('feed', 'names'))
        for name in NAMES:
            self.assertEqual({b'%s%d.xml' % (name.encode(), n) for n in range(3)},
                             set(contents(self.spools[name] + '/new')))
            self.assertIn('cds_files_total{direction="import",feed="%s"} 3.0' % name,
                          (self.home / 'm').read_text())

    def test_no_log_has_the_lines_of_another(self):
        site = self.directories()
        self.assertEqual(0, self.run_command(*self.options(site, 4), '-v'), self.err)
        for name in NAMES:
            log = (self.home / (name + '.log')).read_text()
            downloading = ['Downloading: %s%d.xml' % (name, n) for n in range(3)]
            self.assertEqual(downloading, [
                line.partition(' INFO ')[2] for line in log.splitlines() if 'Downloading' in line])
            printed = [line for line in self.err.splitlines() if '.xml' in line]
            self.assertLessEqual({'cds-import: %s: INFO: %s' % (name, line)
                                  for line in downloading}, set(printed))
            self.assertEqual(
                [line for line in printed if line.startswith('cds-import: %s: ' % name)],
                [line for line in printed if name in line.rpartition(' ')[2]])
            self.assertTrue(log.endswith('Exiting with success.\n'), log)

    def test_the_status_is_the_most_serious(self):
        site = self.directories() + self.declared('bad', password_file='missing') + self.declared(
            'cut', ftp_dir='/missing')
        self.assertEqual(1, self.run_command(*self.options(site)), self.err)
        self.assertEqual(
            [('afp', 0), ('ap', 0), ('bad', 78), ('cut', 1), ('dpa', 0), ('epd', 0)],
            self.told('feed', 'status'))
        self.assertIn('cds-import: bad: ERROR: The password file', self.err)
        self.assertIn('cds-import: cut: ERROR: Error accessing', self.err)

    def test_exports_as_well(self):
        site = ''.join(self.declared(name, direction='export') for name in NAMES[:2])
        for name in NAMES[:2]:
            put(self.spools[name] + '/new', name, b'x')
        self.assertEqual(0, self.run_command(
            'cds-export', '--jobs=1', '--json', *self.options(site)[4:]), self.err)
        self.assertEqual([(['afp'],), (['ap'],)], self.told('names'))

    def test_as_many_as_there_are_can_be_asked_for(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.run_command(*self.options(self.declared('dpa'), 100)), self.err)
        self.assertEqual([(['a.xml'],)], self.told('names'))

    def test_none_at_once_is_no_usage(self):
        for jobs in '0', '1.5':
            self.assertEqual(2, self.cds_import('--jobs=' + jobs))
            self.assertIn('%r is no whole number from 1' % jobs, self.err)

    # ------------------------------------------------------------ servers that hang, signals

    def test_a_server_that_hangs_keeps_no_other_feed_from_its_turn(self):
        silent = self.silent()
        site = self.declared(
            'aaa', port=silent.getsockname()[1], logfile=self.home / 'aaa.log') + self.declared(
            'bad', password_file='missing') + self.directories()
        with self.begun(*self.options(site), '--metrics=m') as process:
            self.let_in(silent)
            while not os.path.exists(self.home / 'm') or self.ended(self.home / 'm') < 5:
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
        self.assertEqual(128 + signal.SIGTERM, process.returncode)
        self.assertEqual([('aaa', 143), ('afp', 0), ('ap', 0), ('bad', 78), ('dpa', 0), ('epd', 0)],
                         self.told('feed', 'status'))
        self.assertIn('cds-import: bad: ERROR: The password file', self.err)
        self.assertNotIn('password file', (self.home / 'aaa.log').read_text())
        self.assertEqual('Interrupted', self.printed[0]['error']['type'])
        self.assertEqual(6, self.ended(self.home / 'm'))

    def ended(self, metrics):
        return metrics.read_text().count('\ncds_last_run_status{')

    def test_as_many_at_once_as_were_asked_for_and_a_signal_ends_them_all(self):
        silent = [self.silent() for _ in range(3)]
        site = ''.join(
            self.declared(name, port=sock.getsockname()[1], logfile=self.home / (name + '.log'))
            for name, sock in zip(NAMES, silent))
        with self.begun(*self.options(site)) as process:
            for sock in silent[:2]:
                self.let_in(sock)
            process.send_signal(signal.SIGINT)
        self.assertEqual(128 + signal.SIGINT, process.returncode)
        silent[2].setblocking(False)
        with self.assertRaises(BlockingIOError):
            silent[2].accept()
        self.assertEqual([('afp', 130), ('ap', 130)], self.told('feed', 'status'))
        told = 'Interrupted by SIGINT. Exiting, the next run takes the rest.'
        for name in NAMES[:2]:
            self.assertIn('cds-import: %s: WARNING: %s\n' % (name, told), self.err)
            self.assertEqual(1, (self.home / (name + '.log')).read_text().count(told))

    def test_files_in_hand_are_finished(self):
        site = self.directories(200) + (
            '<subscriber for="zeit.cds.interfaces.IFileImported" '
            'handler="zeit.cds.tests.commands.terminate_at_20" />')
        self.assertEqual(
            128 + signal.SIGTERM, self.run_command(*self.options(site, 2), '-v'), self.err)
        self.assertEqual([('afp', 143), ('ap', 143)], self.told('feed', 'status'))
        for name in NAMES[:2]:
            there = contents(os.path.join(self.server.directory, name))
            here = contents(self.spools[name] + '/new')
            self.assertEqual(200, len(there) + len(here))
            self.assertEqual(set(), there.keys() & here.keys() | {b'read'} & there.keys())
        self.assertEqual(200, len(contents(os.path.join(self.server.directory, 'dpa'))))


class Run:

    def __init__(self, **progress):
        self.progress = Progress(**progress)
        self.told = []

    def stop(self, error):
        self.told.append(error)

    def abort(self):
        self.told.append('abort')


class AsOne(unittest.TestCase):

    def test_progress_is_that_of_all(self):
        runs = Runs()
        self.assertEqual(Progress(), runs.progress)
        runs.add(Run())
        runs.add(Run(files_done=1, files=2, bytes_done=3, bytes=4))
        runs.add(Run(files_done=1, files=1, bytes_done=1, bytes=1))
        self.assertEqual(Progress(2, 3, 4, 5), runs.progress)
        runs.add(Run(files_done=1, files=1, bytes_done=7))
        self.assertEqual(Progress(3, 4, 11, None), runs.progress)

    def test_who_comes_late_is_stopped_like_the_others(self):
        runs, first, second, third = Runs(), Run(), Run(), Run()
        error = Interrupted('Interrupted by SIGTERM.')
        runs.add(first)
        runs.stop(error)
        runs.add(second)
        runs.abort()
        runs.add(third)
        for run in first, second, third:
            self.assertEqual([error, 'abort'], run.told)
