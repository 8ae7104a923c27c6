"""What the commands do on servers of the field: imports, exports, races, a kill.

Run by tools/try-servers, and in short by the tests. Each run is the real command in a process of
its own, with a log that tells the dialogue (-vv).
"""
import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

from zeit.cds.testing.field import FIELD_SERVERS
from zeit.cds.testing.servers import SERVERS
from zeit.cds.tests.crash.races import many_races
from zeit.cds.tests.importing import contents, new_spool, put


ALL = [*FIELD_SERVERS, *SERVERS]
SESSIONS = 1, 4             # numbers of sessions of an import, an export
RACE_FILES, ROUNDS = 200, 3      # of the commands, and
RACES, RACERS = 30, (2, 5)      # of imports of a few files that begin at the very same moment
READY = 0.8                 # seconds until both processes of a race have loaded their modules
LIMIT = 120                 # seconds until a command that hangs is killed
COLUMNS = 'import, 1 / 4 sessions', 'export, 1 / 4 sessions', 'races', 'kill, and a run after it'
DONE, LOCKED = 0, 75        # exit statuses that are no fault in a race

CODE = '''
import sys, time
from zeit.cds.cli import exchange
from zeit.cds.transfer import importing
time.sleep(max(0, %r - time.time()))
sys.exit(exchange.%s())
'''


class Trial:
    """One server, what is tried on it, and what came of that.

    `remarks` has what a person must know of the faults, list of str.
    """

    def __init__(self, server, logs, files=300, options=()):
        """
        server -- a running Server
        logs -- directory (str) for the logs of the runs
        files -- how many an import or export has
        options -- of the commands, list of str
        """
        self.server, self.logs, self.files, self.options = server, logs, files, options
        self.remarks = []

    # ------------------------------------------------------------ runs

    def begin(self, verb, store_dir, label, *options, when=0.0):
        """Start the real command; returns the process.

        when -- value of time.time() at which it shall begin
        """
        server = self.server
        code = CODE % (when, verb)
        url = 'ftp://%s@%s:%d/%s' % (
            server.user, server.host, server.port,
            getattr(server, 'ftp_dir', '/').lstrip('/'))
        environ = {**os.environ, 'CDS_PASSWORD': server.password,
                   'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        with open(self._log(label), 'wb') as log:
            return subprocess.Popen(
                [sys.executable, '-c', code, '-vv', '--timeout', '10', '--retries', '1',
                 *self.options, *options, store_dir, url],
                env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self, process):
        """Wait for the process; returns its exit status, int, or 'hangs'."""
        try:
            return process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return 'hangs'

    def _log(self, label):
        return os.path.join(self.logs, '%s-%s.log' % (self.server.name, label))

    def remark(self, label):
        """Keep the last thing that a run said that is no news."""
        with open(self._log(label), errors='replace') as f:
            lines = [line.rstrip() for line in f]
        told = [n for n, line in enumerate(lines) if ': WARNING: ' in line or ': ERROR: ' in line]
        if not told:
            return self.remarks.append('%s: it said nothing' % label)
        text = lines[told[-1]].partition(': ')[2].partition(': ')[2]
        rest = [line for line in lines[told[-1] + 1:]
                if line and not line.startswith((' ', 'Traceback', 'cds-'))]
        self.remarks.append('%s: %s' % (label, ' '.join([text, *rest[:1]])))

    def empty(self):
        """Make the directory of the server as it was at first."""
        self.server.clear()

    def article(self, n):
        return b'article-%03d' % n, b'%d ' % n * (1 + n % 700)

    def articles(self, files):
        return dict(self.article(n) for n in range(files))

    def fill(self, directory, files):
        for name, data in self.articles(files).items():
            put(directory, name, data)

    def left(self):
        """{name: data} of what is on the server, without what is no article."""
        return {name: data for name, data in contents(self.server.directory).items()
                if name.startswith(b'article')}

    def strays(self):
        """Names (bytes) of locks, a mutex and temporary files that stay on the server."""
        return sorted(set(contents(self.server.directory)) - set(self.articles(self.files)))

    # ------------------------------------------------------------ trials

    def importing(self, sessions):
        """An import; returns a cell of the table, str."""
        with spool() as store_dir:
            self.empty()
            self.fill(self.server.directory, self.files)
            begun, label = time.monotonic(), 'import-%d' % sessions
            status = self.end(self.begin(
                'import_', store_dir, label, '--connections', str(sessions)))
            seconds = time.monotonic() - begun
            there = contents(os.path.join(store_dir, 'new'))
            return self._cell(label, status, seconds, there, self.left())

    def exporting(self, sessions):
        """An export; returns a cell of the table, str."""
        with spool() as store_dir:
            self.empty()
            self.fill(os.path.join(store_dir, 'new'), self.files)
            begun, label = time.monotonic(), 'export-%d' % sessions
            status = self.end(self.begin(
                'export', store_dir, label, '--connections', str(sessions)))
            seconds = time.monotonic() - begun
            waiting = contents(os.path.join(store_dir, 'new'))
            return self._cell(label, status, seconds, self.left(), waiting)

    def _cell(self, label, status, seconds, there, left):
        expected, faults = self.articles(self.files), []
        if status != DONE:
            faults.append('status %s' % status)
        arrived = sum(expected.get(name) == data for name, data in there.items())
        if arrived != len(expected):
            faults.append('%d of %d' % (arrived, len(expected)))
        if wrong := len(there) - arrived:
            faults.append('%d wrong' % wrong)
        if left:
            faults.append('%d left' % len(left))
        if strays := self.strays():
            faults.append('stays: %s' % b' '.join(strays[:3]).decode('utf-8', 'replace'))
        if faults:
            self.remark(label)
        return '; '.join(faults) or 'ok %.1f s' % seconds

    def racing(self):
        """Importers at once, with a spool each; a cell of the table."""
        faults = []
        for number in range(ROUNDS):
            faults += self._race(number)
        if not faults:      # else the server is not fit for these
            for racers in RACERS:
                self.empty()
                wrong, figures = many_races(self.server, RACES, racers)
                if overlaps := figures['overlaps']:
                    faults.append('%d of %d races of %d overlap' % (overlaps, RACES, racers))
                if wrong:
                    self.remarks.append('races of %d: %d faults, the first: %s' % (
                        racers, len(wrong), wrong[0]))
        return '; '.join(faults) or 'ok'

    def _race(self, number):
        """Two commands with many files; the faults, list of str."""
        with spool() as one, spool() as other:
            self.empty()
            self.fill(self.server.directory, RACE_FILES)
            when = time.time() + READY
            processes = [
                self.begin('import_', store_dir, 'race-%d%s' % (number, letter), when=when)
                for letter, store_dir in (('a', one), ('b', other))]
            statuses = [self.end(process) for process in processes]
            return self._race_faults(number, statuses, [
                contents(os.path.join(store_dir, 'new')) for store_dir in (one, other)])

    def _race_faults(self, number, statuses, spools):
        faults, expected = [], self.articles(RACE_FILES)
        if wrong := [str(status) for status in statuses if status not in (DONE, LOCKED)]:
            faults.append('status %s' % ', '.join(wrong))
        if statuses == [LOCKED, LOCKED]:
            faults.append('nobody won')
        if twice := len(spools[0].keys() & spools[1].keys()):
            faults.append('%d twice' % twice)
        if lost := sum(any(found.get(name) == data for found in [*spools, self.left()]) is False
                       for name, data in expected.items()):
            faults.append('%d lost' % lost)
        if faults:
            for letter in 'ab':
                self.remark('race-%d%s' % (number, letter))
        return ['%d: %s' % (number, ', '.join(faults))] if faults else []

    def killing(self):
        """Kill an import in its middle, have all of new taken, run again; a cell of the table."""
        with spool() as store_dir:
            self.empty()
            self.fill(self.server.directory, self.files)
            new, faults = os.path.join(store_dir, 'new'), []
            with self.begin('import_', store_dir, 'killed') as process:
                while process.poll() is None and len(os.listdir(new)) < self.files // 3:
                    time.sleep(0.001)
                if process.poll() is not None:
                    faults.append('not killed')
                process.kill()
            first = contents(new)
            for name in first:
                os.unlink(os.path.join(os.fsencode(new), name))
            status = self.end(self.begin('import_', store_dir, 'after-kill'))
            faults += self._kill_faults(status, first, contents(new))
            if faults:
                self.remark('after-kill')
            return '; '.join(faults) or 'ok (%d + %d)' % (len(first), self.files - len(first))

    def _kill_faults(self, status, first, second):
        expected, faults = self.articles(self.files), []
        if status != DONE:
            faults.append('status %s' % status)
        if twice := len(first.keys() & second.keys()):
            faults.append('%d twice' % twice)
        if {**first, **second, **self.left()} != expected:
            faults.append('lost')
        elif left := self.left():
            faults.append('%d left' % len(left))
        if strays := self.strays():
            faults.append('stays: %s' % b' '.join(strays[:3]).decode('utf-8', 'replace'))
        return faults

    def all(self):
        """The cells of a row, list of str."""
        return [
            *[' / '.join(trial(sessions) for sessions in SESSIONS)
              for trial in (self.importing, self.exporting)],
            self.racing(), self.killing()]


@contextlib.contextmanager
def spool():
    """A spool that is removed afterwards."""
    path = new_spool()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(
        prog='try-servers', description='Import, export, race and kill on FTP servers.')
    parser.add_argument('--servers', nargs='+', metavar='NAME', choices=[k.name for k in ALL],
                        default=[kind.name for kind in FIELD_SERVERS],
                        help='(default: %s)' % ' '.join(kind.name for kind in FIELD_SERVERS))
    parser.add_argument('--files', type=int, default=300)
    parser.add_argument('--logs', metavar='DIRECTORY', help='where the dialogues shall stay')
    parser.add_argument('--options', default='', help='further options of the commands')
    options = parser.parse_args()
    logs = options.logs or tempfile.mkdtemp(prefix='zeit.cds-field-')
    os.makedirs(logs, exist_ok=True)
    bad = 0
    for kind in [kind for kind in ALL if kind.name in options.servers]:
        if missing := kind.missing():
            print('%s\n    skipped: %s' % (kind.name, missing), flush=True)
            continue
        with kind() as server:
            trial = Trial(server, logs, options.files, options.options.split())
            cells = trial.all()
        print(row(kind, cells, trial.remarks), flush=True)
        bad += bool(trial.remarks)
    print('The dialogues are in %s' % logs)
    return 1 if bad else 0


def row(kind, cells, remarks):
    """What the table has of one server, str: a line for each column, and one for each remark."""
    version = kind.version() if hasattr(kind, 'version') else ''
    said = {}
    for remark in remarks:
        label, _, text = remark.partition(': ')
        said.setdefault(text, []).append(label)
    lines = ['    %-30s %s' % pair for pair in zip(COLUMNS, cells)]
    for text, labels in said.items():
        more = ', and %d more' % (len(labels) - 1) if labels[1:] else ''
        lines.append('    %s%s: %s' % (labels[0], more, text))
    return '\n'.join(['%s %s' % (kind.name, version), *lines])


if __name__ == '__main__':
    sys.exit(main())
