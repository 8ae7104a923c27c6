"""The lock on sshd: its contract, and whoever else uses the directory."""
import contextlib
import os
import unittest

from zeit.cds.feed import Feed
from zeit.cds.interfaces import Locked, PermanentError
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.tests.local import Directory
from zeit.cds.lock.tests.places import QUICK
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.sftp.tests.sessions import feed_for
from zeit.cds.spool.inbox import FileSink
from zeit.cds.testing.contracts.lock import LockContract
from zeit.cds.testing.layers import on_servers, ServerTestCase, SFTP_LAYERS, VSFTPD_LAYER
from zeit.cds.testing.sshd import SSHD
from zeit.cds.tests.crash.races import LOCKED, races, WatchedLockFile, WON
from zeit.cds.tests.exporting import Exporting
from zeit.cds.tests.importing import connected
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.retry import Deadline


class Contract(Directory, LockContract):

    @property
    def directory(self):
        return self.server.directory

    def new_lock(self):
        return LockFile(QUICK)

    def open(self):
        return SFTPConnection().open(feed_for(self.server), Deadline(600))


class Advice(Exporting):

    def test_directory_that_may_not_be_written(self):
        os.chmod(self.server.directory, 0o555)
        self.offer('a', b'1')
        outcome = self.run_export()
        self.assertIsInstance(outcome.error, PermanentError)
        self.assertIn('Permission denied', str(outcome.error))
        self.assertIn('needs the right to create', ' '.join(outcome.error.__notes__))
        self.assertEqual({b'a': b'1'}, self.waiting)


@unittest.skipIf(SSHD.missing(), SSHD.missing())
class TwoServers(ServerTestCase):
    """One directory, which vsftpd and sshd show."""

    layer = VSFTPD_LAYER

    def setUp(self):
        self.ssh = SSHD(self.server.directory)
        self.addCleanup(self.ssh.stop)
        self.ssh.start()

    def open(self, server):
        feed = Feed(store_dir='', timeout=20, **server.feed)
        feed, connection = connected(feed)
        session = self.enterContext(connection.open(feed, Deadline(60)))
        return session, feed

    @contextlib.contextmanager
    def held(self, server, name):
        session, feed = self.open(server)
        with LockFile(QUICK).hold(session, name, feed, lambda: self.open(server)[0]):
            yield

    def test_they_exclude_each_other(self):
        for first, second in (self.ssh, self.server), (self.server, self.ssh):
            for one in 'read', 'write':
                for other in 'read', 'write':
                    with self.subTest(first=first.name, one=one, other=other):
                        with self.held(first, one), self.assertRaises(Locked):
                            with self.held(second, other):
                                pass
                        with self.held(second, other):
                            pass

    def test_races(self):
        wrong, figures = races(self.server, 12, 4, runners=[
            by(self.server), by(self.ssh), by(self.server), by(self.ssh)])
        self.assertEqual([], wrong)
        self.assertEqual((12, 0), (figures['races'], figures['overlaps']))


def test_suite():
    return unittest.TestSuite([
        on_servers(Contract, SFTP_LAYERS), on_servers(Advice, SFTP_LAYERS),
        unittest.defaultTestLoader.loadTestsFromTestCase(TwoServers)])


def by(server):
    """A runner for `races` that imports from this server."""
    def run(_, store_dir, directory):
        feed = Feed(store_dir=store_dir, timeout=20, retries=0, **server.feed)
        feed, connection = connected(feed)
        outcome = Import(feed, connection, WatchedLockFile(directory), FileSink())()
        if isinstance(outcome.error, Locked):
            return LOCKED
        return WON if outcome.successful else repr(outcome)
    return run
