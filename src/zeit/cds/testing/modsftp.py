"""ProFTPD's mod_sftp, which speaks SFTP without any sshd, for tests."""
import os
import subprocess

from zeit.cds.testing.server import write
from zeit.cds.testing.servers import ProFTPD
from zeit.cds.testing.sshd import Connected, SSHD


class ModSFTP(ProFTPD):
    """ProFTPD with mod_sftp. Settings: the directives of proftpd.conf.

    Its one account logs in by its password; `known_hosts` is the path of a file with its host key.
    """

    name = 'mod_sftp'
    _keys = None

    @classmethod
    def missing(cls, tls=None):
        sentence = super().missing() or SSHD.missing()
        if not sentence and not os.path.exists(os.path.join(cls.modules(), 'mod_sftp.so')):
            sentence = "ProFTPD's mod_sftp is missing: run tools/install-ftp-servers."
        return sentence

    @property
    def feed(self):
        """See Server. It depends on nothing that this machine's user has."""
        return {**super().feed, 'connection': 'sftp', 'connection.ssh_config': os.devnull,
                'connection.known_hosts': self.known_hosts}

    @property
    def known_hosts(self):
        with open(os.path.join(self._keys, 'host.pub')) as f:
            key = f.read()
        return write(self._keys, 'known_hosts', '[%s]:%d %s' % (self.host, self.port, key))

    def connect(self, password=None, context=None):
        """A connection that is not logged in; it can be closed."""
        return Connected(self.host, self.port)

    def defaults(self, work):
        self._keys, key = work, os.path.join(work, 'host')
        if not os.path.exists(key):
            subprocess.run(['ssh-keygen', '-q', '-t', 'rsa', '-m', 'PEM', '-N', '', '-C', '',
                            '-f', key], check=True, stdin=subprocess.DEVNULL)
        return {
            **super().defaults(work), 'ModulePath': self.modules(), 'LoadModule': 'mod_sftp.c',
            'SFTPEngine': 'on', 'SFTPHostKey': key, 'SFTPAuthMethods': 'password',
        }
