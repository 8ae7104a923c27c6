"""The commands, with a directory of this machine in place of a server."""
import os
import signal
import subprocess
import time
import unittest

from zeit.cds.file.tests.exchange import Share
from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.tests.commands import arguments, environment


FILES = {'a.xml': b'<a/>', 'b c.jpg': b'\xff\xd8' * 50_000, 'Köln.xml': b'', '-rf': b'1'}
LIMIT = 60      # seconds
LOCKED = 75     # EX_TEMPFAIL


class Commands(Share, unittest.TestCase):

    layer = BESIDE_LAYER

    def run_command(self, command, *options):
        """The status; `err` is what it printed."""
        done = subprocess.run(
            arguments(command, *options), env=environment(self.place), cwd=self.place,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        self.err = done.stdout + done.stderr
        return done.returncode

    def exchange(self, command, *options):
        return self.run_command(command, *options, self.spool, self.url)

    def test_import(self):
        self.put(self.share, FILES)
        self.assertEqual(0, self.exchange('cds-import'))
        self.assertEqual(FILES, self.contents(self.spool / 'new'))
        self.assertEqual({}, self.contents(self.spool / 'tmp'))
        self.assertEqual({}, self.contents(self.share))

    def test_export(self):
        self.put(self.spool / 'new', FILES)
        self.assertEqual(0, self.exchange('cds-export'))
        self.assertEqual(FILES, self.contents(self.share))
        self.assertEqual(FILES, self.contents(self.spool / 'cur'))
        self.assertEqual({}, self.contents(self.spool / 'new'))

    def test_many_files_on_several_sessions(self):
        files = {'%d.xml' % number: b'%d' % number * 1000 for number in range(300)}
        self.put(self.share, files)
        self.assertEqual(0, self.exchange('cds-import', '--connections=4'))
        self.assertEqual(files, self.contents(self.spool / 'new'))
        self.assertEqual({}, self.contents(self.share))

    def test_what_is_no_file_is_left_alone(self):
        self.put(self.share, FILES)
        os.mkfifo(self.share / 'pipe')
        (self.share / 'directory').mkdir()
        (self.share / 'loop').symlink_to('loop')
        self.exchange('cds-import')
        self.assertEqual(FILES, self.contents(self.spool / 'new'))
        self.assertEqual({'pipe', 'directory', 'loop'}, set(self.contents(self.share)))

    def test_missing_directory_is_told_of(self):
        self.share.rmdir()
        self.assertNotEqual(0, self.exchange('cds-import'))
        self.assertIn('Check the directory', self.err)
        self.assertIn(str(self.share), self.err)

    def test_foreign_lock_is_respected_until_a_person_breaks_it(self):
        self.put(self.share, {**FILES, 'write': b'somebody'})
        self.assertEqual(LOCKED, self.exchange('cds-import'))
        self.assertEqual({}, self.contents(self.spool / 'new'))
        self.assertEqual(0, self.run_command('cds-lock', '--break=write', '--yes', self.url))
        self.assertEqual(0, self.exchange('cds-import'))
        self.assertEqual(FILES, self.contents(self.spool / 'new'))

    def test_import_and_export_exclude_each_other(self):
        self.put(self.share, {'%d' % number: b'1' for number in range(2000)})
        importing = subprocess.Popen(
            arguments('cds-import', self.spool, self.url), env=environment(self.place),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(importing.wait)
        self.addCleanup(importing.kill)
        end = time.monotonic() + LIMIT
        while not (self.share / 'read').exists():
            self.assertLess(time.monotonic(), end)
            self.assertIsNone(importing.poll())
        importing.send_signal(signal.SIGSTOP)
        self.new_spool('other')
        self.put(self.spool / 'new', {'out': b'1'})
        self.assertEqual(LOCKED, self.exchange('cds-export'))
        self.assertEqual({'out': b'1'}, self.contents(self.spool / 'new'))
        self.assertFalse((self.share / 'out').exists())
        importing.kill()
        importing.wait()
        self.assertEqual(0, self.exchange('cds-export'))        # that one's owner has died
        self.assertEqual({}, self.contents(self.spool / 'new'))
        self.assertEqual(b'1', (self.share / 'out').read_bytes())

    def new_spool(self, name):
        self.spool = self.spool.parent / name
        for directory in 'tmp', 'new', 'cur':
            (self.spool / directory).mkdir(parents=True)
