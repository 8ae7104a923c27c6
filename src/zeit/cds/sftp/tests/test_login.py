"""Who is the server, and who are we: what ssh is made to do about it."""
import os
import subprocess
import threading
import time
import unittest.mock
from pathlib import Path

from zeit.cds.interfaces import (
    ConfigurationError,
    ConnectionLost,
    IPipelined,
    LoginRefused,
    PermanentError,
    Unreachable,
    UntrustedServer,
)
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.sftp.tests.sessions import feed_for
from zeit.cds.testing.layers import ServerTestCase, SSHD_LAYER
from zeit.cds.testing.sshd import SSHD
from zeit.cds.tests.importing import Importing
from zeit.cds.transfer.retry import Deadline


class Login(Importing, ServerTestCase):

    layer = SSHD_LAYER

    def open(self, server=None, **settings):
        session = SFTPConnection().open(
            feed_for(server or self.server, **settings), Deadline(60))
        self.addCleanup(session.close)
        return session

    def write(self, name, text):
        path = Path(self.store_dir, name)
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def notes(self, error):
        return ' '.join(error.__notes__)

    def connected(self, server):
        """A connection; it takes a moment until an earlier one does not count any more."""
        while True:
            try:
                return server.connect()
            except (EOFError, OSError):
                time.sleep(0.01)

    def another(self, **settings):
        server = SSHD(settings=settings)
        self.addCleanup(server.stop)
        server.start()
        return server

    # ------------------------------------------------------------ who is the server?

    def assert_untrusted(self, server, *texts, **settings):
        with self.assertRaises(UntrustedServer) as caught:
            self.open(server, **settings)
        for text in (server.fingerprint, *texts):
            self.assertIn(text, str(caught.exception))
        self.assertIn('ssh-keyscan -t ed25519 -p %d' % server.port, self.notes(caught.exception))
        return caught.exception

    def test_unknown_host_key(self):
        empty = self.write('empty', '')
        error = self.assert_untrusted(
            self.server, 'is not known', **{'connection.known_hosts': empty})
        self.assertIn(empty, self.notes(error))

    def test_changed_host_key(self):
        server = self.another()
        old = self.write('old', Path(server.known_hosts).read_text())
        server.new_host_key()
        server.restart()
        error = self.assert_untrusted(
            server, 'has changed', **{'connection.known_hosts': old})
        self.assertIn('ssh-keygen -R "[127.0.0.1]:%d"' % server.port, self.notes(error))
        self.open(server)

    def test_revoked_host_key(self):
        with open(self.server.known_hosts) as f:
            revoked = self.write('revoked', '@revoked ' + f.read())
        self.assert_untrusted(self.server, 'revoked', **{'connection.known_hosts': revoked})

    def test_no_configuration_of_ssh_makes_it_trust_anybody(self):
        lax = self.write('lax', (
            'StrictHostKeyChecking no\nNoHostAuthenticationForLocalhost yes\n'
            'VerifyHostKeyDNS yes\nUserKnownHostsFile /dev/null\nUpdateHostKeys yes\n'
            'GlobalKnownHostsFile /dev/null\nLogLevel QUIET\n'))
        self.assert_untrusted(self.server, 'is not known', **{
            'connection.ssh_config': lax, 'connection.known_hosts': None})

    def test_known_hosts_of_the_user(self):
        config = self.write('config', 'UserKnownHostsFile %s\n' % self.server.known_hosts)
        self.open(**{'connection.ssh_config': config, 'connection.known_hosts': None})

    def test_certificate_authority_for_hosts(self):
        """A line of known_hosts may be for many servers."""
        with open(self.server.known_hosts) as f:
            line = f.read().split(' ', 1)[1]
        self.open(**{'connection.known_hosts': self.write('all', '[127.0.0.*]:* ' + line)})

    # ------------------------------------------------------------ who are we?

    def test_key_file(self):
        self.open(password='', **{'connection.identity': self.server.identity})

    def test_encrypted_key_file(self):
        key = self.write('key', Path(self.server.identity).read_text())
        subprocess.run(['ssh-keygen', '-q', '-p', '-N', "pass' phrase", '-f', key], check=True,
                       stdout=subprocess.DEVNULL)
        for passphrase, works in ("pass' phrase\n", True), ('wrong', False):
            settings = {'password': '', 'connection.identity': key,
                        'connection.passphrase_file': self.write('passphrase', passphrase)}
            with self.subTest(passphrase):
                if works:
                    self.open(**settings)
                else:
                    self.assert_locked('the one in .*passphrase does not fit', **settings)
        self.assert_locked('there is none', password='', **{'connection.identity': key})

    def test_encrypted_key_file_in_the_older_format(self):
        key = os.path.join(self.store_dir, 'pem')
        subprocess.run(['ssh-keygen', '-q', '-t', 'rsa', '-m', 'PEM', '-N', 'secret', '-f', key],
                       check=True)
        os.unlink(key + '.pub')
        self.assert_locked('there is none', password='', **{'connection.identity': key})

    def assert_locked(self, text, **settings):
        with self.assertRaises(LoginRefused) as caught:
            self.open(**settings)
        self.assertRegex(self.notes(caught.exception), 'protected by a passphrase, .*' + text)

    def test_agent(self):
        path = os.path.join(self.store_dir, 'agent')
        agent = subprocess.Popen(['ssh-agent', '-D', '-a', path], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.terminate)
        while not os.path.exists(path):
            time.sleep(0.01)
        environment = {**os.environ, 'SSH_AUTH_SOCK': path}
        subprocess.run(['ssh-add', '-q', self.server.identity], env=environment, check=True)
        with unittest.mock.patch.dict(os.environ, SSH_AUTH_SOCK=path):
            self.open(password='')
        self.assertRaises(LoginRefused, self.open, password='')

    def test_wrong_password_is_sent_once(self):
        server = self.another(LogLevel='VERBOSE')
        with self.assertRaises(LoginRefused) as caught:
            self.open(server, password='secret-wrong')
        self.assertNotIn('secret-wrong', '%s %s' % (caught.exception,
                                                    self.notes(caught.exception)))
        with open(os.path.join(server._work, 'configuration', 'log')) as f:
            self.assertEqual(1, f.read().count('Failed password'))

    def test_password_by_keyboard_interactive(self):
        server = self.another(PasswordAuthentication='no', KbdInteractiveAuthentication='yes')
        self.open(server)
        self.assertRaises(LoginRefused, self.open, server, password='wrong')

    def test_odd_password(self):
        server = SSHD(password='a$b`c-"d"')
        self.addCleanup(server.stop)
        server.start()
        self.open(server)

    def test_key_first_then_password(self):
        other = os.path.join(self.store_dir, 'other')
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', other], check=True)
        self.open(**{'connection.identity': other})

    def test_password_is_nowhere_to_be_seen(self):
        """Neither in an argument nor in an environment of any process, nor in a file."""
        server = self.another(LoginGraceTime=60)
        secret, seen = 'S3cr3t-that-is-looked-for', []
        ended = threading.Event()

        def look():
            while not ended.is_set():
                for path in Path('/proc').glob('[0-9]*'):
                    for name in 'cmdline', 'environ':
                        try:
                            if secret.encode() in (path / name).read_bytes():
                                seen.append(path / name)
                        except OSError:
                            pass

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            for _ in range(3):
                self.assertRaises(LoginRefused, self.open, server, password=secret)
        finally:
            ended.set()
            watcher.join()
        self.assertEqual([], seen)

    # ------------------------------------------------------------ what else is in the way

    def test_settings_that_mean_nothing(self):
        for settings in ({'active': True}, {'security': 'explicit'}, {'quirks': ('no-epsv',)},
                         {'ca_file': '/dev/null'}):
            with self.subTest(settings):
                self.assertRaisesRegex(ConfigurationError, 'take it away', self.open, **settings)
        self.assertIsNotNone(IPipelined(self.open(quirks=('no-mutex',)), None))
        self.assertIsNone(IPipelined(self.open(quirks=('no-pipelining',)), None))

    def test_files_that_are_not_there(self):
        for name in 'identity', 'known_hosts', 'passphrase_file', 'ssh_config':
            with self.subTest(name):
                self.assertRaisesRegex(
                    ConfigurationError, 'connection.' + name, self.open,
                    **{'connection.' + name: '/nonexistent'})

    def test_server_without_sftp(self):
        server = self.another(Subsystem=None)
        with self.assertRaises(PermanentError) as caught:
            self.open(server)
        self.assertIn('has no SFTP', self.notes(caught.exception))

    def test_server_that_lets_nobody_else_in(self):
        """MaxStartups: so many may be about to log in."""
        server = self.another(MaxStartups='1:100:1')
        with self.connected(server):
            with self.assertRaises(ConnectionLost) as caught:
                self.open(server)
            self.assertNotIsInstance(caught.exception, Unreachable)

    def test_host_that_would_be_an_option(self):
        self.assertRaises(PermanentError, self.open, hostname='-oProxyCommand=true')

    def test_no_ssh(self):
        with unittest.mock.patch.dict(os.environ, PATH='/nonexistent'):
            self.assertRaisesRegex(ConfigurationError, 'openssh-client', self.open)

    def test_home_directory(self):
        """Relative to it, as with curl."""
        session = self.open(ftp_dir='/~/..')
        self.assertIn('sbin', [
            entry.name for entry in session.entries()])

    def test_nothing_is_left_of_it(self):
        """No process, no open file."""
        for settings in {}, {'password': 'wrong'}:
            before = os.listdir('/proc/self/fd'), children()
            try:
                self.open(**settings).close()
            except LoginRefused:
                pass
            self.assertEqual(before, (os.listdir('/proc/self/fd'), children()))


def children():
    with open('/proc/self/task/%d/children' % threading.get_native_id()) as f:
        return f.read()
