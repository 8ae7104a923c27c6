"""What an export does with the files that wait in the spool, on each of the servers."""
import os
import unittest

import zope.event

from zeit.cds.events import FileExported, FileSkipped, RunFinished
from zeit.cds.interfaces import Locked, LoginRefused, PermanentError, Unreachable
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.testing.layers import ALL_LAYERS, on_servers
from zeit.cds.testing.process import free_port
from zeit.cds.tests.exporting import Exporting, HookedSource
from zeit.cds.transfer.tests.files import LATIN_1, NO_LATIN_1, two_hundred


class NeverOpened:
    """An ICDSConnection that nobody may use."""

    def open(self, feed, deadline, like=None):
        raise AssertionError('A connection was opened.')


class Files(Exporting):
    """Which files go, and what becomes of them."""

    def test_two_hundred_files_arrive_byte_for_byte(self):
        files = {os.fsencode(name): data for name, data in two_hundred().items()}
        for name, data in files.items():
            self.offer(name, data)
        stays = {}
        if self.server.name in NO_LATIN_1:
            stays = {name: data for name, data in files.items() if os.fsdecode(name) in LATIN_1}
        outcome = self.run_export()
        self.assertEqual({name: data for name, data in files.items() if name not in stays},
                         self.there)
        self.assertEqual(stays, self.waiting)
        self.assertEqual(self.there, self.exported)
        self.assertEqual(sorted(map(os.fsdecode, stays)),
                         sorted(name for name, reason in outcome.failed))
        self.assertEqual(len(files) - len(stays), outcome.files)
        self.assert_nothing_left()

    def test_they_are_moved_in_sorted_order_however_many_sessions_there_are(self):
        names = ['%02d' % n for n in range(60)]
        for n, name in enumerate(reversed(names)):
            self.offer(name, b'x' * (n % 7) * 20000)
        self.run_export(connections=4)
        moved = [line.rpartition(' ')[2] for line in self.log.of('INFO')
                 if line.startswith('Moved from')]
        self.assertEqual(names, moved)

    def test_the_log_of_one_session(self):
        for name in ('b', 'a'):
            self.offer(name, b'data')
        self.run_export(connections=1)
        self.assertEqual([
            'Starting export.', 'Accessed filestore %s' % self.store_dir,
            'Connecting to CDS FTP server (host 127.0.0.1, port %(port)d, user %(user)s, dir '
            '%(ftp_dir)s)' % self.server.feed,
            'Creating lock file: write', 'Lock file successfully created: write',
            'Uploading: a', 'File stored on server: a', "Moved from 'new' to 'cur': a",
            'Uploading: b', 'File stored on server: b', "Moved from 'new' to 'cur': b",
            'Removing lock file: write', 'Lock file successfully removed: write',
            'Disconnected from CDS FTP server', 'Exiting with success.',
        ], self.log.of('INFO', 'WARNING', 'ERROR'))

    def test_nothing_to_export_needs_no_connection(self):
        self.offer('.hidden', b'data')
        outcome = self.run_export(connection=NeverOpened())
        self.assertTrue(outcome.successful)
        self.assertEqual(['Starting export.', 'Accessed filestore %s' % self.store_dir,
                          'No new files to export.',
                          'Exiting with success.'], self.log.of('INFO'))
        self.assertEqual({b'.hidden'}, set(self.waiting))

    def test_what_is_no_file_or_has_no_fitting_name_stays(self):
        new = os.path.join(self.store_dir, 'new')
        os.mkdir(os.path.join(new, 'directory'))
        os.mkfifo(os.path.join(new, 'pipe'))
        os.symlink('good', os.path.join(new, 'link'))
        for name in ('read', 'write', 'two\nlines', 'two\rlines', '.dot', 'good'):
            self.offer(name, b'data of %a' % name)
        outcome = self.run_export()
        self.assertEqual({b'good': b"data of 'good'"}, self.there)
        self.assertEqual({'directory', 'pipe', 'link'}, {name for name, reason in outcome.skipped})
        self.assertEqual({'read', 'write', 'two\nlines', 'two\rlines'},
                         {name for name, reason in outcome.failed})
        self.assertEqual(7, len(self.log.warnings))
        self.assertEqual(8, len(self.waiting))

    def test_a_limit(self):
        for name in 'abcd':
            self.offer(name)
        self.run_export(limit=3)
        self.assertEqual({b'd'}, set(self.waiting))

    def test_events(self):
        events = []
        self.put('b', b'older')
        for name in 'ab':
            self.offer(name, b'data')
        zope.event.subscribers.append(events.append)
        self.addCleanup(zope.event.subscribers.remove, events.append)
        outcome = self.run_export()
        exported, skipped, finished = events
        self.assertEqual((FileExported, 'a', os.path.join(self.store_dir, 'cur', 'a'), 4),
                         (type(exported), exported.name, exported.path, exported.size))
        self.assertEqual((FileSkipped, 'b', False), (type(skipped), skipped.name, skipped.failed))
        self.assertEqual((RunFinished, outcome), (type(finished), finished.outcome))


class Names(Exporting):
    """What has the same name on the server, or in cur."""

    def test_a_file_that_nobody_took_is_not_replaced(self):
        self.put('b', b'older')
        for name in 'abc':
            self.offer(name, b'newer')
        outcome = self.run_export()
        self.assertEqual({b'a': b'newer', b'b': b'older', b'c': b'newer'}, self.there)
        self.assertEqual({b'b': b'newer'}, self.waiting)
        self.assertEqual((2, ['b'], True),
                         (outcome.files, [name for name, reason in outcome.skipped],
                          outcome.successful))
        self.assert_warned('b', 'still on the server')
        self.assert_nothing_left()
        os.unlink(os.path.join(self.server.directory, 'b'))
        self.run_export()
        self.assertEqual({b'a': b'newer', b'b': b'newer', b'c': b'newer'}, self.there)

    def test_it_is_replaced_where_that_is_wanted(self):
        self.put('b', b'older and longer')
        for name in 'abc':
            self.offer(name, b'newer')
        outcome = self.run_export(replace=True)
        self.assertEqual(dict.fromkeys([b'a', b'b', b'c'], b'newer'), self.there)
        self.assertEqual(({}, 3), (self.waiting, outcome.files))

    def test_a_directory_of_that_name(self):
        os.mkdir(os.path.join(self.server.directory, 'b'))
        for name in 'abc':
            self.offer(name, b'newer')
        outcome = self.run_export()
        self.assertEqual({b'a': b'newer', b'b': None, b'c': b'newer'}, self.there)
        self.assertEqual(['b'], [name for name, reason in outcome.failed])
        self.assertEqual({b'b': b'newer'}, self.waiting)
        self.run_export()
        self.assertEqual({b'a', b'b', b'c'}, set(self.there))

    def test_nothing_in_cur_is_overwritten(self):
        for n in range(1, 4):
            self.offer('a', b'%d' % n)
            self.offer('b' * 255, b'%d' % n)
            self.run_export(replace=True)
        self.assertEqual({
            b'a': b'1', b'a.2': b'2', b'a.3': b'3',
            b'b' * 255: b'1', b'b' * 253 + b'.2': b'2', b'b' * 253 + b'.3': b'3'}, self.exported)


class Atomic(Exporting):
    """What others see and do while files are sent."""

    def test_no_file_is_seen_before_it_is_whole(self):
        seen = []
        data = os.urandom(1000000)

        def look(name):
            there = self.there
            seen.append((name, os.fsencode(name) in there, b'write' in there, b'read' in there))

        for name in 'abc':
            self.offer(name, data)
        self.run_export(source=HookedSource(look), connections=1)
        self.assertEqual([(name, False, True, False) for name in 'abc'], seen)
        self.assertEqual(dict.fromkeys([b'a', b'b', b'c'], data), self.there)

    def test_a_file_that_grows_while_it_is_sent_is_for_a_later_run(self):
        def grow(name):
            if name == 'b':
                with open(os.path.join(self.store_dir, 'new', name), 'ab') as f:
                    f.write(b' and more')

        for name in 'abc':
            self.offer(name, b'data')
        outcome = self.run_export(source=HookedSource(grow))
        self.assertEqual({b'a', b'c'}, set(self.there))
        self.assertEqual(['b'], [name for name, reason in outcome.skipped])
        self.assert_nothing_left()
        self.run_export()
        self.assertEqual(b'data and more', self.there[b'b'])

    def test_a_file_that_vanishes_before_it_is_sent(self):
        def take(name):
            if name == 'a':
                os.unlink(os.path.join(self.store_dir, 'new', 'b'))

        for name in 'abc':
            self.offer(name, b'data')
        outcome = self.run_export(source=HookedSource(take), connections=1)
        self.assertEqual({b'a', b'c'}, set(self.there))
        self.assertEqual(['b'], [name for name, reason in outcome.failed])
        self.assert_nothing_left()

    def test_a_newer_file_takes_the_place_of_the_one_that_is_sent(self):
        def renew(name):
            if name == 'b':
                self.offer('b', b'newer')

        for name in 'abc':
            self.offer(name, b'older')
        self.run_export(source=HookedSource(renew))
        self.assertEqual({b'b': b'newer'}, self.waiting)
        self.run_export(replace=True)
        self.assertEqual({b'a': b'older', b'b': b'newer', b'c': b'older'}, self.there)

    def test_a_newer_file_comes_when_the_older_one_is_on_the_server(self):
        def renew(event):
            if isinstance(event, FileExported) and event.name == 'a':
                self.offer('b', b'newer')

        for name in 'ab':
            self.offer(name, b'older')
        zope.event.subscribers.append(renew)
        self.addCleanup(zope.event.subscribers.remove, renew)
        outcome = self.run_export(connections=2)
        self.assertEqual(2, outcome.files)
        self.assertEqual(({b'b': b'newer'}, {b'a': b'older', b'b': b'older'}),
                         (self.waiting, self.there))
        self.assertEqual({b'a': b'older'}, self.exported)


class Failures(Exporting):
    """When nothing can be exported."""

    def assert_refused(self, error, **settings):
        self.offer('a', b'data')
        outcome = self.run_export(**settings)
        self.assertIsInstance(outcome.error, error)
        self.assertEqual({b'a': b'data'}, self.waiting)
        return outcome

    def test_somebody_reads(self):
        self.put('read', b'somebody else')
        self.assert_refused(Locked)
        self.assertEqual({b'read': b'somebody else'}, self.there)

    def test_somebody_writes(self):
        self.put('write', b'somebody else')
        self.assert_refused(Locked)
        self.assertEqual({b'write': b'somebody else'}, self.there)

    def test_wrong_password(self):
        outcome = self.assert_refused(LoginRefused, password='wrong-secret')
        self.assertNotIn('wrong-secret', ''.join(outcome.error.__notes__))

    def test_no_such_directory(self):
        self.assert_refused(PermanentError, ftp_dir='/nonexistent')

    def test_nobody_listens(self):
        self.assert_refused(Unreachable, port=free_port())

    def test_no_such_host(self):
        self.assert_refused(Unreachable, hostname='host.invalid')

    def test_two_exports_from_one_spool(self):
        second = []
        self.offer('a', b'data')
        self.run_export(source=HookedSource(lambda name: second.append(self.run_export())))
        self.assertIsInstance(second[0].error, Locked)
        self.assertEqual({b'a': b'data'}, self.there)

    def test_two_exports_into_one_directory(self):
        locks = []

        class Looking(LockFile):
            def hold(self, session, name, feed, reopen, meanwhile=None):
                locks.append(name)
                return super().hold(session, name, feed, reopen, meanwhile)

        self.offer('a', b'data')
        self.run_export(lock=Looking())
        self.assertEqual(['write'], locks)



def test_suite():
    return unittest.TestSuite(
        on_servers(tests, ALL_LAYERS) for tests in (Files, Names, Atomic, Failures))
