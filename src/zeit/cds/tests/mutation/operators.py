"""What is changed in a syntax tree: one mutant a change.

A change is a piece of text in place of another, so that all other lines stay what they are.
Never changed: what is logged, docstrings, annotations, decorators, strings, `__repr__`, numbers
of seconds, and the numbers of a class called *Tuning. Nor what makes no difference to anybody: None
instead of False, one more random byte, the size of a buffer (`64 * 1024`).
"""
import ast
import difflib
import re
from typing import NamedTuple


KINDS = {
    'compare': 'a comparison is another one',
    'condition': 'a condition is negated, always true, or never true',
    'guard': 'a condition that ends in raise, return, continue or break is not looked at',
    'call': 'a call whose value nobody takes is left out',
    'assign': 'an attribute, or an item, is not set',
    'number': 'a number is one more, a truth value the other one',
    'logic': '`and` and `or` are swapped',
    'sum': '`+` and `-` are swapped',
    'return': 'None is returned',
    'except': 'an exception is not caught',
    'finally': 'what is done at the end in any case is done after success only',
    'with': 'the context manager is left out',
    'loop': '`break` and `continue` are swapped',
}
COMPARISONS = [
    (ast.Eq, r'==', '!='), (ast.NotEq, r'!=', '=='),
    (ast.Lt, r'<', '<='), (ast.LtE, r'<=', '<'), (ast.Gt, r'>', '>='), (ast.GtE, r'>=', '>'),
    (ast.IsNot, r'is\s+not\b', 'is'), (ast.Is, r'is\b', 'is not'),
    (ast.NotIn, r'not\s+in\b', 'in'), (ast.In, r'in\b', 'not in'),
]
LOGGED = re.compile(
    r'(^|[._])log(ger)?\.(debug|info|warning|error|exception|critical|log)$|^warnings\.warn$')
LEAVES = ast.Raise, ast.Return, ast.Continue, ast.Break
NO_CONTEXT = "__import__('contextlib').nullcontext()"


class Mutant(NamedTuple):
    """The bytes from `start` to `end` of a module are `text` instead.

    `id`  module:line:kind, and .2, .3 for further ones there; it holds until the module changes
    """

    id: str
    module: str
    line: int
    kind: str
    start: int
    end: int
    text: bytes

    def source(self, original):
        """The changed source, bytes."""
        return original[:self.start] + self.text + original[self.end:]

    def diff(self, original):
        """What is changed, a str of lines with - and + before them."""
        before, after = (text.decode().splitlines()
                         for text in (original, self.source(original)))
        return '\n'.join(line for line in difflib.unified_diff(before, after, n=1, lineterm='')
                         if not line.startswith(('---', '+++', '@@')))


def mutants(module, source):
    """All mutants of `source` (bytes), list of Mutant in the order of lines."""
    finder = Finder(source)
    finder.visit(ast.parse(source))
    found, counts = [], {}
    for start, end, kind, text in sorted(finder.found):
        line = source.count(b'\n', 0, start) + 1
        name = '%s:%d:%s' % (module, line, kind)
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > 1:
            name += '.%d' % counts[name]
        found.append(Mutant(name, module, line, kind, start, end, text))
    return found


class Finder(ast.NodeVisitor):
    """Collects (start, end, kind, text) in `found`."""

    def __init__(self, source):
        self.source = source
        self.found = set()
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._function = None

    # Positions and texts

    def start(self, node):
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node):
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node):
        return self.source[self.start(node):self.end(node)]

    def replace(self, kind, node, text):
        self.found.add((self.start(node), self.end(node), kind,
                        text.encode() if isinstance(text, str) else text))

    def replace_between(self, kind, left, right, pattern, text):
        """Replace the operator between two nodes."""
        start = self.end(left)
        match = re.search(pattern.encode(), self.source[start:self.start(right)])
        self.found.add((start + match.start(), start + match.end(), kind, text.encode()))

    # What is left alone

    def visit_FunctionDef(self, node):
        if node.name == '__repr__':
            return
        outer, self._function = self._function, node.name
        for child in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(child)
        self._function = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        if not node.name.endswith('Tuning'):
            for child in node.body:
                self.visit(child)

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_JoinedStr(self, node):
        """No changes inside of strings."""

    # Statements

    def visit_Call(self, node):
        if ast.unparse(node.func) != 'os.urandom':
            self.generic_visit(node)

    def visit_Expr(self, node):
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Constant):
            return
        if isinstance(call, ast.Call):
            if LOGGED.search(ast.unparse(call.func)):
                return
            self.replace('call', node, 'pass')
        self.generic_visit(node)

    def visit_Assign(self, node):
        if self._function not in (None, '__init__') and all(
                isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            self.replace('assign', node, 'pass')
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        self.replace('assign', node, 'pass')
        self.generic_visit(node)

    def visit_Return(self, node):
        if node.value is not None and not is_false(node.value):
            self.replace('return', node.value, 'None')
        self.generic_visit(node)

    def visit_Break(self, node):
        self.replace('loop', node, 'continue')

    def visit_Continue(self, node):
        self.replace('loop', node, 'break')

    def visit_If(self, node):
        guard = not node.orelse and isinstance(node.body[-1], LEAVES)
        self._condition(node.test, 'guard' if guard else 'condition')
        self.generic_visit(node)

    def visit_While(self, node):
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node):
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node):
        for test in node.ifs:
            self._condition(test)
        self.generic_visit(node)

    def visit_Try(self, node):
        for handler in node.handlers:
            self._handler(handler)
        if node.finalbody:
            self._finally(node)
        self.generic_visit(node)

    def visit_With(self, node):
        for item in node.items:
            if item.optional_vars is None and isinstance(item.context_expr, ast.Call):
                self.replace('with', item.context_expr, NO_CONTEXT)
        self.generic_visit(node)

    def _condition(self, test, never='condition'):
        if isinstance(test, ast.Constant):
            return
        self.replace(never, test, 'False')
        self.replace('condition', test, 'True')
        self.replace('condition', test, b'(not (' + self.text(test) + b'))')

    def _handler(self, handler):
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else []
        for left_out in types:
            rest = [self.text(other) for other in types if other is not left_out]
            self.replace('except', handler.type, b'(' + b', '.join(rest) + b',)')
        if handler.type is not None and not types:
            self.replace('except', handler.type, '()')

    def _finally(self, node):
        last = (node.orelse or node.handlers or node.body)[-1]
        start = self.source.index(b'finally', self.end(last))
        indent = b' ' * node.col_offset
        if node.orelse:
            # It goes on behind what is done after success already.
            self.found.add((start, self.source.index(b':', start) + 1, 'finally', b''))
        elif node.handlers:
            self.found.add((start, start + 7, 'finally', b'else'))
        else:
            self.found.add((start, start + 7, 'finally',
                            b'except ():\n' + indent + b'    pass\n' + indent + b'else'))

    # Expressions

    def visit_Compare(self, node):
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:]):
            for kind, pattern, text in COMPARISONS:
                if isinstance(operator, kind):
                    self.replace_between('compare', left, right, pattern, text)
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        word, other = ('and', 'or') if isinstance(node.op, ast.And) else ('or', 'and')
        for left, right in zip(node.values, node.values[1:]):
            self.replace_between('logic', left, right, r'\b%s\b' % word, other)
        self.generic_visit(node)

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Mult) and all(
                isinstance(child, ast.Constant) for child in (node.left, node.right)):
            return      # so many KiB, or MiB
        texts = any(isinstance(child, (ast.JoinedStr, ast.List, ast.Tuple))
                    or isinstance(child, ast.Constant) and isinstance(child.value, (str, bytes))
                    for child in ast.walk(node))
        if not texts and isinstance(node.op, (ast.Add, ast.Sub)):
            sign, other = ('+', '-') if isinstance(node.op, ast.Add) else ('-', '+')
            self.replace_between('sum', node.left, node.right, re.escape(sign), other)
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        number = node.operand.value if isinstance(node.operand, ast.Constant) else None
        if isinstance(node.op, ast.USub) and type(number) is int:
            self.replace('number', node, str(1 - number))
        else:
            self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, bool):
            self.replace('number', node, str(not node.value))
        elif isinstance(node.value, int):
            self.replace('number', node, str(node.value + 1))


def is_false(node):
    """Is it as false as None? Who asks for a truth value sees no difference. bool"""
    return isinstance(node, ast.Constant) and any(
        node.value is value for value in (None, False))
