"""FTP over TLS: with real servers, and with one that somebody has tampered with."""
import datetime
import os
import ssl
import threading

import trustme

from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    PermanentError,
    RunLimitReached,
    TemporaryError,
    UntrustedServer,
)
from zeit.cds.memory import Memory, read
from zeit.cds.net.tests.certificates import only, TLSTest, VERSIONS
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.faulty import FaultyServer, On
from zeit.cds.testing.layers import in_ci
from zeit.cds.testing.servers import ProFTPD, PureFTPD, PyFTPD, VsFTPD
from zeit.cds.transfer.retry import Deadline


LARGE = bytes(range(256)) * 4 * 8192        # 8 MiB
FILES = {'large.bin': LARGE, 'empty': b'', **{'%02d.xml' % n: b'%d\n' % n * 500 for n in range(3)}}


class Sessions(TLSTest):

    files = {'a.xml': b'x' * 5000}

    def serve(self, *script, context=None, **kw):
        server = FaultyServer(self.files, script=script, implicit=self.security == 'implicit',
                              tls=context or self.layer.context(), **kw)
        server.start()
        self.addCleanup(server.stop)
        return server

    def open(self, server, like=None, deadline=None, **settings):
        session = FTPConnection().open(
            self.feed(server, **settings), deadline or Deadline(60), like)
        self.addCleanup(session.close)
        return session


class RealServers(Sessions):
    """Tests for each server are added below."""

    def check(self, kind, security):
        missing = kind.missing(security)
        if missing:
            if in_ci():
                self.fail(missing)
            self.skipTest(missing)
        self.security = security
        with kind(tls=security, certificate=self.layer.certificate()) as server:
            for version in VERSIONS:
                for active in (False, True) if kind is not PyFTPD else (False,):
                    with self.subTest(version=version.name, active=active), only(version):
                        self.check_files(server, active)

    def check_files(self, server, active):
        first = self.open(server, active=active)
        for session in first, self.open(server, like=first, active=active):
            self.check_session(session)

    def check_session(self, session):
        shared = pipelined(session)
        for name, data in FILES.items():
            asked = self.transfer(shared.write, name, [data], name=name)
            self.assertEqual(len(data), asked.size)
        entries = sorted(shared.entries(also=lambda batch: Entry('')))
        self.assertEqual(sorted(FILES), [entry.name for entry in entries])
        for entry, following in zip(entries, [*entries[1:], None]):
            entry = entry._replace(size=len(FILES[entry.name]))
            sink = Memory(len(LARGE) + 1)
            self.transfer(shared.read, entry, sink, name=entry.name, following=following)
            self.assertTrue(FILES[entry.name] == sink.data)
        for name in FILES:
            session.remove(name)
        self.assertEqual([], list(session.entries()))

    def transfer(self, verb, *args, name, following=None):
        """Do it; returns what the server says of the file then."""
        pendings = []

        def also(batch):
            pendings.append(batch.stat(name))
            return following

        verb(*args, also=also)
        return pendings[0].get()


def real(kind, security):
    return lambda self: self.check(kind, security)


for kind in (VsFTPD, ProFTPD, PureFTPD, PyFTPD):
    for security in ('explicit', 'implicit') if kind.implicit else ('explicit',):
        setattr(RealServers, 'test_%s_%s' % (kind.__name__.lower(), security),
                real(kind, security))


class UntrustedTest(Sessions):
    """What is refused; and nothing is sent in clear, and nothing is tried again."""

    def check_refused(self, server, text, advice='', **settings):
        with self.assertRaisesRegex(UntrustedServer, text) as caught:
            self.open(server, **settings)
        self.assertIn(advice, ' '.join(getattr(caught.exception, '__notes__', ())))
        self.assertEqual([], server.violations)
        self.assertEqual(1, server.sessions)
        self.assertEqual([], server.commands('USER PASS RETR STOR'))

    def test_wrong_host_name(self):
        self.check_refused(self.serve(context=self.layer.context('other.example')),
                           'cannot be trusted', 'the name that is in the certificate')

    def test_name_where_the_certificate_has_the_address(self):
        self.check_refused(self.serve(), "not valid for 'localhost'",
                           'the name that is in the certificate', hostname='localhost')

    def test_expired_certificate(self):
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(1)
        context = self.layer.context('127.0.0.1', not_after=yesterday)
        self.check_refused(self.serve(context=context), 'expired', 'for a new one')

    def test_unknown_authority(self):
        context = self.layer.context(ca=trustme.CA())
        self.check_refused(self.serve(context=context), 'cannot be trusted', 'as ca_file')

    def test_without_ca_file_the_system_does_not_know_the_authority(self):
        self.check_refused(self.serve(), 'cannot be trusted', ca_file=None)

    def test_tls_1_1(self):
        context = self.layer.context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers('ALL:@SECLEVEL=0')
        self.check_refused(self.serve(context=context), 'No TLS with', 'TLS 1.2 or newer')

    def test_ca_file_that_is_none(self):
        path = os.path.join(self.layer.directory, 'empty')
        open(path, 'w').close()
        for name in ('/nonexistent', path):
            with self.assertRaisesRegex(
                    UntrustedServer, 'CA file %s cannot be used' % name) as caught:
                self.open(self.serve(), ca_file=name)
            self.assertIn('format PEM', caught.exception.__notes__[0])

    def test_a_further_session_does_not_try_another_way(self):
        server = self.serve()
        first = self.open(server)
        server.tls = self.layer.context(ca=trustme.CA())
        with self.assertRaisesRegex(UntrustedServer, 'cannot be trusted'):
            self.open(server, like=first)
        self.assertEqual(2, server.sessions)


    def test_no_newer_version_by_request(self):
        for words, version in ((), 'TLSv1.3'), (('tls12',), 'TLSv1.2'):
            session = self.open(self.serve(), quirks=words)
            self.assertEqual(version, session.control.stream.socket.version())


class ImplicitUntrustedTest(UntrustedTest):

    security = 'implicit'

    def test_server_without_tls(self):
        with FaultyServer(self.files) as server:
            with self.assertRaisesRegex(UntrustedServer, 'No TLS with') as caught:
                self.open(server)
            self.assertIn('ftpes://', caught.exception.__notes__[0])
            self.assertEqual([], server.commands('USER PASS'))


class ExplicitTest(Sessions):

    check_refused = UntrustedTest.check_refused

    def test_auth_refused(self):
        self.check_refused(self.serve(On('AUTH').refuse()), 'The server refuses TLS: 502')

    def test_auth_refused_for_now(self):
        self.check_refused(self.serve(On('AUTH').reply('431 Busy.')),
                           'The server refuses TLS: 431')

    def test_auth_answered_with_plain_text_behind_it(self):
        for injected in (b'230 Logged in.\r\n', b'2'):
            server = self.serve(On('AUTH').reply(b'234 Go.\r\n' + injected))
            self.check_refused(server, 'somebody tampers')

    def test_server_that_speaks_no_tls_after_auth(self):
        server = self.serve(On('AUTH').reply('234 Go.', 'Hello').drop_control(at='replied'))
        self.check_refused(server, 'somebody tampers|No TLS with')

    def test_prot_refused(self):
        server = self.serve(On('PROT').reply('536 No.'))
        self.assertRaises(UntrustedServer, self.open, server)
        self.assertEqual([], server.commands('STOR RETR MLSD NLST MKD'))
        self.assertEqual([], server.violations)

    def test_login_and_data_are_protected(self):
        server = self.serve()
        session = self.open(server)
        self.assertEqual(5000, session.read('a.xml', Memory()))
        session.write('b.xml', b'b')
        self.assertEqual(['AUTH TLS', 'USER test', 'PASS ***', 'PBSZ 0', 'PROT P'],
                         server.commands()[:5])
        self.assertEqual([], server.violations)

    def test_other_certificate_on_the_data_connection(self):
        server = self.serve()
        session = self.open(server)
        server.tls = self.layer.context(ca=trustme.CA())
        sink = Memory()
        self.assertRaises(UntrustedServer, session.read, 'a.xml', sink)
        self.assertEqual(b'', sink.data)
        self.assertFalse(session.alive)

    def test_silent_handshake(self):
        server = self.serve(On('AUTH').reply('234 Go.').stall(at='replied'))
        with self.assertRaisesRegex(ConnectionLost, 'silent'):
            self.open(server, timeout=0.3)
        with self.assertRaises(RunLimitReached):
            self.open(server, deadline=Deadline(0.3))

    def test_handshake_that_breaks(self):
        server = self.serve(On('AUTH', times=1).reply('234 Go.').drop_control(at='replied'))
        self.assertRaises(ConnectionLost, self.open, server)
        self.open(server)

    def test_the_tls_session_goes_on(self):
        for character in ('vsftpd', 'proftpd'):
            for version in VERSIONS:
                with self.subTest(character=character, version=version.name), only(version):
                    session = self.open(self.serve(character=character))
                    for _ in range(3):
                        self.assertEqual(5000, session.read('a.xml', Memory()))

    def test_context_is_strict(self):
        context = self.open(self.serve()).control.stream.socket.context
        self.assertGreaterEqual(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        self.assertEqual(ssl.CERT_REQUIRED, context.verify_mode)
        self.assertTrue(context.check_hostname)


class RaggedTest(Sessions):
    """Data that end without TLS saying so: tolerated only if the size is right."""

    entry = Entry('a.xml', 5000, None, 'file')

    def check_refused(self, *script):
        for character in 'plain', 'pure-ftpd', 'pyftpdlib':
            session = self.open(self.serve(*script, character=character))
            self.assertRaises(TemporaryError, session.read, 'a.xml', Memory())
            asked = []
            self.assertRaises(TemporaryError, pipelined(session).read, self.entry, Memory(),
                              also=asked.append)
            self.assertEqual(1, len(asked))
            self.assertTrue(session.alive)

    def test_whole_file_is_taken(self):
        session = self.open(self.serve(On('RETR').no_close_notify()))
        self.assertEqual(self.files['a.xml'], read(session, 'a.xml'))
        pipelined(session).read(self.entry, Memory(), also=lambda batch: None)

    def test_truncated_file(self):
        self.check_refused(On('RETR').truncate(1000).no_close_notify())

    def test_whole_file_where_nobody_knows_its_size(self):
        self.check_refused(On('RETR').no_close_notify(), On('SIZE MLST').refuse())

    def test_whole_file_without_226(self):
        self.check_refused(On('RETR').no_close_notify().reply('426 Broken.', done=True))

    def test_listing_and_upload(self):
        session = self.open(self.serve(On('MLSD STOR').no_close_notify()))
        self.assertEqual(1, len(list(session.entries())))
        session.write('b', b'b')


class CorruptTest(Sessions):
    """What arrives is not what the server has sent: the session is of no more use."""

    def check_lost(self, verb, read):
        for version in VERSIONS:
            with self.subTest(version=version.name), only(version):
                server = self.serve(On(verb, times=1).corrupt(10))
                session = self.open(server)
                self.assertRaises(ConnectionLost, read, session)
                self.assertFalse(session.alive)
                read(self.open(server, like=session))

    def test_file(self):
        self.check_lost('RETR', lambda session: session.read('a.xml', Memory()))

    def test_listing(self):
        self.check_lost('MLSD', lambda session: list(session.entries()))


class AbortTest(Sessions):
    """Another thread ends a session: its verb raises ConnectionLost."""

    def check(self, verb, name, **when):
        asked = threading.Event()
        server = self.serve(On(verb, name).call(lambda server: asked.set(), **when).stall(**when))
        session = self.open(server, timeout=60)
        thread = threading.Thread(target=lambda: asked.wait(60) and session.abort())
        thread.start()
        with self.assertRaises(ConnectionLost) as caught:
            session.read(name, Memory())
        self.assertNotIn('silent', str(caught.exception))
        thread.join()
        self.assertFalse(session.alive)
        self.assertRaises(ConnectionLost, session.stat, name)
        self.assertRaises(PermanentError, read, self.open(server), 'missing')

    def test_reply(self):
        self.check('RETR', 'a.xml', at='command')

    def test_data(self):
        self.check('RETR', 'a.xml', after_bytes=1000)
