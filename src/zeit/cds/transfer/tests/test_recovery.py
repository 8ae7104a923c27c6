"""Runs after a run that did not come to its end.

What it left behind never keeps other files from being exchanged.
"""
import errno
import os
import shutil
import unittest
from unittest import mock

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import Locked, LoginRefused, RunLimitReached
from zeit.cds.spool.journal import JOURNAL
from zeit.cds.spool.outbox import Outbox
from zeit.cds.testing.faulty import FaultyServer, On
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.transfer.naming import folded
from zeit.cds.transfer.retry import Deadline
from zeit.cds.transfer.tests.faulty import new_run, QUICK


ONLY_DIRECT = {'without': ('RNFR', 'RNTO')}
DATA = b'0123456789' * 100


class Recovering(unittest.TestCase):

    tuning = QUICK
    direction = None

    def serve(self, *script, files=(), **more):
        self.server = FaultyServer(script=script, files=dict(files), **more)
        self.enterContext(self.server)
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)

    def feed(self, **settings):
        return Feed(**{**dict(
            store_dir=self.store_dir, hostname=self.server.host, port=self.server.port,
            user=self.server.user,
            password=self.server.password, connections=1, timeout=10, retries=0,
            direction=self.direction), **settings})

    def offer(self, name, data=DATA):
        put(os.path.join(self.store_dir, 'new'), name, data)

    def spool(self, name):
        return contents(os.path.join(self.store_dir, name))

    def run_it(self, feed):
        return new_run(feed, self.tuning)()

    @property
    def there(self):
        return dict(self.server.files.data)

    def exchange(self, **settings):
        """Run once; the Outcome, of a run that came to its end."""
        with recorded() as self.log:
            outcome = new_run(self.feed(**settings), self.tuning)()
        self.assertIsNone(outcome.error)
        self.assertFalse({'read', 'write'} & set(self.there))
        return outcome


class Imports(Recovering):

    direction = 'import'

    def test_a_leftover_that_the_server_does_not_remove(self):
        self.serve(On('DELE', 'a').reply('450 Busy.'), files={'a': DATA, 'b': DATA})
        self.assertEqual(['a'], [name for name, reason in self.exchange().failed])
        self.server.files['c'] = DATA
        outcome = self.exchange()
        (name, reason), = outcome.failed
        self.assertEqual(('a', []), (name, outcome.skipped))
        self.assertIn('the server refuses to remove it: 450 Busy.', reason)
        self.assertEqual(({b'a'}, {b'b', b'c'}, {'a'}),
                         (set(self.spool('tmp')), set(self.spool('new')), set(self.there)))
        self.server.behave()
        self.exchange()
        self.assertEqual(({b'a', b'b', b'c'}, {}), (set(self.spool('new')), self.there))

    def test_a_leftover_that_the_server_does_not_tell_of(self):
        self.serve(On('DELE', 'a').reply('450 Busy.'), files={'a': DATA})
        self.exchange()
        self.server.script = [On('SIZE MLST', 'a').reply('451 Error.')]
        self.server.files['b'] = DATA
        (name, reason), = self.exchange().failed
        self.assertEqual('a', name)
        self.assertIn('the server does not tell what became of it: 451 Error.', reason)
        self.assertEqual({b'b'}, set(self.spool('new')))


    def test_leftovers_do_not_keep_a_run_from_ending_in_time(self):
        self.serve(On('DELE', 'a').reply('450 Busy.'), files={'a': DATA})
        self.exchange()
        self.server.script.append(On('SIZE MLST', 'a', times=1).stall(1.1))
        with recorded():
            self.assertIsInstance(self.run_it(self.feed(run_limit=1)).error, RunLimitReached)
        self.assertEqual(({b'a'}, {'a'}), (set(self.spool('tmp')), set(self.there)))

    def test_what_shows_the_time_of_the_server_stays_there_once_at_most(self):
        self.serve(On('DELE', '.cds-clock').reply('550 No.'))
        with FTPConnection().open(self.feed(), Deadline(60)) as session:
            self.assertIsNotNone(session.clock())
            self.assertIsNotNone(session.clock())
            self.assertEqual({'.cds-clock'}, set(self.there))
            self.server.behave()
            session.clock()
            self.assertEqual({}, self.there)

    def test_nobody_waits_for_a_directory(self):
        self.serve(directories=['in'])
        outcome = self.exchange()
        self.assertEqual((['in'], 0), ([name for name, reason in outcome.skipped], outcome.waiting))


class Exports(Recovering):

    direction = 'export'

    def assert_done(self):
        """Nothing is left to be seen to."""
        self.assertEqual([], [name for name in self.there if name.startswith('.')])
        self.assertEqual(0, os.path.getsize(os.path.join(self.store_dir, JOURNAL)))

    def test_a_part_that_the_server_does_not_remove(self):
        self.serve(On('DELE', '.a*').reply('450 Busy.'), On('RNTO', 'a', times=1).drop_control())
        self.offer('a')
        self.exchange()
        self.offer('b')
        self.exchange()
        self.assertEqual(({}, {'a', 'b'}),
                         (self.spool('new'), {name for name in self.there if name[0] != '.'}))
        self.server.behave()
        self.exchange()
        self.assert_done()

    def test_a_file_that_cannot_be_read_any_more(self):
        self.serve(On('RNTO', 'a', times=1).drop_control())
        self.offer('a')
        self.exchange()
        self.offer('b')
        preadv = os.preadv

        def failing(fd, *args):
            if os.path.basename(os.readlink('/proc/self/fd/%d' % fd)) == 'a':
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return preadv(fd, *args)

        with mock.patch('os.preadv', failing):
            self.assertEqual(['a'], [name for name, reason in self.exchange().failed])
        self.assertEqual(({b'a'}, {'b'}), (set(self.spool('new')), set(self.there)))

    def test_one_that_was_renamed_and_cannot_be_read_any_more_is_not_sent_again(self):
        self.serve(On('RNTO', 'a', times=1).drop_control(at='done'))
        self.offer('a')
        self.exchange()
        self.server.files.pop('a')
        with mock.patch('os.preadv', side_effect=OSError(errno.EIO, os.strerror(errno.EIO))):
            self.exchange()
        self.assertEqual(({}, {}, {b'a': DATA}), (self.there, self.spool('new'), self.spool('cur')))

    def test_what_waits_is_told_right(self):
        self.serve(On('RNTO', 'a', times=1).drop_control(at='done'))
        self.tuning = QUICK._replace(gather=60.0)       # so that no transfer shares its round trip
        self.offer('a')
        self.offer('b')
        self.assertEqual(0, self.exchange().files)
        with recorded():
            run = new_run(self.feed())
            outcome = run()
        self.assertEqual((2, 0), (outcome.files, outcome.waiting))
        self.assertEqual((2, 2, len(DATA), len(DATA)), run.progress)

    def test_a_run_that_found_the_directory_locked_leaves_nothing_to_be_seen_to(self):
        self.serve(files={'read': b'foreign'})
        self.offer('a')
        with recorded():
            self.assertIsInstance(self.run_it(self.feed()).error, Locked)
        self.assert_done()

    def test_a_lock_that_could_not_be_removed_is_looked_for_by_the_next_run(self):
        self.serve(On('DELE', 'write').drop_control(), On('PASS', skip=1).reply('530 No.'))
        self.offer('a')
        with recorded():
            self.assertIsInstance(self.run_it(self.feed()).error, LoginRefused)
        self.assertIn('write', self.there)
        with Outbox(self.store_dir, '') as outbox:
            self.assertTrue(outbox.marked)

    def test_but_what_an_earlier_one_left_stays_noted(self):
        self.serve(On('RNTO', 'a', times=1).drop_control(at='done'))
        self.offer('a')
        self.exchange()
        self.server.files['read'] = b'foreign'
        with recorded():
            self.assertIsInstance(self.run_it(self.feed()).error, Locked)
        self.server.files.pop('read')
        self.server.files.pop('a')
        self.exchange()
        self.assertEqual(({}, {b'a': DATA}), (self.there, self.spool('cur')))

    # ------------------------------------------------------------ stored under its own name

    def killed(self, half=DATA[:100], sent=False):
        """A run died while it stored `a` where there is no renaming."""
        self.serve(files={'a': half}, **ONLY_DIRECT)
        self.offer('a')
        feed = self.feed()
        with Outbox(self.store_dir,
                    '%s@%s:%d %s' % (feed.user, feed.hostname, feed.port, feed.ftp_dir)) as outbox:
            outbox.mark()
            outbox.begin([])
            outgoing = outbox.create('a')
            outgoing.open()
            outgoing.temporary = None
            outgoing.read()
            outbox.storing(outgoing)
            if sent:
                outbox.commit([outgoing])
            outgoing.discard()

    def test_a_part_is_replaced(self):
        self.killed()
        self.exchange()
        self.assertEqual(({'a': DATA}, {b'a': DATA}), (self.there, self.spool('cur')))
        self.assert_done()

    def test_a_part_of_what_was_withdrawn_is_removed(self):
        self.killed()
        os.unlink(os.path.join(self.store_dir, 'new', 'a'))
        self.exchange()
        self.assertEqual({}, self.there)
        self.assert_done()

    def test_a_part_of_what_was_replaced_is_replaced(self):
        self.killed()
        self.offer('a', b'newer')
        self.exchange()
        self.assertEqual(({'a': b'newer'}, {b'a': b'newer'}), (self.there, self.spool('cur')))
        self.assert_done()

    def test_a_part_of_what_is_not_exported_now_is_removed(self):
        self.killed()
        self.exchange(exclude=('a',))
        self.assertEqual(({}, {b'a': DATA}), (self.there, self.spool('new')))
        self.exchange()
        self.assertEqual({'a': DATA}, self.there)
        self.assert_done()

    def test_a_part_that_the_server_does_not_remove_is_not_forgotten(self):
        self.killed()
        os.unlink(os.path.join(self.store_dir, 'new', 'a'))
        self.server.script = [On('DELE', 'a').reply('450 Busy.')]
        self.exchange()
        self.assertIn(('ERROR',
                       'A part of it may be on the server under its name, and could not be '
                       'removed: a'),
                      self.log.lines)
        self.server.behave()
        self.exchange()
        self.assertEqual({}, self.there)
        self.assert_done()

    def test_the_whole_of_what_was_withdrawn_stays(self):
        self.killed(DATA)
        os.unlink(os.path.join(self.store_dir, 'new', 'a'))
        self.exchange()
        self.assertEqual({'a': DATA}, self.there)
        self.assert_done()

    def test_the_whole_of_what_waits_is_not_sent_again(self):
        self.killed(DATA)
        self.server.log.clear()
        self.assertEqual(1, self.exchange().files)
        self.assertEqual(['STOR write'], self.server.commands('STOR'))
        self.assertEqual(({'a': DATA}, {b'a': DATA}), (self.there, self.spool('cur')))
        self.assert_done()

    def test_what_is_known_to_have_been_sent_is_not_even_looked_at(self):
        self.killed(DATA, sent=True)
        self.server.log.clear()
        self.assertEqual(1, self.exchange().files)
        self.assertEqual([], [command for command in self.server.commands('RETR STOR SIZE')
                              if command.endswith(' a')])
        self.assert_done()

    def test_what_is_larger_is_somebody_elses(self):
        self.killed(DATA * 2)
        self.assertEqual(['a'], [name for name, reason in self.exchange().skipped])
        self.assertEqual({'a': DATA * 2}, self.there)

    # ------------------------------------------------------------ what else a run finds

    def test_old_files_make_room_before_anything_else(self):
        self.serve()
        self.offer('a')
        self.exchange(keep=1)
        with mock.patch('time.time', return_value=os.stat(self.store_dir).st_mtime + 2 * 86400), \
                mock.patch.object(Outbox, 'mark',
                                  side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
            self.offer('b')
            with recorded():
                self.run_it(self.feed(keep=1))
        self.assertEqual({}, self.spool('cur'))

    def test_names_that_are_one_to_the_server(self):
        """Windows and macOS do not tell a from A: no listing tells that a name is free."""
        for older, newer in ('Flash', 'flash'), ('flash', 'FLASH'):
            self.serve(On('SIZE', newer).reply('213 5'), files={older: b'older'})
            self.offer(newer)
            self.tuning = self.tuning._replace(many=1)
            self.assertEqual([newer], [name for name, reason in self.exchange().skipped])
            self.assertEqual({older: b'older'}, self.there)

    def test_folded(self):
        self.assertEqual(folded('MU\u0308LLER'), folded('m\xfcller'))
        self.assertNotEqual(folded('a'), folded('b'))
