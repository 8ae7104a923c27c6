"""The map of the code, docs/architecture.rst, shows what is there; texts name tests that are."""
import re
import unittest
from pathlib import Path

import zeit.cds.interfaces
import zeit.cds.main
import zeit.cds.testing
from zeit.cds.tests import checkout


TOP = checkout.top()
HERE = Path(__file__).parents[1]


def rooms():
    return {path.parent.name for path in HERE.glob('*/__init__.py')}


@unittest.skipUnless(TOP, 'there is no manual without a checkout')
class Map(unittest.TestCase):

    def setUp(self):
        self.text = TOP.joinpath('docs', 'architecture.rst').read_text(encoding='utf-8')

    def test_it_describes_every_room(self):
        described = set(re.findall(r'^``(\w+)/``$', self.text, re.MULTILINE))
        self.assertEqual(rooms(), described)

    def test_it_names_every_module_at_the_top(self):
        for path in HERE.glob('*.py'):
            if path.stem != '__init__':
                self.assertIn('``%s``' % path.name, self.text)

    def test_each_module_that_it_names_is_there(self):
        section, missing = '', []
        for paragraph in self.text.split('\n\n'):
            room = re.match(r'``(\w+/)``\n', paragraph)
            section = room[1] if room else section if paragraph.startswith('    ') else ''
            for name in re.findall(r'``([\w/]+(?:\.py|/|\.txt|\.zcml))``', paragraph):
                if not any((place / name).exists() for place in (HERE / section, HERE, TOP)):
                    missing.append(name)
        self.assertEqual([], missing)

    def test_it_names_every_module_of_the_rooms(self):
        parts = re.split(r'^``(\w+)/``\n', self.text, flags=re.MULTILINE)
        missing = []
        for room, text in zip(parts[1::2], parts[2::2]):
            if room not in ('testing', 'tests'):
                missing += [
                    '%s/%s' % (room, path.name) for path in HERE.joinpath(room).glob('*.py')
                    if path.stem != '__init__' and '``%s``' % path.name not in text]
        self.assertEqual([], missing)

    def test_each_tool_is_there(self):
        for name in re.findall(r'\btools/([\w-]+)', self.text):
            self.assertTrue((TOP / 'tools' / name).exists(), name)
        for path in TOP.joinpath('tools').iterdir():
            if path.name != 'with-shared-eggs':
                self.assertIn('tools/' + path.name, self.text)

    def test_the_manual_has_it(self):
        index = TOP.joinpath('docs', 'index.rst').read_text(encoding='utf-8')
        self.assertIn('\n   architecture\n', index)


@unittest.skipUnless(TOP, 'there is no manual without a checkout')
class Names(unittest.TestCase):

    PUBLIC = zeit.cds.interfaces, zeit.cds.main, zeit.cds.testing

    def test_the_manual_has_each_that_is_public(self):
        text = '\n'.join(path.read_text(encoding='utf-8') for path in TOP.glob('docs/*.rst'))
        named = set(re.findall(r'^\.\. auto\w+:: ([\w.]+)$', text, re.MULTILINE))
        for module in self.PUBLIC:
            with self.subTest(module.__name__):
                public = {'%s.%s' % (module.__name__, name) for name in module.__all__}
                self.assertEqual(set(), public - named)
                there = {name for name in named
                         if name.rpartition('.')[0] == module.__name__}
                modules = {'%s.%s' % (module.__name__, path.stem)
                           for path in Path(module.__file__).parent.iterdir()}
                self.assertEqual(set(), there - public - modules)


class Texts(unittest.TestCase):

    def test_each_test_that_a_text_names_is_there(self):
        there = {path.name for path in HERE.rglob('test_*.py')}
        for path in HERE.glob('*.txt'):
            named = set(re.findall(r'\btest_\w+\.py', path.read_text(encoding='utf-8')))
            with self.subTest(text=path.name):
                self.assertEqual(set(), named - there)

    @unittest.skipUnless(TOP, 'there are no tools without a checkout')
    def test_each_tool_that_a_text_names_is_there(self):
        for path in HERE.glob('*.txt'):
            for name in re.findall(r'``tools/([\w-]+)', path.read_text(encoding='utf-8')):
                with self.subTest(text=path.name):
                    self.assertTrue((TOP / 'tools' / name).exists(), name)
