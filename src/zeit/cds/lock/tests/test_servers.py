"""The lock on real servers, by FTP's own pipelining."""
import unittest

from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.tests.places import Locking, OnServer, QUICK
from zeit.cds.pipelined import pipelined
from zeit.cds.testing import on_servers, VSFTPD_LAYER
from zeit.cds.testing.contracts.lock import LockContract
from zeit.cds.testing.layers import server_test_case
from zeit.cds.testing.servers import VsFTPD


class Contract(OnServer, LockContract):

    def new_lock(self):
        return LockFile(QUICK)


class WithoutRename(Contract):
    """A server without MLST, which refuses RNFR, too."""

    server = None

    def setUp(self):
        self.server = VsFTPD(settings={'cmds_denied': 'RNFR,RNTO'})
        self.addCleanup(self.server.stop)
        self.server.start()
        super().setUp()

    def test_nothing_is_left_of_a_renewal(self):
        self.stale_after = 0
        with self.held() as (lock, session):
            before = self.there()
            lock.refresh(session)
            self.assertEqual(before, self.there())
        self.assertEqual({}, self.there())


class RoundTrips(OnServer, Locking):
    """How many there are: waits for a reply after something was sent."""

    def count(self, session):
        """A list that grows by one with each write on the control connection."""
        writes, transmit = [], session.control.transmit

        def counted(data):
            writes.append(bytes(data))
            transmit(data)

        session.control.transmit = counted
        return writes

    def test_of_a_lock_that_nobody_contends(self):
        with self.open() as session:
            writes = self.count(session)
            with LockFile(QUICK).hold(session, 'read', self.feed, self.open) as lock:
                self.assertLessEqual(len(writes), 3, writes)
                lock.refresh(session)
                with pipelined(session).batch() as batch:
                    lock.look(batch)
                del writes[:]
            self.assertEqual([b'DELE read\r\n'], writes)


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return unittest.TestSuite([
        on_servers(Contract), load(server_test_case(WithoutRename, VSFTPD_LAYER)),
        on_servers(RoundTrips)])
