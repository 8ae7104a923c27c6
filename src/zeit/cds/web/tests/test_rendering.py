"""The pages: names of files are text in them, and a page that is a file needs nothing else."""
import html.parser
import os
import re
import tempfile
import unittest
from pathlib import Path
from urllib.parse import parse_qs, unquote

from zeit.cds.text import printable
from zeit.cds.web.facts import Known, Sources
from zeit.cds.web.rendering import digest, encoded, Links, query, Renderer, write
from zeit.cds.web.tests.journals import HOSTILE, journal, tell


VOID = {'meta', 'link', 'input'}


class Reader(html.parser.HTMLParser):
    """What stands in a page: its elements, and the texts of some."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = set(), set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == 'bdi':
            self.texts.append('')

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == 'bdi':
            self.texts[-1] += data


class Names(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.journal = journal(directory.name + '/journal')
        tell(self.journal, 'plain', 'plain', failed=[('failed', 'reason')], error='error')
        for feed in HOSTILE:
            tell(self.journal, feed, *HOSTILE,
                 failed=[(name + '.f', name) for name in HOSTILE[:4]], error=feed)
        self.sources = Sources(lambda: self.journal)

    def pages(self):
        renderer = Renderer()
        yield renderer.overview(self.sources.overview()), HOSTILE, ('plain',)
        for feed in HOSTILE:
            told = self.sources.feed(feed, 'import')
            yield renderer.feed(told), HOSTILE, ()
            yield renderer.feed(told, feed), HOSTILE, ()
        yield renderer.file(self.sources.everything()), HOSTILE, ('plain',)

    def test_they_are_text(self):
        plain = [Reader(page) for page in (
            Renderer().overview(self.sources.overview()), Renderer().feed(self.sources.feed(
                'plain', 'import')), Renderer().feed(self.sources.feed('plain', 'import'), ''))]
        tags = set().union(*(one.tags for one in plain)) | {'style'}
        attributes = set().union(*(one.attributes for one in plain)) | {'http-equiv', 'tabindex'}
        self.assertFalse(tags & {'script', 'img', 'iframe', 'b '})
        for page, names, _ in self.pages():
            found = Reader(page)
            self.assertEqual([], found.open)
            self.assertEqual(set(), found.tags - tags)
            self.assertEqual(set(), found.attributes - attributes)
            there = {text.strip() for text in found.texts}
            for name in names:
                self.assertTrue(any(text.endswith(printable(name)) for text in there), name)

    def test_what_a_person_would_not_see_is_shown(self):
        for page, _, _ in self.pages():
            self.assertEqual(set(), {
                character for character in page if not character.isprintable()} - {'\n'})
            encoded(page).decode('utf-8')

    def test_links_lead_to_the_feed(self):
        for name in HOSTILE:
            path, _, asked = Links().of_feed(Known(name, 'export'), name='').partition('?')
            self.assertEqual('feed', path)
            self.assertEqual({'feed': [name], 'direction': ['export'], 'name': ['']}, parse_qs(
                asked, keep_blank_values=True, errors='surrogateescape'))
            self.assertRegex(asked, r'^[\w%=&.~-]+$')
        self.assertEqual('a=1', query(a='1', b=None))
        self.assertEqual('\udcff', unquote(query(a='\udcff')[2:], errors='surrogateescape'))


class AFile(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.journal = journal(self.directory / 'journal')
        tell(self.journal, 'dpa', 'a', failed=[('b', 'why')])
        tell(self.journal, 'afp', 'c')
        self.page = Renderer(refresh=0).file(Sources(lambda: self.journal).everything())

    def test_it_needs_nothing_else(self):
        self.assertTrue(self.page.startswith('<!DOCTYPE html>\n<html lang="en">'))
        links = set(re.findall(r'(?:href|src)="([^"]*)"', self.page))
        self.assertEqual({'#main', 'data:,', '#feed-1', '#feed-2'}, links)
        for anchor in 'main', 'feed-1', 'feed-2':
            self.assertEqual(1, self.page.count(' id="%s"' % anchor))
        self.assertNotIn('pause', self.page)

    def test_only_its_own_style_is_allowed(self):
        style = re.search('<style>(.*?)</style>', self.page, re.DOTALL)[1]
        self.assertIn("style-src 'sha256-%s'" % digest(style), self.page)

    def test_it_is_replaced_at_once(self):
        path = self.directory / 'status.html'
        path.write_text('old')
        with open(path) as before:
            write(str(path), 'new \udcff')
            self.assertEqual('old', before.read())
        self.assertEqual(b'new \\udcff', path.read_bytes())
        self.assertEqual({'status.html', 'journal'}, {
            found.name for found in self.directory.iterdir() if '-' not in found.name})

    def test_what_cannot_be_written_leaves_nothing(self):
        (self.directory / 'there').mkdir()
        with self.assertRaises(OSError):
            write(str(self.directory / 'there'), 'new')
        self.assertEqual([], list(self.directory.glob('there.*')))

    def test_what_is_no_file_is_not_replaced(self):
        pipe = self.directory / 'pipe'
        os.mkfifo(pipe)
        with self.assertRaisesRegex(OSError, 'That is no file'):
            write(str(pipe), 'new')
        self.assertTrue(pipe.is_fifo())
