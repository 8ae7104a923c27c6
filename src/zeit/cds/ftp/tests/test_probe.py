"""What is told of servers that lack something."""
from zeit.cds.ftp import probe
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.ftp.tests.support import FaultySessions
from zeit.cds.testing.faulty import On


class Probe(FaultySessions):

    def told(self, *script, words=(), **kw):
        self.serve(*script, files={'a': b'abc'}, **kw)
        found = dict(FTPConnection().describe(self.open(self.server, quirks=words, timeout=2)))
        self.assertEqual({'a'}, set(self.server.files.data))
        self.assertEqual({}, dict(self.server.directories))
        return found

    def test_nothing_strange(self):
        told = self.told()
        self.assertEqual('yes (it passed a probe)', told['several commands'])
        self.assertEqual(['yes'] * 4, [
            told[subject] for subject in ('EPSV', 'PASV', 'upload', 'download')])
        self.assertIn('locks with a mutex', told['the program'])

    def test_one_command_at_a_time(self):
        told = self.told(On('XCDS PWD', times=2).reply(b''))
        self.assertIn('one at a time', told['several commands'])
        self.assertIn('sends one command in one write', told['the program'])

    def test_way_that_leads_nowhere(self):
        told = self.told(On('EPSV').reply('229 Fine (|||1|)'))
        self.assertIn('port 1 does not answer', told['EPSV'])
        self.assertEqual('yes', told['PASV'])

    def test_host_of_its_own(self):
        told = self.told(On('PASV').reply('227 Fine (10,1,2,3,0,1)'))
        self.assertIn('10.1.2.3', told['PASV'])
        self.assertIn('pasv-host', told['PASV'])

    def test_account_that_may_only_read(self):
        told = self.told(On('STOR MKD').reply('550 Permission denied.'))
        self.assertEqual('no: 550 Permission denied.', told['upload'])
        self.assertEqual('not tried: there is no file', told['rename'])
        self.assertIn('550 Permission denied', told['directories'])

    def test_mkd_that_proves_nothing(self):
        told = self.told(On('MKD', skip=1).reply('257 Made.'))
        self.assertIn('without a mutex', told['the program'])

    def test_words(self):
        self.assertIn('without a mutex, as quirks say',
                      self.told(words=('no-mutex',))['the program'])

    def test_session_that_ends(self):
        """What was made is told of."""
        self.serve(On('RETR').drop_control(), files={'a': b'abc'})
        told = dict(FTPConnection().describe(self.open(self.server)))
        self.assertIn('ended', told['session'])
        self.assertEqual(probe.FILE, told['left there'])

    def test_what_a_server_says_may_be_a_trap(self):
        told = self.told(On('SYST').reply('215 \x1b[2J'))
        self.assertNotIn('\x1b', told['system'])
