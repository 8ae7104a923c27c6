"""A run that is none of the fleet's does not pay for it."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from zeit.cds.tests.importing import new_spool


CODE = '''
import sys, zeit.cds.main
zeit.cds.main.import_(%r, "localhost", 21, "nobody", "", %r, connection="file")
print([name for name in sys.modules
       if name.startswith("zeit.cds.fleet")
       or name.partition(".")[0] in ("celery", "kombu", "sqlalchemy", "zope.component")])
'''


class Plain(unittest.TestCase):

    def test_nothing_of_it_is_imported_even_if_a_lock_is_found(self):
        directory, spool = tempfile.mkdtemp(), new_spool()
        self.addCleanup(shutil.rmtree, directory)
        self.addCleanup(shutil.rmtree, spool)
        for contents in None, 'foreign':
            if contents:
                with open(os.path.join(directory, 'read'), 'w') as f:
                    f.write(contents)
            done = subprocess.run(
                [sys.executable, '-c', CODE % (spool, directory)], text=True, check=True,
                capture_output=True,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))})
            self.assertEqual('[]\n', done.stdout)
