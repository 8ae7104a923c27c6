"""Doctests: how the texts beside the code are run and compared."""
import __future__

import ast
import doctest
import re
import sys
import tempfile

from zope.testing.renormalizing import RENormalizing


OPTIONS = doctest.ELLIPSIS | doctest.REPORT_NDIFF

DOTTED = re.compile(r'^((?:[A-Za-z_]\w*\.)+)([A-Za-z_]\w*)(?=:|$)', re.MULTILINE)
PORT = re.compile(r'\bport \d{5}\b')
TEMPORARY = re.compile(re.escape(tempfile.gettempdir()) + r'/tmp[a-z0-9_]{8}(?![a-z0-9_])')


def without_modules(text):
    """Return `text` without the modules of the exceptions that begin its lines.

    Only names of exceptions that exist count: a file may be called anything.
    """

    def short(match):
        module = sys.modules.get(match[1].rstrip('.'))
        found = getattr(module, match[2], None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return match[2]
        return match[0]

    return DOTTED.sub(short, text)


# Counts and file names are what a text is about: they stay as they are. So does
# a port of four digits, as one is chosen by the text; the system's have five.
checker = RENormalizing([
    without_modules,
    (PORT, 'port <PORT>'),
    (TEMPORARY, '<TMP>'),
])


class Parser(doctest.DocTestParser):
    """Displays the values of top-level expressions only.

    Python's interactive mode also displays those in the body of a `for`,
    `with` or `if`: the copy in `for name in names: shutil.copy(name, there)`
    would print each path, which it did not do in the Python 2 that our oldest
    text was written for. Here such an expression is evaluated, but is not
    displayed, as in a module. All else is compared as ever: the value of an
    expression that stands alone, and whatever is printed anywhere.
    """

    def parse(self, string, name='<string>'):
        parts = super().parse(string, name)
        for part in parts:
            if isinstance(part, doctest.Example):
                part.source = undisplayed(part.source)
        return parts


def undisplayed(source):
    """Return the source of an example with `_ = ` before each nested expression.

    (The interactive mode's display also assigns to `_`.)
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:             # which the text may well want to show
        return source
    lines = source.encode('utf-8').splitlines(keepends=True)
    places = [(node.lineno - 1, node.col_offset)
              for statement in tree.body for node in nested_expressions(statement)]
    for line, column in sorted(places, reverse=True):
        lines[line] = lines[line][:column] + b'_ = ' + lines[line][column:]
    return b''.join(lines).decode('utf-8')


def nested_expressions(statement):
    """Yield the expression statements inside of `statement` that would be displayed."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.Expr):
            yield node
        elif isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield from nested_expressions(node)


def DocFileSuite(*paths, layer=None, package='zeit.cds', globs=None, **options):
    """Return a suite of texts (`paths`, relative to `package`), with our checker.

    layer -- of zope.testrunner, for all of them
    globs -- names for the texts, dict; `with_statement` is always there, and `__file__`, the
        path of the text
    options -- for doctest.DocFileSuite: setUp, tearDown, optionflags, ...

    The texts are UTF-8. Nothing is registered, no ZCML is loaded for them.
    """
    suite = doctest.DocFileSuite(
        *paths, package=package,
        globs={'with_statement': __future__.with_statement, **(globs or {})},
        **{'checker': checker, 'optionflags': OPTIONS, 'parser': Parser(),
           'encoding': 'utf-8', **options})
    if layer is not None:
        suite.layer = layer
    return suite
