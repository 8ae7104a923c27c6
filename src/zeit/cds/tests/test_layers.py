"""Imports run downward only, and whoever decides knows no adapter."""
import ast
import pathlib
import unittest

import zeit.cds.interfaces


HERE = pathlib.Path(zeit.cds.interfaces.__file__).parent

CONTRACTS = {'interfaces', 'exportinterfaces'}
LANGUAGE = {'protocol'}
WAITING = {'hub'}
SETTINGS = {'feed', 'passwords'}
ADAPTERS = {'ftp', 'data', 'supply', 'control', 'wire', 'listing', 'tls', 'lock', 'owner', 'spool', 'blocks', 'outbox'}
PROCEDURES = {'transfer', 'outgoing', 'worker', 'uploader', 'backlog', 'retry', 'events', 'preview'}
ENTRANCE = {'main', 'logfile'}
# All others are at the top: command lines, ZCML directives, the demo.

MAY_IMPORT = {
    'contracts': (CONTRACTS, CONTRACTS),
    'language': (LANGUAGE, CONTRACTS),
    'settings': (SETTINGS, SETTINGS | CONTRACTS),
    'waiting': (WAITING, set()),
    'adapters': (ADAPTERS, ADAPTERS | WAITING | LANGUAGE | CONTRACTS),
    'procedures': (PROCEDURES, PROCEDURES | WAITING | LANGUAGE | CONTRACTS),
    'entrance': (ENTRANCE, ENTRANCE | PROCEDURES | SETTINGS | LANGUAGE | CONTRACTS),
}


def imported(source):
    """Which modules of zeit.cds a module imports, anywhere in it: a set of names without 'zeit.cds.'."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = (['zeit.cds.' + alias.name for alias in node.names] if node.module == 'zeit.cds'
                     else [node.module])
        elif isinstance(node, ast.ImportFrom):
            names = ['zeit.cds.RELATIVE']
        else:
            continue
        found.update(name.split('.')[2] for name in names if name.startswith('zeit.cds.'))
    return found


MODULES = {path.stem: imported(path.read_text(encoding='utf-8')) for path in HERE.glob('*.py')}


class Layers(unittest.TestCase):

    def test_imports_run_downward_only(self):
        for layer, (members, below) in MAY_IMPORT.items():
            for module in members:
                with self.subTest(layer=layer, module=module):
                    self.assertEqual(set(), MODULES[module] - below)

    def test_each_module_is_in_one_layer(self):
        layers = [members for members, _ in MAY_IMPORT.values()]
        self.assertEqual(sum(map(len, layers)), len(set().union(*layers)))
        self.assertLessEqual(set().union(*layers), set(MODULES))

    def test_no_layer_imports_in_a_circle(self):
        for module in set().union(*(members for members, _ in MAY_IMPORT.values())):
            seen, todo = set(), [module]
            while todo:
                for name in MODULES.get(todo.pop(), ()):
                    self.assertNotEqual(module, name, '%s imports itself by way of others' % module)
                    if name not in seen:
                        seen.add(name)
                        todo.append(name)

    def test_only_the_demo_needs_what_is_for_tests(self):
        self.assertLessEqual({name for name, found in MODULES.items() if found & {'testing', 'tests'}}, {'demo'})

    def test_all_kinds_of_import_are_seen(self):
        self.assertEqual(
            {'a', 'b', 'c', 'd', 'e', 'RELATIVE'},
            imported('import zeit.cds.a\nfrom zeit.cds import b\nfrom zeit.cds.c import x, y\n'
                     'def f():\n    import os, zeit.cds.d as q\n    from zeit.cds import e as r\n'
                     'from . import g\nimport zeit\nfrom os import path\n'))
