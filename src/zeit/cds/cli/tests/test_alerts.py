"""The alerts that we propose to Prometheus, examples/alerts.yml, by its own tool."""
import os
import re
import shutil
import subprocess
import textwrap
import unittest
from pathlib import Path

from zeit.cds.cli import gauges, metrics
from zeit.cds.tests import checkout


TOP = checkout.top()
INSTALLED = os.environ.get('CDS_PROMTOOL', Path.home() / '.cache/zeit.cds/promtool')
PROMTOOL = shutil.which('promtool') or shutil.which(INSTALLED)
MUST_BE_THERE = os.environ.get('CI') == 'true'
REASONS = {     # what has to wake somebody
    'CDSDown', 'CDSNotRunning', 'CDSNeverSucceeded', 'CDSNoSuccess', 'CDSSilent',
    'CDSConsumerDead', 'CDSFailingFiles', 'CDSLockHeld', 'CDSWatchLate', 'CDSNothingCame',
    'CDSGivenUp'}


@unittest.skipUnless(TOP, 'there are no examples without a checkout')
class Alerts(unittest.TestCase):

    def setUp(self):
        self.examples = TOP / 'examples'
        self.text = self.examples.joinpath('alerts.yml').read_text(encoding='utf-8')

    @unittest.skipUnless(PROMTOOL or MUST_BE_THERE,
                         'promtool is missing: tools/install-promtool gets it')
    def test_they_fire_when_they_should_and_only_then(self):
        done = subprocess.run(
            [PROMTOOL or 'promtool', 'test', 'rules', self.examples / 'alerts-test.yml'],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, done.stdout)

    def test_each_is_there_and_tested(self):
        tests = self.examples.joinpath('alerts-test.yml').read_text(encoding='utf-8')
        self.assertEqual(REASONS, set(re.findall(r'alert: (\w+)', self.text)))
        self.assertEqual(REASONS, set(re.findall(
            r'alertname: (\w+)\n +eval_time: \S+\n +exp_alerts:\n', tests)))

    def test_there_are_such_metrics(self):
        for name in 'alerts.yml', 'alerts-test.yml':
            named = set(re.findall(r'\bcds_\w+', self.examples.joinpath(name).read_text()))
            with self.subTest(name):
                self.assertTrue(named)
                self.assertEqual(set(), named - metrics.NAMES - gauges.OWN.keys())

    def test_commands_txt_has_the_same(self):
        text = TOP.joinpath('src/zeit/cds/commands.txt').read_text(encoding='utf-8')
        self.assertIn(textwrap.indent(self.text[self.text.index('groups:'):], '    '), text)
