"""A feed that is watched: looks and runs on one session, locks of others, failures."""
import os
import shutil
import tempfile
import unittest

import zope.interface.verify

from zeit.cds.file.session import FileConnection, FileSession
from zeit.cds.interfaces import ICDSConnection, IFileSink, IWatch, IWatched
from zeit.cds.spool.inbox import FileSink
from zeit.cds.testing.faulty import On
from zeit.cds.tests.importing import put
from zeit.cds.watch.tests.watches import Watches


class Recording(FileConnection):
    """Notes which sessions it is shown."""

    def __init__(self):
        self.shown = []

    def open(self, feed, deadline, like=None):
        self.shown.append(like)
        return super().open(feed, deadline)


class Broken(FileSink):
    """Has defects."""

    in_run = in_look = False

    def open(self, feed):
        if self.in_run:
            raise ZeroDivisionError('This is a defect.')
        return super().open(feed)

    def look(self, feed):
        if self.in_look:
            raise KeyError('This as well.')
        return super().look(feed)


class Imports(Watches, unittest.TestCase):

    def test_files_are_imported_on_one_session(self):
        server = self.serve({'a.xml': b'a'})
        watch = self.watch(self.feed_of(server))
        self.assertEqual({b'a.xml': b'a'}, self.wait_for('a.xml'))
        for name in 'b.xml', 'c.xml':
            server.files[name] = name.encode()
            self.wait_for(name)
        [watched] = watch.feeds
        self.wait_until(lambda: watched.state == 'waiting')
        self.assertEqual(1, len(server.commands('USER')))
        self.assertEqual((3, 0, None), (watched.files, watched.waiting, watched.error))
        self.assertGreaterEqual(watched.last_look, watched.last_file)
        self.assertEqual([], server.violations)
        self.assertEqual([], self.log.complaints)

    def test_a_look_is_one_listing_without_a_lock(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server))
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        number = len(server.log)
        self.wait_for_looks(watch.feeds[0], 3)
        verbs = {command.partition(' ')[0] for _, command in server.log[number:]}
        self.assertLessEqual(verbs, {'EPSV', 'MLSD', 'MLST'})
        self.assertEqual(1, self.runs())

    def test_what_is_unread_waits_without_runs(self):
        put(os.path.join(self.store_dir, 'new'), 'a.xml', b'older')
        server = self.serve({'a.xml': b'newer'})
        watch = self.watch(self.feed_of(server))
        self.wait_until(lambda: watch.feeds[0].waiting == 1)
        self.wait_for_looks(watch.feeds[0], 3)
        self.assertEqual(1, self.runs())
        self.assertEqual({b'a.xml': b'older'}, self.consume())
        self.assertEqual({b'a.xml': b'newer'}, self.wait_for('a.xml'))

    def test_what_fails_again_and_again_is_not_tried_each_time(self):
        server = self.serve({'a.xml': b'a'}, script=[On('RETR', 'a.xml').reply('550 No.')])
        watch = self.watch(self.feed_of(server), first_left=1000.0)
        self.wait_until(lambda: self.runs() == 1 and watch.feeds[0].state == 'waiting')
        self.wait_for_looks(watch.feeds[0], 3)
        self.assertEqual(1, self.runs())
        server.files['b.xml'] = b'b'     # this is new
        self.wait_for('b.xml')
        self.assertEqual(2, self.runs())

    def test_what_failed_is_tried_again_after_a_while(self):
        server = self.serve({'a.xml': b'a'}, script=[On('RETR', times=1).reply('550 No.')])
        self.watch(self.feed_of(server))
        self.wait_for('a.xml')
        self.assertEqual(2, self.runs())

    def test_what_a_killed_run_left_is_finished_first(self):
        put(os.path.join(self.store_dir, 'tmp'), 'a.xml', b'a')
        self.watch(self.feed_of(self.serve()))
        self.assertEqual({b'a.xml': b'a'}, self.wait_for('a.xml'))

    def test_what_waits_in_tmp_comes_when_new_is_free(self):
        put(os.path.join(self.store_dir, 'tmp'), 'a.xml', b'newer')
        put(os.path.join(self.store_dir, 'new'), 'a.xml', b'older')
        self.watch(self.feed_of(self.serve()))
        self.wait_until(lambda: any("waits in 'tmp'" in text for text in self.log.warnings))
        self.assertEqual({b'a.xml': b'older'}, self.consume())
        self.assertEqual({b'a.xml': b'newer'}, self.wait_for('a.xml'))

    def test_sessions_that_block_are_kept_as_well(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, directory)
        put(directory, 'a.xml', b'a')
        self.use(connection := Recording(), ICDSConnection, 'recording')
        watch = self.watch(self.feed_of(self.serve(), connection='recording', ftp_dir=directory))
        self.wait_for('a.xml')
        for n in range(2):
            for each in range(40):      # several sessions
                put(directory, 'b%d-%d.xml' % (n, each), b'b')
            self.wait_until(lambda n=n: watch.feeds[0].files == 41 + 40 * n)
        self.assertEqual([], self.log.of('ERROR'))
        first, *others = connection.shown
        self.assertIsNone(first)
        self.assertTrue(others)
        for session in others:
            self.assertIsInstance(session, FileSession)     # not what makes a thread of it

    def test_a_directory_in_the_place_of_another_is_noticed(self):
        top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, top)
        directory = os.path.join(top, 'in')
        os.mkdir(directory)
        watch = self.watch(self.feed_of(self.serve(), connection='file', ftp_dir=directory),
                           longest_kept_here=0.3)
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        os.rename(directory, directory + '.old')
        os.mkdir(directory)
        put(directory, 'a.xml', b'a')
        self.wait_for('a.xml')


class Locks(Watches, unittest.TestCase):

    def test_a_directory_that_others_lock_is_looked_at_soon(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server, every=1000.0), patient=1000.0, tries_again=1000.0)
        [watched] = watch.feeds
        self.wait_until(lambda: watched.state == 'waiting')
        with server.lock:
            server.files['write'] = b'somebody'
            server.files['a.xml'] = b'a'
        watch.look()
        self.wait_until(lambda: watched.state == 'locked')
        self.wait_for_looks(watched, 3)
        self.assertEqual(1, self.runs())
        del server.files['write']
        self.wait_for('a.xml')

    def test_one_that_is_there_in_the_beginning_may_be_ours(self):
        server = self.serve({'write': b'somebody', 'a.xml': b'a'})
        self.watch(self.feed_of(server), patient=1000.0)
        self.wait_until(lambda: any('It is foreign' in text for text in self.log.warnings))

    def test_a_lock_that_stays_is_tried_now_and_then(self):
        server = self.serve({'write': b'somebody', 'a.xml': b'a'})
        self.watch(self.feed_of(server), tries_again=0.3)
        self.wait_until(lambda: self.runs() >= 3)
        del server.files['write']
        self.wait_for('a.xml')


class Failures(Watches, unittest.TestCase):

    def test_an_idle_session_that_the_server_ends_is_nothing_to_tell(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server))
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')
        server.disconnect()
        self.wait_until(lambda: len(server.commands('USER')) == 2)
        server.files['a.xml'] = b'a'
        self.wait_for('a.xml')
        self.assertEqual([], self.log.complaints)

    def test_what_is_down_is_told_once_and_once_more_when_it_is_over(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server))
        [watched] = watch.feeds
        self.wait_until(lambda: watched.state == 'waiting')
        server.stop()
        self.wait_until(lambda: watched.state == 'backing off')
        self.assertIn('Connection refused', watched.error)
        self.assertGreater(watched.backing_off_until, watched.last_look)
        self.wait_until(lambda: watched.late)
        self.wait_until(lambda: any('Still backing off' in text for _, text in self.log.lines))
        server.start()
        server.files['a.xml'] = b'a'
        self.wait_for('a.xml')
        self.wait_until(lambda: watched.state == 'waiting')
        self.assertEqual((None, None), (watched.error, watched.backing_off_until))
        begun, over = self.log.complaints
        self.assertIn('Backing off: it is tried again in ', begun)
        self.assertIn('Check host name and port', begun)
        self.assertRegex(over, r'^It works again, after \d+ s: No connection to ')

    def test_a_look_on_request_ends_the_pause(self):
        server = self.serve()
        server.stop()
        watch = self.watch(self.feed_of(server), first_pause=1000.0, longest_pause=1000.0)
        self.wait_until(lambda: watch.feeds[0].state == 'backing off')
        server.start()
        watch.look(watch.feeds[0])
        self.wait_until(lambda: watch.feeds[0].state == 'waiting')

    def test_a_run_that_fails_backs_off_and_tries_all_again(self):
        server = self.serve({'a.xml': b'a'}, script=[On('STOR', 'read', times=1).reply('550 No.')])
        watch = self.watch(self.feed_of(server))
        self.wait_for('a.xml')
        self.assertEqual(2, self.runs())
        self.wait_until(lambda: watch.feeds[0].error is None)

    def test_a_run_that_fails_again_and_again_is_told_once(self):
        server = self.serve({'a.xml': b'a'}, script=[On('STOR', 'read').reply('553 No.')])
        watch = self.watch(self.feed_of(server))
        self.wait_until(lambda: self.runs() >= 4)
        self.assertEqual(['Error', 'Exiting', 'Backing'],
                         [line.split(' ')[0] for line in self.log.complaints])
        server.script = []
        self.wait_for('a.xml')
        self.wait_until(lambda: watch.feeds[0].error is None)
        self.assertIn('It works again', self.log.complaints[-1])
        server.script = [On('STOR', 'read').reply('553 No.')]   # that is news
        server.files['b.xml'] = b'b'
        self.wait_until(lambda: len(self.log.complaints) >= 7)
        self.assertEqual(['Error', 'Exiting', 'Backing'],
                         [line.split(' ')[0] for line in self.log.complaints[4:7]])

    def test_a_failure_of_a_look_does_not_hide_a_later_one_of_a_run(self):
        server = self.serve()
        watch = self.watch(self.feed_of(server))
        [watched] = watch.feeds
        server.script = [On('MLSD').reply('550 No.')]
        self.wait_until(lambda: watched.state == 'backing off')
        server.script = []
        self.wait_until(lambda: watched.error is None and watched.state == 'waiting')
        told = len(self.log.complaints)
        server.script = [On('STOR', 'read').reply('550 No.')]
        server.files['a.xml'] = b'a'
        self.wait_until(lambda: len(self.log.complaints) >= told + 3)
        self.assertIn('Exiting with exception:', self.log.complaints[told:])

    def test_a_defect_ends_neither_feed_nor_watch(self):
        self.use(sink := Broken(), IFileSink)
        sink.in_run = True
        server = self.serve({'a.xml': b'a'})
        watch = self.watch(self.feed_of(server))
        self.wait_until(lambda: 'ZeroDivisionError: This is a defect.' in self.log.text)
        sink.in_run, sink.in_look = False, True
        self.wait_until(lambda: "KeyError: 'This as well.'" in self.log.text)
        sink.in_look = False
        self.wait_for('a.xml')
        self.assertTrue(watch.alive)
        self.assertIn('Traceback (most recent call last)', self.log.text)

    def test_a_wrong_setting_is_a_failure_like_others(self):
        watch = self.watch(self.feed_of(self.serve(), store_dir='/nonexistent'))
        [watched] = watch.feeds
        self.wait_until(lambda: watched.state == 'backing off')
        self.assertIn('/nonexistent is no directory', watched.error)

    def test_a_server_that_hangs_delays_no_other(self):
        hanging = self.serve(script=[On('GREETING').stall()])
        server = self.serve()
        watch = self.watch(self.feed_of(hanging, store_dir=tempfile.mkdtemp()),
                           self.feed_of(server))
        self.addCleanup(os.rmdir, watch.feeds[0].feed.store_dir)
        server.files['a.xml'] = b'a'
        self.wait_for('a.xml')
        self.wait_for_looks(watch.feeds[1], 3)
        self.assertEqual('connecting', watch.feeds[0].state)
        self.assertTrue(watch.alive)
        self.end(watch)     # nor does it keep the watch from its end


class Idle(Watches, unittest.TestCase):

    def test_a_session_can_be_closed_when_there_is_nothing(self):
        server = self.serve()
        self.watch(self.feed_of(server, idle=0))
        self.wait_until(lambda: len(server.commands('USER')) == 3)
        self.assertEqual(1, self.runs())
        self.assertEqual(1, len(server.commands('STOR')))


class Contracts(Watches, unittest.TestCase):

    def test_they_are_kept(self):
        watch = self.watch(self.feed_of(self.serve()))
        zope.interface.verify.verifyObject(IWatch, watch)
        zope.interface.verify.verifyObject(IWatched, watch.feeds[0])
