"""The tests of a room, run on one copy of the code in a process of its own.

The process is forked from one that has imported what does not change, and tells by a pipe, a line
each, what it does:

    begin TEST
    good TEST SECONDS       only if all tests are asked for
    covers TEST STATEMENT STATEMENT ...     if the code tells what is executed
    red TEST
    skipped TEST
    done
"""
import contextlib
import fnmatch
import importlib
import os
import resource
import signal
import sys
import time
import traceback
import unittest
from pathlib import Path

from zeit.cds.tests.mutation.coverage import MODULE, VARIABLE


MEMORY = 4 << 30            # bytes that a process may have
FILE = 1 << 30              # bytes of a file
LOADING = 'loading '           # and the name of a test module


class Project:
    """Where the code is, and which tests are which room's.

    `source`   directory that holds the package
    `package`  dotted name
    `rooms`    {name: (patterns of modules, patterns of test modules)}; names without the
               package's own. A room below another is one of its own: `*` matches no dot.
    """

    def __init__(self, source, package, rooms):
        self.source = Path(source)
        self.package = package
        self.rooms = rooms
        self.path = self.source.joinpath(*package.split('.'))

    def module_path(self, name):
        path = self.path.joinpath(*name.split('.'))
        return path / '__init__.py' if path.is_dir() else path.with_suffix('.py')

    def names(self, patterns):
        """The modules that match, without the package's name, sorted."""
        found = []
        for path in self.path.rglob('*.py'):
            parts = path.relative_to(self.path).with_suffix('').parts
            name = '.'.join(parts).removesuffix('.__init__')
            if any(fnmatch.fnmatchcase(name, pattern) and len(parts) == 1 + pattern.count('.')
                   for pattern in patterns):
                found.append(name)
        return sorted(found)

    def modules(self, room):
        """Those of a room that are changed."""
        return [name for name in self.names(self.rooms[room][0]) if 'tests' not in name.split('.')]

    def tests(self, room):
        return [name for name in self.names(self.rooms[room][1])
                if name.rpartition('.')[2].startswith('test_')]

    def elsewhere(self, source):
        """The same in a copy."""
        return Project(source, self.package, self.rooms)


def start(project, tests, order, log, stop=True):
    """Fork a process that runs the test modules `tests` (names) in `order`.

    `order`  key function of the name of a test and the name of its layer or ''; None leaves it out
    `log`    path of a file for what is printed
    `stop`   at the first red test

    Returns the process id and the readable end of the pipe.
    """
    readable, writable = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writable)
        return pid, readable
    try:
        os.close(readable)
        os.setsid()
        limit(log)
        with open(writable, 'w', buffering=1) as report:
            Trial(project, report, stop).run(tests, order)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def limit(log):
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(handle, number)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)


class Trial:

    def __init__(self, project, report, stop):
        self.project, self.report, self.stop = project, report, stop
        self._layers = {}

    def run(self, modules, order):
        if (tests := self._load(modules, order)) is None:
            return
        keys = [order(test.id(), name_of(layer)) for test, layer in tests]
        asked_for = [(key, n) for n, key in enumerate(keys) if key is not None]
        for test, layer in (tests[n] for _, n in sorted(asked_for)):
            if not self._try(test, layer) and self.stop:
                return
        self._tell('done')
        with contextlib.suppress(Exception):
            self._leave(None, everything=True)

    def _tell(self, *words):
        self.report.write(' '.join(map(str, words)) + '\n')

    def _load(self, modules, order):
        """[(test, its layer or None), ...] of this copy; None if one can't be loaded."""
        top = self.project.package.partition('.')[0]
        for name in list(sys.modules):
            if name == top or name.startswith(top + '.'):
                del sys.modules[name]
        sys.path.insert(0, str(self.project.source))
        importlib.invalidate_caches()
        found = []
        for name in modules:
            if order(LOADING + name, '') is None:
                continue
            self._tell('begin', LOADING + name)
            try:
                found.extend(self._tests('%s.%s' % (self.project.package, name)))
            except BaseException:
                traceback.print_exc()
                self._tell('red', LOADING + name)
                if self.stop:
                    return None
        return found

    @staticmethod
    def _tests(name):
        module = importlib.import_module(name)
        return flat(module.test_suite() if hasattr(module, 'test_suite') else
                    unittest.defaultTestLoader.loadTestsFromModule(module), None)

    def _try(self, test, layer):
        """Whether it was good."""
        self._tell('begin', test.id())
        begun = time.monotonic()
        self._executed()
        # One that is red by chance, on a busy machine, has noticed nothing.
        skipped, good = self._once(test, layer)
        if not good and self.stop:
            skipped, good = self._once(test, layer)
        if skipped:
            self._tell('skipped', test.id())
        elif not good:
            self._tell('red', test.id())
        elif not self.stop:
            self._tell('good', test.id(), '%.3f' % (time.monotonic() - begun))
            if VARIABLE in os.environ:
                self._tell('covers', test.id(), self._executed())
        return good

    def _once(self, test, layer):
        """Was it skipped, and was it good?"""
        result = unittest.TestResult()
        try:
            self._enter(layer)
            test(result)
        except BaseException:
            traceback.print_exc()
            return False, False
        for _, text in result.failures + result.errors:
            print(text, flush=True)
        return bool(result.skipped), result.wasSuccessful()

    def _executed(self):
        """The statements that were executed since the last call, str."""
        path, module = os.environ.get(VARIABLE), sys.modules.get(MODULE)
        if not path or not module:
            return ''
        with open(path, 'r+', encoding='ascii') as f:
            found = f.read()
            f.truncate(0)
        module.executed.__defaults__[0].clear()
        return found

    def _enter(self, layer):
        self._leave(layer)
        if layer is not None and name_of(layer) not in self._layers:
            layer.setUp()
            self._layers[name_of(layer)] = layer
        if hasattr(layer, 'testSetUp'):
            layer.testSetUp()

    def _leave(self, layer, everything=False):
        """End other layers; servers may stay, for they change nothing in this process."""
        for name, other in list(self._layers.items()):
            if everything or other is not layer and not hasattr(other, 'server'):
                del self._layers[name]
                other.tearDown()


def flat(suite, layer):
    """[(test, its layer or None), ...] of those that `bin/test` runs, too: the first level."""
    if getattr(suite, 'level', 1) > 1:
        return []
    layer = getattr(suite, 'layer', layer)
    if isinstance(suite, unittest.TestCase):
        return [(suite, layer)]
    return [pair for test in suite for pair in flat(test, layer)]


def name_of(layer):
    return '' if layer is None else '%s.%s' % (layer.__module__, layer.__name__)
