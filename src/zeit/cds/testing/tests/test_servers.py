"""The servers that tests run against: what they allow, how they begin and end."""
import contextlib
import ftplib
import io
import os
import signal
import unittest

import zeit.cds.testing
from zeit.cds.testing.servers import Server
from zeit.cds.testing.tests.transfers import fetch, names, store


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
    for case in (RestartedByTheLayer, Missing):
        suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return suite
