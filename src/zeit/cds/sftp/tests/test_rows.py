"""What servers out there do to a run: a table. What is not here is in the suites for all servers
(symbolic links, read-only directories, limits of sessions) or in `test_login` (MaxStartups).
"""
import os
import shutil
import tempfile
import time
import unittest

from zeit.cds.feed import Feed
from zeit.cds.interfaces import ConnectionLost, IPipelined
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.sftp import packets
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.sftp.tests.odd import Odd, OddConnection
from zeit.cds.sftp.tests.sessions import feed_for
from zeit.cds.spool.inbox import FileSink
from zeit.cds.testing.layers import ServerTestCase, SSHD_LAYER
from zeit.cds.testing.logs import recorded
from zeit.cds.testing.sshd import SSHD
from zeit.cds.tests.exporting import Exporting
from zeit.cds.tests.importing import contents, Importing, new_spool
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.retry import Deadline


FILES = {b'%03d' % number: b'%d' % number * 50 for number in range(60)}


class OddServers(unittest.TestCase):
    """Imports from a server that has one oddity each."""

    def setUp(self):
        self.directory, self.store_dir = tempfile.mkdtemp(), new_spool()
        for path in self.directory, self.store_dir:
            self.addCleanup(shutil.rmtree, path)
        for name, data in FILES.items():
            with open(os.path.join(os.fsencode(self.directory), name), 'wb') as f:
                f.write(data)

    def run_import(self, **odd):
        self.connection = OddConnection(Odd(**odd))
        feed = Feed(store_dir=self.store_dir, hostname='localhost', user='x', timeout=20,
                    ftp_dir=self.directory, connections=1, retries=1)
        with recorded() as self.log:
            return Import(feed, self.connection, LockFile(), FileSink())()

    def assert_imported(self, **odd):
        outcome = self.run_import(**odd)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(FILES, contents(os.path.join(self.store_dir, 'new')))
        self.assertEqual({}, contents(self.directory))

    def test_a_mailbox_that_gives_each_file_once(self):
        self.assert_imported(once=True)

    def test_nothing_but_what_version_3_has(self):
        """No fsync, no posix-rename, no statvfs, no limits."""
        self.assert_imported()

    def test_extensions_that_are_announced_and_not_there(self):
        self.assert_imported(extensions={packets.FSYNC: b'1', packets.LIMITS: b'1',
                                         b'statvfs@openssh.com': b'2'})

    def test_few_open_files(self):
        self.assert_imported(handles=4)

    def test_replies_in_any_order(self):
        self.assert_imported(backwards=5)

    def test_listings_without_sizes(self):
        self.assert_imported(bare=True)

    def test_a_session_that_ends_again_and_again(self):
        """Each of them takes some files."""
        outcome = self.run_import(hangs_up=90)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertGreater(len(self.connection.servers), 2)
        self.assertEqual(FILES, contents(os.path.join(self.store_dir, 'new')))


class RealServers(Exporting, ServerTestCase):

    layer = SSHD_LAYER

    def another(self, **settings):
        server = SSHD(settings=settings)
        self.addCleanup(server.stop)
        server.start()
        return server

    def test_names_in_latin_1_both_ways(self):
        names = [b'K\xf6ln.xml', b'\xff', 'K\xf6ln.xml'.encode()]
        for name in names:
            self.put(os.fsdecode(name), name)
        self.assertTrue(self.run_import().successful, self.log.text)
        self.assertEqual({name: name for name in names}, self.published)
        self.assertTrue(self.run_export().successful, self.log.text)
        self.assertEqual({name: name for name in names}, self.there)

    def test_links(self):
        """What one leads to is taken, and stays where it is; what leads nowhere stays, too."""
        elsewhere = tempfile.mkdtemp(dir=os.path.dirname(self.server.directory))
        self.addCleanup(shutil.rmtree, elsewhere)
        os.chmod(elsewhere, 0o755)
        target = os.path.join(elsewhere, 'target')
        with open(target, 'w') as f:
            f.write('news')
        for name, leads_to in ('a', target), ('b', elsewhere), ('c', '/nonexistent'):
            os.symlink(leads_to, os.path.join(self.server.directory, name))
        self.put('d', b'1')
        self.assertTrue(self.run_import().successful, self.log.text)
        self.assertEqual({b'a': b'news', b'd': b'1'}, self.published)
        self.assertTrue(os.path.exists(target))
        self.assertEqual(['b', 'c'], sorted(os.listdir(self.server.directory)))

    def test_a_server_that_lets_few_sessions_in(self):
        """Each session is a connection: MaxSessions is about what else goes through one."""
        server = self.another(MaxSessions=1, MaxStartups='1:100:1')
        for name, data in FILES.items():
            with open(os.path.join(os.fsencode(server.directory), name), 'wb') as f:
                f.write(data)
        with recorded() as log:
            outcome = Import(feed_for(server, store_dir=self.store_dir, connections=8),
                             SFTPConnection(), LockFile(), FileSink())()
        self.assertTrue(outcome.successful, log.text)
        self.assertEqual(FILES, self.published)

    def test_a_server_that_drops_idle_sessions(self):
        server = self.another(ChannelTimeout='session:*=1')
        session = SFTPConnection().open(feed_for(server), Deadline(60))
        self.addCleanup(session.close)
        session.stat('a')
        until = time.monotonic() + 20
        with self.assertRaises(ConnectionLost):
            while time.monotonic() < until:
                time.sleep(1.5)
                session.stat('a')
        self.assertFalse(session.alive)


class ManyNames(Importing, ServerTestCase):

    layer = SSHD_LAYER
    level = 2

    def test_100_000_names(self):
        for number in range(100_000):
            os.close(os.open(os.path.join(self.server.directory, '%06d.xml' % number),
                             os.O_CREAT | os.O_WRONLY))
        self.put('zz', b'1')
        session = SFTPConnection().open(feed_for(self.server), Deadline(60))
        self.addCleanup(session.close)
        heard = []
        self.assertEqual(100_001, len(IPipelined(session).entries(heard=heard.append)))
        self.assertEqual(100_001, heard[-1])
