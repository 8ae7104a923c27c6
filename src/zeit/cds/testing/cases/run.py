"""A run of a command against the server of a case, and what it did."""
import os
import shutil
import subprocess
import sys
import tempfile
import time


LIMIT = 120     # seconds until a command that hangs is killed


class Spools:
    """Spools that are removed after the case."""

    def __init__(self):
        self.paths = []

    def new(self, files=()):
        """The path of a spool with some files, {name: bytes}, in its new."""
        path = tempfile.mkdtemp(prefix='zeit.cds-case-')
        self.paths.append(path)
        for name in 'tmp', 'new', 'cur':
            os.mkdir(os.path.join(path, name))
        for name, data in dict(files).items():
            with open(os.path.join(path, 'new', name), 'wb') as f:
                f.write(data)
        return path

    def remove(self):
        for path in self.paths:
            shutil.rmtree(path, ignore_errors=True)


class Result:
    """What a run did.

    `status`  int
    `log`     what it printed, str
    `seconds` how long it took, float
    """

    def __init__(self, store_dir, status, log, seconds):
        self.store_dir, self.status, self.log, self.seconds = store_dir, status, log, seconds

    @property
    def new(self):
        """{name: data} of what is in the spool's new."""
        path = os.path.join(self.store_dir, 'new')
        found = {}
        for name in os.listdir(path):
            if not name.startswith('.'):
                with open(os.path.join(path, name), 'rb') as f:
                    found[name] = f.read()
        return found

    @property
    def last_words(self):
        """What it said at its end, in lower case."""
        return self.log.split('Exiting with exception')[-1].lower()

    def __str__(self):
        return 'status %s after %.1f s; in new: %s\n%s' % (
            self.status, self.seconds, sorted(self.new), self.log)


def start(server, store_dir, *options, verb='import_', scheme='ftp', directory='/'):
    """Begin a run; returns its process.

    verb -- of zeit.cds.cli.exchange: 'import_' or 'export'
    """
    code = 'import sys; from zeit.cds.cli import exchange; sys.exit(exchange.%s())' % verb
    return subprocess.Popen(
        [sys.executable, '-c', code, '-v', *options, store_dir,
         '%s://someone@127.0.0.1:%d%s' % (scheme, server.port, directory)],
        env={**os.environ, 'CDS_PASSWORD': 'secret',
             'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors='surrogateescape')


class Case:
    """What one case claims; `claims` are pairs of a text and whether it is true."""

    def __init__(self):
        self.claims, self.results = [], []
        self.spools, self.servers = Spools(), set()

    def claim(self, text, truth):
        self.claims.append((text, bool(truth)))

    @property
    def holds(self):
        return bool(self.claims) and all(truth for _, truth in self.claims)

    def run(self, server, *options, files=(), retries=1, timeout=2, connections=None, **kw):
        """Run a command to its end; its Result. `files` are in the spool's new."""
        store_dir, begun = self.spools.new(files), time.monotonic()
        self.servers.add(server)
        if connections is not None:
            options += '--connections', connections
        with start(server, store_dir, '--retries', str(retries), '--timeout', str(timeout),
                   *options, **kw) as process:
            try:
                log, _ = process.communicate(timeout=LIMIT)
            except BaseException:
                process.kill()
                raise
        result = Result(store_dir, process.returncode, log, time.monotonic() - begun)
        self.results.append(result)
        return result

    def arrives(self, server, *names, **kw):
        """An import that shall bring these files, and succeed; its Result."""
        result = self.run(server, **kw)
        self.claim('these files arrive, and nothing else: %s' % ', '.join(names),
                   sorted(result.new) == sorted(names))
        self.claim('the status is 0', result.status == 0)
        return result

    def emptied(self, server):
        """Nothing shall be left on the server."""
        self.claim('nothing is left there',
                   not server.store.files and not {'.cds-mutex'} & server.store.dirs)

    def export(self, server, files, **kw):
        """Export some files; the Result."""
        return self.run(server, files=files, verb='export', **kw)

    def end(self):
        """Remove the spools, stop the servers."""
        self.spools.remove()
        for server in self.servers:
            server.stop()

    def __str__(self):
        return '\n'.join(['%s %s' % ('ok  ' if truth else 'FAIL', text)
                          for text, truth in self.claims] + [str(r) for r in self.results])
