"""The suite for sessions notices mistakes."""
import unittest

from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.testing.tests import mistakes


class Mistakes(unittest.TestCase):

    layer = BESIDE_LAYER

    def run_test(self, name, changes):
        """The outcome of one test of the suite. unittest.TestResult"""
        result = unittest.TestResult()
        type('Changed', (mistakes.Contract,), changes)('test_' + name).run(result)
        return result

    def test_each_mistake_is_noticed(self):
        for test, text, changes in mistakes.MISTAKES:
            with self.subTest(mistake=text, test=test):
                self.assertFalse(self.run_test(test, changes).wasSuccessful())

    def test_without_a_mistake_there_is_nothing_to_notice(self):
        for test in {test for test, *_ in mistakes.MISTAKES}:
            with self.subTest(test=test):
                result = self.run_test(test, {})
                self.assertTrue(result.wasSuccessful(), result.failures + result.errors)
