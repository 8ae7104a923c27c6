"""What tools/mutants changes, what it notices, and what it shows as survivors."""
import ast
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from zeit.cds.tests.mutation import coverage, operators


# A room whose tests look at some of what it does.
ROOM = '''\
"""Doors."""


def check(number, log=None):
    """Whether a door may open."""
    if number < 0:
        raise ValueError(number)
    if number == 7:
        return None
    if log:
        log.info('number %d', 5)
    return number > 2


def wait(number):
    while number != 0:
        number -= 1
    return number
'''
TESTS = '''\
import time
import unittest

from house.door.room import check, wait


class Server:
    """A layer; who changes nothing that matters here may not stop it."""

    __name__, __module__, __bases__ = 'Server', 'house', ()
    server = None

    def setUp(self):
        self.server = 'runs'

    def testSetUp(self):
        assert self.server == 'runs'

    def tearDown(self):
        self.server = None


SERVER = Server()


class Doors(unittest.TestCase):

    def test_below(self):
        with self.assertRaises(ValueError):
            check(-1)

    def test_open(self):
        self.assertEqual((False, True), (check(1), check(4)))

    @unittest.skip('not today')
    def test_nothing(self):
        check(7)


class Waits(unittest.TestCase):

    layer = SERVER

    def test_wait(self):
        self.assertEqual(0, wait(3))
        self.assertEqual('runs', SERVER.server)
'''
OTHER = '''\
import subprocess, sys
        code = 'from house.door.room import check; print(check(4))'
        self.assertEqual(b'True\\n', subprocess.check_output(
            [sys.executable, '-c', code], env={**__import__('os').environ,
                                               'PYTHONPATH': sys.path[0]}))'''
RUN = '''\
import sys
from zeit.cds.tests.mutation import check, command, trial
check.MORE_SECONDS = 1
project = trial.Project(sys.argv[1], 'house', {'door': (['door.*'], ['door.tests.*'])})
sys.exit(command.main(sys.argv[2:], project))
'''


class House(unittest.TestCase):
    """The tool on a package of one room."""

    maxDiff = None

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.source = Path(place.name)
        tests = self.source / 'house' / 'door' / 'tests'
        tests.mkdir(parents=True)
        for directory in (tests.parents[1], tests.parent, tests):
            (directory / '__init__.py').touch()
        self.room = tests.parent / 'room.py'
        self.room.write_text(ROOM, encoding='ascii')
        self.tests = tests / 'test_room.py'
        self.tests.write_text(TESTS, encoding='ascii')

    def mutants(self, *args):
        """(status, what is printed) of tools/mutants."""
        done = self.run_mutants(*args)
        self.assertEqual('', done.stderr)
        return done.returncode, done.stdout

    def run_mutants(self, *args):
        return subprocess.run(
            [sys.executable, '-c', RUN, str(self.source), *args], text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120)

    def survivors(self, *args):
        _, printed = self.mutants(*args)
        return [line.split()[1] for line in printed.splitlines() if line.startswith('survived:')]

    def test_what_tests_look_at_is_noticed(self):
        status, printed = self.mutants(
            '--only', 'door.room:6:guard', '--only', 'door.room:12:return', '--seed', '1')
        self.assertEqual(0, status, printed)
        self.assertIn('2 mutants, seed 1: 2 noticed (100.0 %), 0 survived', printed)
        self.assertIn('noticed:  door.room:6:guard by '
                      'house.door.tests.test_room.Doors.test_below', printed)

    def test_what_they_do_not_look_at_survives_and_is_shown(self):
        status, printed = self.mutants('--only', 'door.room:12:number', '--jobs', '1')
        self.assertEqual(1, status)
        self.assertIn('survived: door.room:12:number\nhouse/door/room.py:12\n'
                      '         log.info(\'number %d\', 5)\n'
                      '-    return number > 2\n+    return number > 3\n', printed)
        self.assertIn(' 0 noticed (0.0 %), 1 survived', printed)

    def test_what_other_processes_execute_counts(self):
        self.tests.write_text(TESTS.replace(
            'self.assertEqual((False, True), (check(1), check(4)))', OTHER), encoding='ascii')
        status, printed = self.mutants('--only', 'door.room:12:return')
        self.assertEqual(0, status, printed)

    def test_guards(self):
        self.assertEqual(['door.room:8:guard'], self.survivors('--guards'))

    def test_a_loop_without_end_is_noticed(self):
        status, printed = self.mutants('--only', 'door.room:17:assign')
        self.assertEqual(0, status, printed)
        self.assertIn('which took too long', printed)

    def test_tests_that_are_red_anyway_notice_nothing(self):
        self.tests.write_text(TESTS.replace("(check(1), check(4))", "'another'"), encoding='ascii')
        status, printed = self.mutants('--only', 'door.room:12:return')
        self.assertEqual(1, status, printed)
        self.assertIn('red on unchanged code, not counted: '
                      'house.door.tests.test_room.Doors.test_open', printed)

    def test_a_module_that_cannot_be_loaded_anyway_notices_nothing(self):
        self.tests.with_name('test_broken.py').write_text('import nothing_of_that_name\n')
        status, printed = self.mutants('--only', 'door.room:12:return', '--jobs', '1')
        self.assertEqual(0, status, printed)
        self.assertIn('red on unchanged code, not counted: loading door.tests.test_broken', printed)
        self.assertIn('by house.door.tests.test_room.Doors.test_open', printed)

    def test_without_any_good_test_nothing_is_tried(self):
        self.tests.write_text('import nothing_of_that_name\n', encoding='ascii')
        done = self.run_mutants('--only', 'door.room:12:return')
        self.assertEqual(1, done.returncode)
        self.assertIn('No test is good on unchanged code; see /', done.stderr)
        log = Path(done.stderr.split()[-1])
        self.assertIn('nothing_of_that_name', log.read_text())
        log.unlink()

    def test_code_that_cannot_be_imported_is_noticed(self):
        self.room.write_text(ROOM + 'SIZE = 1 // (1 - 2)\n', encoding='ascii')
        status, printed = self.mutants('--only', 'door.room:19:number.2')
        self.assertEqual(0, status, printed)

    def test_a_sample_depends_on_its_seed_and_nothing_else(self):
        lists = [self.mutants('--list', '--sample', '5', '--seed', seed)[1] for seed in '112']
        self.assertEqual(lists[0], lists[1])
        self.assertNotEqual(lists[0], lists[2])

    def test_the_code_itself_stays_as_it_is(self):
        self.mutants('--only', 'door.room:6:guard')
        self.assertEqual(ROOM, self.room.read_text(encoding='ascii'))
        self.assertEqual([], list(self.source.rglob('*.pyc')))

    def test_no_such_mutant(self):
        done = self.run_mutants('--only', 'x')
        self.assertEqual((2, 'There is no such mutant.\n'), (done.returncode, done.stderr))


CODE = '''\
"text"
import re


class A:
    a = 1

    @property
    def b(self):
        "text"
        if self.a: return re
        elif (
                not self.a):
            pass; raise KeyError


def c(d="ä"):
    try:
        with open(d):
            return [e for e in d]
    except OSError:
        return lambda: 1
    finally:
        for _ in d:
            @staticmethod
            def f(): return 2
'''


class Coverage(unittest.TestCase):
    """Which statements are executed."""

    def executed(self, call):
        """The lines that the code tells, in their order."""
        source = coverage.Statements(CODE.encode()).telling(7).decode()
        found = []
        space = {'_executed': lambda module, line: found.append((module, line)), '__name__': 'x'}
        exec(re.sub('from %s import .*' % coverage.MODULE, '', source), space)
        self.assertEqual([], found)
        call(space)
        self.assertEqual({7}, {module for module, _ in found})
        return [line for _, line in found]

    def test_each_statement_of_a_function_tells(self):
        self.assertEqual([11, 11], self.executed(lambda space: space['A']().b))
        self.assertEqual([18, 19, 22, 24, 26],
                         self.executed(lambda space: space['c']('/')))

    def test_a_place_is_that_of_the_innermost_statement(self):
        statements = coverage.Statements(CODE.encode())
        for text, line in (('re\n        elif', 11), ('self.a):', 11), ('KeyError', 14),
                           ('OSError', 18), ('d):', 19), ('in d]', 20), ('1\n    fin', 22),
                           ('2', 26), ('a = 1', None), ('"ä"', None)):
            offset = CODE.encode().index(text.encode())
            self.assertEqual(line, statements.line_of(offset), text)

    def test_what_is_not_known_is_covered(self):
        covered = coverage.Coverage()
        covered.hear('a', ['1:2', '1:3'])
        covered.hear('b', ['1:3'])
        self.assertEqual([True, True, False, True, False, True, True], [
            covered.covers('a', 1, 2), covered.covers('a', 1, 3), covered.covers('a', 2, 2),
            covered.covers('b', 1, 3), covered.covers('b', 1, 2), covered.covers('b', 1, None),
            covered.covers('c', 1, 2)])


def done(code, function):
    """What `code` hands to `do`, and 'failed' if what `function` raises leaves it."""
    calls = []
    try:
        exec(code, {'a': function, 'B': ValueError, 'do': calls.append})
    except KeyError:
        calls.append('failed')
    return calls


class Operators(unittest.TestCase):
    """What is made of a line."""

    def changed(self, kind, source):
        """The last lines of all mutants of a kind."""
        source = textwrap.dedent(source).encode()
        found = [mutant.source(source).decode() for mutant in operators.mutants('m', source)
                 if mutant.kind == kind]
        for text in found:
            ast.parse(text)
        return found

    def check(self, kind, source, *changed):
        self.assertEqual(sorted(changed), sorted(self.changed(kind, source)))

    def test_comparisons(self):
        for before, after in (('==', '!='), ('<', '<='), ('>=', '>'), ('is', 'is not'),
                              ('not in', 'in'), ('is  not', 'is')):
            self.check('compare', 'a = (b) %s (c)' % before, 'a = (b) %s (c)' % after)
        self.check('compare', 'a < b > c', 'a <= b > c', 'a < b >= c')

    def test_conditions(self):
        self.check('condition', 'while a: b = "ä" if c else d',
                   'while False: b = "ä" if c else d', 'while True: b = "ä" if c else d',
                   'while (not (a)): b = "ä" if c else d', 'while a: b = "ä" if False else d',
                   'while a: b = "ä" if True else d', 'while a: b = "ä" if (not (c)) else d')

    def test_guards(self):
        for statement in ('raise b', 'continue', 'break'):
            self.check('guard', 'while c:\n    if a: %s' % statement,
                       'while c:\n    if False: %s' % statement)
        self.check('guard', 'if a: b()')
        self.check('guard', 'while b:\n    if a: break\n    else: c()')

    def test_calls_but_not_logs(self):
        self.check('call', 'os.fsync(a)', 'pass')
        for call in ('log.info(a)', 'self.log.warning(a)', 'logger.log(1, a)', 'a = b()'):
            self.check('call', call)

    def test_logs_docstrings_and_annotations_stay(self):
        for source in ('log.debug(a == 1 or b)', '"""0"""', 'a: 1', 'def f(a: 1 == 2) -> 3: "4"',
                       '@a(1)\ndef f(): "5"', 'class PauseTuning:\n    a = 1', 'f"{1}"',
                       'def __repr__(self): return 1'):
            self.assertEqual([], operators.mutants('m', source.encode()), source)

    def test_assignments(self):
        self.check('assign', 'def f():\n    a.b = c', 'def f():\n    pass')
        self.check('assign', 'a += b', 'pass')
        self.check('assign', 'def __init__(self):\n    self.b = c')

    def test_numbers(self):
        self.check('number', 'a(1, True, 0.5, None, "1")', 'a(2, True, 0.5, None, "1")',
                   'a(1, False, 0.5, None, "1")')

    def test_logic_and_sums(self):
        self.check('logic', 'a and b or c', 'a or b or c', 'a and b and c')
        self.check('sum', 'a + (b) - c', 'a - (b) - c', 'a + (b) + c')
        self.check('sum', 'a + "b"')

    def test_returns(self):
        self.check('return', 'def f(): return a', 'def f(): return None')
        self.check('return', 'def f(): return None')
        self.check('return', 'def f(): return')

    def test_exceptions(self):
        self.check('except', 'try: a\nexcept (B, C): d', 'try: a\nexcept (B,): d',
                   'try: a\nexcept (C,): d')
        self.check('except', 'try: a\nexcept B: d', 'try: a\nexcept (): d')

    def test_finally(self):
        for between in '', 'except B:\n    do(0)\n', 'except B:\n    do(0)\nelse:\n    do(1)\n':
            source = 'try:\n    a()\n' + between + 'finally:\n    do(2)\n'
            text, = self.changed('finally', source)
            self.assertEqual(2, done(text, lambda: None)[-1], text)
            self.assertEqual(['failed'], done(text, lambda: {}['x']), text)

    def test_finally_inside(self):
        text, = self.changed('finally', 'def f():\n    try:\n        return a\n'
                                        '    finally:\n        b()\n')
        self.assertIn('    else:\n        b()\n', text)

    def test_contexts_and_loops(self):
        self.check('with', 'with a(), b() as c, d: e',
                   'with %s, b() as c, d: e' % operators.NO_CONTEXT)
        self.check('loop', 'while a: break', 'while a: continue')
