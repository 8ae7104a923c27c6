"""What README.txt tells to type works: its command lines, ZCML and Python are run against a real
server.

(The lines with bootstrap.py are what the continuous integration runs.)
"""
import os
import re
import subprocess
import sys
import textwrap
import time
import unittest
from pathlib import Path

from zeit.cds.testing.servers import PyFTPD
from zeit.cds.tests import checkout
from zeit.cds.tests.commands import LIMIT, Shell
from zeit.cds.tests.importing import put


TOP = checkout.top()
BLOCK = re.compile(r'::\n\n((?:    .*\n|\n)+)')
COMMAND = re.compile(r'(?:\* \* \* \* \*  )?(?:/opt/cds/bin/)?((?:mkdir|cds-\w+|\(umask).*)')


@unittest.skipUnless(TOP, 'there is no README.txt without a checkout')
class Readme(unittest.TestCase):

    def setUp(self):
        self.server = PyFTPD(user='newsroom', password='secret')
        self.server.start()
        self.addCleanup(self.server.stop)
        os.mkdir(os.path.join(self.server.directory, 'outgoing'))
        self.shell = Shell()
        self.addCleanup(self.shell.close)
        self.text = (TOP / 'README.txt').read_text()
        self.blocks = [textwrap.dedent(block) for block in BLOCK.findall(self.text)]

    def here(self, text):
        """The text with our server and our directory in the places of the README's."""
        server, directory = self.server, self.shell.directory
        return (text.replace('ftp://newsroom@ftp.example.org',
                             'ftp://newsroom@%s:%d' % (server.host, server.port))
                .replace("'ftp.example.org', 21", "'%s', %d" % (server.host, server.port))
                .replace('hostname="ftp.example.org"',
                         'hostname="%s" port="%d"' % (server.host, server.port))
                .replace('/srv/cds', str(directory)))

    def put(self, name):
        put(self.server.directory + '/outgoing', name, b'<nitf/>')

    def run_line(self, line):
        done = subprocess.run(
            ['/bin/sh', '-c', self.here(line)], cwd=self.shell.directory,
            env=self.shell.environment, input='secret\n',
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
        self.assertEqual(0, done.returncode, '%s\n%s' % (line, done.stdout))
        return done.stdout

    @property
    def arrived(self):
        return sorted(os.listdir(self.shell.directory / 'dpa' / 'new'))

    def prepare(self):
        """Execute the lines that come before the first import."""
        lines = [match[1] for block in self.blocks
                 for match in map(COMMAND.fullmatch, block.splitlines()) if match]
        for line in lines:
            if not line.startswith('cds-'):
                self.run_line(line)
        return [line for line in lines if line.startswith('cds-')]

    def test_its_command_lines(self):
        dry, _, cron, _ = self.prepare()
        self.put('flood.xml')
        self.assertIn('flood.xml', self.run_line(dry))
        self.assertEqual(['flood.xml'], os.listdir(self.server.directory + '/outgoing'))
        self.assertEqual('', self.run_line(cron))
        self.assertEqual(['flood.xml'], self.arrived)
        self.assertIn('Downloading: flood.xml', (self.shell.directory / 'dpa.log').read_text())
        self.assertEqual(0o600, (self.shell.directory / 'dpa.password').stat().st_mode & 0o777)

    def test_its_watch(self):
        _, watch, _, _ = self.prepare()
        self.assertTrue(watch.startswith('cds-watch '), watch)
        with subprocess.Popen(
                ['/bin/sh', '-c', 'exec ' + self.here(watch)], cwd=self.shell.directory,
                env=self.shell.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True) as process:
            self.put('flood.xml')
            log = self.shell.directory / 'dpa.log'
            while not (log.exists() and 'Exiting with success.' in log.read_text()):
                self.assertIsNone(process.poll())
                time.sleep(0.05)
            process.terminate()
            self.assertEqual('', process.communicate(timeout=LIMIT)[0])
        self.assertEqual(0, process.returncode)
        self.assertEqual(['flood.xml'], self.arrived)

    def test_its_directory_of_this_machine(self):
        line = self.prepare()[-1]
        self.assertIn(' file:///', line)
        put(self.shell.directory / 'incoming', 'photo.jpg', b'photo')
        self.assertEqual('', self.run_line(line))
        self.assertEqual(['photo.jpg'], os.listdir(self.shell.directory / 'photos' / 'new'))

    def test_its_buildout(self):
        self.prepare()
        text, = [block for block in self.blocks if block.startswith('[buildout]')]
        head = ('extends = zeit.cds/versions.cfg\nallow-picked-versions = false\n'
                'develop = zeit.cds\n')
        self.assertIn(head, text)
        self.assertNotIn('password=', text)
        text = self.here(text.replace(head, 'extends = installed.cfg\n')).replace(
            "hostname='ftp.example.org'", "hostname='%s', port=%d" % (
                self.server.host, self.server.port))
        directory = self.shell.directory
        (directory / 'buildout.cfg').write_text(text)
        (directory / 'installed.cfg').write_text(checkout.settings())
        self.assertEqual(0, checkout.run(
            sys.executable, '-c', 'import zc.buildout.buildout as b; b.main()', cwd=directory))
        self.put('flood.xml')
        name, dry = re.findall(r'``(bin/import-dpa[^`]*)``', self.text)
        self.assertIn('flood.xml', self.run_line(dry))
        self.assertEqual('', self.run_line(name))
        self.assertEqual(['flood.xml'], self.arrived)

    def test_its_zcml_and_the_command_for_it(self):
        self.prepare()
        zcml, = [block for block in self.blocks if '<cds:feed' in block]
        (self.shell.directory / 'site.zcml').write_text(self.here(zcml))
        line, = re.findall(r'``(cds-import --zcml [^`]+)``', self.text)
        self.put('vote.xml')
        self.assertEqual('', self.run_line(line))
        self.assertEqual(['vote.xml'], self.arrived)

    def test_its_python(self):
        self.prepare()
        code, = [block for block in self.blocks if 'import zeit.cds.main' in block]
        self.put('storm.xml')
        exec(self.here(code), {})
        self.assertEqual(['storm.xml'], self.arrived)

    def test_the_commands_that_it_only_mentions(self):
        self.prepare()
        options = '--password-file /srv/cds/dpa.password'
        url = 'ftp://newsroom@ftp.example.org/outgoing'
        for name in ('cds-import', 'cds-export', 'cds-lock', 'cds-watch'):
            self.assertIn('usage: ' + name, self.run_line(name + ' --help'))
        self.assertIn('``cds-lock --break read``', self.text)
        self.put('read')
        self.assertIn('read, held by unknown', self.run_line('cds-lock %s %s' % (options, url)))
        self.run_line('cds-lock --break read --yes %s %s' % (options, url))
        Path(self.shell.directory, 'dpa', 'new').mkdir()
        put(str(self.shell.directory / 'dpa/new'), 'reply.xml', b'<nitf/>')
        self.assertEqual('', self.run_line('cds-export %s /srv/cds/dpa %s' % (options, url)))
        self.assertEqual(['reply.xml'], os.listdir(self.server.directory + '/outgoing'))
