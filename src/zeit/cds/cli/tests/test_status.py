"""The command cds-status: a table for a person, a line for a monitor."""
import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import zope.component.testing

from zeit.cds.cli import status
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.tests.commands import arguments, environment


SITE = """\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:cds="http://namespaces.zeit.de/cds">
<include package="zeit.cds" file="meta.zcml" />
%s
<cds:feed name="dpa" store_dir="/spool" hostname="x" user="x" expect_within="900" />
<cds:feed name="afp|'=" store_dir="/spool" hostname="x" user="x" />
</configure>
"""


class Status(unittest.TestCase):

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.journal = SQLJournal(str(self.directory / 'journal'))
        self.write('<cds:journal url="%s" />' % self.journal.url)

    def write(self, body):
        self.site = self.directory / 'site.zcml'
        self.site.write_text(SITE % body)

    def tell(self, feed, ago, *events):
        now = time.time_ns() - ago * 10**9
        self.journal.load([[
            ('run', 'run-%s' % feed, feed, 'import', '/spool', 'host', 1, now, 0),
            ('whole', feed, 'a', 1, 2, None, None, None, now, now), ('published', feed, now),
            *((*event, now) for event in events)]])

    def cds_status(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
                mock.patch.object(status, 'open_standard_files', lambda: None), \
                mock.patch.object(sys, 'argv', ['cds-status', *arguments]):
            try:
                found = status.status()
            except SystemExit as e:
                found = e.code
        self.out, self.err = out.getvalue(), err.getvalue()
        return found

    def check(self):
        """(status, the line without its figures, the figures)."""
        found = self.cds_status('--zcml', str(self.site), '--check')
        [line] = self.out.splitlines()
        text, _, figures = line.partition(' | ')
        return found, text, figures

    def test_all_is_well(self):
        self.tell('dpa', 10)
        found, text, figures = self.check()
        self.assertEqual((0, 'CDS OK - 2 feeds'), (found, text))
        self.assertRegex(figures, r"^'afp____silent'=0s;; 'afp____waiting'=0 'afp____failed'=0;0 "
                                  r"'dpa_silent'=1\ds;;900 'dpa_waiting'=0 'dpa_failed'=0;0$")
        self.assertEqual(0, self.cds_status('--zcml', str(self.site)))
        self.assertEqual(['STATE', 'OK', 'OK'], [line.split()[0] for line in self.out.splitlines()])

    def test_a_silent_feed(self):
        self.tell('dpa', 1000, ('left', 'b', 'it', True))
        found, text, _ = self.check()
        self.assertEqual(2, found)
        self.assertRegex(text, r'^CDS CRITICAL - dpa: silent for 10\d\d s, 900 s are allowed$')
        self.assertEqual(1, self.cds_status('--zcml', str(self.site), '--json', 'dpa'))
        found = json.loads(self.out)
        self.assertEqual(('CRITICAL', 900, {'failed': 1, 'published': 1}), (
            found['state'], found['allowed'], found['counts']))

    def test_files_that_failed(self):
        self.tell('dpa', 10)
        self.tell("afp|'=", 10, ('left', 'b', 'it', True))
        found, text, figures = self.check()
        self.assertEqual((1, "CDS WARNING - afp/'=: 1 files failed"), (found, text))
        self.assertIn("'afp____failed'=1;0", figures)

    def test_a_journal_that_cannot_be_asked(self):
        for body in '', '<cds:journal url="/nowhere/journal" />':
            self.write(body)
            found, text, figures = self.check()
            self.assertEqual((3, ''), (found, figures))
            self.assertRegex(text, '^CDS UNKNOWN - .*journal')

    def test_output_on_a_full_disk(self):
        self.tell('dpa', 10)
        for options, expected in ([], 1), (['--check'], 3):
            with open('/dev/full', 'w') as full:
                done = subprocess.run(
                    arguments('cds-status', '--zcml', str(self.site), *options), stdout=full,
                    stderr=subprocess.PIPE, text=True, env=environment(str(self.directory)),
                    timeout=60)
            self.assertEqual(expected, done.returncode, done.stderr)
            self.assertRegex(
                done.stderr, '^cds-status: Standard output cannot be written: .*No space left')

    def test_usage(self):
        self.assertEqual(2, self.cds_status())
        self.assertEqual(78, self.cds_status('--zcml', 'missing'))
        self.assertEqual(0, self.cds_status('--version'))
        self.assertEqual(0, self.cds_status('--man'))
        self.assertIn('a plugin for Nagios', self.out)
