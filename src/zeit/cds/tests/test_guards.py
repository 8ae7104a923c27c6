"""That the guards which tools/remove-guards removes are still there."""
import os
import re
import unittest

import zeit.cds
from zeit.cds.tests import guards


class GuardsTest(unittest.TestCase):

    def read(self, *path):
        with open(os.path.join(os.path.dirname(zeit.cds.__file__), *path)) as f:
            return f.read()

    def test_each_is_in_the_code_once_and_leaves_what_is_python(self):
        for guard in guards.GUARDS:
            with self.subTest(guard.name):
                compile(guard.remove_from(self.read(guard.module + '.py')), guard.module, 'exec')

    def test_a_guard_that_is_not_there_is_an_error(self):
        with self.assertRaisesRegex(ValueError, '0 times in spool.py'):
            guards.GUARDS[0]._replace(module='spool').remove_from(self.read('spool.py'))

    def test_names_differ(self):
        self.assertEqual(len(guards.GUARDS), len({guard.name for guard in guards.GUARDS}))

    def test_a_guard_that_nothing_holds_is_missed(self):
        guard = guards.Guard('a comment', 'retry', 'seconds, doubled each time', 'seconds', ('test_none_if_no_retries',),
                             'test_retry')
        self.assertEqual([], guards.removed(guard))

    def test_a_guard_that_is_held_is_noticed(self):
        guard = next(guard for guard in guards.GUARDS if guard.name == 'what can not pass is not tried again')
        found = guards.removed(guard)
        self.assertTrue(re.match('test_what_does_not_pass', found[0]), found)
