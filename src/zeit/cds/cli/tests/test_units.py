"""The units for systemd in examples/, by its own tool."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from zeit.cds.tests import checkout


TOP = checkout.top()
INSTALLED = Path(os.environ.get('CDS_SYSTEMD', Path.home() / '.cache/zeit.cds/systemd'))
ANALYZE = shutil.which('systemd-analyze') or shutil.which(INSTALLED / 'systemd-analyze')
MUST_BE_THERE = os.environ.get('CI') == 'true'


@unittest.skipUnless(TOP, 'there are no examples without a checkout')
@unittest.skipUnless(ANALYZE or MUST_BE_THERE,
                     'systemd-analyze is missing: tools/install-systemd-analyze gets it')
class Units(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        for path in (TOP / 'examples').glob('*.*'):
            if path.suffix in ('.service', '.timer'):
                text = path.read_text(encoding='utf-8')
                self.directory.joinpath(path.name.replace('@', '@dpa')).write_text(
                    re.sub(r'/opt/cds/bin/[\w-]+', '/bin/sh', text))

    def analyze(self, verb, *arguments, **kw):
        done = subprocess.run([ANALYZE or 'systemd-analyze', verb, *arguments], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **kw)
        return done.returncode, done.stdout

    def test_systemd_understands_each(self):
        for path in self.directory.glob('*.service'):
            with self.subTest(path.name):
                status, said = self.analyze('verify', '--man=no', path)
                self.assertEqual([], [line for line in said.splitlines() if path.stem in line])

    def test_the_watch_is_hardly_exposed(self):
        status, said = self.analyze('security', '--offline=true', '--threshold=20',
                                    self.directory / 'cds-watch.service')
        self.assertRegex(said, r'(?m)exposure level for cds-watch\.service: \d+\.\d OK', said)
        self.assertEqual(0, status, said)
