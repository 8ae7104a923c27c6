"""What an import makes of a listing, of what earlier runs left, and of files that are gone."""
import contextlib
import os
import types

from zeit.cds.interfaces import Entry, PermanentError, TemporaryError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.pipelined import pipelined
from zeit.cds.spool.inbox import FileSink
from zeit.cds.transfer.importing import Import, measured
from zeit.cds.transfer.retry import Deadline
from zeit.cds.transfer.tests.plain import Exchanges, Fault, QUICK, QUICK_LOCK


class Leftovers(Exchanges):

    def leave(self, name, data=b'ours'):
        path = os.path.join(self.store_dir, 'tmp')
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, name), 'wb') as f:
            f.write(data)

    def test_what_is_called_like_a_lock_file_is_kept(self):
        for name in 'read', 'READ', 'Write;1':
            self.leave(name)
        server = self.serve()
        outcome = self.run_it(self.import_(server))
        self.assertEqual({'read', 'READ', 'Write;1'}, {name for name, _ in outcome.failed})
        for _, reason in outcome.failed:
            self.assertIn('it would be taken for a lock file', reason)
        self.assertEqual(({}, 3), (self.spool('new'), len(self.spool('tmp'))))

    def test_a_removal_that_was_refused_since_it_was_done_before(self):
        self.leave('left')
        server = self.serve(Fault('remove', PermanentError('550 No.'), name='left', after=True),
                            files={'left': b'ours'})
        outcome = self.run_it(self.import_(server))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual((1, 4, {'left': b'ours'}),
                         (outcome.files, outcome.bytes, self.spool('new')))
        self.assertIn('File removed on server: left', self.log.text)

    def test_one_that_the_server_does_not_tell_of(self):
        self.leave('left')
        server = self.serve(Fault('stat', TemporaryError('451 No.'), name='left'),
                            files={'left': b'ours', 'other': b'data'})
        outcome = self.run_it(self.import_(server))
        (name, reason), = outcome.failed
        self.assertIn('the server does not tell what became of it: 451 No. It is kept in tmp',
                      reason)
        self.assertEqual(({'other': b'data'}, {'left': b'ours'}, 1),
                         (self.spool('new'), self.spool('tmp'), outcome.waiting))

    def test_what_came_to_new_meanwhile_is_not_overwritten(self):
        self.leave('left')
        self.offer('left', b'unread')
        outcome = self.run_it(self.import_(self.serve(files={'left': b'ours'})))
        self.assertEqual(({'left': b'unread'}, {'left': b'ours'}),
                         (self.spool('new'), self.spool('tmp')))
        (name, reason), *_ = outcome.skipped
        self.assertEqual(("left", "an older file of this name is unread in 'new'; it waits in "
                          "'tmp'"), (name, reason))

    def test_publications_are_durable_before_files_are_fetched(self):
        calls = []

        class Sink(FileSink):
            def open(self, feed):
                spool = super().open(feed)
                sync = spool.sync
                spool.sync = lambda: calls.append(list(spool_new())) or sync()
                return spool

        def spool_new():
            return sorted(self.spool('new'))

        self.leave('left')
        self.run_it(Import(self.feed(), self.serve(files={'a': b'data'}), LockFile(QUICK_LOCK),
                           Sink(), QUICK))
        self.assertEqual([['left'], ['a', 'left']], calls)


class Listings(Exchanges):

    def test_one_that_may_have_been_cut_off_is_followed_by_another(self):
        for most, listings in (5, 2), (6, 1):     # a lock file and a mutex are listed, too
            self.setUp()
            server = self.serve(files=dict.fromkeys('abc', b'data'))
            outcome = self.run_it(self.import_(server, QUICK._replace(long_listing=most)))
            self.assertEqual((3, listings), (outcome.files, server.count('entries')))
            self.assertNotIn('No new files', self.log.text)

    def test_a_second_one_is_as_good_as_the_first(self):
        server = self.serve(files=dict.fromkeys('abc', b'data'))
        server.faults.append(Fault('remove', lambda *args: server.put('d', b'more'), name='a',
                                   times=1))
        outcome = self.run_it(self.import_(server, QUICK._replace(long_listing=3)))
        self.assertEqual((4, {}), (outcome.files, server.files))

    def test_it_comes_while_the_lock_is_looked_at_unless_something_was_left(self):
        for left in False, True:
            self.setUp()
            if left:
                os.makedirs(os.path.join(self.store_dir, 'tmp'))
                with open(os.path.join(self.store_dir, 'tmp', 'left'), 'wb'):
                    pass
            server = self.serve(files={'a': b'data'})
            self.run_it(self.import_(server))
            verbs = [verb for verb, args in server.calls]
            self.assertEqual(left, verbs.index('entries') > verbs.index('remove_directory'))

    def test_a_server_that_refuses_it(self):
        for error in PermanentError('550 No.'), TemporaryError('450 No.'):
            server = self.serve(Fault('entries', error), files={'a': b'data'})
            outcome = self.run_it(self.import_(server))
            self.assertEqual((str(error), 1), (str(outcome.error), server.count('entries')))

    def test_what_is_called_like_a_lock_file(self):
        """On a server that spells ours otherwise it is ours; else somebody has stored it."""
        server = self.serve(files={'READ;1': b'data', 'WRITE': b'data', 'a': b'data'})
        os.mkdir(os.path.join(server.directory, 'Read'))
        outcome = self.run_it(self.import_(server))
        self.assertEqual({'READ;1', 'WRITE'}, {name for name, _ in outcome.failed})
        self.assertEqual([('Read', 'it is a directory')], outcome.skipped)
        self.assertEqual((1, 2), (outcome.files, outcome.waiting))

    def test_ours_however_the_server_spells_it(self):
        run = self.import_(self.serve())
        for names, articles in (
                ('a read', 'a'), ('a READ;1', 'a'), ('a read READ;1', 'a READ;1'),
                ('READ;1', ''), ('a write', 'a'), ('a WRITE', 'a WRITE'), ('', '')):
            self.assertEqual(articles.split(), [entry.name for entry in run._articles(
                [Entry(name) for name in names.split()])], names)

    def test_sizes_that_are_not_listed_are_asked_for_where_few_files_may_be_large(self):
        for files, asked in (7, True), (8, False):
            self.setUp()
            server = self.serve(files={'%02d' % n: b'data' for n in range(files)})
            run = self.import_(server)
            run._persist = lambda verb, run=run: sizeless(run._directory.persist(verb))
            outcome = self.run_it(run)
            self.assertEqual(files, outcome.files)
            verbs = [verb for verb, args in server.calls]
            before = [args for verb, args in server.calls[:verbs.index('read')]
                      if verb == 'stat' and args[0] not in ('read', 'write')]
            self.assertEqual(asked, len(before) >= files, before)


def sizeless(entries):
    """A listing without sizes, if it is one."""
    if not isinstance(entries, list) or not all(isinstance(entry, Entry) for entry in entries):
        return entries
    return [entry._replace(size=None) for entry in entries]


class Vanished(Exchanges):

    def test_directories_that_listings_show_like_files(self):
        server = self.serve(files={'a': b'data', 'b': b'data'})
        os.mkdir(os.path.join(server.directory, 'd'))
        run = self.import_(server)
        run._persist = lambda verb: kindless(run._directory.persist(verb))
        outcome = self.run_it(run)
        self.assertEqual(([('d', 'it is a directory')], [], 2, 0), (
            outcome.skipped, outcome.failed, outcome.files, outcome.waiting))

    def test_what_it_is_cannot_be_told(self):
        server = self.serve(Fault('kind', PermanentError('550 No.')), files={'a': b'data'})
        os.mkdir(os.path.join(server.directory, 'd'))
        run = self.import_(server)
        run._persist = lambda verb: kindless(run._directory.persist(verb))
        outcome = self.run_it(run)
        (name, reason), = outcome.failed
        self.assertEqual(('d', 1), (name, outcome.waiting))
        self.assertIn('knows no regular file under this name', reason)

    def test_what_has_vanished_is_not_looked_for_in_a_further_listing(self):
        server = self.serve(files={'a': b'data'})
        os.mkdir(os.path.join(server.directory, 'd'))
        run = self.import_(server, QUICK._replace(long_listing=1), limit=9, run_limit=9)
        run._persist = lambda verb: kindless(run._directory.persist(verb))
        outcome = self.run_it(run)
        self.assertEqual(([('d', 'it is a directory')], 1, 0),
                         (outcome.skipped, outcome.files, outcome.waiting))
        self.assertEqual(1, server.count('kind'))


def kindless(entries):
    """A listing that tells nothing but names, if it is one."""
    if not isinstance(entries, list) or not all(isinstance(entry, Entry) for entry in entries):
        return entries
    return [Entry(entry.name) for entry in entries]


class Measuring(Exchanges):

    def test_no_times_are_asked_for(self):
        asked = []

        class Line:
            @contextlib.contextmanager
            def batch(self):
                yield self

            def stat(self, name, regular=False, time=True):
                asked.append((name, regular, time))
                return types.SimpleNamespace(get=lambda: None)

        self.assertEqual([Entry('a')], measured(Line(), [Entry('a')]))
        self.assertEqual([('a', False, False)], asked)

    def test_what_is_not_known_is_asked_for(self):
        server = self.serve(Fault('stat', PermanentError('550 No.'), name='b'),
                            files=dict.fromkeys('abc', b'data'))
        known = Entry('a', 7, None, 'file')
        with server.open(self.feed(), Deadline(60)) as session:
            found = measured(pipelined(session), [known, Entry('b'), Entry('c'), Entry('d')])
        self.assertEqual([known, Entry('b'), 4, Entry('d')], [*found[:2], found[2].size, found[3]])
        self.assertEqual(['b', 'c', 'd'], server.called('stat'))
