"""A PostgreSQL server of Debian's, on a socket in a directory of its own, for tests of journals.

    with PostgreSQL() as server:
        server.url                  # as SQLAlchemy, and <cds:journal>, have it

It needs no root; whoever is root has it run as an unprivileged account. It ends with the process
that started it.
"""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time

from zeit.cds.testing.process import Process
from zeit.cds.testing.server import ACCOUNT, libraries, START_LIMIT, StartError, unpacked


# It has to outlive its own process, but no power failure: no time is spent on syncing.
SETTINGS = ('fsync=off', 'full_page_writes=off', 'listen_addresses=',
            'jit=off', 'max_connections=50', 'shared_buffers=16MB',
            'dynamic_shared_memory_type=mmap')
DATABASE = 'postgres'


def programs():
    """The directory of the programs of the newest version, unpacked or installed; or None."""
    found = [path for top in (unpacked() + '/usr', '/usr')
             for path in glob.glob(top + '/lib/postgresql/*/bin')
             if all(os.path.exists(os.path.join(path, name)) for name in ('initdb', 'postgres'))]
    return max(found, key=lambda path: float(path.split('/')[-2]), default=None)


class PostgreSQL:
    """See above. `directory` has its data and its socket, once it was started."""

    name = 'PostgreSQL'

    def __init__(self):
        self.directory = self._process = None

    @classmethod
    def missing(cls):
        """None, or what a person must do so that it can run (str)."""
        if programs() is None:
            return 'PostgreSQL is missing: run tools/install-postgresql.'

    @property
    def url(self):
        return 'postgresql:///%s?host=%s&user=%s' % (DATABASE, self.directory, 'cds')

    @property
    def pid(self):
        """The process id, int; None if it is not running."""
        if self._process is not None and not self._process.ended():
            return self._process.pid

    def start(self):
        """It can be used when this returns. Raises StartError."""
        self.directory = tempfile.mkdtemp(prefix='zeit.cds-pg-')
        if os.getuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        try:
            self._call('initdb', '-D', self._data, '-U', 'cds', '-A', 'trust', '--no-sync',
                       '-E', 'UTF8', '--locale=C.UTF-8')
            self.restart()
        except BaseException:
            self.stop()
            raise

    @property
    def _data(self):
        return os.path.join(self.directory, 'data')

    def restart(self):
        """Start it again, with the same data."""
        self.kill()
        log = os.path.join(self.directory, 'log')
        settings = [part for setting in SETTINGS for part in ('-c', setting)]
        self._process = Process(
            self._command('postgres', '-D', self._data, '-k', self.directory, *settings), log,
            libraries(), [self.directory])
        end = time.monotonic() + START_LIMIT
        while not self._answers():
            if self._process.ended() or time.monotonic() > end:
                with open(log, errors='replace') as f:
                    raise StartError('PostgreSQL did not start: %s' % f.read()[-4000:])
            time.sleep(0.02)

    def _answers(self):
        import psycopg
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self):
        """Kill it; the data stay. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self):
        """Kill it, and remove all of it. May be called twice."""
        self.kill()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None

    def clear(self):
        """Remove all tables."""
        import psycopg
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                'WHERE pid <> pg_backend_pid() AND datname = current_database()')
            connection.execute('DROP SCHEMA public CASCADE')
            connection.execute('CREATE SCHEMA public')

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def _call(self, program, *arguments):
        done = subprocess.run(
            self._command(program, *arguments), env={**os.environ, **libraries()},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self.directory, text=True, errors='replace')
        if done.returncode:
            raise StartError('%s failed: %s' % (program, done.stdout))

    def _command(self, program, *arguments):
        path = os.path.join(programs(), program)
        if os.getuid():
            return [path, *arguments]
        account = pwd.getpwnam(ACCOUNT)
        return ['setpriv', '--reuid=%d' % account.pw_uid, '--regid=%d' % account.pw_gid,
                '--clear-groups', path, *arguments]
