"""Servers that are not known by their greeting, and what they have to show."""
import socket
import unittest

from zeit.cds.ftp import protocol, quirks
from zeit.cds.ftp.login import says_full
from zeit.cds.ftp.tests.support import FaultySessions
from zeit.cds.interfaces import ConnectionLost, LoginRefused, TemporaryError
from zeit.cds.memory import read
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.faulty import On


FILES = {'a': b'abc', 'b': b'x'}
SHORT = 0.5     # seconds of silence


class Unknown(FaultySessions):

    def begin(self, *script, timeout=10, words=(), **kw):
        self.serve(*script, files=dict(FILES), **kw)
        self.session = self.open(self.server, timeout=timeout, quirks=words)
        return self.session.findings

    def sizes(self):
        """Ask for two at once."""
        with pipelined(self.session).batch() as batch:
            pendings = [batch.stat(name) for name in 'ab']
        return [pending.get().size for pending in pendings]


class Probe(Unknown):

    def test_earned(self):
        self.assertIs(False, self.begin().one_at_a_time)
        self.assertEqual([3, 1], self.sizes())

    def test_lost_commands(self):
        """The same session goes on."""
        findings = self.begin(On('XCDS PWD', session=1).reply(b''))
        self.assertIs(True, findings.one_at_a_time)
        self.assertEqual([3, 1], self.sizes())
        self.assertEqual(b'abc', read(self.session, 'a'))
        self.assertEqual(1, self.server.sessions)

    def test_out_of_order(self):
        findings = self.begin(On('CWD').reply('502 What is XCDS?', done=True),
                              On('XCDS').reply('250 In.'))
        self.assertIs(True, findings.one_at_a_time)
        self.assertEqual([3, 1], self.sizes())

    def test_session_that_ends(self):
        """Another does without."""
        findings = self.begin(On('XCDS').drop_control())
        self.assertIs(True, findings.one_at_a_time)
        self.assertEqual(2, self.server.sessions)
        self.assertEqual(1, len(self.server.commands('XCDS')))

    def test_further_sessions(self):
        self.begin(On('XCDS PWD').reply(b''))
        self.server.log.clear()
        self.open(self.server, like=self.session)
        self.assertEqual([], self.server.commands('XCDS'))
        self.assertEqual(1, len(self.server.commands('CWD')))

    def test_by_request(self):
        findings = self.begin(words=('no-pipelining',), character='vsftpd')
        self.assertIs(True, findings.one_at_a_time)
        self.assertEqual([], self.server.commands('XCDS'))
        self.assertFalse(findings.may_pipeline)
        self.assertEqual([3, 1], self.sizes())

    def test_feat_is_refused(self):
        self.begin(without=['FEAT'])
        self.assertEqual([3, 1], self.sizes())

    def test_who_is_known_is_not_asked(self):
        for character in 'vsftpd', 'proftpd', 'pure-ftpd', 'pyftpdlib':
            self.begin(character=character)
            self.assertEqual([], self.server.commands('XCDS OPTS'))

    def test_who_is_known_is_told_by_request(self):
        self.begin(character='vsftpd', words=('utf8', 'no-pipelining'))
        self.assertEqual(['OPTS UTF8 ON'], self.server.commands('OPTS'))


class Silence(Unknown):

    def test_with_several_commands_outstanding(self):
        findings = self.begin(On('SIZE', '[ab]', times=2).reply(b''),
                              character='vsftpd', timeout=SHORT)
        findings.lacks.add('MLST')
        with self.assertRaises(ConnectionLost) as caught:
            self.sizes()
        self.assertTrue(caught.exception.at_once)
        self.assertIs(True, findings.one_at_a_time)
        self.assertIn('timeout=0.5', str(caught.exception))
        self.session = self.open(self.server, like=self.session)
        self.assertEqual([3, 1], self.sizes())

    def test_mlst_alone(self):
        findings = self.begin(On('MLST').reply(b''), timeout=SHORT)
        with self.assertRaises(ConnectionLost) as caught:
            self.session.stat('a')
        self.assertTrue(caught.exception.at_once)
        self.assertIn('MLST', findings.lacks)
        self.session = self.open(self.server, like=self.session)
        self.assertEqual(3, self.session.stat('a').size)

    def test_feat(self):
        findings = self.begin(On('FEAT').reply(b''), timeout=SHORT)
        self.assertIn('FEAT', findings.lacks)
        self.assertEqual(2, self.server.sessions)

    def test_of_what_there_is_no_other_way_for(self):
        self.begin(On('DELE').reply(b''), timeout=SHORT)
        with self.assertRaises(ConnectionLost) as caught:
            self.session.remove('a')
        self.assertFalse(caught.exception.at_once)


class OutOfStep(Unknown):

    def test_reply_to_another_command(self):
        for character in 'plain', 'vsftpd':
            with self.subTest(character):
                findings = self.begin(On('DELE').reply('213 3'), character=character)
                with self.assertRaises(ConnectionLost) as caught:
                    self.session.remove('a')
                self.assertTrue(caught.exception.at_once)
                self.assertIs(True, findings.one_at_a_time)

    def test_counts_once(self):
        self.begin(On('DELE').reply('213 3'), words=('no-pipelining',))
        with self.assertRaises(ConnectionLost) as caught:
            self.session.remove('a')
        self.assertFalse(caught.exception.at_once)

    def test_what_belongs_to_it(self):
        for verb, code in ('SIZE', 213), ('EPSV', 229), ('EPSV', 227), ('MKD', 257), ('MKD', 250):
            self.assertIn(verb, protocol.ONLY_TO.get(code, verb))
        for verb, code in ('RETR', 229), ('SIZE', 229), ('MKD', 213), ('DELE', 350):
            self.assertNotIn(verb, protocol.ONLY_TO[code])


class Login(Unknown):

    def test_other_ways_to_say_yes(self):
        for reply in '220 In.', '200 In.', '232 In.', '230 Welcome.\r\n230 In.':
            with self.subTest(reply):
                self.begin(On('PASS').reply((reply + '\r\n').encode(), done=True))
                self.assertEqual([3, 1], self.sizes())

    def test_greeting(self):
        for greeting in (b'\xef\xbb\xbf220 Hello.\r\n',
                         b'\xef\xbb\xbf220-Hello\r\n220 .\r\n'):
            self.begin(On('GREETING').reply(greeting))
            self.assertEqual([3, 1], self.sizes())

    def test_account_is_wanted(self):
        with self.assertRaises(LoginRefused) as caught:
            self.begin(On('PASS').reply('332 Account, please.'))
        self.assertIn('ACCT', caught.exception.__notes__[0])

    def test_full_house(self):
        with self.assertRaises(TemporaryError):
            self.begin(On('PASS').reply('530 Too many users, sorry.'))

    def test_what_is_a_full_house(self):
        for text in ('Sorry, the maximum number of clients (5) are connected.', 'Too many users.',
                     'The server is busy, try again later.', 'Connection limit reached.'):
            self.assertTrue(says_full(protocol.Reply(530, text)), text)
        for text in ('Login incorrect.', 'Password wrong, try again.', 'Not logged in.',
                     'Too many wrong passwords', 'Authentication failed, try again'):
            self.assertFalse(says_full(protocol.Reply(530, text)), text)

    def test_password_expires(self):
        script = On('PASS').reply(
            b'230-Hi.\r\n230-Your password will expire in 3 days.\r\n230 In.\r\n', done=True)
        with self.assertLogs('zeit.cds', 'WARNING') as logs:
            self.begin(script)
            self.open(self.server, like=self.session)
        self.assertEqual(1, len(logs.output))
        self.assertTrue(logs.output[0].endswith('Your password will expire in 3 days.'))

    def test_firewalls_are_reminded(self):
        self.begin()
        sock = self.session.control.stream.socket
        self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        if hasattr(socket, 'TCP_KEEPIDLE'):
            self.assertEqual(60, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE))


class Lines(unittest.TestCase):
    """How replies end."""

    def test_cr_alone(self):
        reader = protocol.ReplyReader()
        reader.receive(b'220-Hello\r220 ready\r')
        self.assertIsNone(reader.next())
        self.assertTrue(reader.may_lack_lf)
        reader.be_content_with_cr()
        self.assertEqual(protocol.Reply(220, 'Hello\nready'), reader.next())
        reader.receive(b'230 in\r')
        self.assertEqual(230, reader.next().code)

    def test_lf_that_comes_later(self):
        reader = protocol.ReplyReader()
        reader.receive(b'220 ready\r')
        self.assertIsNone(reader.next())
        reader.receive(b'\n')
        self.assertEqual(220, reader.next().code)
        self.assertFalse(reader.may_lack_lf)


class Words(unittest.TestCase):
    """The setting `quirks`."""

    def test_each_has_an_effect(self):
        from zeit.cds.interfaces.settings import QUIRKS
        self.assertEqual(
            set(QUIRKS), {*quirks.BY_WORD, *quirks.LACKED, 'no-pipelining'})

    def test_outweigh_the_greeting(self):
        self.assertFalse(quirks.by_greeting('ProFTPD', ('no-telnet',)).telnet)
        self.assertTrue(quirks.by_greeting('vsFTPd', ('telnet',)).telnet)

    def test_way(self):
        self.assertEqual('PASV', quirks.WAYS[quirks.Findings(False, ('no-epsv',)).way])
