"""What the pages tell, beside what the journal has."""
import tempfile
import time
import unittest

from zeit.cds.feed import Feed
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.web.facts import Sources
from zeit.cds.web.shown import Card, File, Page, seconds, size
from zeit.cds.web.tests.journals import HOUR, journal, SECOND, tell
from zeit.cds.web.tests.watched import Watch, Watched


def feed(name='dpa', **settings):
    return Feed(name=name, store_dir='/spool', hostname='x', user='x', **settings)


class WithJournal(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.journal = journal(directory.name + '/journal')

    def sources(self, *feeds, watch=None):
        return Sources(lambda: self.journal, watch, lambda: feeds)

    def one(self, *feeds, watch=None):
        told = self.sources(*feeds, watch=watch).overview()
        self.assertEqual('', told.trouble)
        [facts] = told.found
        return facts

    def card(self, *feeds, watch=None):
        card = Card(self.one(*feeds, watch=watch), time.time_ns(), '')
        return card, dict(card.lines)


class Facts(WithJournal):

    def test_figures(self):
        tell(self.journal, 'dpa', 'a', 'b', size=10, ago=2 * 3600)
        tell(self.journal, 'dpa', 'c', size=10, failed=[('d', 'why')], waiting=[('e', 'why')])
        facts = self.one()
        self.assertEqual(24, len(facts.hours))
        self.assertEqual((3, 30), (sum(hour.files for hour in facts.hours),
                                   sum(hour.bytes for hour in facts.hours)))
        self.assertEqual((2, 1), (facts.hours[-3].files, facts.hours[-1].files))
        self.assertEqual({HOUR}, {later.begun - hour.begun for hour, later in zip(
            facts.hours, facts.hours[1:])})
        self.assertEqual('c', facts.last.name)
        self.assertEqual(['d'], [row.name for row in facts.wrong])
        self.assertEqual((3, 1, 1), tuple(
            facts.number(state) for state in ('published', 'failed', 'waiting')))
        self.assertEqual(1, facts.run.files)

    def test_an_hour_of_another_day_is_not_among_them(self):
        tell(self.journal, 'dpa', 'a', ago=25 * 3600)
        self.assertEqual(0, sum(hour.files for hour in self.one().hours))
        [detail] = self.sources().feed('dpa', 'import').found
        self.assertEqual(1, sum(hour.files for hour in detail.facts.hours))

    def test_delays(self):
        for took in 2, 100:
            tell(self.journal, 'dpa', 'a%d' % took, took=took, now=time.time_ns() - took)
        [detail] = self.sources().feed('dpa', 'import').found
        self.assertEqual((100, 100), detail.facts.hours[-1].delays[1:])
        self.assertEqual((), detail.facts.hours[0].delays)

    def test_how_long_it_took_until_the_consumer_had_it(self):
        tell(self.journal, 'dpa', 'a', 'b', took=50)
        tell(self.journal, 'dpa', 'c', took=2, untaken={'b'})
        [detail] = self.sources().feed('dpa', 'import').found
        hours = [hour for hour in detail.facts.hours[-2:] if hour.files]
        self.assertEqual([1], [round(took / 50) for hour in hours for took in hour.taken[-1:]
                               if took])

    def test_directions_are_apart(self):
        tell(self.journal, 'x', 'in')
        tell(self.journal, 'x', 'out', direction='export', failed=[('bad', 'why')])
        to, fro = self.sources().overview().found
        self.assertEqual(('export', 'import'), (to.known.direction, fro.known.direction))
        self.assertEqual(('out', 'in'), (to.last.name, fro.last.name))
        self.assertEqual((1, 0), (len(to.wrong), len(fro.wrong)))
        self.assertEqual((1, 1), (sum(h.files for h in to.hours), sum(h.files for h in fro.hours)))

    def test_which_feeds(self):
        tell(self.journal, 'dpa', 'a')
        tell(self.journal, 'afp', 'b')

        def names(*feeds, watch=None):
            return [facts.known.name
                    for facts in self.sources(*feeds, watch=watch).overview().found]
        self.assertEqual(['afp', 'dpa'], names())
        self.assertEqual(['dpa', 'new'], names(feed(), feed('new')))
        self.assertEqual(['other'], names(feed(), watch=Watch(Watched('other'))))

    def test_silence(self):
        self.assertIsNone(self.one(feed(expect_within='60')).silence)
        tell(self.journal, 'dpa', 'a', ago=600)
        self.assertIsNone(self.one(feed()).silence)
        self.assertTrue(self.one(feed(expect_within='60')).silence.is_late)
        self.assertFalse(self.one(feed(expect_within='6000')).silence.is_late)

    def test_a_feed_that_never_brought_a_file_is_silent_as_well(self):
        tell(self.journal, 'dpa', ago=600)
        self.assertTrue(self.one(feed(expect_within='60')).silence.is_late)

    def test_a_search(self):
        tell(self.journal, 'dpa', 'flood', 'flow', 'storm')
        tell(self.journal, 'afp', 'flown')
        [detail] = self.sources().feed('dpa', 'import', 'flo').found
        self.assertEqual(['flood', 'flow'], [row.name for row in detail.files])

    def test_without_a_journal_the_watch_is_told_of(self):
        self.journal = None
        facts = self.one(watch=Watch(Watched('dpa', waiting=3)))
        self.assertFalse(facts.has_journal)
        [detail] = self.sources(watch=Watch(Watched('dpa'))).feed('dpa', 'import').found
        self.assertEqual(((), ()), (detail.files, detail.runs))

    def test_a_journal_that_is_away(self):
        self.journal = SQLJournal('/nowhere/journal')
        for told in (self.sources(feed()).overview(), self.sources(feed()).everything(),
                     self.sources(feed()).feed('dpa', 'import')):
            self.assertIn('cannot be used', told.trouble)
            self.assertEqual(1, len(told.found))


class Shown(WithJournal):

    def test_a_feed_that_is_well(self):
        tell(self.journal, 'dpa', 'a')
        card, lines = self.card()
        self.assertEqual(('ok', [('ok', 'done')]), (card.level, card.badges))
        self.assertTrue(lines['Last file'].endswith(', a'))
        self.assertEqual('0', lines['Waiting'])
        self.assertTrue(lines['Unread in new'].startswith('1, the oldest for '))
        self.assertEqual('1 files, 1.0 kB in 24 h', card.day)

    def test_what_is_wrong_is_told_with_its_reason(self):
        tell(self.journal, 'dpa', failed=[('f%d' % n, 'why') for n in range(7)])
        card, _ = self.card()
        self.assertEqual(('warn', 5, 2), (card.level, len(card.wrong), card.more))
        self.assertEqual(('why', 'bad', '1 try'), (
            card.wrong[0].reason, card.wrong[0].level, card.wrong[0].tries))
        self.assertIn(('warn', '7 failed'), card.badges)

    def test_a_run_that_failed(self):
        tell(self.journal, 'dpa', error='It is down\nAsk its operator')
        card, _ = self.card()
        self.assertEqual(('bad', 'It is down. Ask its operator.'), (card.level, card.trouble))

    def test_silence(self):
        tell(self.journal, 'dpa', 'a', ago=600)
        card, lines = self.card(feed(expect_within='60'))
        self.assertEqual(('bad', '10 min; expected within 60 s'), (card.level, lines['Silence']))
        self.assertIn(('bad', 'silent'), card.badges)

    def test_the_watch_knows_best(self):
        tell(self.journal, 'dpa', 'a', error='It is down', waiting=[('w', 'why')])
        card, lines = self.card(watch=Watch(Watched(
            'dpa', waiting=3, last_look=1_800_000_000.0, round_trip=.0123)))
        self.assertEqual(('ok', '', '3'), (card.level, card.trouble, lines['Waiting']))
        self.assertIn('round trip 12.3 ms', lines['Last look'])
        card, lines = self.card(watch=Watch(Watched('dpa', late=True, state='backing off',
                                                    backing_off_until=1_800_000_000.0)))
        self.assertEqual([('warn', 'backing off'), ('bad', 'late')], card.badges)
        self.assertTrue(lines['Waiting'].startswith('1, the oldest for '))
        self.assertIn('Tried again', lines)

    def test_no_run_yet(self):
        card, lines = self.card(feed())
        self.assertEqual(([('off', 'no run known')], '-'), (card.badges, lines['Last file']))

    def test_a_run_without_an_end(self):
        now = time.time_ns()
        for ago, level in (60, 'ok'), (7 * 3600, 'warn'):
            self.journal.load([[('run', 'r%d' % ago, 'f%d' % ago, 'import', '/s', 'h', 1,
                                 now - ago * SECOND, 0)]])
            [detail] = self.sources().feed('f%d' % ago, 'import').found
            page = Page(detail, now, '')
            self.assertEqual((level, level), (page.card.level, page.runs[0].level))

    def test_plots(self):
        tell(self.journal, 'dpa', 'a')
        [detail] = self.sources().feed('dpa', 'import').found
        page = Page(detail, time.time_ns(), '')
        self.assertEqual([
            'Files per hour', 'Bytes per hour', "From the server's time to publication",
            "From the server's time to the consumer"], [heading for heading, _, _ in page.plots])
        [hour] = page.hours
        self.assertEqual((1, '1.0 kB', ['2.0 s'] * 3 + ['-'] * 3),
                         (hour.files, hour.size, hour.delays))

    def test_exports_have_no_consumer(self):
        tell(self.journal, 'out', 'a', direction='export')
        [detail] = self.sources().feed('out', 'export').found
        page = Page(detail, time.time_ns(), '')
        self.assertEqual('From the time of the file to the server', page.plots[-1][0])
        self.assertEqual((False, ['2.0 s'] * 3), (page.taken, page.hours[0].delays))

    def test_files_that_are_set_aside(self):
        now = time.time_ns()
        self.journal.load([[('run', 'r', 'dpa', 'import', '/s', 'h', 1, now, 0),
                            ('aside', 'bad', 1, 1, 3, 'It is broken.', now)]])
        [facts] = self.sources().overview().found
        card = Card(facts, now, '')
        self.assertIn(('warn', '1 set aside'), card.badges)
        self.assertEqual([('bad', 'aside', 'It is broken.')],
                         [(file.name, file.state, file.reason) for file in card.wrong])

    def test_a_file(self):
        tell(self.journal, 'out', 'a\x1b', direction='export', took=3)
        with self.journal.ask() as queries:
            [row] = queries.files()
        file = File(row)
        self.assertEqual(('a\\x1b', 'exported', 'ok', '1.0 kB', '3.0 s'), (
            file.name, file.state, file.level, file.size, file.took))

    def test_figures_as_a_person_reads_them(self):
        self.assertEqual(['-', '0 B', '999 B', '1.0 kB', '999 kB', '1.5 GB', '2000 TB'], [
            size(n) for n in (None, 0, 999, 1000, 999_400, 1_500_000_000, 2 * 10**15)])
        self.assertEqual(['-', '0.3 s', '10 s', '16 min'], [
            seconds(value) for value in (None, .26, 10, 1000)])
