"""FTP over TLS: with real servers, and with one that somebody has tampered with."""
import contextlib
import datetime
import os
import shutil
import socket
import ssl
import tempfile
import threading
import time
import unittest
import warnings
from unittest import mock

import trustme

from zeit.cds.feed import Feed
from zeit.cds.ftp.control import Control
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import ConnectionLost, UntrustedServer
from zeit.cds.main import run_import
from zeit.cds.net.stream import Stream
from zeit.cds.net.tls import Tunnel
from zeit.cds.testing.faulty.server import FaultyServer, On
from zeit.cds.testing.layers import in_ci
from zeit.cds.testing.servers import ProFTPD, PureFTPD, PyFTPD, VsFTPD
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.transfer.tests.test_faults import logged


LARGE = bytes(range(256)) * 4 * 8192        # 8 MiB
FILES = {b'large.bin': LARGE, b'empty': b'', **{b'%02d.xml' % n: b'%d\n' % n * 500 for n in range(24)}}
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class CertificateLayer:
    """`ca` is a certificate authority, `ca_file` its file; `certificate()` gives a file with key and certificate."""

    @classmethod
    def setUp(cls):
        cls.directory = tempfile.mkdtemp(prefix='zeit.cds-ca-')
        os.chmod(cls.directory, 0o755)
        cls.ca = trustme.CA()
        cls.ca_file = os.path.join(cls.directory, 'ca.pem')
        cls.ca.cert_pem.write_to_path(cls.ca_file)

    @classmethod
    def tearDown(cls):
        shutil.rmtree(cls.directory)

    @classmethod
    def certificate(cls, *names, ca=None, **kw):
        issued = (ca or cls.ca).issue_cert(*names or ('127.0.0.1',), **kw)
        path = tempfile.mktemp(dir=cls.directory, suffix='.pem')
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    @classmethod
    def context(cls, *names, **kw):
        """An ssl.SSLContext for a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.certificate(*names, **kw))
        return context


@contextlib.contextmanager
def only(version):
    """Let the client speak just this version of TLS."""
    def create_default_context(**kw):
        context = create(**kw)
        context.maximum_version = version
        return context
    create = ssl.create_default_context
    with mock.patch('zeit.cds.net.tls.ssl.create_default_context', create_default_context):
        yield


class TLSTest(unittest.TestCase):

    layer = CertificateLayer
    security = 'explicit'

    def setUp(self):
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)

    def feed(self, server, **settings):
        return Feed(**{**dict(
            store_dir=self.store_dir, hostname=server.host, port=server.port, user=server.user, timeout=10, retries=1,
            password=server.password, ftp_dir='/', security=self.security, ca_file=self.layer.ca_file), **settings})

    def run_import(self, server, **settings):
        with logged() as self.log, mock.patch('zeit.cds.transfer.retry.FIRST_PAUSE', 0.01):
            return run_import(self.feed(server, **settings))

    def published(self):
        found = contents(os.path.join(self.store_dir, 'new'))
        for name in found:
            os.unlink(os.path.join(os.fsencode(self.store_dir), b'new', name))
        return found


class RealServers(TLSTest):
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
                for connections in (1, 4):
                    with self.subTest(version=version.name, connections=connections), only(version):
                        self.check_import(server, connections=connections)
                if kind is not PyFTPD:
                    with self.subTest(version=version.name, verb='EPRT'), only(version):
                        self.check_import(server, active=True)
                with self.subTest(version=version.name, verb='STOR'), only(version):
                    self.check_store(server)

    def check_import(self, server, **settings):
        for name, data in FILES.items():
            put(server.directory, name, data)
        outcome = self.run_import(server, **settings)
        self.assertIsNone(outcome.error, self.log.text)
        self.assertEqual([], self.log.complaints)
        published = self.published()
        self.assertEqual(FILES.keys(), published.keys())
        self.assertTrue(FILES == published)
        self.assertEqual([], os.listdir(server.directory))

    def check_store(self, server):
        with FTPConnection().open(self.feed(server)) as session:
            for name, data in (('stored', b'small'), ('large', LARGE), ('nothing', b'')):
                self.assertEqual(len(data), session.store(name, data))
                self.assertEqual(data, session.load(name, limit=len(LARGE) + 1))
                session.remove(name).get()
            session.store('parts', iter([b'one, ', b'two']))
            self.assertEqual(b'one, two', session.load('parts'))
            session.remove('parts').get()


def real(kind, security):
    return lambda self: self.check(kind, security)


for kind in (VsFTPD, ProFTPD, PureFTPD, PyFTPD):
    for security in ('explicit', 'implicit') if kind.implicit else ('explicit',):
        setattr(RealServers, 'test_%s_%s' % (kind.__name__.lower(), security), real(kind, security))


class UntrustedTest(TLSTest):
    """What is refused; and nothing is sent in clear, and nothing is tried again."""

    files = {'a.xml': b'a'}

    def serve(self, *script, context=None, **kw):
        server = FaultyServer(self.files, script=script, implicit=self.security == 'implicit',
                              tls=context or self.layer.context(), **kw)
        server.start()
        self.addCleanup(server.stop)
        return server

    def check_refused(self, server, text, **settings):
        outcome = self.run_import(server, **settings)
        self.assertIsInstance(outcome.error, UntrustedServer, self.log.text)
        self.assertIn(text, self.log.text)
        self.assertNotIn('Trying again', self.log.text)
        self.assertEqual([], server.violations)
        self.assertEqual(1, server.sessions)
        self.assertEqual([], server.commands('USER PASS RETR STOR'))
        self.assertEqual({}, self.published())
        self.assertEqual({'a.xml': b'a'}, server.files.data)

    def test_wrong_host_name(self):
        self.check_refused(self.serve(context=self.layer.context('other.example')), 'cannot be trusted')

    def test_name_where_the_certificate_has_the_address(self):
        self.check_refused(self.serve(), "not valid for 'localhost'", hostname='localhost')

    def test_expired_certificate(self):
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(1)
        self.check_refused(self.serve(context=self.layer.context('127.0.0.1', not_after=yesterday)), 'expired')

    def test_unknown_authority(self):
        self.check_refused(self.serve(context=self.layer.context(ca=trustme.CA())), 'cannot be trusted')

    def test_without_ca_file_the_system_does_not_know_the_authority(self):
        self.check_refused(self.serve(), 'cannot be trusted', ca_file=None)

    def test_tls_1_1(self):
        context = self.layer.context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers('ALL:@SECLEVEL=0')
        self.check_refused(self.serve(context=context), 'No TLS with')

    def test_ca_file_that_is_none(self):
        path = os.path.join(self.layer.directory, 'empty')
        open(path, 'w').close()
        for name in ('/nonexistent', path):
            outcome = self.run_import(self.serve(), ca_file=name)
            self.assertIsInstance(outcome.error, UntrustedServer)
            self.assertIn('The CA file %s cannot be used' % name, self.log.text)


class ImplicitUntrustedTest(UntrustedTest):

    security = 'implicit'

    def test_server_without_tls(self):
        with FaultyServer(self.files) as server:
            outcome = self.run_import(server)
            self.assertIsInstance(outcome.error, UntrustedServer, self.log.text)
            self.assertEqual([], server.commands('USER PASS'))


class ExplicitTest(UntrustedTest):

    def test_auth_refused(self):
        self.check_refused(self.serve(On('AUTH').refuse()), 'The server refuses TLS: 502')

    def test_auth_refused_for_now(self):
        self.check_refused(self.serve(On('AUTH').reply('431 Busy.')), 'The server refuses TLS: 431')

    def test_auth_answered_with_plain_text_behind_it(self):
        for injected in (b'230 Logged in.\r\n', b'2'):
            server = self.serve(On('AUTH').reply(b'234 Go.\r\n' + injected))
            self.check_refused(server, 'somebody tampers')

    def test_server_that_speaks_no_tls_after_auth(self):
        server = self.serve(On('AUTH').reply('234 Go.', 'Hello').drop_control(at='replied'))
        self.check_refused(server, 'UntrustedServer')

    def test_prot_refused(self):
        server = self.serve(On('PROT').reply('536 No.'))
        outcome = self.run_import(server)
        self.assertIsInstance(outcome.error, UntrustedServer)
        self.assertEqual([], server.commands('STOR RETR MLSD NLST MKD'))
        self.assertEqual([], server.violations)

    def test_login_and_data_are_protected(self):
        server = self.serve()
        self.assertTrue(self.run_import(server).successful, self.log.text)
        self.assertEqual(['AUTH TLS', 'USER test', 'PASS ***', 'PBSZ 0', 'PROT P'], server.commands()[:5])
        self.assertEqual([], server.violations)

    def test_other_certificate_on_the_data_connection(self):
        other = self.layer.context(ca=trustme.CA())
        server = self.serve(On('RETR', 'a.xml', times=1).call(
            lambda server: vars(server).update(tls=other), at='command'))
        outcome = self.run_import(server)
        self.assertIsInstance(outcome.error, UntrustedServer, self.log.text)
        self.assertEqual({}, self.published())
        self.assertIn('a.xml', server.files)

    def test_silent_handshake(self):
        server = self.serve(On('AUTH').reply('234 Go.').stall(at='replied'))
        outcome = self.run_import(server, timeout=0.3, retries=0)
        self.assertIsInstance(outcome.error, ConnectionLost, self.log.text)
        self.assertIn('silent', str(outcome.error))

    def test_handshake_that_breaks_once_is_tried_again(self):
        server = self.serve(On('AUTH', times=1).reply('234 Go.').drop_control(at='replied'))
        self.assertTrue(self.run_import(server).successful, self.log.text)
        self.assertIn('Trying again', self.log.text)

    def test_the_tls_session_goes_on(self):
        for character in ('vsftpd', 'proftpd'):
            for version in VERSIONS:
                with self.subTest(character=character, version=version.name), only(version):
                    server = self.serve(character=character)
                    self.assertTrue(self.run_import(server).successful, self.log.text)
                    self.assertEqual({}, server.files.data)
                    self.assertEqual([b'a'], list(self.published().values()))


class LateSessionTest(TLSTest):

    files = {'%02d.xml' % n: b'a' for n in range(40)}
    serve = UntrustedTest.serve

    def test_handshake_of_a_further_session_holds_no_run_whose_files_are_all_here(self):
        server = self.serve(*(On('AUTH', session=n).reply('234 Go.').stall(at='replied') for n in range(2, 9)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            outcome = self.run_import(server, connections=4)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertLess(outcome.seconds, 4)
        self.assertEqual(40, len(self.published()))
        self.assertEqual([], [w for w in caught if w.category is ResourceWarning and 'SSLSocket' in str(w.message)])


class RaggedTest(TLSTest):
    """Data that end without TLS saying so: tolerated only if the server says 226 and the size is right."""

    data = b'x' * 5000
    serve, files = UntrustedTest.serve, {'a.xml': data}

    def check_stays(self, *script, **settings):
        server = self.serve(*script)
        outcome = self.run_import(server, **settings)
        self.assertFalse(outcome.successful, self.log.text)
        self.assertEqual({}, self.published())
        self.assertEqual({'a.xml': self.data}, server.files.data)
        self.assertEqual([], os.listdir(os.path.join(self.store_dir, 'tmp')))

    def test_whole_file_is_taken(self):
        server = self.serve(On('RETR', 'a.xml').no_close_notify())
        self.assertTrue(self.run_import(server).successful, self.log.text)
        self.assertEqual({b'a.xml': self.data}, self.published())

    def test_truncated_file_stays(self):
        self.check_stays(On('RETR', 'a.xml').truncate(1000).no_close_notify())

    def test_truncated_file_stays_where_the_listing_tells_no_size(self):
        self.check_stays(On('RETR', 'a.xml').truncate(1000).no_close_notify(), On('MLSD').facts('*', size=None))

    def test_whole_file_stays_where_nobody_knows_its_size(self):
        self.check_stays(On('RETR', 'a.xml').no_close_notify(), On('SIZE MLST', '*.xml').refuse(),
                         On('MLSD').facts('*', size=None))

    def test_whole_file_without_226_stays(self):
        self.check_stays(On('RETR', 'a.xml').no_close_notify().reply('426 Broken.', done=True))

    def test_listing(self):
        server = self.serve(On('MLSD').no_close_notify())
        self.assertTrue(self.run_import(server).successful, self.log.text)

    def test_upload(self):
        server = self.serve(On('STOR').no_close_notify())
        self.assertTrue(self.run_import(server).successful, self.log.text)


class DrippingServer(threading.Thread):
    """TLS on a pair of sockets. It does the handshake and then `act`; from `drips` on, by a byte every tenth of a second."""

    END = 20        # bytes after which it closes the connection

    def __init__(self, context, drips, act=lambda tls: None):
        super().__init__(daemon=True)
        self.socket, self._socket = socket.socketpair()
        self.socket.setblocking(False)
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_side=True)
        self._drips, self._act, self.dripped = drips, act, 0

    def run(self):
        with self._socket, contextlib.suppress(OSError):
            for moment, verb in ('handshake', self._tls.do_handshake), ('act', lambda: self._act(self._tls)):
                while not self._done(verb):
                    self._send(moment == self._drips)
                    self._received.write(self._socket.recv(65536))
                self._send(moment == self._drips)
            self._socket.recv(1)

    @staticmethod
    def _done(verb):
        try:
            verb()
        except ssl.SSLWantReadError:
            return False
        return True

    def _send(self, dripping):
        data = self._to_send.read()
        for byte in data if dripping else ():
            if self.dripped == self.END:
                raise BrokenPipeError
            self._socket.sendall(bytes([byte]))
            self.dripped += 1
            time.sleep(0.1)
        if not dripping:
            self._socket.sendall(data)


class DripTest(TLSTest):
    """A server whose bytes come now and then, but are no whole record, is as good as silent."""

    @contextlib.contextmanager
    def serve(self, *args):
        """The server, and a function that gives our TLSStream."""
        server = DrippingServer(self.layer.context(), *args)
        feed = Feed(store_dir='', hostname='127.0.0.1', user='u', ca_file=self.layer.ca_file, timeout=0.5)
        server.start()
        try:
            with server.socket:
                yield server, lambda: Tunnel(feed).wrap(Stream(server.socket, feed.timeout))
        finally:
            server.join()

    def test_handshake(self):
        with self.serve('handshake') as (server, wrap):
            self.assertRaises(TimeoutError, wrap)

    def test_data(self):
        with self.serve('act', lambda tls: tls.write(b'x' * 100)) as (server, wrap), contextlib.closing(wrap()) as stream:
            self.assertRaises(TimeoutError, stream.recv, 100)

    def test_data_into_a_buffer(self):
        with self.serve('act', lambda tls: tls.write(b'x' * 100)) as (server, wrap), contextlib.closing(wrap()) as stream:
            self.assertRaises(TimeoutError, stream.recv_into, bytearray(100))

    def test_farewell(self):
        with self.serve('act', lambda tls: tls.unwrap()) as (server, wrap), contextlib.closing(wrap()) as stream, \
                mock.patch('zeit.cds.net.tls.GOODBYE', 0.5):
            stream.finish()
            self.assertLess(server.dripped, server.END)


class CorruptTest(TLSTest):
    """What arrives is not what the server has sent: the session is of no more use, the next one is."""

    data = b'x' * 5000
    serve, files = UntrustedTest.serve, {'a.xml': data}

    def check_passes(self, rule):
        for version in VERSIONS:
            with self.subTest(version=version.name), only(version):
                server = self.serve(rule)
                self.assertTrue(self.run_import(server).successful, self.log.text)
                self.assertEqual({b'a.xml': self.data}, self.published())
                self.assertEqual(({}, []), (server.files.data, server.unused))
                self.assertIn('Trying again', self.log.text)

    def test_file(self):
        self.check_passes(On('RETR', 'a.xml', times=1).corrupt(1000))

    def test_large_file(self):
        with mock.patch('zeit.cds.transfer.worker.LARGE', 100):
            self.check_passes(On('RETR', 'a.xml', times=1).corrupt(1000))

    def test_listing(self):
        self.check_passes(On('MLSD', times=1).corrupt(10))

    def test_always(self):
        server = self.serve(On('MLSD').corrupt(10))
        self.assertIsInstance(self.run_import(server).error, ConnectionLost)
        self.assertIn('Error accessing FTP server.', self.log.text)
        self.assertEqual({'a.xml': self.data}, server.files.data)


class ContextTest(TLSTest):

    def test_is_strict(self):
        with FaultyServer(tls=self.layer.context()) as server, \
                FTPConnection().open(self.feed(server)) as session:
            context = session._control.stream.socket.context
            self.assertGreaterEqual(context.minimum_version, ssl.TLSVersion.TLSv1_2)
            self.assertEqual(ssl.CERT_REQUIRED, context.verify_mode)
            self.assertTrue(context.check_hostname)
            self.assertIsInstance(session._control, Control)
