"""The lock in imports: one after the other, and real processes all at once."""
import contextlib
import os
import shutil
import time
import types
import unittest

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import Locked
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.tests.places import QUICK
from zeit.cds.spool.inbox import FileSink
from zeit.cds.testing import on_servers, PYFTPDLIB_LAYER, VSFTPD_LAYER
from zeit.cds.tests.crash.races import alone, races, WatchedLockFile, WON
from zeit.cds.tests.importing import Importing, new_spool
from zeit.cds.transfer.importing import Import


class HookedLock(LockFile):
    """Something happens when it is held."""

    def __init__(self, hook):
        super().__init__(QUICK)
        self.hook = hook

    @contextlib.contextmanager
    def hold(self, *args, **kw):
        with super().hold(*args, **kw) as lock:
            self.hook()
            yield lock


class Imports(Importing):
    """Who may import, and what becomes of the lock."""

    def setUp(self):
        super().setUp()
        self.put('a', b'1')

    def test_a_lock_is_a_normal_outcome(self):
        path = self.put('write', b'whoever')
        outcome = self.run_import()
        self.assertIsInstance(outcome.error, Locked)
        self.assert_warned('Lock file already exists: write', 'It is foreign.')
        self.assertEqual([], self.log.of('ERROR'))
        self.assertEqual(({b'a': b'1', b'write': b'whoever'}, {}), (self.there, self.published))
        os.unlink(path)
        self.assertTrue(self.run_import().successful)
        self.assertEqual(({}, {b'a': b'1'}), (self.there, self.published))
        self.assert_nothing_left()

    def test_lock_is_removed_on_a_new_session_if_the_old_one_has_died(self):
        self.run_import(lock=HookedLock(self.server.restart))
        self.assert_nothing_left()
        self.assertIn('Lock file successfully removed: read', self.log.of('INFO'))
        self.assertEqual({b'a': b'1'}, {**self.there, **self.published})

    def test_lock_that_somebody_replaced_meanwhile_stays(self):
        self.run_import(lock=HookedLock(lambda: self.put('read', b'whoever\xff')))
        self.assert_warned('Lock file read is not ours any more', 'whoever')
        self.assertEqual(b'whoever\xff', self.there[b'read'])

    def test_two_imports_into_one_spool(self):
        self.check_two(self.store_dir, 'Another process uses the spool')

    def test_two_imports_into_two_spools(self):
        store_dir = new_spool()
        self.addCleanup(shutil.rmtree, store_dir)
        self.check_two(store_dir, 'Lock file already exists: read')

    def check_two(self, store_dir, text):
        """A second import runs while the first one works; and once more afterwards."""
        seen = []

        def second():
            seen.append(self.run_import(store_dir=store_dir))
            self.assert_warned(text)

        self.assertTrue(self.run_import(lock=HookedLock(second)).successful)
        self.assertIsInstance(seen[0].error, Locked)
        self.assertEqual(({}, {b'a': b'1'}), (self.there, self.published))
        self.put('b', b'2')
        self.assertTrue(self.run_import(store_dir=store_dir).successful)
        self.assertEqual({}, self.there)
        self.assert_nothing_left()


class Races(Importing):
    """Real processes, all at once. tools/lock-races does it for longer."""

    def check(self, number, clients, **kw):
        wrong, figures = races(self.server, number, clients, **kw)
        self.assertEqual([], wrong)
        self.assertEqual(0, figures['overlaps'])
        self.assertEqual(number, figures['races'])
        return figures

    def test_two_processes(self):
        self.check(20, 2)

    def test_five_processes(self):
        self.check(10, 5)

    def test_two_processes_with_one_spool(self):
        self.check(10, 2, one_spool=True)

    def test_overlaps_would_be_seen(self):
        """The check itself: with locks that let everybody in, it finds that they overlap."""
        wrong, figures = races(self.server, 10, 3, runners=[without_lock] * 3)
        self.assertTrue(wrong or figures['overlaps'])


class NoLock(WatchedLockFile):

    @contextlib.contextmanager
    def hold(self, session, name, *args, **kw):
        time.sleep(0.01)
        with alone(self.directory):
            yield types.SimpleNamespace(name=name, refresh=lambda session: None,
                                        look=lambda batch: None)


def without_lock(server, store_dir, directory):
    feed = Feed(store_dir=store_dir, hostname=server.host, port=server.port, user=server.user,
                password=server.password, ftp_dir='/', timeout=20, retries=0)
    Import(feed, FTPConnection(), NoLock(directory), FileSink())()
    return WON


def test_suite():
    return unittest.TestSuite([
        on_servers(Imports), on_servers(Races, [PYFTPDLIB_LAYER, VSFTPD_LAYER])])
