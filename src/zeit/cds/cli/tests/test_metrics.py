"""cds-import --metrics, as the node exporter reads it."""
import concurrent.futures
import os
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from zeit.cds.cli import metrics
from zeit.cds.events import Outcome
from zeit.cds.testing import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.testing.process import free_port
from zeit.cds.tests.commands import Commands


LABELS = {'feed': 'dpa', 'direction': 'import'}


class Metrics(Commands, ServerTestCase):

    layer = PYFTPDLIB_LAYER

    def run_with_metrics(self, *options):
        status = self.cds_import('--name=dpa', '--metrics=cds.prom', *options)
        self.metrics = {
            sample.name: sample.value
            for family in text_string_to_metric_families((self.home / 'cds.prom').read_text())
            for sample in family.samples
            if sample.labels == LABELS
        }
        return status

    def test_they_tell_of_the_last_run(self):
        for name in ('a.xml', 'b.xml', 'c.xml'):
            self.put(name, b'1234')
        self.assertEqual(0, self.run_with_metrics('--limit=2'), self.err)
        self.assertEqual(metrics.NAMES - metrics.SILENCE.keys(), set(self.metrics))
        self.assertEqual(
            [2, 8, 0, 1, 0, 0],
            [
                self.metrics[name]
                for name in (
                    'cds_last_run_files',
                    'cds_last_run_bytes',
                    'cds_last_run_failures',
                    'cds_waiting_files',
                    'cds_last_run_status',
                    'cds_lock_age_seconds',
                )
            ],
        )

    def test_they_keep_the_last_success_and_tell_how_old_the_lock_is(self):
        self.assertEqual(0, self.run_with_metrics())
        success = self.metrics[metrics.LAST_SUCCESS]
        self.put('write', b'foreign')
        self.assertEqual(75, self.run_with_metrics())
        self.assertEqual(success, self.metrics[metrics.LAST_SUCCESS])
        self.assertEqual(75, self.metrics['cds_last_run_status'])
        self.assertGreater(self.metrics['cds_lock_age_seconds'], 0)
        self.assertGreater(self.metrics['cds_last_run_timestamp_seconds'], success)
        self.assertNotIn('cds_waiting_files', self.metrics)

    def test_nothing_but_the_whole_file_is_ever_there(self):
        self.write('cds.prom', 'what is no metric')
        self.assertEqual(0, self.run_with_metrics())
        self.assertEqual(0o644, os.stat(self.home / 'cds.prom').st_mode & 0o777)
        self.assertEqual(['cds.prom'], [name for name in os.listdir(self.home) if 'prom' in name])

    def test_a_file_that_cannot_be_written_makes_the_command_fail(self):
        self.assertEqual(1, self.cds_import('--metrics=missing/cds.prom'))
        self.assertIn('The metrics cannot be written', self.err)

    def test_what_is_no_file_is_neither_read_nor_replaced(self):
        pipe = self.home / 'cds.prom'
        os.mkfifo(pipe)
        self.assertEqual(1, self.cds_import('--metrics=cds.prom'))
        self.assertRegex(self.err, 'The metrics cannot be written: .*That is no file: .*cds.prom')
        self.assertTrue(pipe.is_fifo())

    def test_several_feeds_are_in_one_file(self):
        site = self.site(self.directive('dpa', user='anonymous', port=free_port())
                         + self.directive('afp', user='anonymous', port=free_port()))
        self.assertEqual(
            69, self.run_command('cds-import', '--metrics=cds.prom', '--zcml', site, '--all')
        )
        text = (self.home / 'cds.prom').read_text()
        for name in ('dpa', 'afp'):
            self.assertIn('cds_last_run_status{direction="import",feed="%s"} 69.0' % name, text)

    def series(self):
        return {(sample.labels['feed'], sample.name): sample.value
                for family in text_string_to_metric_families((self.home / 'cds.prom').read_text())
                for sample in family.samples}

    def test_the_feeds_of_other_commands_stay(self):
        self.assertEqual(0, self.run_with_metrics())
        before = self.series()
        self.assertEqual(0, self.cds_import('--name=afp', '--metrics=cds.prom'))
        after = self.series()
        self.assertEqual(before, {key: after[key] for key in before})
        self.assertEqual({'afp', 'dpa'}, {feed for feed, _ in after})

    def test_a_feed_that_never_succeeded_has_a_last_success(self):
        self.put('write', b'foreign')
        self.assertEqual(75, self.run_with_metrics())
        self.assertEqual(0, self.metrics[metrics.LAST_SUCCESS])

    def test_an_older_run_never_hides_a_newer_one(self):
        feed, path = self.feed(name='dpa'), self.home / 'cds.prom'
        for status, ended in (0, 1000.5), (75, 3000.5), (0, 2000.5):
            metrics.write(path, feed, Outcome(), status, 0, ended)
        series = self.series()
        self.assertEqual((75, 3000.5, 1000.5), tuple(series['dpa', name] for name in (
            'cds_last_run_status', metrics.LAST_RUN, metrics.LAST_SUCCESS)))

    def test_the_counters_grow_with_each_run_also_with_one_that_ended_earlier(self):
        feed, path = self.feed(name='dpa'), self.home / 'cds.prom'
        for files, size, ended in (2, 20, 1000.5), (3, 30, 3000.5), (4, 40, 2000.5), (0, 0, 4e3):
            outcome = Outcome()
            outcome.files, outcome.bytes = files, size
            metrics.write(path, feed, outcome, 0, 0, ended)
        series = self.series()
        self.assertEqual((9, 90, 0), tuple(series['dpa', name] for name in (
            'cds_files_total', 'cds_bytes_total', 'cds_last_run_files')))
        self.assertIn('# TYPE cds_files_total counter', path.read_text())
        self.assertNotIn('_created', path.read_text())

    def test_they_tell_of_the_last_file_and_for_how_long_there_was_none(self):
        feed, path = self.feed(name='dpa', expect_within='900'), self.home / 'cds.prom'
        names = metrics.LAST_FILE, *metrics.SILENCE

        def after(ended, files):
            outcome = Outcome()
            outcome.files = files
            metrics.write(path, feed, outcome, 0, 0, ended)
            series = self.series()
            return [series.get(('dpa', name)) for name in names]

        self.assertEqual([0, None, None, None], after(1000.5, 0))
        self.assertEqual([2000.5, 0, 900, 0], after(2000.5, 1))
        self.assertEqual([2000.5, 900, 900, 0], after(2900.5, 0))
        self.assertEqual([2000.5, 900, 900, 0], after(1500.5, 1))      # it took longer to tell
        self.assertEqual([2000.5, 901, 900, 1], after(2901.5, 0))
        self.assertEqual([2902.5, 0, 900, 0], after(2902.5, 3))

    def test_they_tell_what_nobody_reads_and_since_when(self):
        self.put('a.xml', b'1234')      # written long ago, which is another matter
        self.assertEqual(0, self.run_with_metrics())
        self.assertEqual(1, self.metrics['cds_unread_files'])
        self.assertLess(self.metrics['cds_unread_oldest_age_seconds'], 600)
        new = Path(self.store_dir, 'new')
        new.joinpath('.hidden').touch()
        new.joinpath('directory').mkdir()
        before = metrics.unread(self.feed(), new.joinpath('a.xml').stat().st_ctime + 1000)
        self.assertEqual(1, before['cds_unread_files'])
        self.assertAlmostEqual(1000, before['cds_unread_oldest_age_seconds'], places=3)
        new.joinpath('a.xml').unlink()
        self.assertEqual(0, self.run_with_metrics())
        self.assertEqual((0, 0), (self.metrics['cds_unread_files'],
                                  self.metrics['cds_unread_oldest_age_seconds']))

    def test_a_spool_of_another_kind_has_no_unread_files(self):
        self.assertEqual({}, metrics.unread(self.feed(store_dir='memory://x'), 0))

    def test_nothing_is_lost_when_many_write_at_once(self):
        path = self.home / 'cds.prom'

        def write(number):
            metrics.write(path, self.feed(name=str(number)), Outcome(), 0, 0, 1.0)

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            list(threads.map(write, range(40)))
        self.assertEqual(40, len({feed for feed, _ in self.series()}))
