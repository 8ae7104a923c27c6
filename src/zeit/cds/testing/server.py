"""What the programs of `zeit.cds.testing.servers` have in common: how one is configured, started,
found to work, and ended.
"""
import abc
import errno
import ftplib
import glob
import os
import pwd
import shutil
import socket
import tempfile
import time

from zeit.cds.testing.access import empty, share
from zeit.cds.testing.client import connect
from zeit.cds.testing.process import free_port, Process


HOST = '127.0.0.1'
ACCOUNT = 'daemon'
ATTEMPTS = 8                # another program may take a port that was free
START_LIMIT = 30            # seconds until a login must have worked
STOP_LIMIT = 5              # seconds in which the port must have become free


def unpacked():
    """Return the directory below which tools/install-ftp-servers puts programs."""
    return os.path.expanduser(os.environ.get(
        'CDS_FTP_SERVERS', '~/.cache/zeit.cds/servers'))


def find(program):
    """Return the path of `program`, or None: the unpacked one, else the installed one."""
    places = [os.path.join(unpacked(), 'usr', name) for name in ('sbin', 'bin')]
    places += os.environ.get('PATH', '').split(os.pathsep) + ['/usr/sbin']
    return shutil.which(program, path=os.pathsep.join(places))


def libraries():
    """Return the environment in which the unpacked programs find their libraries."""
    found = (glob.glob(unpacked() + '/usr/lib/*-linux-gnu')
             + glob.glob(unpacked() + '/lib/*-linux-gnu'))
    return {'LD_LIBRARY_PATH': os.pathsep.join(found)} if found else {}


def write(directory, name, text, mode=0o644):
    """Write a file of the configuration, return its path."""
    path = os.path.join(directory, name)
    with open(path, 'w') as f:
        f.write(text)
    os.chmod(path, mode)
    return path


class StartError(Exception):
    """A server did not start; the text has what it said."""


class Server(abc.ABC):
    """An FTP server.

    directory -- what '/' shows; a temporary one if not given. Else it must be reachable by other
        users than the one running the tests.
    user, password -- of its one account
    tls -- None, 'explicit' (AUTH TLS) or 'implicit'
    certificate -- path of a PEM file: the key, the certificate, its chain
    require_tls -- refuse logins and data connections without TLS
    settings -- changes to the program's own settings: a dict by their names there. None removes
        one, a list repeats one.

    `host`, `port` and `pid` tell where the running server is. A stopped one
    may be started again; `restart()` keeps the port. (Twelve attributes: most are what it was asked
    to be.)
    """

    name = program = None
    needs_root = True
    implicit = True             # whether the program can do implicit TLS

    def __init__(self, directory=None, user='test', password='testpw',
                 tls=None, certificate=None, require_tls=True, settings=None):
        if tls not in (None, 'explicit', 'implicit'):
            raise ValueError("tls is None, 'explicit' or 'implicit', not %r" % tls)
        if tls and not certificate:
            raise ValueError('TLS needs a certificate: the path of a PEM file.')
        if tls == 'implicit' and not self.implicit:
            raise ValueError('%s has no implicit TLS.' % self.name)
        self.user, self.password = user, password
        self.tls, self.certificate, self.require_tls = tls, certificate, require_tls
        self.settings = dict(settings or {})
        self.host, self.port = HOST, None
        self._given, self.directory = directory, directory
        self._process = self._work = None

    @classmethod
    def missing(cls, tls=None):
        """Return None, or what a person must do so that it can run (str)."""
        if not find(cls.program):
            return '%s is missing: run tools/install-ftp-servers.' % cls.name
        if cls.needs_root and os.getuid() != 0:
            return '%s needs root to start: run the tests as root.' % cls.name

    @property
    def feed(self):
        """The settings with which a feed reaches it: a dict."""
        return dict(hostname=self.host, port=self.port, user=self.user, password=self.password,
                    ftp_dir='/')

    @property
    def pid(self):
        """The process id of the main process, int; None if it's not running."""
        if self._process and not self._process.ended():
            return self._process.pid

    def start(self, port=None):
        """Start the server; a login works when this returns.

        `port`  int; without one the system chooses

        Raises StartError.
        """
        if self._process:
            raise StartError('%s is already running on port %d.' % (self.name, self.port))
        self._make_directories()
        try:
            for _ in range(ATTEMPTS):
                self.port = port or free_port()
                said = self._attempt()
                if said is None:
                    return
        except BaseException:
            self.stop()
            raise
        self.stop()
        raise StartError('%s did not start on port %d: %s' % (self.name, self.port, said))

    def stop(self):
        """Kill the server and all its sessions. May be called twice.

        A temporary directory is removed with everything in it.
        """
        self._end()
        if self._work:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None
            self.directory = self._given

    def restart(self):
        """Kill the server, start it again on the same port and directory."""
        self._end()
        said = self._attempt()
        if said is not None:
            raise StartError('%s did not restart on port %d: %s' % (self.name, self.port, said))

    def connect(self, password=None, context=None):
        """Return an ftplib client that is logged in, see `zeit.cds.testing.client.connect`."""
        return connect(self, password, context)

    def clear(self):
        """Remove everything in the directory, make its permissions what they were at the start."""
        os.chmod(self.directory, 0o755)
        empty(self.directory)
        self.share(self.directory)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    @abc.abstractmethod
    def defaults(self, work):
        """Return the program's settings, dict. `work` is a directory for its files."""

    @abc.abstractmethod
    def command(self, work, settings):
        """Write the configuration, return the command line, list of str."""

    def environ(self):
        """Return what the program needs in its environment, dict."""
        return {}

    def leftovers(self):
        """Return the paths that must not stay behind, list of str."""
        return [self._work]

    def share(self, directory):
        share(directory, pwd.getpwnam(ACCOUNT).pw_uid)

    def _make_directories(self):
        self._work = tempfile.mkdtemp(prefix='zeit.cds-%s-' % self.program)
        os.chmod(self._work, 0o755)
        os.mkdir(os.path.join(self._work, 'configuration'))
        os.mkdir(os.path.join(self._work, 'empty'))
        if self._given is None:
            self.directory = os.path.join(self._work, 'ftp')
            os.mkdir(self.directory)
        self.share(self.directory)

    def _attempt(self):
        """Start the program, return None when it works, else what it said."""
        work = os.path.join(self._work, 'configuration')
        settings = {**self.defaults(work), **self.settings}
        log = os.path.join(work, 'log')
        arguments = self.command(work, {
            key: value for key, value in settings.items() if value is not None})
        self._process = Process(arguments, log, self.environ(),
                                self.leftovers())
        problem = self._wait()
        if problem is not None:
            self._process.kill()
            self._process = None
            with open(log, errors='replace') as f:
                return '%s\n%s' % (problem, f.read()[-4000:])

    def _wait(self):
        problem, end = None, time.monotonic() + START_LIMIT
        while time.monotonic() < end and not self._process.ended():
            try:
                self.connect().close()
            except (ftplib.Error, OSError, EOFError) as error:
                problem = error
                time.sleep(0.01)
            else:
                # Else somebody else answered who was faster to take the port.
                return 'the port was taken.' if self._process.ended() else None
        return problem or 'it ended at once.'

    def _end(self):
        if self._process:
            self._process.kill()
            self._process = None
            self._wait_until_nobody_listens()

    def _wait_until_nobody_listens(self):
        """A helper process of a session, on its way out, may still have the port open."""
        deadline = time.monotonic() + STOP_LIMIT
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((self.host, self.port)) == errno.ECONNREFUSED:
                    return
            time.sleep(0.01)
