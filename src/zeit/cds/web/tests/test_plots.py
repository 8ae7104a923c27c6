"""Plots: what is drawn is what was given, and a browser has nothing to execute in it."""
import unittest
import xml.etree.ElementTree as ElementTree

from zeit.cds.text import printable
from zeit.cds.web import plots
from zeit.cds.web.tests.journals import HOSTILE, HOUR


SVG = '{http://www.w3.org/2000/svg}'
TIMES = [1_800_000_000 * 10**9 + number * HOUR for number in range(48)]


class Plots(unittest.TestCase):

    def drawn(self, text, kind, name):
        """The elements of a class in a plot, which is checked on the way."""
        found = ElementTree.fromstring(text)
        for element in found.iter():
            self.assertNotIn(element.tag, {SVG + tag for tag in (
                'style', 'script', 'a', 'image', 'use', 'foreignObject', 'animate', 'set')})
            self.assertFalse({key for key in element.keys() if key == 'style' or key[:2] == 'on'})
        self.assertEqual('img', found.get('role'))
        return [one for one in found.iter(SVG + kind) if name in (one.get('class') or '').split()]

    def test_a_small_one(self):
        bars = self.drawn(plots.spark([0, 1, 2, 4], 'x'), 'rect', 'bar')
        self.assertEqual(3, len(bars))
        low, middle, high = (float(bar.get('height')) for bar in bars)
        self.assertEqual((high / 4, high / 2), (low, middle))
        self.assertEqual([], self.drawn(plots.spark([0, 0], 'x'), 'rect', 'bar'))

    def test_one_is_seen_beside_a_million(self):
        for plot in plots.spark([1, 10**6], 'x'), plots.bars(TIMES[:2], [1, 10**6], 'x', str):
            low, _ = self.drawn(plot, 'rect', 'bar')
            self.assertGreaterEqual(float(low.get('height')), 1)

    def test_bars(self):
        values = [n % 3 for n in range(48)]
        bars = self.drawn(plots.bars(TIMES, values, 'x', '{} files'.format), 'rect', 'bar')
        self.assertEqual(32, len(bars))
        self.assertEqual({'1 files', '2 files'}, {
            bar.find(SVG + 'title').text.partition(': ')[2] for bar in bars})
        self.assertTrue(all(float(bar.get('x')) + float(bar.get('width')) <= plots.WIDTH
                            for bar in bars))

    def test_nothing_at_all(self):
        self.assertEqual([], self.drawn(plots.bars(TIMES, [0] * 48, 'x', str), 'rect', 'bar'))
        self.assertEqual([], self.drawn(plots.curves(TIMES, [()] * 48, 'x'), 'circle', 'dot'))

    def test_curves(self):
        values = [(), (1.0, 2.0, 3.0), (1.0, 2.0, None), (), (0.001, 50.0, 10.0**9)]
        plot = plots.curves(TIMES[:5], values, 'x')
        for kind, number in ('median', 3), ('most', 3), ('nearly-all', 2):
            self.assertEqual(number, len(self.drawn(plot, 'circle', kind)))
        for dot in self.drawn(plot, 'circle', 'dot'):
            self.assertTrue(plots.TOP <= float(dot.get('cy')) <= plots.HEIGHT - plots.BOTTOM)
        [path] = self.drawn(plot, 'path', 'median')
        self.assertEqual((2, 1), (path.get('d').count('M'), path.get('d').count('L')))
        first, second, third = (float(dot.get('cy')) for dot in self.drawn(plot, 'circle', 'most'))
        self.assertEqual(first, second)
        self.assertLess(third, second)

    def test_curves_of_clocks_that_are_wrong(self):
        for value in -10.0**9, -1.0, 0.0, 0.1, 864000.0, 10.0**9:
            plot = plots.curves(TIMES[:1], [(value,) * 3], 'x')
            for dot in self.drawn(plot, 'circle', 'dot'):
                self.assertTrue(plots.TOP <= float(dot.get('cy')) <= plots.HEIGHT - plots.BOTTOM)

    def test_labels_are_text(self):
        for name in map(printable, HOSTILE):
            bars = plots.bars(TIMES, [1] * 48, name, lambda _, name=name: name)
            for plot in plots.spark([1], name), bars, plots.curves(TIMES, [(1.0,) * 3] * 48, name):
                self.assertEqual(name, ElementTree.fromstring(plot).get('aria-label'))
            for bar in self.drawn(bars, 'rect', 'bar'):
                title = bar.find(SVG + 'title').text.strip()
                self.assertTrue(title.endswith(': ' + name), title)

    def test_an_axis_ends_where_a_person_expects_it(self):
        self.assertEqual(
            [2, 2, 2, 4, 6, 10, 20, 40, 1000], [
                plots.round_up(value) for value in (0, 1, 2, 3, 5, 7, 11, 40, 999)])
