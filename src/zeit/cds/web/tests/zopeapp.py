"""A real Zope application that shows the pages, in an environment of its own.

zeit.cds is installed there from this checkout, as a package. tools/install-zope gets the rest.
"""
import base64
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zeit.cds.testing.layers import ServerLayer
from zeit.cds.testing.process import Process
from zeit.cds.testing.server import StartError, unpacked
from zeit.cds.tests import checkout
from zeit.cds.web.tests.journals import journal


LIMIT = 120         # seconds to start
PYTHON = Path(unpacked(), 'zope-5.14.2-python%d.%d' % sys.version_info[:2], 'bin', 'python')
PARTS = (
    'setup.py', 'pyproject.toml', 'README.txt', 'CHANGES.txt', 'LICENSE.txt', 'MANIFEST.in', 'src')
INCLUDES = '''\
  <include package="zeit.cds" file="meta.zcml" xmlns:cds="http://namespaces.zeit.de/cds" />
  <include package="zeit.cds" />
  <include package="zeit.cds.web" file="zope.zcml" />
  <cds:journal xmlns:cds="http://namespaces.zeit.de/cds" url="%s" />
</configure>
'''
ROLES = '''\
app._addRole('Operator')
app.manage_permission('zeit.cds: View status', ['Operator'], acquire=0)
for name, roles in ('operator', ['Operator']), ('stranger', []):
    app.acl_users.userFolderAddUser(name, 'secret', roles, [])
import transaction
transaction.commit()
'''


class ZopeApplication:
    """See ServerLayer. `journal` is the one that it shows."""

    name = 'Zope'

    def __init__(self):
        self.directory = self.port = self._process = None

    @classmethod
    def missing(cls):
        """None, or what a person must do so that it can run (str)."""
        if not PYTHON.exists() or not checkout.top():
            return 'Zope is missing: run tools/install-zope.'

    @property
    def pid(self):
        return None if self._process is None or self._process.ended() else self._process.pid

    def start(self):
        """It answers when this returns. Raises StartError."""
        self.directory = Path(tempfile.mkdtemp(prefix='zeit.cds-zope-'))
        try:
            self._install()
            self._configure()
            self.restart()
        except BaseException:
            self.stop()
            raise

    def _install(self):
        """What a user would install. The environment's zeit.cds is replaced."""
        source = self.directory / 'source'
        source.mkdir()
        for name in PARTS:
            path = checkout.top() / name
            if path.is_dir():
                shutil.copytree(path, source / name, ignore=shutil.ignore_patterns(
                    '*.egg-info', '__pycache__'))
            else:
                shutil.copy(path, source)
        self._call(PYTHON, '-m', 'pip', '-q', '--disable-pip-version-check', 'install',
                   '--no-deps', '--no-build-isolation', '--force-reinstall', source)

    def _configure(self):
        instance = self.directory / 'instance'
        self._call(PYTHON.with_name('mkwsgiinstance'), '-d', instance, '-u', 'admin:secret')
        site = instance / 'etc' / 'site.zcml'
        site.write_text(site.read_text().replace(
            '</configure>\n', INCLUDES % (self.directory / 'journal')))
        script = self.directory / 'roles.py'
        script.write_text(ROLES)
        self._call(PYTHON.with_name('zconsole'), 'run', instance / 'etc' / 'zope.conf', script)
        self._choose_port()

    def _choose_port(self):
        with socket.create_server(('127.0.0.1', 0)) as free:
            self.port = free.getsockname()[1]
        settings = self.directory / 'instance' / 'etc' / 'zope.ini'
        settings.write_text(settings.read_text().replace('port = 8080', 'port = %d' % self.port))

    def restart(self):
        self.kill()
        log = str(self.directory / 'log')
        self._process = Process(
            [str(PYTHON.with_name('runwsgi')),
             str(self.directory / 'instance' / 'etc' / 'zope.ini')], log, {'PYTHONPATH': ''},
            [str(self.directory)])
        end = time.monotonic() + LIMIT
        while not self._listens():
            if self._process.ended() or time.monotonic() > end:
                raise StartError('Zope did not start: %s' % Path(log).read_text()[-4000:])
            time.sleep(.1)

    def _listens(self):
        try:
            socket.create_connection(('127.0.0.1', self.port)).close()
        except OSError:
            return False
        return True

    def clear(self):
        """The journal is empty again."""
        for path in self.directory.glob('journal*'):
            path.unlink()
        self.journal = journal(self.directory / 'journal')
        with self.journal.ask():        # makes it
            pass

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self):
        self.kill()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None

    def ask(self, path, user=None):
        """Status, headers and body of an answer. user -- whose password is 'secret', or None"""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=LIMIT)
        headers = {} if user is None else {'Authorization': 'Basic ' + base64.b64encode(
            b'%s:secret' % user.encode('ascii')).decode('ascii')}
        try:
            connection.request('GET', path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode('utf-8')
        finally:
            connection.close()

    def _call(self, *command):
        done = subprocess.run(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**os.environ, 'PYTHONPATH': ''},
            cwd=self.directory)
        if done.returncode:
            raise StartError('%s failed: %s' % (command[0], done.stdout))


ZOPE_LAYER = ServerLayer(ZopeApplication, 'ZOPE_LAYER')
ZOPE_LAYER.__module__ = __name__
