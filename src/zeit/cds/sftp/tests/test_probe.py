"""What is told of SFTP servers."""
import unittest

import zope.interface.verify

from zeit.cds.file.tests.local import Local
from zeit.cds.interfaces import IProbedConnection
from zeit.cds.sftp import packets
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.sftp.tests.odd import Odd, OddConnection
from zeit.cds.testing.layers import ServerTestCase, SSHD_LAYER
from zeit.cds.tests.commands import Commands


class Probed(Commands, ServerTestCase):
    """--probe"""

    layer = SSHD_LAYER

    def probe(self, *options):
        status = self.run_command(
            'cds-import', '--probe', '--set=connection.ssh_config=/dev/null',
            '--set=connection.known_hosts=%s' % self.server.known_hosts, *options,
            self.url(self.server.directory).replace('ftp://', 'sftp://', 1))
        self.assertEqual(0, status, self.err)

    def test_openssh(self):
        self.put('a.xml', b'a')
        self.probe('--json')
        told = dict(self.printed[0]['found'])
        self.assertIn('OpenSSH', told['server'])
        self.assertEqual('ssh-ed25519 %s' % self.server.fingerprint, told['host key'])
        self.assertEqual('password', told['login by'])
        self.assertIn('posix-rename@openssh.com', told['extensions'])
        self.assertRegex(told['space'], '^[0-9]+ MB are free$')
        self.assertRegex(told['listing'], '^1 entries in .* with their size, time, kind$')
        self.assertEqual(('yes', 'yes', '32 of 32 at once'), (
            told['sync'], told['download'], told['open files']))
        self.assertIn('a name that is taken is refused', told['rename'])
        self.assertEqual('UTF-8 and blanks: yes; Latin-1: yes', told['names'])
        self.assertEqual('opens up to 32 small files at once; syncs what it stores; locks with a '
                         'mutex, unless quirks say otherwise', told['the program'])
        self.assertEqual({b'a.xml': b'a'}, self.there)

    def test_for_people(self):
        self.probe('--quirk=no-pipelining')
        self.assertRegex(self.out, '(?m)^SFTP version: +3$')
        self.assertRegex(self.out, '(?m)^the program: +opens one file at a time;')
        self.assertNotIn(self.server.password, self.out + self.err)


class Odds(Local, unittest.TestCase):

    def told(self, **odd):
        self.session = OddConnection(Odd(**odd)).open(self.feed(), None)
        self.addCleanup(self.session.close)
        return dict(SFTPConnection().describe(self.session))

    def test_the_contract_is_kept(self):
        zope.interface.verify.verifyObject(
            IProbedConnection, IProbedConnection(SFTPConnection()), tentative=True)

    def test_bare(self):
        told = self.told()
        self.assertEqual(('none are told', 'it does not tell', 'ssh does not tell'), (
            told['extensions'], told['space'], told['server']))
        self.assertIn('no: what is stored', told['sync'])
        self.assertEqual({}, self.directory.contents())

    def test_each_file_once(self):
        told = self.told(once=True)
        self.assertEqual('yes, and the file is gone then', told['download'])
        self.assertIn('opens one file at a time', told['the program'])
        self.assertNotIn('left there', told)
        self.assertEqual({}, self.directory.contents())

    def test_few_open_files(self):
        self.assertEqual('4 of 32 at once', self.told(handles=4)['open files'])

    def test_nothing_may_be_stored(self):
        told = self.told(failing=dict.fromkeys(
            [packets.OPEN, packets.MKDIR], packets.PERMISSION_DENIED))
        self.assertIn('no: Permission denied', told['upload'])
        self.assertIn('no: Permission denied', told['directories'])
        self.assertEqual('not tried: there is no file', told['download'])
        self.assertIn('if a directory proves to be exclusive', told['the program'])

    def test_what_stays(self):
        told = self.told(failing={packets.REMOVE: packets.PERMISSION_DENIED})
        self.assertIn('.cds-probe', told['left there'])

    def test_a_session_that_ends(self):
        told = self.told(hangs_up=6)
        self.assertIn('It has ended', told['session'])
