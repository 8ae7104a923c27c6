"""The watch over several feeds: how they begin, are replaced, and end."""
import os
import shutil
import time
import unittest

from zeit.cds.interfaces import Interrupted
from zeit.cds.testing.faulty import On
from zeit.cds.tests.importing import new_spool, put
from zeit.cds.watch.tests.watches import HANDS_OFF, Watches
from zeit.cds.watch.watcher import Watch


LARGE = b'x' * 100_000


class Ends(Watches, unittest.TestCase):

    def test_files_in_hand_are_finished(self):
        files = {'a.xml': LARGE, **{'b%d.xml' % number: b'b' for number in range(9)}}
        server = self.serve(files, script=[On('RETR', 'a.xml').stall(0.3, at='preliminary')])
        watch = self.watch(self.feed_of(server, connections=1))
        self.wait_until(lambda: server.commands('RETR'))
        self.assertTrue(watch.busy)
        watch.stop(Interrupted('It is over.'))
        watch.thread.join()
        self.assertEqual(LARGE, self.published[b'a.xml'])
        self.assertIn('b8.xml', server.files.data)
        self.assertNotIn('read', server.files.data)
        self.assertEqual({os.fsencode(name) for name in files.keys() - server.files.data.keys()},
                         set(self.published))
        self.assertEqual('It is over.', str(watch.feeds[0].outcome.error))
        self.assertEqual('stopped', watch.feeds[0].state)
        self.assertFalse(watch.busy)

    def test_or_dropped(self):
        server = self.serve({'a.xml': LARGE}, script=[On('RETR').stall(at='preliminary')])
        watch = self.watch(self.feed_of(server))
        self.wait_until(lambda: server.commands('RETR'))
        watch.stop(Interrupted('It is over.'))
        watch.abort()
        watch.thread.join()
        self.assertEqual({}, self.published)
        self.assertEqual(['a.xml'], list(server.files.data))    # and no lock

    def test_nothing_was_cut_short_where_nothing_was_in_hand(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server))
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        watch.stop(Interrupted('It is over.'))
        watch.thread.join()
        self.assertIsNone(watch.feeds[0].outcome.error)
        self.wait_until(lambda: not server.open_sessions)
        self.assertEqual(['Watching 1 feed.', 'The watch has ended.'],
                         [text for text in self.log.of('INFO') if 'atch' in text])

    def test_once_is_a_run_for_each(self):
        server, closed = self.serve({'a.xml': b'a'}), self.serve()
        closed.stop()
        other = new_spool()
        self.addCleanup(shutil.rmtree, other)
        watch = Watch([self.feed_of(server), self.feed_of(closed, store_dir=other),
                       self.feed_of(server, store_dir='/nonexistent')], once=True)
        watch.run()
        first, second, third = watch.feeds
        self.assertEqual({b'a.xml': b'a'}, self.published)
        self.assertEqual((1, None), (first.outcome.files, first.outcome.error))
        self.assertIn('Connection refused', str(second.outcome.error))
        self.assertIn('is no directory', str(third.outcome.error))


class Replaced(Watches, unittest.TestCase):

    def test_feeds_that_are_equal_go_on(self):
        server, other = self.serve(), self.serve({'b.xml': b'b'})
        spool = new_spool()
        self.addCleanup(shutil.rmtree, spool)
        watch = self.watch(self.feed_of(server))
        [same] = watch.feeds
        self.wait_until(lambda: same.state == 'waiting')
        watch.replace([self.feed_of(other, store_dir=spool), self.feed_of(server)])
        self.assertIs(same, watch.feeds[1])
        self.wait_until(lambda: os.listdir(os.path.join(spool, 'new')) == ['b.xml'])
        self.wait_for_looks(same)
        self.assertEqual(1, len(server.commands('USER')))

    def test_what_is_not_watched_any_more_is_finished(self):
        server = self.serve({'a.xml': LARGE}, script=[On('RETR').stall(0.3, at='preliminary')])
        watch = self.watch(self.feed_of(server))
        [before] = watch.feeds
        self.wait_until(lambda: server.commands('RETR'))
        watch.replace([self.feed_of(server, every=0.3)])    # of the same spool
        self.wait_for('a.xml')
        self.wait_until(lambda: before.state == 'stopped')
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        server.files['b.xml'] = b'b'
        self.wait_for('b.xml')
        self.assertEqual([], self.log.of('ERROR'))
        self.assertTrue(watch.alive)

    def test_who_waits_for_a_server_is_not_waited_for(self):
        hanging = self.serve(script=[On('GREETING').stall()])
        server = self.serve({'a.xml': b'a'})
        watch = self.watch(self.feed_of(hanging))
        self.wait_until(lambda: hanging.sessions)
        watch.replace([self.feed_of(server)])
        self.wait_for('a.xml')
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        self.end(watch)

    def test_that_of_one_of_two_equal_ones(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server), self.feed_of(server))
        first, second = watch.feeds
        watch.replace([self.feed_of(server)])
        self.assertEqual((first,), watch.feeds)
        self.wait_until(lambda: second.state == 'stopped')

    def test_nothing_begins_after_the_end(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server))
        self.end(watch)
        watch.replace([self.feed_of(server, every=1)])
        self.assertEqual('stopped', watch.feeds[0].state)


class Exports(Watches, unittest.TestCase):

    def offer(self, name, data=b''):
        return put(os.path.join(self.store_dir, 'new'), name, data)

    def test_files_are_exported_as_they_come(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server, direction='export', every=1000))
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        self.assertEqual(1, len(server.commands('USER')))       # in advance
        for name in 'a.xml', 'b.xml':
            self.offer(name, b'data')
            self.wait_until(lambda name=name: name in server.files.data)
        self.wait_until(lambda: watch.feeds[0].files == 2)
        self.assertEqual({b'a.xml', b'b.xml'}, self.spool('cur').keys())
        self.assertEqual(1, len(server.commands('USER')))
        self.assertEqual([], self.log.complaints)

    def test_who_backs_off_is_not_woken_by_them(self):
        server = self.serve()
        server.stop()
        watch = self.watch(self.feed_of(server, direction='export'), first_pause=1000.0,
                           longest_pause=1000.0)
        [watched] = watch.feeds
        self.wait_until(lambda: watched.state == 'backing off')
        server.start()
        self.offer('a.xml')
        time.sleep(HANDS_OFF)
        self.assertEqual('backing off', watched.state)
        watch.look()
        self.wait_until(lambda: 'a.xml' in server.files.data)

    def test_without_inotify_they_are_found_by_looking(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server, direction='export'))
        watch._arrivals._cannot('a network file system')
        self.offer('a.xml')
        self.wait_until(lambda: 'a.xml' in server.files.data)

    def test_another_directory_in_its_place_is_looked_out_for(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server, direction='export', every=1000))
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        new = os.path.join(self.store_dir, 'new')
        os.rename(new, new + '.old')
        os.mkdir(new)
        watch.look()
        self.wait_for_looks(watch.feeds[0], 1)
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        self.offer('a.xml')
        self.wait_until(lambda: 'a.xml' in server.files.data)

    def test_a_session_that_was_ended_meanwhile_is_nothing_to_tell(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server, direction='export', every=1000))
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        server.disconnect()
        self.offer('a.xml')
        self.wait_until(lambda: watch.feeds[0].files == 1)
        self.assertEqual([], self.log.complaints)

    def test_a_session_is_kept_awake(self):
        server = self.serve()
        self.watch(self.feed_of(server, direction='export'), kept_awake=0.0)
        self.wait_until(lambda: len(server.commands('MLST SIZE')) >= 8)
        self.assertEqual([], server.commands('STOR'))
        self.assertEqual(1, len(server.commands('USER')))

    def test_what_is_there_already_waits_without_a_run_each_time(self):
        server = self.serve({'a.xml': b'older'})
        self.offer('a.xml', b'newer')
        watch = self.watch(self.feed_of(server, direction='export'), first_left=1000.0)
        self.wait_until(lambda: watch.feeds[0].waiting == 1 and self.runs() == 1)
        self.wait_for_looks(watch.feeds[0], 3)
        self.assertEqual(1, self.runs())

    def test_files_of_cur_expire(self):
        server = self.serve()
        self.offer('a.xml')
        watch = self.watch(self.feed_of(server, direction='export', keep=0), expires=0.0)
        self.wait_until(lambda: watch.feeds[0].files == 1)
        self.wait_until(lambda: not self.spool('cur'))
