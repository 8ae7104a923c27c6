"""Who is late, by a table of hours and weekdays."""
import datetime
import unittest
from zoneinfo import ZoneInfo

from zeit.cds.feed import Feed
from zeit.cds.interfaces import ConfigurationError
from zeit.cds.journal.expectation import Expectation


BERLIN = ZoneInfo('Europe/Berlin')
WORKDAYS = 'mon-fri 06-22 900; sat-sun 08-20 3600'


def at(text):
    """Seconds since 1970 of a time in Berlin."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


class Expected(unittest.TestCase):

    def silence(self, text, last, now):
        expectation = Expectation(text, BERLIN)
        silence = expectation.silence(at(last), at(now))
        return silence.seconds, silence.is_late

    def test_seconds(self):
        for now, expected in (
                ('2026-11-26 12:00:10', (10, False)), ('2026-11-26 12:15:00', (900, False)),
                ('2026-11-26 12:15:01', (901, True)), ('2026-11-27 12:00:00', (86400, True)),
                ('2026-12-26 12:00:00', (30 * 86400, True))):
            with self.subTest(now):
                self.assertEqual(expected, self.silence('900', '2026-11-26 12:00:00', now))

    def test_a_night(self):
        for last, now, expected in (
                ('2026-11-26 21:50', '2026-11-26 21:59', (540, False)),
                ('2026-11-26 21:40', '2026-11-26 21:59', (19 * 60, True)),
                ('2026-11-26 21:40', '2026-11-26 22:00', (0, False)),       # asleep
                ('2026-11-26 21:40', '2026-11-27 05:59', (0, False)),
                ('2026-11-26 21:40', '2026-11-27 06:15', (900, False)),     # just awake
                ('2026-11-26 21:40', '2026-11-27 06:16', (960, True)),
                ('2026-11-27 06:10', '2026-11-27 06:16', (360, False))):
            with self.subTest(last=last, now=now):
                self.assertEqual(expected, self.silence(WORKDAYS, last, now))

    def test_hours_that_begin_in_the_middle_of_those_of_utc(self):
        zone = ZoneInfo('Asia/Kolkata')
        last, now = (datetime.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
                     for text in ('2026-11-26 21:40', '2026-11-27 06:00:01'))
        self.assertEqual((1, 900), Expectation(WORKDAYS, zone).silence(last, now))

    def test_a_weekend(self):
        last = '2026-11-27 21:50'       # a Friday
        self.assertEqual((0, False), self.silence(WORKDAYS, last, '2026-11-28 07:59'))
        self.assertEqual((3600, False), self.silence(WORKDAYS, last, '2026-11-28 09:00'))
        self.assertEqual((3601, True), self.silence(WORKDAYS, last, '2026-11-28 09:00:01'))
        self.assertEqual((0, False), self.silence(WORKDAYS, last, '2026-11-30 05:00'))

    def test_entries_that_go_on_into_each_other(self):
        text = 'sun-tue 20-06 100; 06-08 7200'
        self.assertEqual((10 * 3600, True),     # Sunday
                         self.silence(text, '2026-11-29 20:00', '2026-11-30 06:00'))
        self.assertEqual((11 * 3600, True),
                         self.silence(text, '2026-11-29 20:00', '2026-11-30 07:00'))
        self.assertEqual((3600, False),         # Wednesday: nothing before six
                         self.silence('mon-tue 900; 06-08 7200', '2026-11-23 20:00',
                                      '2026-11-26 07:00'))

    def test_the_hour_that_comes_twice_counts_twice(self):
        before = datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC).timestamp()
        expectation = Expectation('02-05 3600', BERLIN)
        self.assertEqual(7200, expectation.silence(before, before + 7200).seconds)

    def test_what_is_no_table(self):
        for text in ('', 'x', '-1', '0', 'mon', 'mon-xyz 900', '06-25 900', '24-06 900', '900;',
                     '9.5'):
            with self.subTest(text), self.assertRaisesRegex(ConfigurationError, 'expect_within'):
                Feed(store_dir='x', hostname='x', user='x', expect_within=text)
