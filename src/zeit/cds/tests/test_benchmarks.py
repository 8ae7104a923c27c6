"""The benchmarks run, and check what the programs did."""
import os
import subprocess
import sys
import unittest

from zeit.cds.testing.layers import SEAWEEDFS_LAYER, ServerTestCase
from zeit.cds.tests.checkout import top


TOP = top()


class Measured:

    def measured(self, script, *options):
        """What it prints; run as bin/py does it, without the script's directory on Python's path.
        """
        done = subprocess.run(
            [sys.executable, '-P', os.path.join(TOP, 'benchmarks', script),
             *(options or ('--files', '5', '--rounds', '1', '--servers', 'pyftpdlib'))],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
                 'PATH': '/nowhere'},
            text=True, capture_output=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout, done.stderr


@unittest.skipUnless(TOP, 'there are no benchmarks without a checkout')
class BenchmarksTest(Measured, unittest.TestCase):

    def test_import(self):
        table, told = self.measured('compare.py')
        self.assertRegex(table, r'\ncds-import \(4\) +\d+ ')
        self.assertIn('lftp is not installed: left out', told)

    def test_where_the_time_goes(self):
        told, _ = self.measured('small_file.py', '--files', '5', '--server', 'pyftpdlib')
        self.assertIn('without the profiler: 5 files, ', told)
        self.assertIn("{method 'poll' of 'select.poll' objects}", told)

    def test_startup(self):
        told, _ = self.measured('startup.py', '--rounds', '1')
        self.assertRegex(told, r'\nempty run +new +\d+\.\d \(')

    def test_export(self):
        self.assertRegex(self.measured('export.py')[0], r'\ncds-export \(1\) +\d+ ')


@unittest.skipUnless(TOP, 'there are no benchmarks without a checkout')
class Stores(Measured, ServerTestCase):
    """It starts a store of its own; the layer is there to say whether that can be."""

    layer, level = SEAWEEDFS_LAYER, 2

    def test_object_stores(self):
        table, _ = self.measured('objectstore.py')
        self.assertRegex(table, r'\ncds-import \(4\) +\d+ ')
