"""OpenSSH's sshd, with SFTP only, for tests.

It runs as the account that it lets in: no user has to be made for its separation of privileges,
and it can log in nobody else. Its directory is where it is on this machine, as it is with sshd.
"""
import os
import pwd
import secrets
import shutil
import socket
import subprocess

from zeit.cds.testing.server import ACCOUNT, find, libraries, Server, write


PAM = '/etc/pam.d'
TIMEOUT = 10    # seconds


class Connected:
    """A connection on which sshd has said who it is."""

    def __init__(self, host, port):
        self._socket = socket.create_connection((host, port), TIMEOUT)
        try:
            if not self._socket.recv(4, socket.MSG_WAITALL) == b'SSH-':
                raise EOFError('This is no sshd.')
        except BaseException:
            self.close()
            raise

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SSHD(Server):
    """OpenSSH's sshd. Settings: the directives of sshd_config.

    `identity` is the path of a private key that it accepts, `known_hosts` that of a file with its
    host key.
    """

    name = program = 'sshd'

    def __init__(self, directory=None, password='testpw', settings=None):
        super().__init__(directory, ACCOUNT, password, settings=settings)
        # PAM knows a service by the name under which sshd was started.
        self._service = 'zeit.cds.%d.%s' % (os.getpid(), secrets.token_hex(4))
        self._keys = None

    @classmethod
    def missing(cls, tls=None):
        for program, package in ('ssh', 'openssh-client'), ('setpriv', 'util-linux'):
            if not shutil.which(program):
                return '%s is missing: apt-get install %s.' % (program, package)
        return super().missing(tls)

    @property
    def feed(self):
        """See Server. It depends on nothing that this machine's user has."""
        return {**super().feed, 'ftp_dir': self.directory, 'connection': 'sftp',
                'connection.known_hosts': self.known_hosts, 'connection.ssh_config': os.devnull}

    @property
    def identity(self):
        return os.path.join(self._keys, 'identity')

    @property
    def known_hosts(self):
        return write(self._keys, 'known_hosts', '[%s]:%d %s\n' % (
            self.host, self.port, self.host_key))

    @property
    def host_key(self):
        """The public half, as known_hosts has it: str."""
        with open(os.path.join(self._keys, 'host.pub')) as f:
            return f.read().rpartition(' ')[0]

    @property
    def fingerprint(self):
        return subprocess.run(
            ['ssh-keygen', '-lf', os.path.join(self._keys, 'host.pub')], check=True, text=True,
            stdout=subprocess.PIPE).stdout.split()[1]

    def new_host_key(self):
        """From the next start on it has another one."""
        for name in 'host', 'host.pub':
            os.unlink(os.path.join(self._keys, name))
        self._make_key('host')

    def _make_key(self, name):
        path = os.path.join(self._keys, name)
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path],
                       check=True, stdin=subprocess.DEVNULL)

    def connect(self, password=None, context=None):
        """A connection that is not logged in; it can be closed."""
        return Connected(self.host, self.port)

    def environ(self):
        return libraries()

    def defaults(self, work):
        self._keys = work
        for name in 'host', 'identity':
            if not os.path.exists(os.path.join(work, name)):
                self._make_key(name)
        return {
            'Port': self.port, 'ListenAddress': self.host, 'PidFile': 'none',
            'HostKey': self._owned('host'),
            'AuthorizedKeysFile': os.path.join(work, 'identity.pub'), 'StrictModes': 'no',
            'UsePAM': 'yes', 'PasswordAuthentication': 'yes',
            'KbdInteractiveAuthentication': 'no', 'PrintMotd': 'no',
            'AllowUsers': self.user, 'AllowTcpForwarding': 'no', 'X11Forwarding': 'no',
            'MaxStartups': 500, 'MaxAuthTries': 20, 'UseDNS': 'no',
            'Subsystem': 'sftp internal-sftp -u 022',
        }

    def _owned(self, name):
        """A key of which only sshd has the private half now: its path."""
        path = os.path.join(self._keys, name)
        account = pwd.getpwnam(self.user)
        os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def command(self, work, settings):
        account = pwd.getpwnam(self.user)
        path = write(PAM, self._service,
                     'auth requisite pam_ftp.so users=%s\n'
                     'auth requisite pam_succeed_if.so quiet ruser = %s\n'
                     'auth required pam_permit.so\n'
                     'account required pam_permit.so\n'
                     'session required pam_permit.so\n' % (self.user, self.password), 0o600)
        os.chown(path, account.pw_uid, account.pw_gid)
        program = os.path.join(work, self._service)
        if not os.path.lexists(program):
            os.symlink(find(self.program), program)
        path = write(work, 'sshd_config', ''.join(
            '%s %s\n' % (key, value) for key, values in settings.items()
            for value in (values if isinstance(values, list) else [values])))
        return [shutil.which('setpriv'), '--reuid', str(account.pw_uid),
                '--regid', str(account.pw_gid), '--clear-groups', program, '-D', '-e', '-f', path]

    def leftovers(self):
        return [self._work, os.path.join(PAM, self._service)]

    def stop(self):
        super().stop()
        if os.path.exists(path := os.path.join(PAM, self._service)):
            os.unlink(path)
