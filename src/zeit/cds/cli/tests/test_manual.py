"""The manual has every text; the examples and command lines in it are right."""

import re
import shlex
import unittest

import zope.component.testing

from zeit.cds.cli import options, site
from zeit.cds.tests import checkout


TOP = checkout.top()
LINE = re.compile(r'\bcds-(?:import|export|lock|watch)\b(?!@)'
                  r'[^`\n>|]*(?:-|STORE_DIR|spool)[^`\n>|]*')


@unittest.skipUnless(TOP, 'there is no manual without a checkout')
class Manual(unittest.TestCase):

    def test_every_text_of_the_package_is_in_it(self):
        for path in (TOP / 'src/zeit/cds').glob('*.txt'):
            page = TOP / 'docs' / (path.stem + '.rst')
            self.assertTrue(page.exists(), '%s is missing; it includes %s' % (page, path.name))
            self.assertIn('include:: ../src/zeit/cds/%s\n' % path.name, page.read_text())


@unittest.skipUnless(TOP, 'there are no examples without a checkout')
class Examples(unittest.TestCase):

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)

    def test_the_feeds_are_right(self):
        feeds = site.feeds(TOP / 'examples/site.zcml')
        self.assertEqual(
            [('dpa', 'import'), ('partner', 'export'), ('photos', 'import')],
            [(feed.name, feed.direction) for feed in feeds],
        )

    def test_every_command_line_is_one(self):
        names = {feed.name for feed in site.feeds(TOP / 'examples/site.zcml')}
        lines = [line for path in (TOP / 'examples').iterdir() if path.is_file()
                 for line in LINE.findall(re.sub('(?m)^#.*', '', path.read_text()))]
        self.assertEqual(4, len(lines))
        for line in lines:
            command, *arguments = shlex.split(line.replace('%i', 'dpa'))
            parsed = options.parser(command).parse(arguments)
            self.assertEqual('/etc/cds/site.zcml', parsed.zcml)
            self.assertTrue(vars(parsed).get('all', True) or set(parsed.arguments) <= names, line)
