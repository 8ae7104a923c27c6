"""Mutants are tried, some at a time, each with the tests that execute what is changed."""
import collections
import compileall
import difflib
import importlib.util
import json
import os
import selectors
import shutil
import signal
import tempfile
import time
from pathlib import Path

from zeit.cds.tests.mutation import coverage, operators, trial


# Programs that are quick to start come first; real servers only if nothing else noticed.
LAYERS = ['', 'PYFTPDLIB', 'VSFTPD']
SLOW_START = 60             # seconds in which tests must be loaded
TIMES = 10                  # how much longer than on unchanged code a test may take,
MORE_SECONDS = 10           # and seconds
WORTH_PRELOADING = 10       # seconds of tests
KILLER_FIRST = 25           # so many tests that noticed something in a module come first


class Order:
    """Which test comes first: who noticed something in this module before, then the quick ones.

    A test that does not execute the statement is left out.
    """

    def __init__(self, project):
        self._project = project
        self._modules = {}          # {name: (number, Statements)}
        self.measured = set()       # names of those of which `coverage` tells,
        self.unlike = collections.defaultdict(set)      # but for these lines
        self.coverage = coverage.Coverage()
        self.seconds = {}
        self.red = set()            # they are so on unchanged code as well
        self.noticed = collections.defaultdict(collections.Counter)

    def module(self, name):
        """(its number, its Statements)"""
        if name not in self._modules:
            number = 1 + max((number for number, _ in self._modules.values()), default=0)
            self._modules[name] = number, coverage.Statements(
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
        if module not in self.measured or line in self.unlike[module]:
            line = None     # it is not known who executes it

        def key(test, layer):
            if test in self.red or not self.coverage.covers(test, number, line):
                return None
            if test in first:
                return 0, -first[test], test
            return self.rank(layer), self.seconds.get(test, 0), test
        return key

    def keep(self, path):
        """Write to a file what is known of the tests."""
        path.write_text(json.dumps({
            'modules': {name: (number, statements.source.decode(), name in self.measured,
                               sorted(self.unlike[name]))
                        for name, (number, statements) in self._modules.items()},
            'coverage': self.coverage.values, 'seconds': self.seconds, 'red': sorted(self.red),
            'noticed': self.noticed}))

    def remember(self, path):
        """Take it from there, as far as lines have not changed since."""
        kept, moves = json.loads(path.read_text()), {}
        for name, (number, source, measured, unlike) in kept['modules'].items():
            path, moves[number] = self._project.module_path(name), {}
            if not path.exists():
                continue
            new = path.read_bytes()
            self._modules[name] = number, coverage.Statements(new)
            moves[number] = moved(source, new.decode(), set(unlike))
            self.unlike[name] = {*range(1, new.count(b'\n') + 1)} - {*moves[number].values()}
            if measured:
                self.measured.add(name)
        self.coverage = coverage.Coverage(*kept['coverage']).moved(moves)
        self.seconds, self.red = kept['seconds'], set(kept['red'])
        for name, counts in kept['noticed'].items():
            self.noticed[name].update(counts)

    def new(self, test, layer):
        """An order of those tests of which nothing is known yet."""
        if test in self.seconds or test in self.red:
            return None
        return self.rank(layer), test

    @staticmethod
    def rank(layer):
        return 1 + next((n for n, name in enumerate(LAYERS) if name and name in layer),
                        len(LAYERS) if layer else 0)

    def limit(self, test):
        """Seconds that a test may take."""
        if test.startswith(trial.LOADING):
            return SLOW_START
        return MORE_SECONDS + TIMES * self.seconds.get(test, 1)


class Running:
    """A process that runs tests, and what came of it.

    `test`   the one that runs
    `red`    the one that was red, or None
    `why`    'done', or what else happened
    """

    def __init__(self, mutant, pid, pipe):
        self.mutant, self.pid, self.pipe = mutant, pid, pipe
        self.test, self.red, self.why, self.ended = trial.LOADING, None, None, False
        self.started = self.begun = time.monotonic()
        self._rest = b''

    def read(self):
        """The lines that came (lists of a word and the rest); None at the end."""
        block = os.read(self.pipe, 65536)
        *lines, self._rest = (self._rest + block).split(b'\n')
        return [line.decode().split(' ', 1) for line in lines] if block else None

    def end(self):
        """Kill whatever runs there."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(self.pid, signal.SIGKILL)   # before its setsid
        os.waitpid(self.pid, 0)
        os.close(self.pipe)


class Slot:
    """A copy of the code in which one mutant at a time is tried."""

    def __init__(self, project, place):
        self.place = Path(place)
        self.place.mkdir()
        self.place.chmod(0o755)     # servers with an account of their own come here
        self.tmp = self.place / 'tmp'
        self._original = project
        self.project = project.elsewhere(self.place / 'src')
        shutil.copytree(project.path, self.project.path,
                        ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        compileall.compile_dir(self.project.path, quiet=2)      # once, and not for each mutant
        self.running = None

    def change(self, sources):
        """`sources`: {name of a module: bytes}"""
        for name, source in sources.items():
            path = self.project.module_path(name)
            path.write_bytes(source)
            # One that was compiled in the same second passes for what is as long.
            Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)

    def restore(self, names):
        self.change({name: self._original.module_path(name).read_bytes() for name in names})
        for name in names:
            compileall.compile_file(self.project.module_path(name), quiet=2)

    def start(self, mutant, tests, order, stop=True, environ=()):
        """`mutant`: a Mutant, or None for the code as it is."""
        self.tmp.mkdir()
        self.tmp.chmod(0o755)
        if mutant is not None:
            original = self._original.module_path(mutant.module).read_bytes()
            self.change({mutant.module: mutant.source(original)})
        before = dict(os.environ)
        os.environ.update(environ, TMPDIR=str(self.tmp), PYTHONDONTWRITEBYTECODE='1')
        tempfile.tempdir = None
        try:
            self.running = Running(mutant, *trial.start(
                self.project, tests, order, self.place / 'log', stop))
        finally:
            os.environ.clear()
            os.environ.update(before)
            tempfile.tempdir = None

    def keep_log(self):
        """Put what was printed where it stays; the path."""
        with tempfile.NamedTemporaryFile(prefix='mutants-', suffix='.log', delete=False) as kept:
            kept.write(self.place.joinpath('log').read_bytes())
        return kept.name

    def end(self):
        """End what runs, and undo the change. Returns the Running."""
        running, self.running = self.running, None
        running.end()
        if running.mutant is not None:
            self.restore([running.mutant.module])
        shutil.rmtree(self.tmp, ignore_errors=True)
        return running


class Check:
    """Tries mutants of a project, some at a time; `survivors` is a list of Mutant."""

    def __init__(self, project, jobs=2, say=print, brief=None):
        """
        jobs -- so many at a time
        brief -- float: a mutant that no test has noticed after so many seconds counts as survived
        """
        self.project, self.jobs, self.say, self.brief = project, jobs, say, brief
        self.order = Order(project)
        self.survivors, self.tried = [], 0

    def mutants(self, rooms, kinds=operators.KINDS):
        """{Mutant: room}"""
        return {mutant: room for room in rooms for name in self.project.modules(room)
                for mutant in operators.mutants(
                    name, self.project.module_path(name).read_bytes())
                if mutant.kind in kinds}

    def run(self, mutants, known=None):
        """Try all of {Mutant: room}.

        known -- path of a file of what is known of the tests; None: they are tried first
        """
        place = tempfile.mkdtemp(prefix='zeit.cds-mutants-', dir=memory())
        os.chmod(place, 0o755)
        try:
            self.slots = [Slot(self.project, os.path.join(place, str(n)))
                          for n in range(self.jobs)]
            if known is not None and known.exists():
                self.order.remember(known)
                self._measure(mutants, self.order.new)
            else:
                self._measure(mutants)
                self.order.measured.update(mutant.module for mutant in mutants)
            if sum(self.order.seconds.values()) > WORTH_PRELOADING:
                preload()
            if known is not None:
                self.order.keep(known)
            self._all(mutants)
            if known is not None:
                self.order.keep(known)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _measure(self, mutants, order=None):
        """All tests: how long each takes, what it executes, and whether it is red anyway.

        order -- key function that leaves out some
        """
        names = sorted({name for room in mutants.values() for name in self.project.tests(room)})
        shares = [(None, names[n::self.jobs]) for n in range(self.jobs) if names[n::self.jobs]]
        modules, before = sorted({mutant.module for mutant in mutants}), set(self.order.red)
        for slot in self.slots:
            slot.change({name: statements.telling(number) for name in modules
                         for number, statements in [self.order.module(name)]})
            slot.project.source.joinpath(coverage.MODULE + '.py').write_text(coverage.SOURCE)
        self._drive(iter(shares), stop=False, telling=True, order=order)
        for slot in self.slots:
            slot.restore(modules)
        for test in sorted(self.order.red - before):
            # Perhaps by chance: then it would be so on a mutant as well.
            self.say('red on unchanged code, not counted: %s' % test)
        seconds = self.order.seconds
        slow = sorted(seconds, key=seconds.get)[-3:]
        self.say('%d tests in %.0f s, the slowest: %s' % (
            len(seconds), sum(seconds.values()),
            ', '.join('%s %.1f s' % (name, seconds[name]) for name in slow)), flush=True)
        if not seconds:
            raise SystemExit('No test is good on unchanged code; see %s' % (
                self.slots[-1].keep_log()))

    def _all(self, mutants):
        self._drive((mutant, self.project.tests(room)) for mutant, room in mutants.items())

    def _drive(self, work, stop=True, telling=False, order=None):
        """Keep all slots busy with (mutant, names of test modules).

        `telling`  the code tells what is executed
        `order`    key function of tests, instead of the one that suits the mutant
        """
        free, selector = list(self.slots), selectors.DefaultSelector()
        pending = next(work, None)
        try:
            while pending or len(free) < len(self.slots):
                while pending and free:
                    slot = free.pop()
                    mutant, tests = pending
                    slot.start(mutant, tests, order or self.order.of(mutant), stop, {
                        coverage.VARIABLE: str(slot.place / 'statements')} if telling else {})
                    selector.register(slot.running.pipe, selectors.EVENT_READ, slot)
                    pending = next(work, None)
                for slot in self._step(selector, stop):
                    selector.unregister(slot.running.pipe)
                    running = slot.end()
                    free.append(slot)
                    if running.mutant is not None:
                        self._judge(running)
                    elif running.why != 'done':
                        raise SystemExit('%s ended the process on unchanged code; see %s' % (
                            running.test, slot.keep_log()))
        finally:
            for slot in self.slots:
                if slot.running:
                    slot.end()

    def _step(self, selector, stop):
        """Read what came; the slots whose processes have ended."""
        for key, _ in selector.select(0.5):
            running = key.data.running
            lines = running.read()
            if lines is None:
                running.ended = True
            for words in lines or ():
                self._hear(running, *words, stop=stop)
        slots = [key.data for key in list(selector.get_map().values())]
        for running in (slot.running for slot in slots) if stop else ():
            if not running.ended and (
                    time.monotonic() - running.begun > self.order.limit(running.test)):
                running.red, running.why, running.ended = running.test, 'took too long', True
            elif not running.ended and self.brief is not None and (
                    time.monotonic() - running.started > self.brief):
                running.why, running.ended = 'done', True
        return [slot for slot in slots if slot.running.ended]

    def _hear(self, running, what, test='', stop=True):
        if what == 'begin':
            running.test, running.begun = test, time.monotonic()
        elif what == 'good':
            test, _, seconds = test.rpartition(' ')
            self.order.seconds[test] = float(seconds)
        elif what == 'covers':
            test, *statements = test.split()
            self.order.coverage.hear(test, statements)
        elif what == 'red' and not stop:
            self.order.red.add(test)
        elif what == 'red':
            running.red = test
        elif what == 'done':
            running.why, running.ended = 'done', True

    def _judge(self, running):
        mutant = running.mutant
        self.tried += 1
        if running.red is None and running.why == 'done':
            self.survivors.append(mutant)
            self.say('survived: %s' % self.shown(mutant), flush=True)
            return
        by = running.red or running.test
        if running.red is None:
            running.why = 'ended the process'
        self.order.noticed[mutant.module][by] += 1
        self.say('noticed:  %s by %s%s' % (
            mutant.id, by, ', which %s' % running.why if running.why else ''), flush=True)

    def shown(self, mutant):
        path = self.project.module_path(mutant.module)
        return '%s\n%s:%d\n%s' % (
            mutant.id, path.relative_to(self.project.source), mutant.line,
            mutant.diff(path.read_bytes()))


def moved(source, new, without):
    """{line of a source: the same line of a newer one}. without -- lines that don't count"""
    blocks = difflib.SequenceMatcher(None, source.splitlines(), new.splitlines(),
                                     autojunk=False).get_matching_blocks()
    return {a + n + 1: b + n + 1 for a, b, size in blocks for n in range(size)
            if a + n + 1 not in without}


def memory():
    """A directory in memory, or None."""
    return '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


def preload():
    """Import what the tests take of other packages, so that each process finds it there."""
    for name in ('unittest.mock', 'hypothesis', 'trustme', 'OpenSSL', 'pyftpdlib', 'tenacity',
                 'greenlet', 'zope.component.testing', 'zope.configuration.xmlconfig',
                 'zope.testing.renormalizing', 'gocept.filestore', 'zc.lockfile'):
        try:
            importlib.import_module(name)
        except ImportError:
            pass
