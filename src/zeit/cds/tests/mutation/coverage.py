"""Which test executes which statement: only those that do can notice a change there.

The code itself tells, by a call before each statement of a function. It writes to a file, so that
greenlets, threads, forks and programs that a test starts are all heard.
"""
import ast


VARIABLE = 'CDS_STATEMENTS'     # in the environment: the path of the file
MODULE = '_statements'
SOURCE = '''\
import os


def executed(module, line, seen=set(), write=os.write, file=os.open(
        os.environ.get('%s', os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)):
    if (module, line) not in seen:
        seen.add((module, line))
        write(file, b'%%d:%%d ' %% (module, line))
''' % VARIABLE


class Statements:
    """The statements of a module (bytes) in functions."""

    def __init__(self, source):
        self.source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._found = []            # (start, end, line)
        self._first = None
        self._block(ast.parse(source), function=False)

    def line_of(self, offset):
        """The line that stands for the statement at an offset (bytes); None outside functions."""
        around = [(end - start, line) for start, end, line in self._found
                  if start <= offset < end]
        return min(around)[1] if around else None

    def telling(self, number):
        """The source that tells of each statement, as one of the module `number`."""
        parts, last = [], 0
        imports = (self._first, b'from %s import executed as _executed' % MODULE.encode())
        calls = [(start, b'_executed(%d, %d)' % (number, line)) for start, _, line in self._found]
        for start, call in sorted([imports, *calls] if self._first is not None else []):
            begin = self.source.rfind(b'\n', 0, start) + 1
            indent = self.source[begin:start]
            parts.append(self.source[last:start] + call)
            parts.append(b'; ' if indent.strip() else b'\n' + indent)
            last = start
        return b''.join(parts) + self.source[last:]

    def _block(self, node, function):
        inside = function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if isinstance(node, ast.ClassDef):
            inside = False
        for name in ('body', 'orelse', 'finalbody'):
            statements = getattr(node, name, ())
            for n, child in enumerate(statements if isinstance(statements, list) else ()):
                text = n == 0 and name == 'body' and is_text(child)
                if isinstance(node, ast.Module) and self._first is None and not text:
                    self._first = self._start(child)
                if inside and not text and not self._is_elif(child):
                    self._found.append((self._start(child), self._end(child), child.lineno))
                self._block(child, inside)
        for child in [*getattr(node, 'handlers', ()), *getattr(node, 'cases', ())]:
            self._block(child, inside)

    def _is_elif(self, node):
        return isinstance(node, ast.If) and self.source[self._start(node):].startswith(b'elif')

    def _start(self, node):
        first = min([node, *getattr(node, 'decorator_list', ())], key=lambda part: part.lineno)
        start = self._starts[first.lineno - 1]
        return start + (node if first is node else first).col_offset - (first is not node)

    def _end(self, node):
        return self._starts[node.end_lineno - 1] + node.end_col_offset


def is_text(node):
    return (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str))


class Coverage:
    """What was heard: `covers` tells whether a test executes a statement."""

    def __init__(self, numbers=(), masks=()):
        """The arguments are `values` of another."""
        self._numbers = dict(numbers)   # of tests
        self._masks = dict(masks)       # {'module:line': the numbers of tests as bits}

    @property
    def values(self):
        return self._numbers, self._masks

    def moved(self, moves):
        """The same of newer modules. moves -- {number of a module: {line: the newer line}}"""
        masks = {}
        for statement, mask in self._masks.items():
            module, line = map(int, statement.split(':'))
            if (line := moves[module].get(line)) is not None:
                masks['%d:%d' % (module, line)] = mask
        return Coverage(self._numbers, masks)

    def hear(self, test, statements):
        bit = 1 << self._numbers.setdefault(test, len(self._numbers))
        for statement in statements:
            self._masks[statement] = self._masks.get(statement, 0) | bit

    def covers(self, test, module, line):
        """bool; True if it is not known."""
        number = self._numbers.get(test)
        return line is None or number is None or bool(
            self._masks.get('%d:%d' % (module, line), 0) >> number & 1)
