"""The habits that pyproject.toml writes down, held by ruff."""
import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from zeit.cds.tests import checkout


TOP = checkout.top()


def check(*paths):
    """(status, what ruff says) of these paths, by the configuration of the checkout."""
    done = subprocess.run(
        [sys.executable, '-m', 'ruff', 'check', '--no-cache', '--output-format', 'concise',
         '--config', str(TOP / 'pyproject.toml'), *map(str, paths)],
        env=checkout.environment(with_path=True), cwd=TOP, text=True, capture_output=True)
    return done.returncode, done.stdout + done.stderr


@unittest.skipUnless(TOP, 'the configuration of ruff is in the checkout')
@unittest.skipUnless(importlib.util.find_spec('ruff'), 'ruff is missing: run bootstrap.py')
class Style(unittest.TestCase):

    def test_all_of_the_checkout(self):
        status, said = check(TOP)
        self.assertEqual(0, status, said)

    def test_a_long_line_and_a_name_that_is_unknown_are_found(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, 'bad.py')
            path.write_text('a = b  # %s\n' % ('long' * 30), encoding='ascii')
            status, said = check(path)
        self.assertEqual(1, status, said)
        for text in ('E501', 'F821'):
            self.assertIn(text, said)
