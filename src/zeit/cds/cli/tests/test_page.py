"""cds-status for a browser: as a file, and by a server of its own."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from zeit.cds.web.tests.journals import journal, tell


SITE = """\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:cds="http://namespaces.zeit.de/cds">
<include package="zeit.cds" file="meta.zcml" />
%s
<cds:feed name="dpa" store_dir="/spool" hostname="x" user="x" expect_within="60" />
<cds:feed name="new" store_dir="/other" hostname="x" user="x" />
</configure>
"""
CALL = 'import sys; from zeit.cds.cli.status import status; sys.exit(status())'


class Page(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.journal = journal(self.directory / 'journal')
        tell(self.journal, 'dpa', 'flood.jpg', ago=600)
        tell(self.journal, 'afp', 'storm.jpg')
        self.site = self.directory / 'site.zcml'
        self.site.write_text(SITE % '<cds:journal url="%s" />' % self.journal.url)
        self.file = self.directory / 'status.html'

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, '-c', CALL, *map(str, arguments)], text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}, cwd=self.directory,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def call(self, *arguments):
        process = self.start(*arguments)
        out, self.said = process.communicate(timeout=60)
        self.assertEqual('', out)
        return process.returncode

    def test_a_file(self):
        self.assertEqual((0, ''), (
            self.call('--html', self.file, '--journal', self.journal.url), self.said))
        text = self.file.read_text()
        self.assertIn('<h1>2 feeds, all well</h1>', text)
        self.assertIn('storm.jpg', text)
        self.assertEqual(0, self.call('--html', self.file, '--zcml', self.site))
        text = self.file.read_text()
        self.assertIn('<h1>2 feeds, 1 late, silent or failed</h1>', text)
        self.assertNotIn('storm.jpg', text)
        self.assertEqual(0, self.call('--html', self.file, '--zcml', self.site, 'new'))
        self.assertNotIn('flood.jpg', self.file.read_text())

    def test_what_cannot_be_told_leaves_the_older_file(self):
        self.file.write_text('older')
        self.assertEqual(78, self.call('--html', self.file, '--journal', '/nowhere/journal'))
        self.assertIn('cds-status: There is no journal /nowhere/journal.', self.said)
        none = self.directory / 'none'
        none.write_text('no journal')
        self.assertEqual(1, self.call('--html', self.file, '--journal', none))
        self.assertRegex(self.said, '^cds-status: The journal .* cannot be used: ')
        self.assertEqual('older', self.file.read_text())
        self.assertEqual(1, self.call('--html', '/nowhere/x', '--journal', self.journal.url))
        self.assertEqual('cds-status: /nowhere/x cannot be written: No such file or directory\n',
                         self.said)

    def test_a_server(self):
        process = self.start('--http', '0', '--zcml', self.site)
        with process:
            try:
                url = re.fullmatch(r'cds-status: answering at (http://127\.0\.0\.1:\d+/)\n',
                                   process.stderr.readline())[1]
                with urllib.request.urlopen(url, timeout=60) as answer:
                    self.assertIn(b'flood.jpg', answer.read())
                with self.assertRaises(urllib.error.HTTPError) as raised:
                    urllib.request.urlopen(url + 'health', timeout=60)
                raised.exception.close()
                self.assertEqual(404, raised.exception.code)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(0, process.wait(30))
                self.assertEqual('', process.stderr.read())
            finally:
                process.kill()

    def test_what_is_wrong(self):
        for arguments, status, said in (
                (['--html', 'x'], 2, '--zcml FILE is wanted, or --journal URL'),
                (['--html', 'x', '--http', '0', '--journal', 'j'], 2, 'one at a time'),
                (['--journal', 'j'], 2, 'with --journal there is --http or --html'),
                (['--html', 'x', '--journal', 'j', 'dpa'], 2, 'NAME is for feeds that --zcml'),
                (['--http', 'here', '--journal', 'j'], 2, "'here' is no PORT or HOST:PORT"),
                (['--html', 'x', '--journal', 'mysql://x'], 78, 'is kept in SQLite or PostgreSQL'),
                (['--http', '192.0.2.1:80', '--journal', self.journal.url], 78,
                 'has no such address')):
            self.assertEqual(status, self.call(*arguments))
            self.assertIn(said, self.said)
        self.site.write_text(SITE % '')
        self.assertEqual(78, self.call('--html', 'x', '--zcml', self.site))
        self.assertIn('site.zcml declares no <cds:journal url="..."/>.', self.said)
