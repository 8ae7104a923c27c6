"""The servers that tests run against: what they allow, how they begin and end."""
import contextlib
import ftplib
import io
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import trustme

import zeit.cds.testing
from zeit.cds.testing.client import TLSClient
from zeit.cds.testing.layers import in_ci
from zeit.cds.testing.servers import PureFTPD, PyFTPD, Server, SERVERS, StartError, VsFTPD


def names(ftp, directory='/'):
    """Return the names in a directory of the server, set of str."""
    ftp.cwd(directory)
    return set(ftp.nlst()) - {'.', '..'}


def store(ftp, name, content):
    ftp.storbinary('STOR ' + name, io.BytesIO(content))


def fetch(ftp, name, **kw):
    received = io.BytesIO()
    ftp.retrbinary('RETR ' + name, received.write, **kw)
    return received.getvalue()


def listens(port, host='127.0.0.1'):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


class Behaviour:
    """What a server must allow, whichever it is."""

    def setUp(self):
        self.ftp = self.server.connect()
        self.addCleanup(self.ftp.close)

    def path(self, *name):
        return os.path.join(self.server.directory, *name)

    def put(self, name, content=b'', mtime=None):
        with open(self.path(name), 'wb') as f:
            f.write(content)
        if mtime is not None:
            os.utime(self.path(name), (mtime, mtime))

    def test_a_file_comes_and_goes(self):
        store(self.ftp, 'Straße 1.xml', b'one')
        self.assertEqual({'Straße 1.xml'}, names(self.ftp))
        self.assertEqual(b'one', fetch(self.ftp, 'Straße 1.xml'))
        self.ftp.delete('Straße 1.xml')
        self.assertEqual([], os.listdir(self.server.directory))

    def test_files_of_the_tests_can_be_read_and_removed(self):
        os.mkdir(self.path('sub'))
        self.put('sub/a.xml', b'content')
        self.assertEqual(b'content', fetch(self.ftp, 'sub/a.xml'))
        self.ftp.delete('sub/a.xml')
        self.ftp.rmd('sub')
        self.assertEqual([], os.listdir(self.server.directory))

    def test_the_files_of_the_server_can_be_read_and_removed_by_the_tests(self):
        self.ftp.mkd('sub')
        store(self.ftp, 'sub/a.xml', b'content')
        with open(self.path('sub', 'a.xml'), 'rb') as f:
            self.assertEqual(b'content', f.read())
        os.unlink(self.path('sub', 'a.xml'))
        self.assertEqual(set(), names(self.ftp, 'sub'))

    def test_commands_of_an_import_are_allowed(self):
        self.put('a.xml', b'0123456789', mtime=10 ** 9)
        self.ftp.voidcmd('TYPE I')
        self.assertEqual(10, self.ftp.size('a.xml'))
        self.assertEqual('213 20010909014640', self.ftp.sendcmd('MDTM a.xml'))
        self.assertEqual(b'6789', fetch(self.ftp, 'a.xml', rest=6))
        self.ftp.rename('a.xml', 'b.xml')
        self.ftp.storbinary('APPE b.xml', io.BytesIO(b'more'))
        self.assertEqual(b'0123456789more', fetch(self.ftp, 'b.xml'))

    def test_the_facts_of_a_listing(self):
        self.put('a.xml', b'0123456789', mtime=10 ** 9)
        if self.server.name == 'vsftpd':
            with self.assertRaisesRegex(ftplib.error_perm, '^500 '):
                list(self.ftp.mlsd())
            return
        facts = dict(self.ftp.mlsd())['a.xml']
        self.assertEqual(('10', '20010909014640'), (facts['size'], facts['modify'][:14]))

    def test_a_wrong_password_is_refused(self):
        with self.assertRaisesRegex(ftplib.error_perm, '^530 '):
            self.server.connect(password='wrong')

    def test_nothing_above_its_directory_is_shown(self):
        self.ftp.cwd('/')
        with contextlib.suppress(ftplib.error_perm):
            self.ftp.cwd('..')
        self.assertEqual('/', self.ftp.pwd())

    def test_twenty_sessions_at_once(self):
        self.put('a.xml')
        sessions = [self.server.connect() for _ in range(20)]
        for session in sessions:
            self.addCleanup(session.close)
        self.assertEqual([{'a.xml'}] * 20, [names(session) for session in sessions])

    def test_a_listing_of_many_files(self):
        expected = {'%05d.xml' % number for number in range(20000)}
        self.put('00000.xml')
        for name in expected - {'00000.xml'}:
            os.link(self.path('00000.xml'), self.path(name))
        self.assertEqual(expected, names(self.ftp))

    def test_it_restarts_on_its_port(self):
        self.put('a.xml')
        port, pid = self.server.port, self.server.pid
        self.server.restart()
        with self.assertRaises((EOFError, OSError)):
            self.ftp.pwd()
        self.assertEqual(port, self.server.port)
        self.assertNotEqual(pid, self.server.pid)
        again = self.server.connect()
        self.addCleanup(again.close)
        self.assertEqual({'a.xml'}, names(again))

    def test_clear_removes_odd_leftovers(self):
        os.mkdir(self.path('closed'))
        self.put('closed/a.xml')
        os.chmod(self.path('closed'), 0)
        os.symlink('nowhere', self.path('link'))
        os.mkfifo(self.path('fifo'))
        self.put(os.fsdecode(b'\xe4\xff.xml'))
        os.chmod(self.server.directory, 0o500)
        self.server.clear()
        self.assertEqual([], os.listdir(self.server.directory))
        store(self.ftp, 'works', b'')


class RestartedByTheLayer(zeit.cds.testing.ServerTestCase):
    """A test may leave its server dead."""

    layer = zeit.cds.testing.VSFTPD_LAYER

    def test_it_lives_when_the_next_test_begins(self):
        pid, port = self.server.pid, self.server.port
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.layer.testSetUp()
        self.assertEqual(port, self.server.port)
        self.server.connect().quit()


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


class Missing(unittest.TestCase):
    """What happens where a program is not there."""

    class Nowhere(Server):

        name, program, needs_root = 'Nowhere', 'no-such-ftpd', False
        defaults = command = None

    def setUp(self):
        self.ci = os.environ.pop('CI', None)

    def tearDown(self):
        os.environ.pop('CI', None)
        if self.ci is not None:
            os.environ['CI'] = self.ci

    def run_tests(self):

        class Tests:

            def test_it(self):
                raise AssertionError('not skipped')

        layer = zeit.cds.testing.ServerLayer(self.Nowhere, 'NOWHERE')
        suite = zeit.cds.testing.on_servers(Tests, [layer])
        with contextlib.redirect_stdout(io.StringIO()) as self.printed:
            layer.setUp()
        result = unittest.TestResult()
        suite.run(result)
        layer.tearDown()
        return result

    def test_it_tells_how_to_get_it(self):
        self.assertEqual('Nowhere is missing: run tools/install-ftp-servers.',
                         self.Nowhere.missing())

    def test_tests_are_skipped_with_that_sentence(self):
        result = self.run_tests()
        self.assertEqual([self.Nowhere.missing()], [why for _, why in result.skipped])
        self.assertTrue(result.wasSuccessful())
        self.assertEqual('Skipped: %s\n' % self.Nowhere.missing(), self.printed.getvalue())

    def test_in_ci_it_is_a_failure(self):
        os.environ['CI'] = 'true'
        with self.assertRaisesRegex(RuntimeError, 'run tools/install-ftp-servers'):
            self.run_tests()


def test_suite():
    suite = zeit.cds.testing.on_servers(Behaviour)
    for case in (RestartedByTheLayer, TLS, Programs, Missing):
        suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return suite
