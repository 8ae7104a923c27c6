"""Further FTP servers as they are met in the field, in the shape of `zeit.cds.testing.servers`.

tools/install-field-servers gets them; nothing of them is a part of the package. Where the
directory of a server is not its '/', `ftp_dir` tells what to change into.
"""
import abc
import glob
import os
import pwd
import shutil
import subprocess
import sys

from zeit.cds.testing.servers import ACCOUNT, crypt, PASSIVE_PORTS, PyFTPD, Server, write


HERE = os.path.dirname(__file__)


def place():
    """Return the directory below which tools/install-field-servers puts programs."""
    return os.path.expanduser(os.environ.get('CDS_FIELD_SERVERS', '~/.cache/zeit.cds/field'))


def first_line(*command):
    """Return the first line that a program prints, str."""
    return subprocess.run(
        command, text=True, check=True, stdout=subprocess.PIPE).stdout.partition('\n')[0]


class FieldServer(Server):
    """A server below `place()`, which knows no TLS and no settings here."""

    path = None         # of its program, below `place()`

    @classmethod
    def program_path(cls):
        """Return the path of the program, str."""
        return os.path.join(place(), cls.path)

    @classmethod
    def missing(cls, tls=None):
        if tls:
            return '%s is used without TLS only.' % cls.name
        if not os.path.exists(cls.program_path()):
            return '%s is missing: run tools/install-field-servers.' % cls.name
        if cls.needs_root and os.getuid() != 0:
            return '%s needs root to start: run this as root.' % cls.name

    @classmethod
    @abc.abstractmethod
    def version(cls):
        """Return the version of the program, str."""

    @property
    def ftp_dir(self):
        """The path of `directory` on the server, str."""
        return '/'

    def defaults(self, work):
        return {}

    # Most act as the user that runs the tests: nothing is to be done.
    share = PyFTPD.share
    needs_root = False


class Inetutils(FieldServer):
    """GNU inetutils' ftpd, of the BSD family, started for each session by an inetd of our own.

    nss_wrapper makes up its only account, and there is no chroot: /etc stays as it is.
    """

    name, program, path = 'inetutils', 'ftpd', 'usr/sbin/ftpd'
    needs_root = True
    share = Server.share

    @classmethod
    def wrapper(cls):
        """Return the path of nss_wrapper's library, None if it is not there."""
        return next(iter(glob.glob(place() + '/usr/lib/*/libnss_wrapper.so')), None)

    @classmethod
    def missing(cls, tls=None):
        sentence = super().missing(tls)
        if not sentence and not cls.wrapper():
            sentence = 'nss_wrapper is missing: run tools/install-field-servers.'
        return sentence

    @classmethod
    def version(cls):
        return first_line(cls.program_path(), '--version').split()[-1]

    @property
    def ftp_dir(self):
        return self.directory

    def environ(self):
        work = os.path.join(self._work, 'configuration')
        return {
            'LD_PRELOAD': self.wrapper(),
            **{'NSS_WRAPPER_' + name.upper(): os.path.join(work, name)
               for name in ('passwd', 'shadow', 'group')}}

    def command(self, work, settings):
        account = pwd.getpwnam(ACCOUNT)
        write(work, 'passwd', 'root:x:0:0::/:/bin/sh\n%s:x:%d:%d::%s:/bin/sh\n' % (
            self.user, account.pw_uid, account.pw_gid, self.directory))
        write(work, 'shadow', '%s:%s:19000:0:99999:7:::\n' % (
            self.user, crypt(self.password)), 0o600)
        write(work, 'group', '%s:x:%d:\n' % (ACCOUNT, account.pw_gid))
        return [sys.executable, os.path.join(HERE, 'inetd.py'), self.host, str(self.port),
                self.program_path(), '--auth=default', '-u', '022']


class BusyBox(FieldServer):
    """BusyBox' ftpd, started in the same way; it asks for no password.

    Debian builds BusyBox without it.
    """

    name, program, path = 'BusyBox', 'busybox', 'bin/busybox'

    @classmethod
    def missing(cls, tls=None):
        sentence = super().missing(tls)
        if not sentence:
            applets = subprocess.run([cls.program_path(), '--list'], text=True, check=True,
                                     stdout=subprocess.PIPE).stdout.split()
            if 'ftpd' not in applets:
                sentence = 'This BusyBox was built without the ftpd applet.'
        return sentence

    @classmethod
    def version(cls):
        return first_line(cls.program_path()).split()[1]

    def command(self, work, settings):
        return [sys.executable, os.path.join(HERE, 'inetd.py'), self.host, str(self.port),
                self.program_path(), 'ftpd', '-w', '-A', self.directory]


class FtpSrv(FieldServer):
    """ftp-srv of Node.js."""

    name, program, path = 'ftp-srv', 'ftp-srv', 'node_modules/ftp-srv/bin/index.js'

    @classmethod
    def missing(cls, tls=None):
        return super().missing(tls) or (
            None if shutil.which('node') else 'Node.js is missing, which ftp-srv takes.')

    @classmethod
    def version(cls):
        return first_line('node', '-p', 'require(%r).version' % (
            os.path.join(place(), 'node_modules/ftp-srv/package.json')))

    def command(self, work, settings):
        return ['node', self.program_path(), 'ftp://%s:%d' % (self.host, self.port),
                '--username', self.user, '--password', self.password, '--root', self.directory,
                '--pasv-url', self.host, '--pasv-min', str(PASSIVE_PORTS[0]),
                '--pasv-max', str(PASSIVE_PORTS[1])]


class Rclone(FieldServer):
    """rclone serve ftp, over a local directory.

    It keeps what it has listed; here it does not, as the tests put files into the directory.
    """

    name, program, path = 'rclone', 'rclone', 'venv/bin/rclone'

    @classmethod
    def version(cls):
        return first_line(cls.program_path(), 'version').split()[-1].lstrip('v')

    def environ(self):
        return {'RCLONE_CONFIG': os.path.join(self._work, 'configuration', 'rclone.conf')}

    def command(self, work, settings):
        write(work, 'rclone.conf', '', 0o600)
        return [self.program_path(), 'serve', 'ftp', self.directory,
                '--addr', '%s:%d' % (self.host, self.port), '--user', self.user,
                '--pass', self.password, '--passive-port', '%d-%d' % PASSIVE_PORTS,
                '--dir-cache-time', '0s', '--poll-interval', '0']


class PythonServer(FieldServer):
    """A server of Python, in the environment of tools/install-field-servers."""

    path = 'venv/bin/python'

    @classmethod
    def version(cls):
        return first_line(cls.program_path(), '-c', 'from importlib.metadata import version\n'
                          'print(version(%r))' % cls.program)

    @classmethod
    def missing(cls, tls=None):
        sentence = super().missing(tls)
        if not sentence and not glob.glob(os.path.join(
                place(), 'venv/lib/python*/site-packages', cls.program)):
            sentence = '%s is missing: run tools/install-field-servers.' % cls.name
        return sentence


class Twisted(PythonServer):
    """Twisted's FTP server, whose realm maps the account to the directory."""

    name, program = 'Twisted', 'twisted'

    def command(self, work, settings):
        return [self.program_path(), '-P', os.path.join(HERE, 'twistedftp.py'), self.host,
                str(self.port), self.user, self.password, self.directory]


class AioFTP(PythonServer):
    """aioftp's server."""

    name = program = 'aioftp'

    def command(self, work, settings):
        return [self.program_path(), '-m', 'aioftp', '--host', self.host,
                '--port', str(self.port), '--user', self.user, '--pass', self.password,
                '-d', self.directory, '--family', 'ipv4', '--quiet']


FIELD_SERVERS = [Inetutils, BusyBox, FtpSrv, Rclone, Twisted, AioFTP]
