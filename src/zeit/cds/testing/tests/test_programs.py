"""The servers that tests run against: their TLS, how they begin and end."""
import ftplib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import trustme

from zeit.cds.testing.client import TLSClient
from zeit.cds.testing.layers import BESIDE_LAYER, in_ci
from zeit.cds.testing.servers import PureFTPD, PyFTPD, SERVERS, StartError, VsFTPD
from zeit.cds.testing.tests.transfers import fetch, listens, names, store


class Authority:
    """Layer: a certificate authority, and a certificate for 127.0.0.1."""

    @classmethod
    def setUp(cls):
        cls.ca = trustme.CA()
        cls.directory = tempfile.mkdtemp()
        cls.certificate = os.path.join(cls.directory, 'server.pem')
        cls.ca.issue_cert('127.0.0.1').private_key_and_cert_chain_pem.write_to_path(
            cls.certificate)

    @classmethod
    def tearDown(cls):
        shutil.rmtree(cls.directory)


class TLS(unittest.TestCase):
    """Explicit and implicit TLS of each server."""

    layer = Authority

    def serve(self, kind, tls):
        missing = kind.missing(tls)
        if missing:
            self.assertFalse(in_ci(), missing)
            self.skipTest(missing)
        server = kind(tls=tls, certificate=self.layer.certificate)
        server.start()
        self.addCleanup(server.stop)
        return server

    def context(self):
        context = ssl.create_default_context()
        self.layer.ca.configure_trust(context)
        return context

    def check_transfer(self, server):
        ftp = server.connect(context=self.context())
        self.addCleanup(ftp.close)
        for content in (b'one', b'two' * 100000):
            store(ftp, 'a.xml', content)
            self.assertEqual(content, fetch(ftp, 'a.xml'))
        self.assertEqual({'a.xml'}, names(ftp))

    def check_required(self, server):
        plain = ftplib.FTP()
        self.addCleanup(plain.close)
        plain.connect(server.host, server.port, timeout=20)
        with self.assertRaises((ftplib.Error, EOFError)):
            plain.login(server.user, server.password)

    def check_reuse_is_demanded(self, server):

        class Forgetful(TLSClient):
            ntransfercmd = ftplib.FTP_TLS.ntransfercmd

        ftp = Forgetful(context=self.context())
        self.addCleanup(ftp.close)
        ftp.connect(server.host, server.port, timeout=20)
        ftp.login(server.user, server.password)
        ftp.prot_p()
        with self.assertRaises((ftplib.Error, OSError)):
            store(ftp, 'a.xml', b'content')

    def test_only_a_certificate_of_a_known_authority_is_believed(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.serve(PyFTPD, 'explicit').connect(context=ssl.create_default_context())

    def test_tls_needs_a_certificate(self):
        with self.assertRaisesRegex(ValueError, 'certificate'):
            PyFTPD(tls='explicit')

    def test_pureftpd_has_no_implicit_tls(self):
        self.assertFalse(PureFTPD.implicit)
        with self.assertRaisesRegex(ValueError, 'implicit'):
            PureFTPD(tls='implicit', certificate=self.layer.certificate)


def tls_test(kind, tls):
    def test(self):
        server = self.serve(kind, tls)
        self.check_transfer(server)
        if tls == 'explicit':
            self.check_required(server)
        if tls == 'explicit' and kind.name in ('vsftpd', 'ProFTPD'):
            self.check_reuse_is_demanded(server)
    return test


for kind in SERVERS:
    for tls in ('explicit', 'implicit'):
        if tls == 'explicit' or kind.implicit:
            setattr(TLS, 'test_%s_%s' % (kind.__name__.lower(), tls), tls_test(kind, tls))


class Programs(unittest.TestCase):
    """How servers begin and end."""

    layer = BESIDE_LAYER

    def test_a_killed_process_leaves_no_server_behind(self):
        kinds = [kind for kind in SERVERS if not kind.missing()]
        code = '''if True:
            import os, sys
            from zeit.cds.testing import servers
            for name in sys.argv[1:]:
                server = getattr(servers, name)()
                server.start()
                globals()[name] = server, server.connect()
                print(server.port, *server.leftovers(), flush=True)
            sys.stdin.read()
        '''
        with subprocess.Popen(
                [sys.executable, '-c', code] + [kind.__name__ for kind in kinds],
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
                text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            started = [child.stdout.readline().split() for kind in kinds]
            child.kill()
        for port, *paths in started:
            self.wait_while(listens, int(port))
            for path in paths:
                self.wait_while(os.path.exists, path)

    def wait_while(self, condition, argument):
        end = time.monotonic() + 20
        while condition(argument):
            self.assertLess(time.monotonic(), end, '%s is still there' % argument)
            time.sleep(0.01)

    def test_a_program_that_does_not_start_tells_why(self):
        server = PyFTPD('/no/such/directory')
        with self.assertRaisesRegex(
                StartError, "(?s)pyftpdlib did not start on port .*'/no/such/directory'"):
            server.start()
        self.assertIsNone(server.pid)

    def test_a_second_start_is_refused(self):
        with PyFTPD() as server:
            with self.assertRaisesRegex(StartError, 'already running on port %d' % server.port):
                server.start()

    def test_stop_removes_the_temporary_directory(self):
        server = PyFTPD()
        server.start()
        directory, port = server.directory, server.port
        server.stop()
        server.stop()
        self.assertFalse(os.path.exists(directory))
        self.assertFalse(listens(port))
        self.assertIsNone(server.pid)

    def test_a_given_directory_stays(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, 'a.xml'), 'w'):
                pass
            with PyFTPD(directory) as server:
                ftp = server.connect()
                self.assertEqual({'a.xml'}, names(ftp))
                ftp.close()
            self.assertEqual(['a.xml'], os.listdir(directory))

    def test_settings_change_the_program(self):
        with PyFTPD(settings={'banner': 'Guten Tag.'}) as server:
            ftp = server.connect()
            self.addCleanup(ftp.close)
            self.assertEqual('220 Guten Tag.', ftp.getwelcome())

    def test_other_accounts(self):
        for kind in SERVERS:
            with self.subTest(kind.name):
                if kind.missing():
                    continue
                with kind(user='wire', password='other-5') as server:
                    server.connect().quit()
                    with self.assertRaisesRegex(ftplib.error_perm, '^530 '):
                        server.connect(password='testpw')

    def test_vsftpd_takes_no_password_that_its_configuration_would_misread(self):
        with self.assertRaisesRegex(ValueError, 'letters'):
            VsFTPD(password='with space')
