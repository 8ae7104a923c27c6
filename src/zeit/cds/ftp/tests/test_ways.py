"""Ways to a data connection that lead nowhere, and the one that is left."""
import contextlib
import socket

from zeit.cds.ftp.quirks import PASSIVE
from zeit.cds.ftp.tests.support import Strange
from zeit.cds.interfaces import Entry, TemporaryError
from zeit.cds.memory import Memory, read
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.cases.stub import Session


ELSEWHERE = '127.0.0.2'


def closed():
    """A port where nobody listens."""
    with contextlib.closing(socket.create_server(('127.0.0.1', 0))) as listener:
        return listener.getsockname()[1]


class EPSV(Strange):

    def answering(self, text, **verbs):
        class Answering(Session):
            def do_EPSV(self, argument):
                self.say(text % {'closed': closed(), 'open': self.listen()})
        for verb, function in verbs.items():
            setattr(Answering, 'do_' + verb, function)
        return Answering

    def check(self, kind, **settings):
        """All goes by PASV from the second connection on, in further sessions as well."""
        session = self.begin(kind, **settings)
        self.assertEqual(b'abc', read(session, 'a'))
        asked, sink = [], Memory()
        pipelined(session).read(Entry('a', 3), sink, also=asked.append)
        session.write('c', b'x')
        self.assertEqual(b'x', read(self.open(self.server, like=session), 'c'))
        self.assertEqual((b'abc', 1), (bytes(sink.data), len(asked)))
        return len(self.said('EPSV'))

    def test_answers(self):
        for text in ('500 What?', '502 No.', '522 (1)', '550 No.', '200 EPSV accepted', '202 No.',
                     '400 No.', '450 No.', '501 Syntax', '425 Not now.', '229 (|||0|)',
                     '229 (|||99999|)', '229 (||%(open)d|)', '229 Entering', '227 (1,2,3)',
                     '229 (|||%(closed)d|)'):
            with self.subTest(text):
                self.assertLess(self.check(self.answering(text)), 7)

    def test_other_forms(self):
        for text in ('229 (|1|10.0.0.1|%(open)d|)', '229 Entering |||%(open)d|',
                     '229 <!!!%(open)d!>', '229 (|2|::1|%(open)d|)'):
            with self.subTest(text):
                self.check(self.answering(text))
                self.assertEqual([], self.said('PASV'))

    def test_transfers_that_do_not_see_it(self):
        """The server expects the connection elsewhere."""
        class Blind(Session):
            way = None

            def do_EPSV(self, argument):
                self.way = 'EPSV'
                super().do_EPSV(argument)

            def do_PASV(self, argument):
                self.way = 'PASV'
                super().do_PASV(argument)

            def do_RETR(self, argument):
                if self.way == 'EPSV':
                    return self.say('425 No connection.')
                super().do_RETR(argument)

        session = self.begin(Blind)
        self.assertRaises(TemporaryError, read, session, 'a')
        self.assertEqual(b'abc', read(session, 'a'))

    def test_both(self):
        """It was not the way: a firewall, or the server, has trouble."""
        def pasv(self, argument):
            self.say('227 (127,0,0,1,%d,%d)' % divmod(closed(), 256))

        session = self.begin(self.answering('229 (|||%(closed)d|)', PASV=pasv))
        with self.assertRaisesRegex(TemporaryError, 'No data connection to port .*; with PASV: No'):
            read(session, 'a')
        self.assertEqual(PASSIVE, session.findings.way)
        self.assertTrue(session.alive)

    def test_that_has_led_somewhere(self):
        """It is not given up for one port."""
        class Once(Session):
            def do_EPSV(self, argument):
                if getattr(self.server, 'spoilt', False):
                    return self.say('229 (|||%d|)' % closed())
                super().do_EPSV(argument)

        session = self.begin(Once)
        self.assertEqual(b'abc', read(session, 'a'))
        self.server.spoilt = True
        self.assertRaises(TemporaryError, read, session, 'a')
        self.server.spoilt = False
        self.assertEqual(b'abc', read(session, 'a'))
        self.assertEqual([], self.said('PASV'))


class Host(Strange):
    """PASV names another host."""

    def kind(self):
        class Elsewhere(Session):
            def do_EPSV(self, argument):
                self.say('502 No.')

            def do_PASV(self, argument):
                if self.passive:
                    self.passive.close()
                self.passive = socket.create_server((ELSEWHERE, 0))
                port = self.passive.getsockname()[1]
                self.say('227 (%s,%d,%d)' % (ELSEWHERE.replace('.', ','), *divmod(port, 256)))
        return Elsewhere

    def test_ignored(self):
        session = self.begin(self.kind())
        with self.assertRaisesRegex(TemporaryError, 'named another host, %s' % ELSEWHERE) as caught:
            read(session, 'a')
        self.assertIn('quirks="pasv-host"', caught.exception.__notes__[0])

    def test_used(self):
        session = self.begin(self.kind(), quirks=('pasv-host',))
        self.assertEqual(b'abc', read(session, 'a'))
        self.assertEqual([], self.said('EPSV'))
