"""Connections that seem to block, while other tasks go on."""
import functools
import socket
import struct
import threading
import unittest
from unittest import mock

import greenlet

from zeit.cds.interfaces import RunLimitReached
from zeit.cds.net.scheduler import checkpoint, in_thread, READ, wait
from zeit.cds.net.stream import connect, connect_to, connected, connecting, Listener, Stream
from zeit.cds.net.tests.tasks import descriptors, InScheduler, LIMIT
from zeit.cds.transfer.retry import Deadline


DATA = bytes(range(256)) * 8192        # more than sockets buffer


def has_ipv6():
    try:
        with socket.create_server(('::1', 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class Connecting(InScheduler, unittest.TestCase):

    def listen(self, host='127.0.0.1', family=socket.AF_INET, **options):
        listener = self.enterContext(socket.create_server((host, 0), family=family, **options))
        listener.settimeout(LIMIT)
        return listener, listener.getsockname()

    def refusing(self):
        """A port where nobody listens."""
        sock = self.enterContext(socket.socket())
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]

    def talk(self, listener, sock):
        """Both are connected with each other, and the socket does not block."""
        with sock, listener.accept()[0] as peer:
            self.assertFalse(sock.getblocking())
            self.assertEqual(sock.getsockname(), peer.getpeername())
            peer.send(b'x')
            wait(sock, READ, LIMIT)
            return sock.recv(9)

    def check(self, listener, host, port):
        self.assertEqual(b'x', self.talk(listener, connect(host, port, LIMIT)))
        self.assertEqual([b'x'], self.work(lambda: self.talk(listener, connect(host, port, LIMIT))))

    def test_by_address(self):
        listener, (host, port) = self.listen()
        self.check(listener, host, port)

    def test_by_name(self):
        listener, (_, port) = self.listen()
        self.check(listener, 'localhost', port)

    @unittest.skipUnless(has_ipv6(), 'no IPv6 here')
    def test_by_ipv6(self):
        listener, address = self.listen('::1', socket.AF_INET6)
        self.check(listener, '::1', address[1])
        self.assertEqual(b'x', self.talk(listener, connect_to(socket.AF_INET6, address, LIMIT)))

    def test_others_go_on_while_a_name_is_looked_up(self):
        listener, (host, port) = self.listen()
        event, known = threading.Event(), socket.getaddrinfo

        def look_up(name, *args):
            if args[4:]:
                raise socket.gaierror
            self.assertTrue(event.wait(LIMIT), 'nobody went on')
            return known(host, *args)

        with mock.patch.object(socket, 'getaddrinfo', look_up):
            self.assertEqual(b'x', self.work(
                lambda: self.talk(listener, connect('example', port, LIMIT)), event.set)[0])

    def test_one_address_after_the_other(self):
        listener, address = self.listen()
        refusing = 'localhost', self.refusing()
        for addresses, found in (([refusing, address], b'x'),
                                 ([refusing] * 2, ConnectionRefusedError), ([], OSError)):
            with mock.patch.object(socket, 'getaddrinfo', return_value=[
                    (socket.AF_INET, socket.SOCK_STREAM, 0, '', each) for each in addresses]):
                self.spawn('a', lambda: self.talk(listener, connect('example', 1, LIMIT)))
                self.turn_until(lambda: self.log)
            self.assertEqual(('a', found), self.log.pop())

    def test_what_is_no_host_name(self):
        for host in 'x' * 64, 'a..b', '\udcff', 'a' * 64 + '.example':
            for run in self.work, lambda verb: verb():
                with self.subTest(host), self.assertRaises((UnicodeError, OSError)):
                    run(functools.partial(connect, host, 21, LIMIT))

    def test_refused(self):
        port, before = self.refusing(), descriptors()
        for run in self.work, lambda verb: verb():
            with self.assertRaises(ConnectionRefusedError):
                run(functools.partial(connect, '127.0.0.1', port, LIMIT))
        self.assertEqual(before, descriptors())

    def test_what_can_not_even_begin_leaves_no_descriptor_open(self):
        before = descriptors()
        for address, error in ((('255.255.255.255', 21), OSError),
                               (('127.0.0.1', 70000), OverflowError)):
            with self.assertRaises(error):
                connecting(socket.AF_INET, address)
        self.assertEqual(before, descriptors())

    def test_while_its_owner_does_something_else(self):
        listener, address = self.listen()
        begun = connecting(socket.AF_INET, address)
        self.assertFalse(begun.getblocking())
        self.assertIs(begun, connected(begun, LIMIT))
        self.assertEqual(b'x', self.talk(listener, begun))
        begun = connecting(socket.AF_INET, ('127.0.0.1', self.refusing()))
        with self.assertRaises(ConnectionRefusedError):
            connected(begun, LIMIT)
        self.assertEqual(-1, begun.fileno())

    def test_nobody_answers(self):
        listener, address = self.listen(backlog=0)
        _, _, sock, another = [self.enterContext(connecting(socket.AF_INET, address))
                               for _ in range(4)]
        self.spawn('a', lambda: connected(sock, 0.01))
        self.spawn('b', lambda: connected(another, LIMIT))
        self.turn_until(lambda: self.log)
        self.scheduler.end()
        self.assertEqual([('a', TimeoutError), ('b', greenlet.GreenletExit)], self.log)
        self.assertEqual([-1, -1], [sock.fileno(), another.fileno()])


class Listening(InScheduler, unittest.TestCase):
    """The other side connects."""

    def expect(self, host='127.0.0.1', family=socket.AF_INET, address=('127.0.0.1', 5)):
        listener = Listener(family, address, host)
        self.addCleanup(listener.close)
        return listener

    def call(self, listener, source='127.0.0.1'):
        return self.enterContext(socket.create_connection(
            ('127.0.0.1', listener.port), source_address=(source, 0)))

    def test_connection_that_is_expected(self):
        for run in (lambda function: [function()], self.work):
            listener = self.expect()
            peer = self.call(listener)
            sock, = run(functools.partial(listener.accept, LIMIT))
            with sock:
                self.assertFalse(sock.getblocking())
                self.assertEqual(sock.getpeername(), peer.getsockname())
            self.assertEqual(-1, listener.socket.fileno())

    def test_stranger_is_turned_away(self):
        listener = self.expect()
        stranger = self.call(listener, '127.0.0.2')
        peer = self.call(listener)
        with self.assertLogs('zeit.cds', 'WARNING') as logged, listener.accept(LIMIT) as sock:
            self.assertEqual(sock.getpeername(), peer.getsockname())
        self.assertIn('127.0.0.2, which is not the server', logged.output[0])
        stranger.settimeout(LIMIT)
        self.assertEqual(b'', stranger.recv(1))

    def test_nobody_comes(self):
        for source in (None, '127.0.0.2'):
            listener = self.expect()
            if source:
                self.call(listener, source)
            with self.assertRaises(TimeoutError):
                listener.accept(0.1)
            self.assertEqual(-1, listener.socket.fileno())

    @unittest.skipUnless(has_ipv6(), 'no IPv6 here')
    def test_ipv6(self):
        listener = self.expect('::1', socket.AF_INET6, ('::1', 5, 0, 0))
        with socket.create_connection(('::1', listener.port)) as peer, \
                listener.accept(LIMIT) as sock:
            self.assertEqual(sock.getpeername(), peer.getsockname())


class Talking(InScheduler, unittest.TestCase):

    def streams(self, timeout=LIMIT):
        return [Stream(sock, timeout) for sock in self.pair()]

    def read(self, stream):
        """All that comes until the end; first with recv, and at last with recv_into."""
        data, buffer = bytearray(), bytearray(100_000)
        while len(data) < len(DATA) / 2 and (piece := stream.recv(100_000)):
            data += piece
        while count := stream.recv_into(buffer):
            data += buffer[:count]
        return DATA == data

    def send(self, stream):
        stream.sendall(DATA)
        stream.close()

    def test_what_is_here_already(self):
        stream, peer = self.streams()
        peer.sendall(b'abcdefgh')
        self.assertEqual([b'ab', b'cd'], [stream.recv(2), *self.work(lambda: stream.recv(2))])
        buffer = bytearray(3)
        self.assertEqual((3, b'efg'), (stream.recv_into(buffer), buffer))
        self.assertEqual(([1], b'hfg'), (self.work(lambda: stream.recv_into(buffer)), buffer))

    def test_what_comes_later(self):
        stream, peer = self.streams()
        buffer = bytearray(5)
        for verb, result in (lambda: stream.recv(5), b'abc'), (lambda: stream.recv_into(buffer), 3):
            self.assertEqual([result, None], self.work(verb, lambda: peer.sendall(b'abc')))
            threading.Timer(0.01, peer.sendall, (b'abc',)).start()
            self.assertEqual(result, verb())
        self.assertEqual(b'abc\0\0', buffer)

    def moment(self, seconds):
        self.enterContext(mock.patch('zeit.cds.net.stream.MOMENT',
                                     struct.pack('ll', seconds, 1000)))

    def test_all_at_once(self):
        self.moment(LIMIT)
        stream, peer = self.streams()
        buffer = bytearray(6)
        for run in self.work, lambda verb: [verb()]:
            peer.sendall(b'ab')
            threading.Timer(0.01, peer.sendall, (b'cdef',)).start()
            self.assertEqual(([6], b'abcdef'), (run(lambda: stream.recv_all_into(buffer)), buffer))
        with self.assertRaises(BlockingIOError):
            stream.socket.recv(1)

    def test_a_moment_does_not_last(self):
        self.moment(0)
        stream, peer = self.streams()
        peer.sendall(b'ab')
        self.assertEqual(2, stream.recv_all_into(bytearray(6)))
        threading.Timer(0.05, peer.sendall, (b'cd',)).start()
        self.assertEqual(2, stream.recv_all_into(bytearray(6)))

    def test_no_moment_while_others_can_go_on(self):
        self.moment(LIMIT)
        stream, peer = self.streams()
        buffer = bytearray(6)
        self.assertEqual([2, None], self.work(lambda: stream.recv_all_into(buffer),
                                              lambda: peer.sendall(b'ab')))

    def test_the_end(self):
        stream, peer = self.streams()
        peer.sendall(b'x')
        peer.close()
        self.assertEqual(b'x', stream.recv(9))
        for verb, result in ((lambda: stream.recv(9), b''),
                             (lambda: stream.recv_into(bytearray(9)), 0),
                             (lambda: stream.recv_all_into(bytearray(9)), 0)):
            self.assertEqual([result, result], [verb(), *self.work(verb)])
        with self.assertRaises(OSError):
            stream.sendall(b'x')

    def test_much_between_tasks(self):
        stream, peer = self.streams()
        self.assertEqual([True, None],
                         self.work(lambda: self.read(stream), lambda: self.send(peer)))

    def test_much_to_and_from_a_thread(self):
        for read in self.work, lambda verb: [verb()]:
            stream, peer = self.streams()
            threading.Thread(target=self.send, args=(peer,)).start()
            self.assertEqual([True], read(functools.partial(self.read, stream)))
        stream, peer = self.streams()
        self.assertEqual([True, None], self.work(
            lambda: in_thread(self.read, stream), lambda: self.send(peer)))

    def test_what_can_be_sent(self):
        stream, peer = self.streams()
        for data in b'ab', b'', bytearray(b'cd'), memoryview(b'xefx')[1:3]:
            stream.sendall(data)
        self.assertEqual(b'abcdef', peer.recv(100))

    def test_time_out(self):
        stream, _ = self.streams(0.01)
        for verb, arg in self.verbs():
            for run in self.work, lambda verb: verb():
                with self.assertRaises(TimeoutError):
                    run(functools.partial(verb, stream, arg))

    @staticmethod
    def verbs():
        return ((Stream.recv, 1), (Stream.recv_into, bytearray(1)),
                (Stream.recv_all_into, bytearray(1)), (Stream.sendall, DATA))

    def test_deadline(self):
        for verb, arg in self.verbs():
            for run in self.work, lambda verb: verb():
                stream, _ = self.streams()
                stream.deadline = Deadline(0.01)
                for _ in range(2):
                    with self.assertRaises(RunLimitReached):
                        run(functools.partial(verb, stream, arg))

    def test_deadline_that_is_later_than_the_time_out(self):
        stream, _ = self.streams(0.01)
        stream.deadline = Deadline(LIMIT)
        self.assertRaises(TimeoutError, stream.recv, 1)

    def test_deadline_that_is_extended(self):
        stream, peer = self.streams()
        stream.deadline = Deadline(-1)
        peer.sendall(b'x')
        self.assertRaises(RunLimitReached, stream.recv, 1)
        stream.deadline.extend(LIMIT)
        self.assertEqual(b'x', stream.recv(1))

    def test_deadline_while_there_is_always_more(self):
        stream, peer = self.streams()
        stream.deadline = Deadline(-1)
        peer.sendall(bytes(3000))
        with mock.patch('zeit.cds.net.stream.FAIR', 1000), self.assertRaises(RunLimitReached):
            for _ in range(3):
                stream.recv_into(bytearray(500))

    def test_connection_that_is_reset(self):
        for verb, arg in self.verbs():
            with socket.create_server(('127.0.0.1', 0)) as listener:
                stream = Stream(connect(*listener.getsockname(), LIMIT), LIMIT)
                with listener.accept()[0] as peer:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            with self.assertRaises(OSError) as raised:
                self.work(functools.partial(verb, stream, arg))
            self.assertNotIsInstance(raised.exception, TimeoutError)
            stream.close()

    def test_one_with_much_to_do_lets_others_go_on(self):
        stream, peer = self.streams()
        peer.sendall(bytes(6000))

        def talk(verb):
            for _ in range(6):
                verb()
                self.log.append('t')

        def other():
            for _ in range(3):
                self.log.append('o')
                checkpoint()

        for verb in (lambda: stream.recv_into(bytearray(500)),
                     lambda: stream.recv_all_into(bytearray(500)),
                     lambda: stream.sendall(bytes(500))):
            self.log.clear()
            with mock.patch('zeit.cds.net.stream.FAIR', 1000):
                self.work(functools.partial(talk, verb), other)
            self.assertEqual('ttotttoto', ''.join(self.log))


class Ending(InScheduler, unittest.TestCase):

    def test_close_and_abort_twice_in_any_order(self):
        for verbs in ('close close', 'abort abort', 'close abort close abort',
                      'abort close abort close'):
            stream = Stream(self.pair()[0], LIMIT)
            for verb in verbs.split():
                getattr(stream, verb)()
        with socket.socket() as sock:
            Stream(sock, LIMIT).abort()       # never connected

    def test_another_thread_aborts_what_a_task_waits_for(self):
        for verb, arg, result in (
                (Stream.recv, 1, b''), (Stream.recv_into, bytearray(1), 0),
                (Stream.recv_all_into, bytearray(1), 0), (Stream.sendall, DATA, BrokenPipeError)):
            stream = Stream(self.pair()[0], LIMIT)
            self.spawn('a', functools.partial(verb, stream, arg))
            self.scheduler.turn(0)
            threading.Thread(target=stream.abort).start()
            self.turn_until(lambda: self.log)
            self.assertEqual(('a', result), self.log.pop())

    def test_numbers_of_closed_sockets_are_used_again(self):
        numbers = set()

        def use(data, timeout, result):
            for _ in range(3):
                sock, peer = socket.socketpair()
                sock.setblocking(False)
                with sock, peer:
                    numbers.add(sock.fileno())
                    peer.send(data)
                    try:
                        self.assertEqual(result, Stream(sock, timeout).recv(1))
                    except TimeoutError:
                        self.assertIsNone(result)

        for _ in range(2):
            self.work(lambda: use(b'x', LIMIT, b'x'), lambda: use(b'', 0.001, None),
                      lambda: use(b'y', LIMIT, b'y'))
        self.assertLess(len(numbers), 9)
