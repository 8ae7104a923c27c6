"""--probe as a process, and what it tells of strange servers."""
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.testing.process import free_port
from zeit.cds.tests.commands import Commands


class Probe(Commands, ServerTestCase):
    """--probe"""

    layer = PYFTPDLIB_LAYER

    def test_each_command_has_it(self):
        for command in 'cds-import', 'cds-export', 'cds-lock':
            self.assertEqual(0, self.run_command(command, '--probe', self.url()), self.err)
            self.assertIn('known: pyftpdlib', self.out)
            self.assertRegex(self.out, '(?m)^the program: +sends several commands in one write')
            self.assertNotIn(self.server.password, self.out + self.err)
            self.assertEqual({}, self.there)

    def test_files_stay(self):
        self.put('a.xml', b'a')
        self.put('read', b'foreign')
        self.assertEqual(0, self.run_command('cds-import', '--probe', self.url()), self.err)
        self.assertIn('MLSD by EPSV, 2 entries', self.out)
        self.assertEqual({b'a.xml', b'read'}, set(self.there))

    def test_for_programs(self):
        self.assertEqual(0, self.run_command('cds-lock', '--probe', '--json', self.url()), self.err)
        told = dict(self.printed[0]['found'])
        self.assertEqual('yes', told['download'])
        self.assertEqual(0, self.printed[0]['status'])

    def test_settings_hold(self):
        self.assertEqual(0, self.run_command(
            'cds-import', '--probe', '--quirk=no-epsv', '--quirk=no-mlsd', self.url()), self.err)
        self.assertIn('NLST by PASV', self.out)
        self.assertRegex(self.out, '(?m)^settings: .*quirks no-epsv, no-mlsd$')

    def test_word_that_there_is_not(self):
        self.assertEqual(2, self.run_command('cds-import', '--quirk=no-ftp', 'spool', self.url()))
        self.assertIn('no-pipelining, no-epsv', self.err)

    def test_statuses(self):
        self.assertEqual(69, self.run_command('cds-import', '--probe', self.url(port=free_port())))
        self.assertEqual(2, self.run_command('cds-import', '--probe', 'spool', self.url()))
        self.assertEqual(78, self.run_command('cds-import', '--probe', 'file:///'))
        self.assertIn("'file' cannot tell", self.err)
