"""The command cds-log: what it shows, and that nothing in it is taken for more than a text."""
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import zope.component.testing

from zeit.cds.cli import log
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.tests.commands import arguments, environment


FORGED = 'x\x1b[2J\nINFO forged\r\u202e\udcff'
SECOND = 10**9
DIGEST = '00' * 32


class Log(unittest.TestCase):

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.url = str(self.directory / 'journal')
        self.journal = SQLJournal(self.url)
        self.now = time.time_ns()

    def tell(self, feed, *events, direction='import'):
        """Events of a run: see zeit.cds.journal.notes."""
        self.journal.load([[
            ('run', 'run-' + os.urandom(4).hex(), feed, direction, '/spool', 'host', 1, self.now,
             0),
            *events]])

    def whole(self, name, key='k', when=None):
        return 'whole', key, name, 1, 7, None, DIGEST, self.now, self.now, when or self.now

    def cds_log(self, *arguments, journal=True):
        """Its exit status; `out` and `err` are what was printed."""
        out, err = io.StringIO(), io.StringIO()
        options = ['--journal', self.url] if journal else []
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
                mock.patch.object(log, 'open_standard_files', lambda: None), \
                mock.patch.object(sys, 'argv', ['cds-log', *options, *arguments]):
            try:
                status = log.log_()
            except SystemExit as e:
                status = e.code
        self.out, self.err = out.getvalue(), err.getvalue()
        return status

    def test_output_on_a_full_disk_is_a_failure(self):
        self.tell('wire', self.whole('a'))
        with open('/dev/full', 'w') as full:
            done = subprocess.run(
                arguments('cds-log', '--journal', self.url), stdout=full, stderr=subprocess.PIPE,
                text=True, env=environment(str(self.directory)), timeout=60)
        self.assertEqual(
            (1, 'cds-log: Standard output cannot be written: [Errno 28] No space left on device\n'),
            (done.returncode, done.stderr))

    def test_nothing(self):
        self.tell('wire')
        self.assertEqual((1, '', ''), (self.cds_log(), self.out, self.err))

    def test_names_are_printable_wherever_they_are(self):
        self.tell(FORGED, self.whole(FORGED), ('left', FORGED, FORGED, True, self.now))
        self.tell(FORGED, ('end', self.now, 0, 0, 0, 0, 0, FORGED))
        for options in [], [FORGED], ['--runs'], ['--json']:
            self.assertEqual(0, self.cds_log(*options))
            for line in self.out.splitlines():
                self.assertTrue(line.isprintable(), line)
                self.assertFalse(line.startswith('INFO forged'), line)

    def test_a_file_that_is_given_up(self):
        self.tell('wire', ('aside', FORGED, 4, None, 3, 'it hurts', self.now))
        self.assertEqual(0, self.cds_log('--failed'))
        self.assertIn('aside', self.out)
        self.assertEqual(1, self.cds_log('--retry', FORGED, '--feed', 'other'))
        self.assertEqual('No file of this name is given up there.\n', self.out)
        self.assertEqual(0, self.cds_log('--retry', FORGED, '--feed', 'wire'))
        self.assertEqual('The next run tries it again.\n', self.out)
        self.assertEqual(1, self.cds_log('--retry', FORGED))
        [row] = self.journal.ask().files()
        self.assertEqual(('failed', 0), (row.state, row.tries))

    def test_states_of_files(self):
        self.tell('wire', self.whole('a'), ('published', 'k', self.now),
                  ('left', 'b', 'it hurts', True, self.now))
        self.tell('out', self.whole('c', 'k2'), ('published', 'k2', self.now), direction='export')
        self.assertEqual(0, self.cds_log())
        self.assertEqual(['TIME', 'published', 'failed', 'it', 'exported'], [
            line.split()[2 if line.startswith('2') else 0] for line in self.out.splitlines()])
        self.assertEqual(0, self.cds_log('--failed'))
        self.assertEqual(2, len(self.out.splitlines()[1:]), self.out)
        self.assertIn('wire: b\n', self.out)
        self.assertEqual(0, self.cds_log('c'))
        self.assertIn('  exported\n', self.out)
        self.assertEqual(1, self.cds_log('d'))

    def test_what_narrows_it_down(self):
        hour_ago = self.now - 3600 * SECOND
        self.tell('wire', self.whole('a', 'k1'), ('published', 'k1', hour_ago))
        self.tell('other', self.whole('b', 'k2'), ('published', 'k2', self.now))
        for options, names in (
                ([], ['a', 'b']), (['--feed', 'wire'], ['a']), (['--since', '30m'], ['b']),
                (['--since', '2h'], ['a', 'b']), (['--since', '2001-02-03 04:05'], ['a', 'b']),
                (['--digest', DIGEST.upper()], ['a', 'b']), (['--limit', '1'], ['b'])):
            with self.subTest(options=options):
                self.assertEqual(0, self.cds_log('--json', *options))
                self.assertEqual(sorted(names), sorted(
                    json.loads(line)['name'] for line in self.out.splitlines()))
        self.assertEqual(1, self.cds_log('--since', '2999-01-01'))

    def test_usage(self):
        for options in ['--since', 'yesterday'], ['--digest', 'x'], ['--zcml', 'x'], ['--nothing']:
            self.assertEqual(2, self.cds_log(*options))
        self.assertEqual(2, self.cds_log(journal=False))
        self.assertEqual(0, self.cds_log('--version', journal=False))
        self.assertEqual(0, self.cds_log('--man', journal=False))
        self.assertIn('how long ago', self.out)
        self.assertNotIn('password', self.out)

    def test_no_journal(self):
        self.assertEqual(78, self.cds_log('--journal', 'mysql://x', journal=False))
        self.assertIn('cds-log: A journal is kept in SQLite or PostgreSQL', self.err)
        self.assertEqual(78, self.cds_log('--journal', '/nowhere/journal', journal=False))
        self.assertEqual('cds-log: There is no journal /nowhere/journal. It comes with the first '
                         'run that keeps it.\n', self.err)
        self.assertEqual(1, self.cds_log('--journal', str(self.directory), journal=False))
        self.assertIn('cannot be used: unable to open database file', self.err)

    def test_a_zcml_file(self):
        self.addCleanup(zope.component.testing.tearDown)
        zope.component.testing.setUp()
        site = self.directory / 'site.zcml'
        for body, status in ('', 78), ('<cds:journal url="%s" />' % self.url, 0):
            self.tell('wire', self.whole('a'))
            site.write_text(
                '<configure xmlns="http://namespaces.zope.org/zope" '
                'xmlns:cds="http://namespaces.zeit.de/cds">'
                '<include package="zeit.cds" file="meta.zcml" />%s</configure>' % body)
            self.assertEqual(status, self.cds_log('--zcml', str(site), journal=False), self.err)
