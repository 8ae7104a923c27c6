"""A killed import into an object store loses nothing, and publishes nothing twice.

tools/kill-matrix --store SeaweedFS does this at each step. It runs in a process of its own: none
can be forked from one that has used obstore.
"""
import os
import subprocess
import sys

from zeit.cds.testing.layers import on_servers, STORE_LAYERS


POINTS = 4
CODE = 'import sys; from zeit.cds.tests.crash import storekills; sys.exit(storekills.main())'


class Killed:

    def test_nothing_is_lost_and_nothing_comes_twice(self):
        done = subprocess.run(
            [sys.executable, '-c', CODE, '--store', self.server.name, '--port',
             str(self.server.port), '--files', '4', '--points', str(POINTS)],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}, capture_output=True,
            text=True)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn('%d kill points, 0 faults' % (4 * POINTS), done.stdout)


def test_suite():
    return on_servers(Killed, STORE_LAYERS, level=2)
