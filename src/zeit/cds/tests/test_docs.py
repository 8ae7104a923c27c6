"""The manual in docs/ can be built, without a warning, and its links lead somewhere."""
import html.parser
import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from zeit.cds.feed import SETTINGS
from zeit.cds.tests import checkout


TOP = checkout.top()


class Page(html.parser.HTMLParser):
    """What a page of the manual can be linked to, and what it links to."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.links, self.captions, self.inside, self.text = {''}, set(), [], '', ''
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.targets.add(attributes.get('id'))
        self.inside = attributes.get('class') or ''
        if tag == 'a' and ':' not in attributes.get('href', ':'):
            self.links.add(attributes['href'])

    def handle_data(self, data):
        self.text += data
        if self.inside == 'caption-text':
            self.captions.append(data.strip())
            self.inside = ''


class Built:
    """Layer: the manual, built once."""

    @classmethod
    def setUp(cls):
        if not (TOP and importlib.util.find_spec('furo')):
            return
        with tempfile.TemporaryDirectory() as directory:
            cls.done = subprocess.run(
                [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going', '-b', 'html',
                 str(TOP / 'docs'), directory],
                env=checkout.environment(with_path=True), text=True, capture_output=True)
            cls.pages = {path.name: Page(path) for path in Path(directory).glob('*.html')}

    @classmethod
    def tearDown(cls):
        cls.done = cls.pages = None


@unittest.skipUnless(TOP, 'there is no manual without a checkout')
@unittest.skipUnless(importlib.util.find_spec('furo'), 'Sphinx, or its theme, is missing')
class Manual(unittest.TestCase):

    layer = Built

    def test_it_is_built_without_a_warning(self):
        done = self.layer.done
        self.assertEqual((0, ''), (done.returncode, done.stdout + done.stderr))

    def test_its_navigation_has_groups(self):
        self.assertEqual(['Start', 'Operate', 'Integrate', 'Reference'],
                         self.layer.pages['index.html'].captions[:4])

    def test_it_has_everything(self):
        pages = self.layer.pages
        self.assertLessEqual({'setting-' + name for name in SETTINGS},
                             pages['settings.html'].targets)
        for name in 'import', 'export', 'feed', 'integration':
            self.assertIn('>>> ', pages[name + '.html'].text)
        self.assertIn('$ cds-import', pages['commands.html'].text)

    def test_each_link_leads_somewhere(self):
        broken = []
        for name, page in self.layer.pages.items():
            for link in page.links:
                there, _, anchor = link.partition('#')
                target = self.layer.pages.get(there or name)
                if target is None or anchor not in target.targets:
                    broken.append((name, link))
        self.assertEqual([], broken)

    def test_what_texts_name_is_linked(self):
        for page, link in (
                ('commands.html', 'settings.html#setting-stale_after'),
                ('commands.html', 'operations.html'),
                ('integration.html', 'interfaces.html#zeit.cds.interfaces.IFileSink'),
                ('start.html', 'reliability.html')):
            self.assertIn(link, self.layer.pages[page].links)
