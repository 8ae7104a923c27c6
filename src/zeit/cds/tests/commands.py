"""What tests of the commands have in common: to run one as a process, and look at what it left."""
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from zeit.cds.tests.importing import Importing


ENTRY = {'cds-import': 'exchange.cds_import', 'cds-export': 'exchange.cds_export',
         'cds-lock': 'lock.lock', 'cds-log': 'log.log_', 'cds-status': 'status.status',
         'cds-watch': 'watch.watch'}
LIMIT = 120         # seconds until a command that hangs is killed

SITE = """\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:cds="http://namespaces.zeit.de/cds">
<include package="zeit.cds" file="meta.zcml" />
<include package="zeit.cds" />
%s
</configure>
"""


def arguments(command, *options, settings=''):
    """What to execute for a command of the console.

    settings -- those that a script of buildout has inside: source code
    """
    module = ENTRY[command].partition('.')[0]
    code = 'import sys; from zeit.cds.cli import %s; sys.exit(%s(%s))' % (
        module, ENTRY[command], settings)
    return [sys.executable, '-c', code, *map(str, options)]


def environment(home, **variables):
    """That of a user without any settings but these."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ('CDS_PASSWORD', 'COLUMNS', 'LINES')
    }
    return {
        **kept,
        'HOME': str(home),
        'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
        **variables,
    }


def hear_signals():
    """In a new process: a signal that the test run was told to ignore shall work there."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Commands(Importing):
    """A mixin for a TestCase with a `server`: runs the real commands against it."""

    def setUp(self):
        super().setUp()
        self.home = Path(tempfile.mkdtemp(prefix='zeit.cds-home-'))
        self.addCleanup(shutil.rmtree, self.home)

    def url(self, directory='/', user=None, port=None):
        return 'ftp://%s@%s:%d%s' % (
            user or self.server.user,
            self.server.host,
            port or self.server.port,
            directory,
        )

    def popen(self, command, *options, password=None, settings='', **kw):
        variables = {'CDS_PASSWORD': self.server.password if password is None else password}
        return subprocess.Popen(
            arguments(command, *options, settings=settings),
            env=environment(self.home, **variables),
            cwd=self.home,
            preexec_fn=hear_signals,
            text=True,
            errors='surrogateescape',
            **{
                'stdin': subprocess.DEVNULL,
                'stdout': subprocess.PIPE,
                'stderr': subprocess.PIPE,
                **kw,
            },
        )

    def run_command(self, command, *options, **kw):
        """Run it to its end; returns the status. `self.out` and `self.err` are what it printed."""
        with self.popen(command, *options, **kw) as process:
            try:
                self.out, self.err = process.communicate(timeout=LIMIT)
            except BaseException:
                process.kill()
                raise
        return process.returncode

    def cds_import(self, *options, **kw):
        """Import by the command's own words; returns the status."""
        return self.run_command('cds-import', *options, self.store_dir, self.url(), **kw)

    @property
    def printed(self):
        """The objects (JSON) on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    def write(self, name, text, mode=0o644):
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def site(self, body):
        """Write a site.zcml; returns its path."""
        return self.write('site.zcml', SITE % body)

    def directive(self, name, **settings):
        """A <cds:feed> for the server."""
        server = self.server
        settings = {
            'name': name,
            'store_dir': self.store_dir,
            'hostname': server.host,
            'port': server.port,
            'user': server.user,
            **settings,
        }
        return '<cds:feed %s />' % ' '.join('%s="%s"' % item for item in settings.items())


class Terminate:
    """A subscriber: sends this process a signal when so many files have been imported."""

    def __init__(self, number, after):
        self.number, self.after = number, after

    def __call__(self, event):
        self.after -= 1
        if self.after == 0:
            os.kill(os.getpid(), self.number)


terminate_at_20 = Terminate(signal.SIGTERM, 20)
interrupt_at_20 = Terminate(signal.SIGINT, 20)


def fail(event):
    """A subscriber that is broken."""
    raise ValueError('a broken subscriber')


class Shell:
    """For texts: executes command lines as a shell does, in a directory of its own.

    Call it with a line: it prints what the line prints, and its exit status unless that is 0.
    """

    def __init__(self, **variables):
        self.directory = Path(tempfile.mkdtemp())
        programs = self.directory / 'bin'
        programs.mkdir()
        # The Python of the PATH may be of another version, and can't use the modules of this one.
        for name, command in {
            **{name: arguments(name) for name in ENTRY},
            'python3': [sys.executable],
        }.items():
            path = programs / name
            path.write_text('#!/bin/sh\nexec %s "$@"\n' % shlex.join(command))
            path.chmod(0o755)
        self.environment = environment(self.directory, COLUMNS='80', **variables)
        self.environment['PATH'] = '%s:%s' % (programs, self.environment['PATH'])

    def __call__(self, line):
        done = subprocess.run(
            ['/bin/sh', '-c', line],
            cwd=self.directory,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
        )
        print(done.stdout, end='')
        if done.returncode:
            print('[status %d]' % done.returncode)

    def close(self):
        shutil.rmtree(self.directory)
