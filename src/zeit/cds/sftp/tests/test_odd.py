"""Servers that are odd keep the contract, or are told of."""
import socket
import unittest

from zeit.cds.file.tests.local import Local
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    IPipelined,
    PermanentError,
    ProtocolError,
    TemporaryError,
)
from zeit.cds.net.stream import Stream
from zeit.cds.sftp import packets
from zeit.cds.sftp.channel import Channel, Incoming
from zeit.cds.sftp.tests.odd import Carrier, Odd, OddConnection
from zeit.cds.sftp.tuning import Tuning
from zeit.cds.testing.contracts.case import data, LARGE, Sink
from zeit.cds.testing.contracts.entries import DirectoryContract
from zeit.cds.testing.contracts.pipelined import PipelinedContract
from zeit.cds.testing.contracts.transfers import TransferContract
from zeit.cds.testing.layers import BESIDE_LAYER


class Contract(Local, DirectoryContract, TransferContract, PipelinedContract):
    """All but how sessions end."""

    layer = BESIDE_LAYER

class Plain(Contract, unittest.TestCase):
    """Without any extension."""

    connection = OddConnection(Odd())


class FewHandles(Contract, unittest.TestCase):
    """It bears no more than a few open files."""

    connection = OddConnection(Odd(handles=3))


class Lingering(Contract, unittest.TestCase):
    """Files stay open after they were read."""

    connection = OddConnection(Odd(), Tuning(large=1))


class LingeringWithFewHandles(Contract, unittest.TestCase):

    connection = OddConnection(Odd(handles=3), Tuning(large=1))


class LingeringWithLocks(Contract, unittest.TestCase):
    """It removes no file that is open."""

    connection = OddConnection(Odd(locks=True), Tuning(large=1))


class OneAhead(Contract, unittest.TestCase):

    connection = OddConnection(Odd(), Tuning(ahead=1))


class ShortReads(Contract, unittest.TestCase):
    """It sends less than it is asked for."""

    connection = OddConnection(Odd(most=30_000))

    def fetch(self, pipe, name, size, *args, **kw):
        """Here a first try may end too early; it is known from then on."""
        pipe.session.transfers.closes_early = False
        return super().fetch(pipe, name, size, *args, **kw)


class Backwards(Contract, unittest.TestCase):
    """It answers requests in any order."""

    connection = OddConnection(Odd(backwards=7))


class Silent(Contract, unittest.TestCase):

    connection = OddConnection(Odd(silent=True))


class Bare(Contract, unittest.TestCase):
    """Its listings tell names only."""

    connection = OddConnection(Odd(bare=True))


class SmallWindow(Contract, unittest.TestCase):

    connection = OddConnection(Odd(), Tuning(window=1))


class Faults(Local, unittest.TestCase):

    layer = BESIDE_LAYER

    def opened(self, **odd):
        connection = OddConnection(Odd(**odd))
        session = connection.open(self.feed(), None)
        self.addCleanup(session.close)
        return session, connection.servers[0]

    def test_a_read_that_ends_too_early_is_told_by_its_count_once(self):
        self.directory.put('a', data(50_000))
        session, _ = self.opened(most=30_000)
        pipe, counts = IPipelined(session), []
        for _ in range(2):
            counts.append(pipe.read(Entry('a', 50_000), Sink(2**17), also=lambda batch: None))
        self.assertEqual([30_000, 50_000], counts)

    def test_full_disk(self):
        session, _ = self.opened(failing={packets.WRITE: packets.FAILURE})
        self.assertRaises(TemporaryError, session.write, 'a', data(LARGE))
        self.assertTrue(session.alive)

    def test_close_and_sync_that_fail(self):
        for kind in packets.CLOSE, packets.EXTENDED:
            session, _ = self.opened(failing={kind: packets.FAILURE},
                                     extensions={packets.FSYNC: b'1'})
            self.assertRaises(TemporaryError, session.write, 'a', b'1')

    def test_sync_that_is_announced_and_not_known(self):
        session, server = self.opened(extensions={packets.FSYNC: b'1'})
        session.write('a', b'1')
        session.write('a', b'2')
        self.assertEqual(1, server.kinds.count(packets.EXTENDED))
        self.assertEqual({'a': b'2'}, self.directory.contents())

    def test_sync_is_asked_for_where_it_is_announced_only(self):
        for extensions in {}, {packets.FSYNC: b'1'}:
            session, server = self.opened(
                extensions=extensions, failing={packets.EXTENDED: packets.OK})
            session.write('a', b'1')
            self.assertEqual(bool(extensions), packets.EXTENDED in server.kinds)

    def test_what_may_not_be_done(self):
        session, _ = self.opened(failing=dict.fromkeys(
            [packets.OPEN, packets.OPENDIR, packets.REMOVE], packets.PERMISSION_DENIED))
        for verb in (lambda: session.read('a', Sink()), lambda: session.write('a', b''),
                     lambda: list(session.entries()), lambda: session.remove('a')):
            self.assertRaisesRegex(PermanentError, 'Permission denied', verb)

    def test_connection_that_ends_at_any_request(self):
        for number in range(1, 9):
            with self.subTest(number):
                self.directory.put('a', data(LARGE))
                session, _ = self.opened(hangs_up=number)
                with self.assertRaises(ConnectionLost):
                    for _ in range(9):
                        session.stat('a')
                        session.read('a', Sink())
                self.assertFalse(session.alive)

    def test_a_sink_that_fails_in_the_middle_of_a_packet_leaves_the_session_in_step(self):
        self.directory.put('a', data(LARGE))
        session, _ = self.opened()

        def fail():
            raise PermanentError('The disk is full.')
        for size in 1000, 200_000:
            self.assertRaisesRegex(PermanentError, 'disk is full', IPipelined(session).read,
                                   Entry('a', LARGE), Sink(size, first=fail))
            self.assertEqual(LARGE, session.stat('a').size)
        session.read('a', sink := Sink(2**17))
        self.assertEqual(data(LARGE), sink.data)

    def test_data_that_are_no_answer_are_not_handed_on(self):
        self.directory.put('a', data(LARGE))
        for body in packets.NUMBER.pack(50_001) + bytes(50_000), b'':
            session, server = self.opened()
            server._5 = lambda reader, body=body: (packets.DATA, body)
            sink = Sink()
            self.assertRaises(ProtocolError, session.read, 'a', sink)
            self.assertEqual((b'', False), (sink.data, session.alive))

    def test_no_packet_is_as_long_as_that(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        with theirs:
            theirs.sendall(packets.HEAD.pack(2**30, packets.DATA, 1)
                           + packets.NUMBER.pack(2**30 - 9))
            ours.setblocking(False)
            self.assertFalse(Incoming(Stream(ours, 5)).data_for(1))

    def test_a_large_file_of_which_less_comes_than_was_asked_for(self):
        self.directory.put('a', data(LARGE))
        session, _ = self.opened(most=32_000)
        session.transfers.limits = packets.Limits(read=255 * 1024)
        IPipelined(session).read(Entry('a', LARGE), sink := Sink(2**17))
        self.assertEqual(data(LARGE), sink.data)

    def test_no_sftp_at_all(self):
        for said in b'Welcome to this server!\n', b'\0\0\0\5\x65aaaa', b'\xff\xff\xff\xff\2':
            ours, theirs = socket.socketpair()
            theirs.sendall(said)
            ours.setblocking(False)
            with theirs:
                self.assertRaises(ProtocolError, Channel(Stream(ours, 5), Carrier(ours)).hello)
