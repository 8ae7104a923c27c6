"""How sessions begin: the first one of a run, and those that know what it found out."""
import unittest

from zeit.cds.ftp import quirks
from zeit.cds.ftp.tests.support import FaultySessions
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    LoginRefused,
    PermanentError,
    ReplyError,
    TemporaryError,
    Unreachable,
)
from zeit.cds.memory import Memory, read
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.faulty import CHARACTERS, On


LOGIN = ['USER test', 'PASS ***']
SET_UP = ['TYPE I', 'FEAT', 'CWD /', 'EPSV']
ONE_BY_ONE = ['TYPE I', 'FEAT', 'OPTS UTF8 ON', 'CWD /', 'XCDS', 'PWD', 'EPSV']


class First(FaultySessions):

    def test_step_by_step(self):
        for character in CHARACTERS:
            with self.subTest(character):
                self.open(self.serve(character=character))
                set_up = ONE_BY_ONE if character == 'plain' else SET_UP
                self.assertEqual(LOGIN + set_up, self.server.commands())

    def test_refused(self):
        for character in CHARACTERS:
            with self.subTest(character), self.assertRaises(LoginRefused) as caught:
                self.open(self.serve(character=character), password='another')
            self.assertRegex(str(caught.exception), '^530 .*[a-z][.]?$')
            self.assertEqual(["Check user 'test' and the password on 127.0.0.1:%d."
                              % self.server.port], caught.exception.__notes__)

    def test_it_wants_tls(self):
        """The words of vsftpd, ProFTPD and pyftpdlib, Pure-FTPd, Microsoft, and FileZilla."""
        for verb, reply in (
                ('USER', '530 Non-anonymous sessions must use encryption.'),
                ('USER', '550 SSL/TLS required on the control channel.'),
                ('USER', '421 Sorry, cleartext sessions are not accepted on this server.'),
                ('PASS', '534 Local policy on server does not allow TLS to be left out.'),
                ('PASS', '530 You have to use FTP over TLS.')):
            with self.subTest(reply), self.assertRaises(LoginRefused) as caught:
                self.open(self.serve(On(verb).reply(reply)))
            self.assertIn(reply[:20], str(caught.exception))
            self.assertIn('ftpes://', caught.exception.__notes__[0])

    def test_no_greeting(self):
        for what, advice in ((On('GREETING').reply('SSH-2.0-OpenSSH_9.2'), 'sftp://'),
                             (On('GREETING').stall(), 'ftps://')):
            with self.subTest(advice), self.assertRaises(ConnectionLost) as caught:
                self.open(self.serve(what), timeout=0.2)
            self.assertIn(advice, caught.exception.__notes__[0])

    def test_not_now(self):
        for verb in 'USER', 'PASS':
            with self.assertRaises(TemporaryError):
                self.open(self.serve(On(verb).reply('430 Later.')))

    def test_no_directory(self):
        with self.assertRaises(PermanentError):
            self.open(self.serve(), ftp_dir='missing')

    def test_unfriendly_greeting(self):
        with self.assertRaises(ReplyError):
            self.open(self.serve(On('GREETING').reply('550 No.')))
        with self.assertRaises(ConnectionLost):
            self.open(self.serve(On('GREETING').reply('421 No.')))

    def test_nobody_there(self):
        server = self.serve()
        server.stop()
        self.assertRaises(Unreachable, self.open, server)

    def test_no_password_is_needed(self):
        server = self.serve(On('USER').reply('230 Welcome.'), On('CWD TYPE').reply('200 Fine.'))
        self.assertFalse(self.open(server).findings.wants_password)
        self.assertEqual([], server.commands('PASS'))

    def test_password_is_told_nobody(self):
        with self.assertRaises(ReplyError) as caught:
            self.open(self.serve(On('PASS').reply('530 testpw is wrong.')))
        self.assertEqual('530 *** is wrong.', str(caught.exception))


class Further(FaultySessions):
    """What is like another session of the run."""

    def begin(self, *script, **kw):
        self.serve(*script, files={'a': b'abc', 'b': b'x'}, **kw)
        self.first = self.open(self.server)
        self.server.log.clear()

    def further(self, **kw):
        return self.open(self.server, like=self.first, **kw)

    def test_all_at_once(self):
        self.begin()
        session = self.further()
        self.assertEqual(LOGIN + ['OPTS UTF8 ON'] + SET_UP, self.server.commands())
        self.assertEqual(b'abc', read(session, 'a'))
        self.assertEqual(self.first.latency, session.latency)

    def test_of_a_session_that_has_ended(self):
        self.begin()
        self.first.abort()
        self.assertEqual(b'abc', read(self.further(), 'a'))

    def test_of_another_kind(self):
        self.begin()
        self.first = object()
        self.assertEqual(b'abc', read(self.further(), 'a'))

    def test_server_that_does_not_like_it(self):
        """It takes what comes together with USER for nothing."""
        for reply in '530 One after the other.', '421 One after the other.', '500 What?':
            with self.subTest(reply):
                self.begin(On('USER', session=2).reply(reply))
                self.assertEqual(b'abc', read(self.further(), 'a'))
                self.assertEqual(3, self.server.sessions)

    def test_server_that_is_gone_for_a_moment(self):
        self.begin(On('CONNECT', session=2).drop_control())
        self.assertEqual(b'abc', read(self.further(), 'a'))

    def test_server_that_refuses_for_good(self):
        self.begin()
        self.server.script = [On('USER').reply('530 No.')]
        self.assertRaises(LoginRefused, self.further)
        self.assertEqual(3, self.server.sessions)

    def test_server_that_has_gone(self):
        self.begin()
        self.server.stop()
        self.assertRaises(Unreachable, self.further)

    def test_way_of_data_connections(self):
        self.begin(without=['EPSV'])
        self.further()
        self.assertEqual(LOGIN + ['OPTS UTF8 ON'] + SET_UP[:-1] + ['PASV'],
                         self.server.commands())

    def test_way_that_changes_while_another_is_asked_for(self):
        """The reply belongs to the way that was asked for."""
        self.begin()
        session = self.further()
        self.first.data.open().close()
        self.first.data.arrange()
        session.findings.way = quirks.WAYS.index('PASV')
        reply, = self.first.control.ask(('EPSV',))
        self.first.data.connect_ahead(reply)
        self.assertTrue(self.first.data.is_ahead)
        self.assertEqual(b'abc', read(self.first, 'a'))

    def test_connection_in_advance_that_leads_nowhere(self):
        """As it happens behind a firewall that looks at the beginning of packets only."""
        self.begin(On('EPSV', times=1).advertise(port=1))
        self.assertEqual(b'abc', read(self.first, 'a'))
        self.assertTrue(self.first.findings.cautious)
        session = self.further()
        self.assertEqual(SET_UP[2], self.server.commands()[-1])
        with pipelined(session).batch(ahead=True) as batch:
            batch.stat('a')
        pipelined(session).read(Entry('a', 3, None, 'file'), Memory(),
                                also=lambda batch: Entry('b'))
        self.assertEqual(2, sum(command == 'EPSV' for command in self.server.commands()))

    def test_server_that_knows_no_size(self):
        self.begin(without=['SIZE'])
        self.assertIsNotNone(self.first.stat('a'))
        self.server.log.clear()
        self.further().stat('a')
        self.assertEqual([], self.server.commands('SIZE'))


class Quirks(unittest.TestCase):

    def test_by_greeting(self):
        found = {name: quirks.by_greeting(character.greeting)
                 for name, character in CHARACTERS.items()}
        self.assertEqual(quirks.Quirks(), found['plain'])
        self.assertEqual(5, len(set(found.values())))
        self.assertEqual({'proftpd'}, {name for name in found if found[name].telnet})
        self.assertEqual({'pyftpdlib'}, {name for name in found if found[name].loses_active})
        self.assertEqual({'pyftpdlib'}, {name for name in found if found[name].refuses_late})
        self.assertEqual({'vsftpd'}, {name for name in found if found[name].batch_before_ack})

    def test_who_waits_for_stor_gets_no_data_before(self):
        for quirk in quirks.BY_GREETING.values():
            self.assertFalse(quirk.data_before_stor and quirk.stor_before_connection)
            self.assertFalse(quirk.batch_with_transfer and quirk.batch_during_retr)


class Active(FaultySessions):

    def test_who_loses_them_is_not_asked(self):
        with self.assertLogs('zeit.cds', 'WARNING') as logs:
            first = self.open(self.serve(character='pyftpdlib', files={'a': b'a'}), active=True)
            second = self.open(self.server, like=first, active=True)
        self.assertEqual(1, len(logs.output))
        self.assertEqual([b'a', b'a'], [read(first, 'a'), read(second, 'a')])
        self.assertEqual([], self.server.commands('EPRT PORT'))

    def test_who_refuses_is_asked_once(self):
        with self.assertLogs('zeit.cds', 'WARNING') as logs:
            first = self.open(self.serve(without=['EPRT', 'PORT'], files={'a': b'a'}), active=True)
            self.assertEqual(b'a', read(first, 'a'))
            self.open(self.server, like=first, active=True)
        self.assertEqual(1, len(logs.output))
        self.assertEqual(2, len(self.server.commands('EPRT PORT')))
