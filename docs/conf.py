"""The manual: sphinx-build -W docs docs/_build"""
import importlib.metadata
import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode


sys.path.insert(0, str(Path(__file__).parents[1] / 'src'))

from zeit.cds.cli import log, manual, options, status  # noqa: E402


project = 'zeit.cds'
author = 'The zeit.cds contributors'
release = version = importlib.metadata.version('zeit.cds')
extensions = ['repoze.sphinx.autointerface', 'sphinx.ext.autodoc']
html_theme = 'furo'
html_title = 'zeit.cds ' + version
html_static_path = ['_static']
html_css_files = ['manual.css']
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
highlight_language = 'text'             # `Language` looks at what is in each block
pygments_style = 'default'
pygments_dark_style = 'github-dark'
python_maximum_signature_line_length = 70
source_suffix = {'.rst': 'restructuredtext'}
exclude_patterns = ['_build', 'html']
trim_doctest_flags = True
smartquotes_action = 'qe'               # options begin with two hyphens
autodoc_member_order = 'bysource'
autodoc_preserve_defaults = True
toc_object_entries_show_parents = 'hide'
nitpicky = True
nitpick_ignore_regex = [
    ('py:.*', r'(zope|contextlib|doctest|unittest|typing|collections|ssl)\..*'),
    ('py:class', r'(Exception|NamedTuple|tuple|object|optional|callable)'),
]


class Settings(Directive):
    """All settings, from IFeed: each with a target `setting-NAME`."""

    def run(self):
        return [nodes.definition_list(
            '', *(self.item(*row) for row in manual.settings_table()), classes=['settings'])]

    @staticmethod
    def item(name, kind, default, text):
        kind = ': %s' % kind + (', by default %s' % default if default else '')
        term = nodes.term('', '', nodes.literal('', name, classes=['setting']),
                          nodes.inline('', kind, classes=['kind']), ids=['setting-' + name])
        paragraph = nodes.paragraph()
        paragraph += split(text)
        return nodes.definition_list_item('', term, nodes.definition('', paragraph))


def split(text):
    """Nodes of a text in which names are in backticks."""
    return [nodes.literal('', part) if number % 2 else nodes.Text(part)
            for number, part in enumerate(re.split(r'`(\w+)`', text))]


class Help(Directive):
    """What --help prints."""

    required_arguments = 1

    def run(self):
        os.environ['COLUMNS'] = '80'
        name = self.arguments[0]
        own = {'cds-log': log, 'cds-status': status}
        parser = own[name].parser() if name in own else options.parser(name)
        text = parser.format_help()
        return [nodes.literal_block(text, text, language='none', classes=['drawing'])]


PARAMETER = re.compile(r'([a-z_]+(?:, [a-z_]+)*) -- ')


def parameters(app, what, name, obj, options, lines):
    """Our docstrings describe a parameter as `name -- text`: make a list of fields of these."""
    result, inside = [], False
    for line in lines:
        begins = PARAMETER.match(line)
        if begins and not inside or inside and line and not begins and not line.startswith(' '):
            result.append('')
        inside = bool(begins) or inside and line.startswith(' ')
        result.append(PARAMETER.sub(r':\1: ', line, count=1) if begins else line)
    lines[:] = result


class Language(SphinxTransform):
    """What is in a block of code is seen by its first words."""

    default_priority = 400      # before its highlighting is settled
    BEGINS = (
        ('>>> ', 'pycon'), ('$ ', 'console'), ('<', 'xml'), ('[', 'ini'), ('import ', 'python'),
        ('groups:', 'yaml'),
        *((command, 'bash') for command in (
            'cds-', 'bin/', 'tools/', 'python3 ', 'mkdir ', 'grep ', '(umask ', '/opt/', '* * ')))

    DRAWING = re.compile(r'->|──|(\w   +\w.*\n.*){3}')   # or a list in columns

    def apply(self, **kw):
        for node in self.document.findall(nodes.literal_block):
            if 'language' not in node:
                text = node.astext().lstrip()
                if self.DRAWING.search(text) and '>>> ' not in text:
                    node['classes'].append('drawing')
                node['language'] = next(
                    (language for begin, language in self.BEGINS if text.startswith(begin)),
                    'console' if '\n$ ' in text else 'text')


class Links(SphinxPostTransform):
    """Our texts are for reading as they are, and have names of texts, settings, and of what is
    public, in ``double backticks`` only (docstrings: in `single` ones): here they become links.
    """

    default_priority = 5
    REFERENCE = 'main', 'interfaces', 'testing'
    TEXTS = {'README': 'start', 'CHANGES': 'changes'}
    FOLDERS = re.compile(r'^(?:src/zeit/cds/|zeit/cds/)?(\w+)\.txt$')
    # words with another meaning, too
    AMBIGUOUS = {'name', 'direction', 'port', 'user', 'password', 'limit', 'lock', 'connection',
                 'sink', 'source', 'include', 'exclude'}

    def run(self, **kw):
        for node in list(self.document.findall(nodes.title_reference)):
            node.replace_self(nodes.literal('', '', *node.children))
        self.public = self.names()
        if self.env.current_document.docname in self.REFERENCE:
            self.link_plain_names()
        for node in list(self.document.findall(nodes.literal)):
            if max(map(len, node.astext().split()), default=0) < 25:
                node['classes'].append('whole')
            if not self.is_linked(node) and (target := self.target(node.astext())):
                link = nodes.reference('', '', internal=True, refuri=target)
                node.replace_self(link)
                link += node

    def link_plain_names(self):
        """Docstrings name contracts and exceptions without any backticks."""
        for node in list(self.document.findall(nodes.Text)):
            if isinstance(node.parent, nodes.paragraph) and not self.is_linked(node.parent):
                parts = [
                    self.link(part) or nodes.Text(part) for part in re.split(r'\b(\w+)\b', node)]
                node.parent.replace(node, parts)

    def link(self, name):
        full = 'zeit.cds.interfaces.' + name
        target = self.target(full) if full in self.public else None
        return target and nodes.reference('', name, internal=True, refuri=target)

    @staticmethod
    def is_linked(node):
        while node is not None:
            if isinstance(node, nodes.reference | addnodes.pending_xref | nodes.title
                          | addnodes.desc_signature) or 'setting' in node.get('classes', ()):
                return True
            node = node.parent if isinstance(node.parent, nodes.Element) else None
        return False

    def names(self):
        """{name or dotted name: (document, anchor)} of what the reference describes."""
        found = {}
        for full, entry in self.env.get_domain('py').objects.items():
            if entry.objtype not in ('attribute', 'method', 'module'):
                found[full] = found[full.rpartition('.')[2]] = entry.docname, entry.node_id
        for name in options.SETTINGS:
            if name not in self.AMBIGUOUS:
                found[name] = 'settings', 'setting-' + name
        return found

    def target(self, text):
        here = self.env.current_document.docname
        if match := self.FOLDERS.match(text):
            there, anchor = self.TEXTS.get(match[1], match[1]), ''
        elif text.startswith('examples/'):
            there, anchor = 'examples', ''
        elif text.removesuffix('()') in self.public:
            there, anchor = self.public[text.removesuffix('()')]
        else:
            return None
        if there not in self.env.found_docs or there == here and not anchor:
            return None
        uri = '' if there == here else self.app.builder.get_relative_uri(here, there)
        return uri + ('#' + anchor if anchor else '')


def documented(app, env, node, contnode):
    """What a docstring refers to by its last name, or by the module that it is made in."""
    name = node['reftarget'].rpartition('.')[2]
    for full, entry in env.get_domain('py').objects.items():
        if full.rpartition('.')[2] == name:
            return make_refnode(
                app.builder, node['refdoc'], entry.docname, entry.node_id, contnode)
    return None


def setup(app):
    app.connect('missing-reference', documented)
    app.connect('autodoc-process-docstring', parameters)
    app.add_transform(Language)
    app.add_post_transform(Links)
    app.add_directive('cds-settings', Settings)
    app.add_directive('cds-help', Help)
    return {'parallel_read_safe': True}
