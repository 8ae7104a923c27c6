"""What tools/mutants changes in a line, and which lines a test executes."""
import ast
import re
import textwrap
import unittest

from zeit.cds.tests.mutation import coverage, operators


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

    def test_what_is_known_of_lines_that_have_moved(self):
        covered = coverage.Coverage()
        covered.hear('a', ['1:2', '1:3', '2:2'])
        covered = covered.moved({1: {2: 4}, 2: {2: 2}})
        self.assertEqual([False, False, True, True, False], [
            covered.covers('a', 1, 2), covered.covers('a', 1, 3), covered.covers('a', 1, 4),
            covered.covers('a', 2, 2), covered.covers('a', 2, 4)])

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
                       'def __repr__(self): return 1', 'a = os.urandom(4)', 'a = 64 * 1024'):
            self.assertEqual([], operators.mutants('m', source.encode()), source)

    def test_assignments(self):
        self.check('assign', 'def f():\n    a.b = c', 'def f():\n    pass')
        self.check('assign', 'a += b', 'pass')
        self.check('assign', 'def __init__(self):\n    self.b = c')

    def test_numbers(self):
        self.check('number', 'a(1, True, 0.5, None, "1")', 'a(2, True, 0.5, None, "1")',
                   'a(1, False, 0.5, None, "1")')
        self.check('number', 'a = -1', 'a = 0')

    def test_logic_and_sums(self):
        self.check('logic', 'a and b or c', 'a or b or c', 'a and b and c')
        self.check('sum', 'a + (b) - c', 'a - (b) - c', 'a + (b) + c')
        self.check('sum', 'a + "b"')

    def test_returns(self):
        self.check('return', 'def f(): return a', 'def f(): return None')
        self.check('return', 'def f(): return 0', 'def f(): return None')
        for nothing in '', ' None', ' False':
            self.check('return', 'def f(): return' + nothing)

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
