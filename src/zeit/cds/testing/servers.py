"""Real FTP servers, as programs on loopback, each over a directory of its own.

PyFTPD, VsFTPD, ProFTPD and PureFTPD have one shape, told by `Server`::

    with VsFTPD(tls='explicit', certificate='server.pem') as server:
        server.port                                 # chosen by the system
        open(os.path.join(server.directory, 'x'))   # what its '/' shows

They end with the process that started them, even if that one is killed.

vsftpd, ProFTPD and Pure-FTPd need root to start. They act as an unprivileged
account then (`ACCOUNT`): the permission to read, change and remove what the
tests put into the directory comes from an access control list, and a test takes
it away with `os.setxattr` or by putting a file there with mode 0600. pyftpdlib
acts as the user that runs the tests.
"""
import contextlib
import importlib.util
import json
import os
import pwd
import re
import secrets
import subprocess
import sys

from zeit.cds.testing.server import ACCOUNT, find, HOST, libraries, Server, StartError, write


__all__ = [
    'ACCOUNT', 'HOST', 'ProFTPD', 'PureFTPD', 'PyFTPD', 'SERVERS', 'Server', 'StartError', 'VsFTPD']

PASSIVE_PORTS = 20000, 29999

# Pure-FTPd's own hashes cost seconds of time in each login.
HASHES = {
    'testpw': '$6$zeitcds$Sefey9pQCqscX5h5stkkrJWRjnXbBgcElDC48EhsxalSXXLgldSDLt'
              '.FbVP8eh027xWenivdOUIa47RASp7pn.',
}


def crypt(password):
    """Return the SHA-512 crypt(3) hash of `password`."""
    if password not in HASHES:
        HASHES[password] = subprocess.run(
            ['openssl', 'passwd', '-6', '-stdin'], input=password, text=True,
            check=True, stdout=subprocess.PIPE).stdout.strip()
    return HASHES[password]


class PyFTPD(Server):
    """pyftpdlib's asynchronous server. Settings: attributes of its handler class, and
    `permissions`, a word of its authorizers."""

    name, program = 'pyftpdlib', 'pyftpdlib'
    needs_root = False

    @classmethod
    def missing(cls, tls=None):
        needed = ['pyftpdlib'] + (['OpenSSL'] if tls else [])
        if not all(importlib.util.find_spec(name) for name in needed):
            return 'pyftpdlib%s is missing: pip install "zeit.cds[test]".' % (
                ' or PyOpenSSL' if tls else '')

    def share(self, directory):
        """It acts as the user that runs the tests: nothing to do."""

    def environ(self):
        return {'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}

    def defaults(self, work):
        return dict.fromkeys(
            ['tls_control_required', 'tls_data_required'],
            self.require_tls) if self.tls else {}

    def command(self, work, settings):
        path = write(work, 'settings.json', json.dumps({
            'host': self.host, 'port': self.port, 'user': self.user,
            'password': self.password, 'directory': self.directory,
            'tls': self.tls, 'certificate': self.certificate,
            'handler': settings}), 0o600)
        # -P: beside the program are modules that it must not find.
        return [sys.executable, '-P', os.path.join(os.path.dirname(__file__), 'pyftpd.py'), path]


class VsFTPD(Server):
    """vsftpd. Settings: the options of vsftpd.conf."""

    name = program = 'vsftpd'
    pam_directory = '/etc/pam.d'

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        if not re.fullmatch('[A-Za-z0-9._-]+', self.user + self.password):
            raise ValueError('User and password for vsftpd: letters, digits, ".", "_", "-" only.')
        self._service = 'zeit.cds.%d.%s' % (os.getpid(), secrets.token_hex(4))

    def defaults(self, work):
        settings = {
            'listen': 'YES', 'background': 'NO',
            'listen_address': self.host, 'listen_port': self.port,
            'anonymous_enable': 'NO', 'local_enable': 'YES',
            'guest_enable': 'YES', 'guest_username': ACCOUNT,
            'virtual_use_local_privs': 'YES', 'local_root': self.directory,
            'chroot_local_user': 'YES', 'allow_writeable_chroot': 'YES',
            'write_enable': 'YES', 'local_umask': '022',
            'pam_service_name': self._service,
            'secure_chroot_dir': os.path.join(self._work, 'empty'),
            'pasv_min_port': PASSIVE_PORTS[0], 'pasv_max_port': PASSIVE_PORTS[1],
            'xferlog_enable': 'NO', 'seccomp_sandbox': 'NO', 'isolate_network': 'NO',
            'max_clients': 0, 'max_per_ip': 0, 'delay_failed_login': 0,
        }
        if self.tls:
            required = 'YES' if self.require_tls else 'NO'
            settings.update({
                'ssl_enable': 'YES', 'ssl_tlsv1': 'YES', 'ssl_ciphers': 'HIGH',
                'rsa_cert_file': self.certificate, 'require_ssl_reuse': 'YES',
                'force_local_logins_ssl': required, 'force_local_data_ssl': required,
                'implicit_ssl': 'YES' if self.tls == 'implicit' else 'NO',
            })
        return settings

    def command(self, work, settings):
        self._write_service()
        path = write(work, 'vsftpd.conf', ''.join(
            '%s=%s\n' % item for item in settings.items()))
        return [find(self.program), path]

    def _write_service(self):
        # pam_ftp hands the password of "anonymous" users on as if it were their
        # mail address, and pam_succeed_if compares: no account has to be made.
        # (Not pam_exec: vsftpd takes the end of its process for its session's,
        # and hangs.) Neither has an opinion on setting credentials, as the last
        # module must.
        write(self.pam_directory, self._service,
              'auth requisite pam_ftp.so users=%s\n'
              'auth requisite pam_succeed_if.so quiet ruser = %s\n'
              'auth required pam_permit.so\n'
              'account required pam_permit.so\n' % (self.user, self.password), 0o600)

    def leftovers(self):
        return [self._work, os.path.join(self.pam_directory, self._service)]

    def stop(self):
        super().stop()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.pam_directory, self._service))


class ProFTPD(Server):
    """ProFTPD, with mod_tls for TLS. Settings: the directives of proftpd.conf."""

    name, program = 'ProFTPD', 'proftpd'

    @classmethod
    def modules(cls):
        """Return the directory with the program's modules."""
        usr = os.path.dirname(os.path.dirname(find(cls.program)))
        return os.path.join(usr, 'lib', 'proftpd')

    @classmethod
    def missing(cls, tls=None):
        sentence = super().missing(tls)
        if not sentence and tls and not os.path.exists(
                os.path.join(cls.modules(), 'mod_tls.so')):
            sentence = "ProFTPD's mod_tls is missing: run tools/install-ftp-servers."
        return sentence

    def environ(self):
        return libraries()

    def defaults(self, work):
        settings = {
            'ServerType': 'standalone', 'ServerName': 'zeit.cds', 'DefaultServer': 'on',
            'DefaultAddress': self.host, 'Port': self.port, 'UseIPv6': 'off',
            'User': 'nobody', 'Group': 'nogroup', 'Umask': '022 022',
            'AuthUserFile': os.path.join(work, 'passwd'),
            'AuthGroupFile': os.path.join(work, 'group'),
            'AuthOrder': 'mod_auth_file.c', 'RequireValidShell': 'off',
            'DefaultRoot': self.directory, 'UseReverseDNS': 'off',
            'AllowOverwrite': 'on', 'AllowStoreRestart': 'on',
            'ScoreboardFile': os.path.join(work, 'scoreboard'),
            'PidFile': os.path.join(work, 'pid'), 'DelayEngine': 'off',
            'WtmpLog': 'off', 'TransferLog': 'none', 'MaxInstances': 500,
        }
        if self.tls:
            settings.update(self._tls_settings())
        return settings

    def _tls_settings(self):
        with open(self.certificate) as f:
            kind = 'EC' if 'BEGIN EC PRIVATE KEY' in f.read() else 'RSA'
        settings = {
            'ModulePath': self.modules(), 'LoadModule': 'mod_tls.c',
            'TLSEngine': 'on', 'TLSProtocol': 'TLSv1.2 TLSv1.3',
            'TLSRequired': 'on' if self.require_tls else 'off',
            'TLS%sCertificateFile' % kind: self.certificate,
            'TLS%sCertificateKeyFile' % kind: self.certificate,
        }
        if self.tls == 'implicit':
            settings['TLSOptions'] = 'UseImplicitSSL'
        return settings

    def command(self, work, settings):
        account = pwd.getpwnam(ACCOUNT)
        write(work, 'passwd', '%s:%s:%d:%d::%s:/bin/sh\n' % (
            self.user, crypt(self.password), account.pw_uid, account.pw_gid,
            self.directory), 0o600)
        write(work, 'group', '%s:x:%d:\n' % (ACCOUNT, account.pw_gid), 0o600)
        path = write(work, 'proftpd.conf', ''.join(
            '%s %s\n' % (key, value) for key, values in settings.items()
            for value in (values if isinstance(values, list) else [values])))
        return [find(self.program), '--nodaemon', '--config', path]


class PureFTPD(Server):
    """Pure-FTPd, which has explicit TLS only.

    Settings: its long options, the empty string for those without a value.
    """

    name, program = 'Pure-FTPd', 'pure-ftpd'
    implicit = False

    @classmethod
    def missing(cls, tls=None):
        sentence = super().missing(tls)
        if not sentence and tls == 'implicit':
            sentence = 'Pure-FTPd has no implicit TLS.'
        if not sentence and not find('pure-pw'):
            sentence = 'pure-pw is missing: run tools/install-ftp-servers.'
        return sentence

    def environ(self):
        return libraries()

    def defaults(self, work):
        settings = {
            'ipv4only': '', 'bind': '%s,%d' % (self.host, self.port),
            'login': 'puredb:%s' % os.path.join(work, 'users.pdb'),
            'passiveportrange': '%d:%d' % PASSIVE_PORTS,
            'maxclientsnumber': 500, 'maxclientsperip': 500,
            'noanonymous': '', 'chrooteveryone': '', 'dontresolve': '',
            'minuid': 1, 'umask': '022:022', 'limitrecursion': '100000:5',
            'syslogfacility': 'none', 'pidfile': os.path.join(work, 'pid'),
        }
        if self.tls:
            settings.update({'tls': 2 if self.require_tls else 1,
                             'certfile': self.certificate})
        return settings

    def command(self, work, settings):
        account = pwd.getpwnam(ACCOUNT)
        users = write(work, 'passwd', '%s:%s:%d:%d::%s/./::::::::::::\n' % (
            self.user, crypt(self.password), account.pw_uid, account.pw_gid,
            self.directory), 0o600)
        subprocess.run(
            [find('pure-pw'), 'mkdb', os.path.join(work, 'users.pdb'), '-f', users],
            check=True, env={**os.environ, **self.environ()}, stdout=subprocess.DEVNULL)
        return [find(self.program)] + [
            '--%s=%s' % item if item[1] != '' else '--%s' % item[0]
            for item in settings.items()]


SERVERS = [PyFTPD, VsFTPD, ProFTPD, PureFTPD]
