"""The simulation tells what it should, and the figures that it takes can be measured."""
import contextlib
import io
import os
import subprocess
import sys
import unittest

from zeit.cds.fleet import simulation
from zeit.cds.fleet.simulation import Simulation
from zeit.cds.fleet.tests.house import need
from zeit.cds.testing.layers import REDIS_LAYER, ServerTestCase
from zeit.cds.testing.postgres import PostgreSQL
from zeit.cds.testing.servers import VsFTPD
from zeit.cds.tests.checkout import top


SMALL = ['--feeds', '100', '--hosts', '2', '--processes', '4', '--minutes', '20', '--files', '60']


def simulated(*options):
    settings = simulation.parser().parse_args([*SMALL, *options])
    return Simulation(settings).run()


class Simulated(unittest.TestCase):

    def test_all_feeds_are_looked_at_and_all_files_wait_for_their_next_look(self):
        figures = simulated('--hanging', '0')
        # 100 feeds each minute for the sixteen minutes that count; a file a minute of each
        self.assertAlmostEqual(1600, figures.runs, delta=110)
        self.assertAlmostEqual(1600, len(figures.waited), delta=300)
        self.assertLess(max(figures.waited), 65)
        self.assertAlmostEqual(30, simulation.part(figures.waited, .5), delta=5)
        self.assertEqual(0, figures.merged)

    def test_servers_that_hang_occupy_workers_and_too_few_of_these_merge_looks(self):
        few = simulated('--hanging', '0.3', '--processes', '2')
        many = simulated('--hanging', '0.3', '--processes', '40')
        self.assertGreater(few.merged, 500)
        self.assertGreater(simulation.part(few.starts, .9), 60)
        self.assertLess(simulation.part(many.starts, .9), 1)
        # each feed has its turn all the same
        self.assertLess(max(few.starts), 2 * simulation.part(few.starts, .5) + 60)

    def test_it_is_the_same_each_time(self):
        self.assertEqual(simulated(), simulated())

    def test_what_it_prints(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(0, simulation.main(SMALL))
        lines = printed.getvalue().splitlines()
        self.assertEqual(
            '100 feeds, 2 hosts with 4 worker processes each, a look every 60 s', lines[0])
        self.assertEqual(
            ['looks', 'queue', 'file', 'processes', 'cores', 'beat', 'broker', 'database',
             'sessions'], [line.split()[0] for line in lines[1:]])


@unittest.skipUnless(top(), 'there are no benchmarks without a checkout')
class Measured(ServerTestCase):

    layer, level = REDIS_LAYER, 2

    def test_what_it_takes_can_be_measured(self):
        need(self, PostgreSQL, VsFTPD)
        done = subprocess.run(
            [sys.executable, '-P', str(top() / 'benchmarks' / 'fleet.py'), '--count', '40'],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
            text=True, capture_output=True, timeout=120)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(13, len(done.stdout.splitlines()), done.stdout)
