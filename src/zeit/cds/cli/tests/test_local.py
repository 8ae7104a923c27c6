"""A directory on this machine, or on a share, as the server: file:///DIRECTORY."""
import os
import shutil
import tempfile
import unittest

from zeit.cds.tests.commands import Commands


class Directory:
    """What stands for the server."""

    user, host, port, password = '', '', 0, ''

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix='zeit.cds-local-')


class Local(Commands, unittest.TestCase):

    def setUp(self):
        self.server = Directory()
        self.addCleanup(shutil.rmtree, self.server.directory)
        super().setUp()
        self.place = 'file://' + self.server.directory

    def test_import_needs_no_password(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.run_command('cds-import', self.store_dir, self.place), self.err)
        self.assertEqual(('', ''), (self.out, self.err))
        self.assertEqual(({b'a.xml': b'a'}, {}), (self.published, self.there))

    def test_export(self):
        self.put('a.xml', b'a')
        self.assertEqual(0, self.run_command('cds-import', self.store_dir, self.place), self.err)
        self.assertEqual(0, self.run_command('cds-export', self.store_dir, self.place), self.err)
        self.assertEqual({b'a.xml': b'a'}, self.there)

    def test_a_lock_is_heeded_shown_and_removed(self):
        self.put('write', b'foreign')
        self.assertEqual(75, self.run_command('cds-import', self.store_dir, self.place), self.err)
        self.assertEqual(0, self.run_command('cds-lock', self.place), self.err)
        self.assertIn('write, held by unknown', self.out)
        self.assertEqual(0, self.run_command('cds-lock', '--break=write', '--yes', self.place))
        self.assertEqual([], os.listdir(self.server.directory))

    def test_it_cannot_be_probed(self):
        self.assertEqual(78, self.run_command('cds-import', '--probe', self.place))
        self.assertIn("The connection 'file' cannot tell about its server. For a bug report, send "
                      'what a dry run prints with -vv.', self.err)
