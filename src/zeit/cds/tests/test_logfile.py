"""The log file of an import: what goes there, and that it's a new one each week."""
import functools
import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from zeit.cds.interfaces import ConfigurationError
from zeit.cds.logfile import log_to
from zeit.cds.main import import_
from zeit.cds.testing.layers import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.importing import Importing


WEEK = 7 * 24 * 3600


class LogFile(Importing, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.logfile = os.path.join(self.directory, 'cds.log')

    def import_(self, **settings):
        import_(
            **{
                **dict(
                    store_dir=self.store_dir,
                    hostname=self.server.host,
                    port=self.server.port,
                    user=self.server.user,
                    password=self.server.password,
                    ftp_dir='/',
                    logfile=self.logfile,
                ),
                **settings,
            }
        )

    def read(self, name='cds.log'):
        with open(os.path.join(self.directory, name), encoding='utf-8') as f:
            return f.read()

    def test_it_has_the_lines_of_the_run_with_time_and_level(self):
        self.put('Köln \udcff', b'1')
        self.import_()
        lines = self.read().splitlines()
        self.assertRegex(
            lines[0],
            r'^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d,\d\d\d[+-]\d{4} cds\[%d\] INFO Starting '
            r'import\.$' % os.getpid(),
        )
        self.assertTrue(lines[-1].endswith((' INFO Exiting with success.', ' see the warnings.')))
        self.assertTrue(any('Köln' in line for line in lines))
        self.assertFalse([line for line in lines if ' DEBUG ' in line])

    def test_it_tells_of_a_failure_in_words_and_shows_no_password(self):
        self.import_(ftp_dir='/nonexistent', password=self.server.password)
        self.assertIn('Error accessing FTP server.', self.read())
        self.assertRegex(self.read(), r'\] ERROR 550 .*\n.*\] ERROR Check the directory')
        self.assertNotIn('Traceback', self.read())
        self.assertNotIn(self.server.password, self.read())

    def test_further_runs_add_to_it(self):
        self.import_()
        self.import_()
        self.assertEqual(2, self.read().count('Starting import.'))

    def test_a_new_one_is_begun_each_week_and_five_are_kept(self):
        for week in range(9, 0, -1):
            self.import_()
            with open(self.logfile, 'a') as f:
                f.write('the run %d weeks ago' % week)
            ago = time.time() - week * WEEK
            os.utime(self.logfile, (ago, ago))
        self.import_()
        self.assertNotIn('weeks ago', self.read())
        older = sorted(set(os.listdir(self.directory)) - {'cds.log'})
        self.assertEqual(5, len(older), older)
        self.assertEqual(['the run %d weeks ago' % week for week in (5, 4, 3, 2, 1)],
                         [self.read(name).splitlines()[-1] for name in older])

    def check_end_of_week(self, in_between=lambda: None):
        """Two runs that have begun before the end of the week go on after it.

        Returns what is in the other files by then.
        """
        with open(self.logfile, 'w') as f:
            f.write('the whole week\n')
        ago = time.time() - WEEK
        os.utime(self.logfile, (ago, ago))
        log = logging.getLogger('zeit.cds')
        with log_to(self.logfile):
            in_between()
            with log_to(self.logfile):
                log.info('first line')
                log.info('second line')
        self.assertEqual(2, self.read().count('first line'))
        self.assertEqual(2, self.read().count('second line'))
        return [self.read(name) for name in sorted(os.listdir(self.directory)) if name != 'cds.log']

    def test_two_runs_begin_one_new_file(self):
        self.assertEqual(['the whole week\n'], self.check_end_of_week())

    def test_one_that_somebody_removed_meanwhile_is_begun_anew(self):
        self.assertEqual([], self.check_end_of_week(lambda: os.unlink(self.logfile)))

    def test_an_older_one_is_not_written_over(self):
        self.check_end_of_week()
        name, = set(os.listdir(self.directory)) - {'cds.log'}
        self.assertEqual(['the whole week\n'], self.check_end_of_week())
        self.assertIn('the whole week', self.read())
        self.assertEqual({'cds.log', name}, set(os.listdir(self.directory)))

    def test_one_that_cannot_be_written_is_a_wrong_argument(self):
        for path in self.directory, os.path.join(self.directory, 'missing', 'cds.log'):
            with self.assertRaises(ConfigurationError) as caught:
                self.import_(logfile=path)
            self.assertIn('Make its directory first', caught.exception.__notes__[0])

    def test_one_that_may_not_be_written_now_does_not_keep_the_run_from_its_work(self):
        """As after a try as root. (For root itself: one that another program executes.)"""
        path = os.path.join(self.directory, 'busy')
        shutil.copy('/bin/sleep', path)
        program = subprocess.Popen([path, '60'])
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        with self.assertLogs('zeit.cds', 'ERROR') as logs:
            self.import_(logfile=path)
        self.assertEqual(['The log file %s cannot be written, this run has none: Text file busy'
                          % path], [record.getMessage() for record in logs.records])

    def test_nothing_stays_behind_in_the_logging_of_the_application(self):
        log = logging.getLogger('zeit.cds')
        before = log.level, list(log.handlers)
        self.import_()
        self.assertEqual(before, (log.level, list(log.handlers)))


class Threads(unittest.TestCase):
    """Several runs in one process."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.log = logging.getLogger('zeit.cds')

    def lines(self, name):
        return [line.rpartition('] INFO ')[2]
                for line in (self.directory / name).read_text().splitlines()]

    def in_threads(self, *functions):
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_each_file_has_the_lines_of_its_run(self):
        both = threading.Barrier(3)

        def run(name, logfile):
            with log_to(logfile and self.directory / logfile):
                both.wait()
                self.log.info('%s itself', name)
                helper = threading.Thread(target=self.log.info, args=('the helper of %s', name))
                helper.parent = threading.current_thread()
                helper.start()
                helper.join()
                both.wait()

        self.in_threads(*(functools.partial(run, name, logfile) for name, logfile in [
            ('a', 'a.log'), ('b', 'b.log'), ('c', None)]))
        self.assertEqual(['a itself', 'the helper of a'], self.lines('a.log'))
        self.assertEqual(['b itself', 'the helper of b'], self.lines('b.log'))

    def test_the_level_is_the_old_one_whoever_ends_first(self):
        before = self.log.level
        first, second = log_to(self.directory / 'a.log'), log_to(self.directory / 'b.log')
        self.log.setLevel(logging.WARNING)
        self.addCleanup(self.log.setLevel, before)
        first.__enter__()
        second.__enter__()
        self.assertEqual(logging.INFO, self.log.level)
        first.__exit__(None, None, None)
        self.assertEqual(logging.INFO, self.log.level)
        second.__exit__(None, None, None)
        self.assertEqual(logging.WARNING, self.log.level)

    def test_what_is_no_file_stays_where_it_is(self):
        pipe = self.directory / 'pipe'
        os.mkfifo(pipe)
        os.utime(pipe, (0, 0))
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        with log_to(pipe):
            self.log.info('line')
        self.assertIn(b'] INFO line\n', os.read(reading, 1000))
        self.assertEqual(['pipe'], os.listdir(self.directory))
