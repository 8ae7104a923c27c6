"""The soak, in short: see soak.py."""
import unittest

from zeit.cds.testing.layers import PUREFTPD_LAYER, ServerTestCase
from zeit.cds.watch.tests.soak import grown, Soak


class Short(ServerTestCase):

    layer = PUREFTPD_LAYER
    level = 2       # half a minute

    def test_nothing_is_lost_doubled_or_left(self):
        soak = Soak([self.layer.kind], 15.0, 5.0)
        try:
            self.assertEqual([], soak.run())
        finally:
            soak.close()


class Grown(unittest.TestCase):

    def test_it_is_told(self):
        self.assertIsNone(grown((10, 20, 50.0), (11, 22, 55.0), 10))
        for after in (20, 20, 50.0), (10, 30, 50.0), (10, 20, 61.0):
            self.assertIn('resources have grown', grown((10, 20, 50.0), after, 10))
