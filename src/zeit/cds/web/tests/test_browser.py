"""The pages in a real browser, during a watch that imports."""
import contextlib
import os
import re
import signal

from zeit.cds.cli.tests.watches import until, Watching
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.testing.browser import barriers, PHONE
from zeit.cds.testing.layers import BROWSER_LAYER, ServerTestCase
from zeit.cds.tests.importing import put
from zeit.cds.text import printable
from zeit.cds.web.tests.journals import HOSTILE, tell


LOOKS = {'light': dict(color_scheme='light'), 'dark': dict(color_scheme='dark'),
         'phone': dict(color_scheme='light', **PHONE),
         'dark phone': dict(color_scheme='dark', **PHONE)}
POSSIBLE = [name for name in HOSTILE if '/' not in name]       # as the names of files
WAIT = 30_000       # milliseconds
TOO_NARROW = '''[...document.querySelectorAll("h1, h2, p, dt, dd, th, td, li, figcaption")]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth)
    .map(one => one.outerHTML.slice(0, 200))'''


class Browsed(Watching, ServerTestCase):

    layer = BROWSER_LAYER
    level = 2

    def setUp(self):
        super().setUp()
        self.journal = SQLJournal(str(self.home / 'journal'))

    @contextlib.contextmanager
    def watched(self, *feeds):
        """The URL of a watch over some feeds, which has imported a file for each."""
        site = '<cds:journal url="%s" />\n' % self.journal.url + ''.join(feeds)
        with self.watch('-v', '--http=0', site=site) as process:
            yield process.said(r'Answering at (http://127\.0\.0\.1:\d+/)$')[1]
            process.send(signal.SIGTERM)
            self.assertEqual(0, process.ended())
            # what a page cannot show is told there
            self.assertNotIn('Traceback', '\n'.join(process.lines))

    def put(self, feed, *names):
        """Have files of these names imported, and wait until the journal knows."""
        for name in names:
            put(os.fsencode(self.home / feed), os.fsencode(name), b'abc')
        until(lambda: {row.name for row in self.rows(feed)} >= set(names))

    def rows(self, feed):
        with self.journal.ask() as queries:
            return queries.files(feed=feed, states=['published'])

    def check(self, page):
        """Whatever the page: nothing was complained of, nothing keeps anybody from using it."""
        self.assertEqual([], barriers(page))
        self.assertEqual([], page.complaints)
        self.assertEqual([0, 0, 0], page.evaluate(
            '["script", "img", "iframe"].map(tag => document.querySelectorAll(tag).length)'))
        self.assertLessEqual(page.evaluate('document.documentElement.scrollWidth'),
                             page.viewport_size['width'])
        self.assertEqual([], page.evaluate(TOO_NARROW))

    # ------------------------------------------------------------ tests

    def test_figures_are_those_of_the_journal(self):
        with self.watched(self.directory('dpa'), self.directory('afp')) as url:
            self.put('dpa', 'flood.jpg', 'storm.jpg', 'vote.xml')
            self.put('afp', 'fire.jpg')
            for look, options in LOOKS.items():
                with self.subTest(look), self.server.page(**options) as page:
                    page.goto(url)
                    self.assertEqual('2 feeds, all well', page.inner_text('h1'))
                    cards = {card.query_selector('h2').inner_text(): card.inner_text()
                             for card in page.query_selector_all('article')}
                    self.assertIn('3 files, 9 B in 24 h', cards['dpa'])
                    self.assertIn('1 files, 3 B in 24 h', cards['afp'])
                    self.assertRegex(cards['dpa'], r'Unread in new\s+3, the oldest for ')
                    self.assertRegex(cards['afp'], r'Last file\s+\S+ \S+, fire\.jpg')
                    self.check(page)
                    self.go(page, 'h2 a >> text=dpa')
                    self.check_feed(page)

    @staticmethod
    def go(page, link):
        """Follow a link to a feed."""
        page.click(link)
        page.wait_for_url('**/feed?**')

    def check_feed(self, page):
        names = page.locator('.files tbody th bdi').all_inner_texts()
        self.assertEqual({row.name for row in self.rows('dpa')}, set(names))
        with self.journal.ask() as queries:
            self.assertEqual(len(queries.runs('dpa', direction='import')),
                             page.locator('[aria-label=Runs] tbody tr').count())
        self.assertEqual(4, page.locator('svg.full').count())
        label = page.locator('svg.full').first.get_attribute('aria-label')
        self.assertEqual('Files per hour: 3 in 48 hours, at most 3', label)
        page.click('summary')
        self.assertIn('3', page.locator('.plots tbody td').first.inner_text())
        self.check(page)

    def test_the_dark_is_dark(self):
        with self.watched(self.directory('dpa')) as url:
            for look, is_dark in ('light', False), ('dark', True):
                with self.server.page(**LOOKS[look]) as page:
                    page.goto(url)
                    color = page.evaluate('getComputedStyle(document.body).backgroundColor')
                    self.assertEqual(is_dark, max(map(int, re.findall(r'\d+', color))) < 64, color)

    def test_hostile_names(self):
        with self.watched(self.directory('dpa')) as url:
            self.put('dpa', *POSSIBLE)
            for name in HOSTILE:
                tell(self.journal, name, *HOSTILE, failed=[(name + '.f', name)], error=name)
            for look, options in LOOKS.items():
                with self.subTest(look), self.server.page(**options) as page:
                    page.goto(url)
                    self.check(page)
                    self.go(page, 'h2 a >> text=dpa')
                    shown = page.locator('.files tbody th > bdi').all_inner_texts()
                    self.assertEqual(sorted(map(printable, POSSIBLE)), sorted(shown))
                    self.check(page)

    def test_hostile_feeds_in_a_file(self):
        for name in HOSTILE:
            tell(self.journal, name, *HOSTILE, failed=[(name + '.f', name)], error=name)
        from zeit.cds.web.facts import Sources
        from zeit.cds.web.rendering import Renderer, write
        file = self.home / 'status.html'
        write(str(file), Renderer(refresh=0).file(Sources(lambda: self.journal).everything()))
        for look, options in LOOKS.items():
            with self.subTest(look), self.server.page(**options) as page:
                page.goto(file.as_uri())
                self.assertEqual(sorted(map(printable, HOSTILE)), sorted(
                    page.locator('h2 a bdi').all_text_contents()))
                self.assertEqual('grid', page.evaluate(
                    'getComputedStyle(document.querySelector(".cards")).display'))
                page.click('h2 a >> nth=2')
                self.assertEqual('#feed-3', page.evaluate('location.hash'))
                self.check(page)

    def test_names_that_are_written_the_other_way_leave_the_others_alone(self):
        name = '\u05d0\u05d1\u05d2 (1).jpg'
        with self.watched(self.directory('dpa')) as url, self.server.page() as page:
            self.put('dpa', name)
            page.goto(url)
            self.assertEqual('isolate', page.evaluate(
                'getComputedStyle(document.querySelector("dd bdi")).unicodeBidi'))
            self.go(page, 'h2 a')
            cell = page.locator('.files tbody tr').first
            left = [cell.locator(part).bounding_box()['x'] for part in ('th', 'td >> nth=0')]
            self.assertLess(*left)

    def test_without_a_mouse(self):
        with self.watched(self.directory('dpa')) as url, self.server.page() as page:
            self.put('dpa', 'flood.jpg', 'storm.jpg')
            page.goto(url + '?pause=1')
            self.press(page, 'Tab', 'To the content')
            page.keyboard.press('Enter')
            self.assertEqual('main', page.evaluate('document.activeElement.id'))
            self.press(page, 'Tab', 'dpa')
            page.keyboard.press('Enter')
            page.wait_for_url('**/feed?**')
            self.press(page, 'Tab', 'To the content')
            self.press(page, 'Tab', 'All feeds')
            self.press(page, 'Tab', 'Search its files')
            page.keyboard.press('Enter')
            page.wait_for_url('**name=')
            self.assertEqual('name', page.evaluate('document.activeElement.id'))
            page.keyboard.type('sto')
            page.keyboard.press('Enter')
            page.wait_for_url('**name=sto')
            self.assertEqual(['storm.jpg'], page.locator('.files th bdi').all_inner_texts())
            self.check(page)

    def press(self, page, key, text):
        """Press a key; then that is in focus."""
        page.keyboard.press(key)
        self.assertEqual(text, page.evaluate('document.activeElement.innerText').strip())
        outline = page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
        self.assertEqual('solid', outline)

    def test_it_refreshes_by_itself(self):
        with self.watched(self.directory('dpa')) as url, self.server.page() as page:
            page.goto(url)
            self.put('dpa', 'late.jpg')
            page.wait_for_selector('text=late.jpg', timeout=WAIT)
            page.click('text=Stop that')
            page.wait_for_selector('text=Refresh by itself')
            self.assertEqual([], page.complaints)
