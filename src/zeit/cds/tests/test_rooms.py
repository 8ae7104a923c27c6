"""Imports run downward only, whoever decides knows no adapter, and no room grows too large."""
import ast
import pathlib
import unittest

import zeit.cds.interfaces


HERE = pathlib.Path(zeit.cds.interfaces.__file__).parents[1]

# What the modules of a room, or of the package's top, may import beside their own room. Who is
# not named here is at the top: command lines, ZCML directives.
BELOW_ALL = {'interfaces', 'text'}
SESSIONS = BELOW_ALL | {'memory', 'pipelined'}      # for who makes them, or works on any of them
SETTINGS = BELOW_ALL | {'feed', 'credentials'}
MAY_IMPORT = {
    'text': set(),
    'interfaces': set(),
    'feed': BELOW_ALL,
    'credentials': SETTINGS,
    'events': BELOW_ALL | {'feed'},
    'logfile': BELOW_ALL,
    'registry': BELOW_ALL,
    'memory': BELOW_ALL,
    'pipelined': BELOW_ALL,
    'net': BELOW_ALL,
    'ftp': SESSIONS | {'net'},
    'sftp': BELOW_ALL | {'memory', 'net.stream'},
    'file': BELOW_ALL,
    'lock': SESSIONS | {'net', 'registry'},
    'spool': BELOW_ALL | {'net'},
    'journal': BELOW_ALL | {'feed', 'events', 'net.scheduler'},
    'transfer': SESSIONS | {'net.scheduler', 'events'},
    'own': BELOW_ALL | {'feed'},
    'main': SETTINGS | {'own', 'transfer', 'logfile', 'registry'},
    'fleet': SETTINGS | {'main', 'registry', 'journal', 'lock.token', 'cli.site'},
    'watch': SETTINGS | {
        'journal.lateness', 'registry', 'main', 'events', 'logfile', 'pipelined', 'transfer'},
    'web': BELOW_ALL | {'feed', 'journal.expectation'},
    # suites run what blocks, and what does not; a journal is told an outcome
    'testing': SESSIONS | {'net.scheduler', 'events'},
}
LINES = 400             # a module at most
TOP = 12                # modules at the package's top at most


def modules():
    """{'room.module', or 'module' at the top: path} of all but the tests."""
    found = {}
    for path in HERE.rglob('*.py'):
        name = '.'.join(path.relative_to(HERE).with_suffix('').parts).removesuffix('.__init__')
        if name not in ('__init__', '') and 'tests' not in name.split('.'):
            found[name] = path
    return found


def imported(source):
    """What a module imports of zeit.cds, anywhere in it: a set of names without 'zeit.cds.'."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = ['%s.%s' % (node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ['zeit.cds.RELATIVE']
        else:
            continue
        found.update(name.removeprefix('zeit.cds.') for name in names
                     if name.startswith('zeit.cds.'))
    return found


def is_one_of(name, allowed):
    return any(name == one or name.startswith(one + '.') for one in allowed)


MODULES = modules()
IMPORTS = {name: imported(path.read_text(encoding='utf-8')) for name, path in MODULES.items()}


def room_of(name):
    return name.partition('.')[0]


class Rooms(unittest.TestCase):

    def test_imports_run_downward_only(self):
        for name, found in IMPORTS.items():
            if (room := room_of(name)) in MAY_IMPORT:
                with self.subTest(module=name):
                    self.assertEqual(
                        set(), {other for other in found
                                if not is_one_of(other, MAY_IMPORT[room] | {room})})

    def test_all_rooms_below_the_commands_are_named(self):
        self.assertLessEqual(
            {room_of(name) for name in MODULES} - set(MAY_IMPORT),
            {'cli', 'registry', 'zcml'})

    def test_only_commands_know_the_watch(self):
        self.assertLessEqual({room_of(name) for name, found in IMPORTS.items()
                              if is_one_of_any(found, {'watch'})}, {'watch', 'cli'})

    def test_only_commands_know_the_pages(self):
        self.assertLessEqual({room_of(name) for name, found in IMPORTS.items()
                              if is_one_of_any(found, {'web'})}, {'web', 'cli'})

    def test_only_the_demo_needs_what_is_for_tests(self):
        self.assertLessEqual(
            {name for name, found in IMPORTS.items()
             if room_of(name) != 'testing' and is_one_of_any(found, {'testing', 'tests'})},
            {'cli.demo'})

    def test_no_test_module_is_imported_by_another(self):
        for path in HERE.rglob('*.py'):
            with self.subTest(module=str(path.relative_to(HERE))):
                self.assertEqual([], sorted(
                    name for name in imported(path.read_text(encoding='utf-8'))
                    if any(part.startswith('test_') for part in name.split('.'))))

    def test_no_module_is_too_long(self):
        for path in HERE.rglob('*.py'):
            with self.subTest(module=str(path.relative_to(HERE))):
                self.assertLessEqual(len(path.read_text(encoding='utf-8').splitlines()), LINES)

    def test_the_top_stays_small(self):
        self.assertLessEqual(len(list(HERE.glob('*.py'))), TOP)

    def test_all_kinds_of_import_are_seen(self):
        self.assertEqual(
            {'a', 'b', 'c.x', 'c.y', 'd', 'e', 'RELATIVE'},
            imported('import zeit.cds.a\nfrom zeit.cds import b\nfrom zeit.cds.c import x, y\n'
                     'def f():\n    import os, zeit.cds.d as q\n    from zeit.cds import e as r\n'
                     'from . import g\nimport zeit\nfrom os import path\n'))


def is_one_of_any(names, allowed):
    return any(is_one_of(name, allowed) for name in names)
