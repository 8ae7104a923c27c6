"""tools/mutants: which changes of the code do the tests not notice?"""
import argparse
import collections
import functools
import importlib
import os
import random
import selectors
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from zeit.cds.tests.mutation import coverage, operators, trial


PACKAGE = 'zeit.cds'
# Each room's modules, and the tests that are to notice.
ROOMS = {
    'transfer': (['transfer.*'], [
        'transfer.tests.*', 'tests.test_*kill', 'tests.test_components']),
    'lock': (['lock.*'], [
        'lock.tests.*', 'cli.tests.test_lock*', 'transfer.tests.test_faults']),
    'spool': (['spool.*'], [
        'spool.tests.*', 'transfer.tests.*', 'tests.test_*kill']),
    'ftp.pipelining': (['ftp.pipelining'], [
        'ftp.tests.*', 'tests.test_pipelin*', 'transfer.tests.*']),
}
MORE = ['testing.tests.test_contract*', 'tests.test_contract*', '*.tests.test_*contract*']
# Programs that are quick to start come first; real servers only if nothing else noticed.
LAYERS = ['', 'PYFTPDLIB', 'VSFTPD']
SLOW_START = 60             # seconds in which tests must be loaded
TIMES = 10                  # how much longer than on unchanged code a test may take,
MORE_SECONDS = 10           # and seconds
KILLER_FIRST = 3            # so many tests that noticed something in a module come first


def zeit_cds(source=None):
    """The Project that is checked."""
    source = source or Path(__file__).parents[4]
    return trial.Project(source, PACKAGE, {
        name: (modules, tests + MORE) for name, (modules, tests) in ROOMS.items()})


class Order:
    """Which test comes first: who noticed something in this module before, then the quick ones.

    A test that does not execute the statement is left out.
    """

    def __init__(self, project):
        self._project = project
        self._modules = {}          # {name: (number, Statements)}
        self.coverage = coverage.Coverage()
        self.seconds = {}
        self.red = set()            # they are so on unchanged code as well
        self.noticed = collections.defaultdict(collections.Counter)

    def module(self, name):
        """(its number, its Statements)"""
        if name not in self._modules:
            self._modules[name] = len(self._modules), coverage.Statements(
                self._project.module_path(name).read_bytes())
        return self._modules[name]

    def of(self, mutant):
        """The key function for `trial.start`."""
        if mutant is None:
            return lambda test, layer: (self.rank(layer), test)
        module = mutant.module
        first = dict(self.noticed[module].most_common(KILLER_FIRST))
        number, statements = self.module(module)
        line = statements.line_of(mutant.start)

        def key(test, layer):
            if test in self.red or not self.coverage.covers(test, number, line):
                return None
            if test in first:
                return 0, -first[test], test
            return self.rank(layer), self.seconds.get(test, 0), test
        return key

    @staticmethod
    def rank(layer):
        return 1 + next((n for n, name in enumerate(LAYERS) if name and name in layer),
                        len(LAYERS) if layer else 0)

    def limit(self, test):
        """Seconds that a test may take."""
        if test == trial.LOADING:
            return SLOW_START
        return MORE_SECONDS + TIMES * self.seconds.get(test, 1)


class Slot:
    """A copy of the code in which one mutant at a time is tried."""

    def __init__(self, project, place):
        self.place = Path(place)
        self.place.mkdir()
        self.place.chmod(0o755)     # servers with an account of their own come here
        self.tmp, self.log = self.place / 'tmp', self.place / 'log'
        self.project = project.elsewhere(self.place / 'src')
        shutil.copytree(project.path, self.project.path,
                        ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        self.job = self.pid = self.pipe = None

    def change(self, sources):
        """`sources`: {name of a module: bytes}"""
        for name, source in sources.items():
            self.project.module_path(name).write_bytes(source)

    def start(self, job, tests, order, stop=True, environ=()):
        """`job`: a Mutant, or None for unchanged code."""
        self.tmp.mkdir(exist_ok=True)
        self.tmp.chmod(0o755)
        self.job, self.test, self.red, self.why = job, trial.LOADING, None, None
        self.begun, self.rest, self.ended = time.monotonic(), b'', False
        if job is not None:
            path = self.project.module_path(job.module)
            self.original = path.read_bytes()
            path.write_bytes(job.source(self.original))
        before = dict(os.environ)
        os.environ.update(environ, TMPDIR=str(self.tmp), PYTHONDONTWRITEBYTECODE='1')
        tempfile.tempdir = None
        try:
            self.pid, self.pipe = trial.start(self.project, tests, order, self.log, stop)
        finally:
            os.environ.clear()
            os.environ.update(before)
            tempfile.tempdir = None

    def read(self):
        """The lines that came (lists of words); None at the end."""
        block = os.read(self.pipe, 65536)
        *lines, self.rest = (self.rest + block).split(b'\n')
        return [line.decode().split(' ', 1) for line in lines] if block else None

    def end(self):
        """Kill whatever runs there, and undo the change."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(self.pid, signal.SIGKILL)   # before its setsid
        os.waitpid(self.pid, 0)
        os.close(self.pipe)
        if self.job is not None:
            self.project.module_path(self.job.module).write_bytes(self.original)
        shutil.rmtree(self.tmp, ignore_errors=True)


class Check:
    """Tries mutants of a project, some at a time; `survivors` is a list of Mutant."""

    def __init__(self, project, jobs=2, say=print):
        self.project, self.jobs, self.say = project, jobs, say
        self.order = Order(project)
        self.survivors, self.tried = [], 0

    def mutants(self, rooms, kinds=operators.KINDS):
        """{Mutant: room}"""
        return {mutant: room for room in rooms for name in self.project.modules(room)
                for mutant in operators.mutants(
                    name, self.project.module_path(name).read_bytes())
                if mutant.kind in kinds}

    def run(self, mutants):
        """Try all of {Mutant: room}."""
        place = tempfile.mkdtemp(prefix='zeit.cds-mutants-', dir=memory())
        os.chmod(place, 0o755)
        try:
            self.slots = [Slot(self.project, os.path.join(place, str(n)))
                          for n in range(self.jobs)]
            self._measure(mutants)
            self._all(mutants)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _measure(self, mutants):
        """All tests: how long each takes, what it executes, and whether it is red anyway."""
        names = sorted({name for room in mutants.values() for name in self.project.tests(room)})
        shares = [(None, names[n::self.jobs]) for n in range(self.jobs) if names[n::self.jobs]]
        modules = sorted({mutant.module for mutant in mutants})
        for slot in self.slots:
            slot.change({name: statements.telling(number) for name in modules
                         for number, statements in [self.order.module(name)]})
            slot.project.source.joinpath(coverage.MODULE + '.py').write_text(coverage.SOURCE)
        self._drive(iter(shares), stop=False, telling=True)
        for slot in self.slots:
            slot.change({name: self.project.module_path(name).read_bytes() for name in modules})
        doubtful, self.order.red = self.order.red, set()
        if doubtful:
            self._drive(iter(shares), stop=False, only=doubtful)
        for test in sorted(self.order.red):
            self.say('red on unchanged code, not counted: %s' % test)
        seconds = self.order.seconds
        slow = sorted(seconds, key=seconds.get)[-3:]
        self.say('%d tests in %.0f s, the slowest: %s' % (
            len(seconds), sum(seconds.values()),
            ', '.join('%s %.1f s' % (name, seconds[name]) for name in slow)), flush=True)
        preload(self.project)

    def _all(self, mutants):
        self._drive((mutant, self.project.tests(room)) for mutant, room in mutants.items())

    def _drive(self, work, stop=True, telling=False, only=None):
        """Keep all slots busy with (mutant, names of test modules).

        `telling`  the code tells what is executed
        `only`     names of tests
        """
        free, selector = list(self.slots), selectors.DefaultSelector()
        pending = next(work, None)
        try:
            while pending or len(free) < len(self.slots):
                while pending and free:
                    slot = free.pop()
                    mutant, tests = pending
                    order = self.order.of(mutant)
                    if only is not None:
                        order = functools.partial(chosen_only, only)
                    slot.start(mutant, tests, order, stop, {
                        coverage.VARIABLE: str(slot.place / 'statements')} if telling else {})
                    selector.register(slot.pipe, selectors.EVENT_READ, slot)
                    pending = next(work, None)
                for slot in self._step(selector, stop):
                    selector.unregister(slot.pipe)
                    slot.end()
                    free.append(slot)
                    if slot.job is not None:
                        self._judge(slot)
        finally:
            for slot in self.slots:
                if slot not in free:
                    slot.end()

    def _step(self, selector, stop):
        """Read what came; the slots that have ended."""
        for key, _ in selector.select(0.5):
            slot = key.data
            lines = slot.read()
            if lines is None:
                slot.ended = True
            for words in lines or ():
                self._hear(slot, *words, stop=stop)
        now = time.monotonic()
        busy = [key.data for key in list(selector.get_map().values())]
        for slot in busy:
            if stop and not slot.ended and now - slot.begun > self.order.limit(slot.test):
                slot.red, slot.why, slot.ended = slot.test, 'took too long', True
        return [slot for slot in busy if slot.ended]

    def _hear(self, slot, what, test='', stop=True):
        if what == 'begin':
            slot.test, slot.begun = test, time.monotonic()
        elif what == 'good':
            test, _, seconds = test.rpartition(' ')
            self.order.seconds[test] = float(seconds)
        elif what == 'covers':
            test, *statements = test.split()
            self.order.coverage.hear(test, statements)
        elif what == 'red' and not stop:
            self.order.red.add(test)
        elif what == 'red':
            slot.red = test
        elif what == 'done':
            slot.why, slot.ended = 'done', True

    def _judge(self, slot):
        mutant = slot.job
        self.tried += 1
        if slot.red is None and slot.why == 'done':
            self.survivors.append(mutant)
            self.say('survived: %s' % self.shown(mutant), flush=True)
        else:
            by = slot.red or slot.test
            if slot.red is None:
                slot.why = 'ended the process'
            self.order.noticed[mutant.module][by] += 1
            self.say('noticed:  %s by %s%s' % (
                mutant.id, by, ', which %s' % slot.why if slot.why else ''), flush=True)

    def shown(self, mutant):
        path = self.project.module_path(mutant.module)
        return '%s\n%s:%d\n%s' % (
            mutant.id, path.relative_to(self.project.source), mutant.line,
            mutant.diff(path.read_bytes()))


def chosen_only(tests, test, layer):
    """An order of some tests."""
    return (Order.rank(layer), test) if test in tests else None


def memory():
    """A directory in memory, or None."""
    return '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


def preload(project):
    """Import what the tests take of other packages, so that each process finds it there."""
    for name in ('unittest.mock', 'hypothesis', 'trustme', 'OpenSSL', 'pyftpdlib', 'tenacity',
                 'greenlet', 'zope.component.testing', 'zope.configuration.xmlconfig',
                 'zope.testing.renormalizing', 'gocept.filestore', 'zc.lockfile'):
        try:
            importlib.import_module(name)
        except ImportError:
            pass


def arguments(project, args):
    parser = argparse.ArgumentParser(
        prog='mutants', description=__doc__,
        epilog='; '.join('%s: %s' % item for item in operators.KINDS.items()))
    parser.add_argument('--sample', type=int, metavar='N', help='so many, at random (all)')
    parser.add_argument('--seed', type=int, help='of the sample (a new one, printed)')
    parser.add_argument('--jobs', type=int, default=2, help='processes (%(default)s)')
    parser.add_argument('--rooms', default=','.join(project.rooms), help='(%(default)s)')
    parser.add_argument('--guards', action='store_true', help='remove each guard, nothing else')
    parser.add_argument('--only', metavar='ID', action='append', help='this mutant')
    parser.add_argument('--list', action='store_true', help='show them, try none')
    parser.add_argument('--source', help='a directory with other code (%s)' % project.source)
    return parser.parse_args(args)


def chosen(check, options):
    """{Mutant: room} of those asked for."""
    kinds = ['guard'] if options.guards else operators.KINDS
    mutants = check.mutants(options.rooms.split(','), kinds)
    if options.only:
        mutants = {mutant: room for mutant, room in mutants.items() if mutant.id in options.only}
    if options.sample is not None and options.sample < len(mutants):
        names = random.Random(options.seed).sample(list(mutants), options.sample)
        mutants = {mutant: mutants[mutant] for mutant in names}
    return mutants


def main(args=None, project=None):
    project = project or zeit_cds()
    options = arguments(project, args)
    if options.source:
        project = project.elsewhere(options.source)
    if options.seed is None:
        options.seed = random.randrange(10 ** 6)
    check = Check(project, options.jobs)
    mutants = chosen(check, options)
    if not mutants:
        print('There is no such mutant.', file=sys.stderr)
        return 2
    if options.list:
        for mutant in mutants:
            print(check.shown(mutant))
        return 0
    begun = time.monotonic()
    check.run(mutants)
    noticed = check.tried - len(check.survivors)
    print('%d mutants, seed %d: %d noticed (%.1f %%), %d survived; %.0f s' % (
        check.tried, options.seed, noticed, 100 * noticed / check.tried, len(check.survivors),
        time.monotonic() - begun))
    for mutant in check.survivors:
        print('    ' + mutant.id)
    return 1 if check.survivors else 0
