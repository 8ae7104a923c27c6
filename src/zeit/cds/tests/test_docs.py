"""The manual in docs/ can be built, without a warning."""
import importlib.util
import subprocess
import sys
import tempfile
import unittest

from zeit.cds.tests import checkout


TOP = checkout.top()


@unittest.skipUnless(TOP, 'there is no manual without a checkout')
@unittest.skipUnless(importlib.util.find_spec('sphinx'), 'Sphinx is missing')
class Build(unittest.TestCase):

    def test_it(self):
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-b', 'html',
                 str(TOP / 'docs'), directory],
                env=checkout.environment(with_path=True), text=True, capture_output=True)
        self.assertEqual((0, ''), (done.returncode, done.stdout + done.stderr))
