"""What does without a page pays nothing for it."""
import subprocess
import sys
import unittest


LOADED = """\
import sys
%s
print(*(name for name in sys.modules
        if name.partition(".")[0] in %r or name.startswith("zeit.cds.web.")))
"""
LIBRARIES = 'chameleon', 'drawsvg', 'sqlalchemy', 'waitress', 'playwright'


class Loaded(unittest.TestCase):

    def by(self, code):
        """What of the page is loaded by some code, a set of names."""
        done = subprocess.run([sys.executable, '-c', LOADED % (code, LIBRARIES)], text=True,
                              env={'PYTHONPATH': ':'.join(sys.path)}, stdout=subprocess.PIPE)
        self.assertEqual(0, done.returncode)
        return set(done.stdout.split())

    def test_by_a_run(self):
        self.assertEqual(set(), self.by('from zeit.cds.cli import exchange, runs, log, status'))

    def test_by_a_watch(self):
        self.assertEqual({'zeit.cds.web.table'}, self.by(
            'from zeit.cds.cli import watch, watching, service'))

    def test_by_the_page(self):
        self.assertLessEqual({'zeit.cds.web.facts', 'drawsvg'}, self.by(
            'from zeit.cds.web import pages'))
