"""cds-lock as a process, against a real server."""
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.testing.process import free_port
from zeit.cds.tests.commands import Commands


class Lock(Commands, ServerTestCase):
    """cds-lock"""

    layer = PYFTPDLIB_LAYER

    def test_it_shows_who_holds_which_lock(self):
        self.assertEqual(0, self.run_command('cds-lock', self.url()), self.err)
        self.assertEqual('test@127.0.0.1:%d/: no lock\n' % self.server.port, self.out)
        self.put('write', b'foreign')
        self.assertEqual(0, self.run_command('cds-lock', self.url()), self.err)
        self.assertIn('write, held by unknown, written 2023-11-14 22:13:20 UTC', self.out)
        self.assertEqual(0, self.run_command('cds-lock', '--json', self.url()), self.err)
        lock, = self.printed[0]['locks']
        self.assertEqual(
            ('write', False, 1_700_000_000), (lock['name'], lock['ours'], lock['since'])
        )
        self.assertGreater(lock['age'], 0)

    def test_it_removes_a_lock_when_told_so(self):
        self.put('write', b'foreign')
        self.assertEqual(2, self.run_command('cds-lock', '--break=write', self.url()))
        self.assertIn('give --yes', self.err)
        self.assertEqual(1, self.run_command('cds-lock', '--break=read', '--yes', self.url()))
        self.assertIn('There is no lock read', self.err)
        self.assertEqual([b'write'], list(self.there))
        self.assertEqual(0, self.run_command('cds-lock', '--break=write', '--yes', self.url()))
        self.assertIn('The lock write was removed by request.', self.err)
        self.assertEqual({}, self.there)

    def test_its_statuses_are_those_of_the_others(self):
        self.assertEqual(69, self.run_command('cds-lock', self.url(port=free_port())))
        self.assertEqual(2, self.run_command('cds-lock', 'spool', self.url()))
        self.assertEqual(78, self.run_command('cds-lock', '--zcml=missing', '--all'))

    def test_it_takes_feeds_of_either_direction(self):
        site = self.site(self.directive('in') + self.directive('out', direction='export'))
        self.write('secret', self.server.password, 0o600)
        self.assertEqual(
            0,
            self.run_command('cds-lock', '--password-file=secret', '--zcml', site, '--all'),
            self.err,
        )
        self.assertEqual('in: no lock\nout: no lock\n', self.out)
