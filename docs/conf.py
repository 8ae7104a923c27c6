"""The manual: sphinx-build -W docs docs/_build"""
import importlib.metadata
import os
import re
import sys

from docutils import nodes
from docutils.parsers.rst import Directive


sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, 'src'))

from zeit.cds.cli import manual, options  # noqa: E402


project = 'zeit.cds'
author = 'The zeit.cds contributors'
release = version = importlib.metadata.version('zeit.cds')
extensions = ['repoze.sphinx.autointerface', 'sphinx.ext.autodoc']
html_theme = 'alabaster'
html_theme_options = {'description': 'Exchange articles through a Content-Drehscheibe',
                      'page_width': '70em'}
html_show_copyright = False
source_suffix = {'.rst': 'restructuredtext'}
exclude_patterns = ['_build', 'html']
trim_doctest_flags = True
nitpicky = False


class Settings(Directive):
    """The table of all settings, from IFeed."""

    HEAD = ('Setting', 'Values', 'Default', 'What it means')
    WIDTHS = (16, 16, 10, 58)

    def run(self):
        group = nodes.tgroup(cols=len(self.HEAD))
        group += [nodes.colspec(colwidth=width) for width in self.WIDTHS]
        group += nodes.thead('', self.row(self.HEAD))
        body = nodes.tbody()
        body += [self.row(row) for row in manual.settings_table()]
        group += body
        return [nodes.table('', group, classes=['settings'])]

    @staticmethod
    def row(texts):
        return nodes.row('', *(nodes.entry('', nodes.paragraph('', text)) for text in texts))


class Help(Directive):
    """What --help prints."""

    required_arguments = 1

    def run(self):
        os.environ['COLUMNS'] = '80'
        text = options.parser(self.arguments[0]).format_help()
        return [nodes.literal_block(text, text, language='none')]


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


def setup(app):
    app.connect('autodoc-process-docstring', parameters)
    app.add_directive('cds-settings', Settings)
    app.add_directive('cds-help', Help)
    return {'parallel_read_safe': True}
