"""What every IQueries has to answer: see `journal` for how a journal gets to know it."""
import time
import unittest.mock

from zeit.cds.interfaces import Entry, Hour
from zeit.cds.testing.contracts.journal import Feed, SECOND
from zeit.cds.testing.noted import NotedSpool


HOUR = 3600 * SECOND


class QueriesContract:
    """A mixin for a JournalContract, with which it shares the tools."""

    def names(self, **question):
        return [row.name for row in self.rows(**question)]

    def of_another_feed(self, *names):
        before = self.feed, self.spool
        self.feed, self.spool = Feed('other', store_dir='/other'), NotedSpool()
        self.exchange(*names)
        self.feed, self.spool = before

    def test_files_of_a_feed(self):
        self.exchange('a')
        self.of_another_feed('b')
        self.assertEqual(['a'], self.names(feed='wire'))
        self.assertEqual(['b', 'a'], self.names())

    def test_files_since(self):
        self.exchange('a')
        now = time.time_ns()
        self.exchange('b')
        self.assertEqual(['b'], self.names(since=now))
        self.assertEqual(['b', 'a'], self.names(since=now - HOUR))

    def test_when_it_was_taken_is_when_it_changed(self):
        self.exchange('a')
        now = time.time_ns()
        self.assertEqual([], self.rows(since=now))
        del self.spool.new['a']
        self.end(self.begin())
        self.assertEqual(['taken'], [row.state for row in self.rows(since=now)])

    def test_what_no_column_holds(self):
        """Times and sizes that a server makes up, and a NUL, keep no other file out of it."""
        large = 2**63
        self.exchange('a', modified=large)
        record = self.begin()
        record.set_aside(Entry('nul\0', large, large), 3, 'it\0')
        record.whole([], kept=[Entry('b', large, -large - 1)])
        self.end(record, failed=[('nul\0', 'it')], skipped=[('\0', 'it')])
        self.exchange('c')
        self.assertEqual([('\0', 'gone'), ('a', 'published'), ('c', 'published'),
                          ('nul\0', 'aside')], sorted(self.states()))
        self.assertIsNone(self.rows(name='a')[0].modified)
        self.assertEqual('it\0', self.rows(name='nul\0')[0].reason)

    def test_files_in_some_state(self):
        self.exchange('a')
        self.end(self.begin(), failed=[('b', 'it')], skipped=[('c', 'it')])
        self.assertEqual(['b'], self.names(states=['failed']))
        self.assertEqual({'a', 'c'}, set(self.names(states=['waiting', 'published'])))

    def test_files_by_what_is_in_them(self):
        self.exchange('a', 'b', data=b'same')
        self.exchange('c', data=b'other')
        digest = self.rows(name='a')[0].digest
        self.assertEqual({'a', 'b'}, set(self.names(digest=digest)))

    def test_the_newest_files(self):
        for name in 'abc':
            self.exchange(name)
        self.assertEqual(['c', 'b'], self.names(limit=2))

    def test_feeds(self):
        self.exchange('a')
        self.exchange('b')
        self.of_another_feed('c')
        with self.journal.ask() as queries:
            self.assertEqual([('other', 'import'), ('wire', 'import')], queries.feeds())

    def test_one_direction(self):
        self.exchange('a')
        with self.journal.ask() as queries:
            for direction, number in ('import', 1), ('export', 0):
                self.assertEqual(number, len(queries.files(feed='wire', direction=direction)))
                self.assertEqual(number, len(queries.runs('wire', direction=direction)))

    def test_files_whose_names_begin_alike(self):
        names = ['fire', 'fl%', 'fl%_', 'flo', 'fl\\', 'flood\udcfc', 'Flood', 'glue']
        self.exchange(*names)
        self.of_another_feed('flow')
        with self.journal.ask() as queries:
            for beginning, found in (
                    ('fl', {'fl%', 'fl%_', 'flo', 'fl\\', 'flood\udcfc'}), ('fl%', {'fl%', 'fl%_'}),
                    ('fl\\', {'fl\\'}), ('flood\udcfc', {'flood\udcfc'}), ('F', {'Flood'}),
                    ('', set(names)), ('x', set())):
                rows = queries.files_like(beginning, 'wire', 'import')
                self.assertEqual(found, {row.name for row in rows})
            self.assertEqual(1, len(queries.files_like('fl', 'wire', 'import', limit=1)))
            self.assertEqual([], queries.files_like('fl', 'wire', 'export'))
            self.assertEqual(['F', 'f', 'f'], [
                row.name[0] for row in queries.files_like('', 'wire', 'import', limit=3)])

    def test_the_last_file_of_each_feed(self):
        self.exchange('a')
        self.exchange('b')
        self.of_another_feed('c')
        self.end(self.begin(), failed=[('d', 'it')])
        with self.journal.ask() as queries:
            self.assertEqual({('wire', 'import'): 'b', ('other', 'import'): 'c'}, {
                key: row.name for key, row in queries.last().items()})
            self.assertEqual([('wire', 'import')], list(queries.last('wire')))

    def test_counts(self):
        self.exchange('a', 'b')
        self.end(self.begin(), failed=[('c', 'it')], skipped=[('d', 'it')])
        self.of_another_feed('e')
        with self.journal.ask() as queries:
            counts = queries.counts('wire')
            self.assertEqual(
                {'published': 2, 'failed': 1, 'waiting': 1},
                {state: number for (_, _, state), (number, _) in counts.items()})
            self.assertEqual(4, len(queries.counts()))
        self.assertEqual(min(row.seen for row in self.rows(states=['published'], feed='wire')),
                         counts['wire', 'import', 'published'][1])

    def test_runs_of_a_feed(self):
        self.exchange('a')
        self.of_another_feed('b')
        self.exchange('c')
        with self.journal.ask() as queries:
            self.assertEqual(2, len(queries.runs('wire')))
            self.assertEqual(['wire', 'other'], [run.feed for run in queries.runs(limit=2)])

    def test_what_came_in_each_hour(self):
        self.exchange('a', 'b', data=b'four')
        self.of_another_feed('c')
        now = time.time_ns()
        with self.journal.ask() as queries:
            hours = queries.hours('wire', 'import', now - 2 * HOUR, now)
            self.assertEqual((2, 8), (sum(hour.files for hour in hours),
                                      sum(hour.bytes for hour in hours)))
            self.assertEqual(0, hours[0].begun % HOUR)
            self.assertIsInstance(hours[0], Hour)
            self.assertEqual([], queries.hours('wire', 'import', now - 9 * HOUR, now - 8 * HOUR))

    def test_how_long_it_took(self):
        now = time.time_ns()
        for name, seconds in ('a', 10), ('b', 20), ('c', 1000):
            self.exchange(name, modified=now - seconds * SECOND)
        with self.journal.ask() as queries:
            median, most = queries.delays('wire', 'import', now - HOUR, (0.5, 1.0))
            self.assertEqual([None], queries.delays('none', 'import', now - HOUR, (0.5,)))
            self.assertEqual([None], queries.delays('wire', 'import', now - HOUR, (0.5,), now))
        self.assertTrue(20 <= median < 900 <= most)

    def test_so_many_of_a_hundred_took_no_longer(self):
        now = time.time_ns()
        for number in range(10):
            self.exchange(str(number), modified=now - (number // 9) * HOUR - number * SECOND)
        with self.journal.ask() as queries:
            found = queries.delays('wire', 'import', now - HOUR, (0.1, 0.5, 0.9, 0.99))
        self.assertEqual([0, 4, 8, 3609], [int(seconds) for seconds in found])

    def test_how_long_it_took_until_they_were_taken(self):
        now = time.time_ns()
        for name, seconds in ('a', 10), ('b', 2000):
            self.exchange(name, modified=now - seconds * SECOND)
        del self.spool.new['b']
        self.end(self.begin())
        with self.journal.ask() as queries:
            [taken] = queries.delays('wire', 'import', now - HOUR, (0.5,), to='taken')
            [published] = queries.delays('wire', 'import', now - HOUR, (0.5,))
        self.assertTrue(published < taken and 2000 <= taken < 2900)

    def give_up(self, name, tries=3, size=4):
        record = self.begin()
        record.set_aside(Entry(name, size, 5), tries, 'it')
        self.end(record, failed=[(name, 'it')], waiting=0)

    def failures(self):
        return sorted((row.name, row.state, row.tries, row.size, row.modified)
                      for row in self.journal.failures(self.feed))

    def test_files_that_are_given_up(self):
        for _ in range(2):
            self.end(self.begin(), failed=[('a', 'it'), ('b', 'it')])
        self.assertEqual([('a', 'failed', 2, None, None), ('b', 'failed', 2, None, None)],
                         self.failures())
        self.give_up('a')
        self.assertEqual([('a', 'aside', 3, 4, 5)], self.failures())
        self.end(self.begin())
        self.assertEqual([('a', 'aside', 3, 4, 5)], self.failures())
        with self.journal.ask() as queries:
            self.assertEqual(1, queries.counts()['wire', 'import', 'aside'][0])
        self.assertEqual([0, 1, 0], [self.journal.retry('a', feed) for feed in ('x', None, None)])
        self.assertEqual([('a', 'failed', 0, 4, 5)], self.failures())

    def test_a_file_that_is_given_up_and_then_another_one(self):
        self.give_up('a')
        self.give_up('a', size=7)
        self.assertEqual([('a', 'aside', 3, 7, 5)], self.failures())
        record = self.begin()
        record.gone('a')
        record.gone('b')
        self.end(record)
        self.assertEqual([], self.failures())
        self.assertEqual({('a', 'gone')}, set(self.states()))

    def test_what_was_taken_is_noticed_between_runs(self):
        self.exchange('a', 'b')
        self.assertEqual(0, self.journal.notice(self.feed, self.spool))
        del self.spool.new['a']
        self.assertEqual([1, 0], [self.journal.notice(self.feed, self.spool) for _ in range(2)])
        self.assertEqual([('a', 'taken'), ('b', 'published')], self.states())
        [row] = self.rows(name='a')
        self.assertLess(row.published, row.taken)
        self.assertEqual(0, self.journal.notice(Feed('other'), self.spool))

    def test_news_of_silence_is_news_once(self):
        self.assertEqual([False, True, False, True, False], [
            self.journal.heed('wire', 'import', silent)
            for silent in (False, True, True, False, False)])
        self.assertTrue(self.journal.heed('wire', 'export', True))

    def test_what_is_old_is_forgotten(self):
        self.exchange('a')
        self.end(self.begin(), failed=[('b', 'it')])
        self.assertEqual(0, self.journal.expire(1))
        self.assertEqual(1, self.journal.expire(0))
        self.assertEqual([('b', 'failed')], self.states())

    def test_runs_that_had_nothing_to_do(self):
        self.of_another_feed()
        self.exchange('a')
        self.end(self.begin())
        now = time.time_ns()
        with unittest.mock.patch('time.time_ns', lambda: now + 8 * 24 * HOUR):
            self.journal.expire(400)
        with self.journal.ask() as queries:
            self.assertEqual([1], [run.files for run in queries.runs('wire')])
            # Since then it is known, though it never had a file.
            self.assertEqual(queries.known_since('other', 'import'), queries.runs('other')[0].begun)
