"""The data of a transfer: what is sent, received, closed and raised, whatever happens."""
import types
import unittest

from zeit.cds.ftp.protocol import Reply
from zeit.cds.ftp.transfers import Kept, Source, Transfers
from zeit.cds.interfaces import ConnectionLost, PermanentError, TemporaryError


class Data:
    """A Stream that gives these pieces, or takes so much at once."""

    def __init__(self, *pieces, fails=None, at_once=9):
        self.pieces, self.fails, self.at_once = list(pieces), fails, at_once
        self.sent, self.closed, self.finished = b'', 0, 0

    def recv_into(self, buffer):
        if not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        buffer[:len(piece)] = piece
        return len(piece)

    def sendall(self, data):
        if self.fails is not None:
            raise self.fails
        self.sent += data

    def send_at_once(self, data):
        if self.fails is not None:
            raise self.fails
        count = min(len(data), self.at_once)
        self.sent += bytes(data[:count])
        return count

    def finish(self):
        self.finished += 1

    def close(self):
        self.closed += 1


class Sink:

    def __init__(self, fails=None, size=4):
        self.data, self.fails = b'', fails
        self.memory = memoryview(bytearray(size))

    def buffer(self):
        return self.memory

    def advance(self, count):
        if self.fails is not None:
            raise self.fails
        self.data += bytes(self.memory[:count])


class Server:
    """A Control, and DataConnections."""

    def __init__(self, final=(226, 'Done.'), rest=350, tunnel=None):
        self.last, self.rest, self.tunnel = Reply(*final), rest, tunnel
        self.done, self.closed, self.lingered = [], False, []

    def final(self):
        self.done.append('final')
        return self.last

    def ask(self, command):
        self.done.append(command)
        return [Reply(self.rest, 'x')]

    def begin(self, verb, argument):
        self.done.append((verb, argument))
        return 'reply'

    def open(self):
        return Data()

    def started(self, data, reply):
        return data, reply

    def error(self, reply):
        kind = PermanentError if reply.code // 100 == 5 else TemporaryError
        return kind(str(reply))

    def lost(self, error):
        self.close()
        return ConnectionLost(str(error))

    def close(self):
        self.closed = True

    def linger(self, data):
        self.lingered.append(data)


class TransfersCase(unittest.TestCase):

    def new(self, **kw):
        self.server = Server(**kw)
        self.transfers = Transfers(self.server, self.server)
        return self.transfers


class Beginning(TransfersCase):

    def test_where(self):
        data, reply = self.new().begin('RETR', 'a')
        self.assertEqual(([('RETR', 'a')], 'reply', 0), (self.server.done, reply, data.closed))
        self.new().begin('STOR', 'a', 7)
        self.assertEqual([('REST', '7'), ('STOR', 'a')], self.server.done)

    def test_it_is_refused(self):
        data = Data()
        with self.assertRaises(PermanentError):
            self.new(rest=502).start(data, 'RETR', 'a', 7)
        self.assertEqual(1, data.closed)


class Receiving(TransfersCase):

    def receive(self, *pieces, sink=None, **kw):
        self.data, self.sink = Data(*pieces), sink or Sink()
        try:
            return self.new(**kw).receive(self.data, self.sink)
        finally:
            self.assertEqual(1, self.data.closed)

    def test_all(self):
        self.assertEqual(6, self.receive(b'1234', b'56'))
        self.assertEqual((b'123456', [], False),
                         (self.sink.data, self.server.done, self.server.closed))

    def test_it_breaks(self):
        with self.assertRaisesRegex(TemporaryError, r'connection broke: reset \(426 No.\)'):
            self.receive(b'1', ConnectionResetError('reset'), final=(426, 'No.'))
        self.assertEqual((['final'], False), (self.server.done, self.server.closed))

    def test_the_network_fails_otherwise(self):
        with self.assertRaises(ConnectionLost):
            self.receive(b'1', TimeoutError('late'))
        self.assertTrue(self.server.closed)

    def test_what_the_sink_raises_ends_the_session(self):
        with self.assertRaises(KeyError):
            self.receive(b'1', sink=Sink(KeyError('full')))
        self.assertEqual(([], True), (self.server.done, self.server.closed))

    def test_a_tunnel_that_ends_without_a_farewell(self):
        for is_ragged in True, False:
            tunnel = types.SimpleNamespace(ragged=lambda error, is_ragged=is_ragged: is_ragged)
            if is_ragged:
                self.assertEqual(1, self.receive(b'1', OSError('EOF'), tunnel=tunnel))
            else:
                self.assertRaises(ConnectionLost, self.receive, b'1', OSError('EOF'), tunnel=tunnel)
            self.assertEqual(is_ragged, self.transfers.ragged)
        self.transfers.receive(Data(), Sink())
        self.assertFalse(self.transfers.ragged)


class Sending(TransfersCase):

    def send(self, *pieces, fails=None, **kw):
        self.data = Data(fails=fails)
        self.new(**kw).send(self.data, iter(pieces))

    def test_all(self):
        self.send(b'12', b'3')
        self.assertEqual((b'123', 1, 0, []), (
            self.data.sent, self.data.closed, self.data.finished, self.server.lingered))
        self.assertFalse(self.server.closed)

    def test_through_a_tunnel(self):
        self.send(b'12', tunnel=True)
        self.assertEqual((b'12', 0, 1, [self.data]), (
            self.data.sent, self.data.closed, self.data.finished, self.server.lingered))

    def test_it_breaks(self):
        for final, error in (((552, 'Full.'), PermanentError), ((500, 'No.'), PermanentError),
                             ((426, 'No.'), TemporaryError), ((600, 'No.'), TemporaryError),
                             ((226, 'Done.'), TemporaryError)):
            with self.assertRaisesRegex(error, final[1]):
                self.send(b'12', fails=BrokenPipeError('broken'), final=final)
            self.assertEqual((1, ['final'], False), (
                self.data.closed, self.server.done, self.server.closed))

    def test_the_network_is_silent(self):
        with self.assertRaises(ConnectionLost):
            self.send(b'12', fails=TimeoutError('late'))
        self.assertEqual((1, True), (self.data.closed, self.server.closed))

    def test_what_the_source_raises_ends_the_session(self):
        def pieces():
            yield b'1'
            raise KeyError('unreadable')

        data = Data()
        self.assertRaises(KeyError, self.new().send, data, pieces())
        self.assertEqual((1, True), (data.closed, self.server.closed))

    def test_the_end(self):
        self.assertEqual('Done.', self.new().end())
        for code in 200, 250, 299:
            self.assertEqual('Done.', self.new(final=(code, 'Done.')).end())
        self.assertRaises(TemporaryError, self.new(final=(300, 'What?')).end)
        self.assertRaises(TemporaryError, self.new(final=(426, 'No.')).end)
        self.assertRaises(PermanentError, self.new(final=(552, 'No.')).end)


class Sources(unittest.TestCase):

    def test_bytes_and_pieces(self):
        for data in b'123', [b'12', b'3'], [memoryview(b'1'), b'23']:
            source = Source(data)
            self.assertFalse(source.is_done)
            self.assertEqual(b'123', b''.join(source))
            self.assertEqual((3, True), (source.count, source.is_done))
        self.assertTrue(Source([]).is_done)

    def test_some_of_it_goes_before_its_turn(self):
        for data, at_once, sent, rest in (
                (b'123', 2, b'12', b'3'), ([b'12', b'3'], 1, b'1', b'23'),
                ([b'12', b'3'], 2, b'12', b'3'), (b'123', 0, b'', b'123')):
            source, stream = Source(data), Data(at_once=at_once)
            source.feed(stream)
            self.assertEqual((sent, 0, False, len(sent)), (
                stream.sent, stream.closed, source.is_done, source.count))
            self.assertEqual((rest, 3), (b''.join(map(bytes, source)), source.count))

    def test_all_of_it_goes_before_its_turn(self):
        for data in b'123', [b'123'], [], b'':
            source, stream = Source(data), Data()
            source.feed(stream)
            self.assertEqual((1, True), (stream.closed, source.is_done))

    def test_what_goes_wrong_then_is_seen_later(self):
        source = Source(b'123')
        source.feed(Data(fails=BrokenPipeError('x')))
        self.assertEqual((b'123', False), (b''.join(source), False))

        def pieces():
            yield b'1'
            raise KeyError('unreadable')

        source, stream = Source(pieces()), Data()
        source.feed(stream)
        self.assertEqual((False, 0), (source.is_done, stream.closed))
        self.assertRaises(KeyError, list, source)


class Keeping(unittest.TestCase):

    def fill(self, kept, data):
        kept.buffer()[:len(data)] = data
        kept.advance(len(data))

    def test_it_is_handed_on(self):
        kept, sink = Kept('a', 9), Sink(size=2)
        self.fill(kept, b'12345')
        self.fill(kept, b'6789')
        kept.hand_on(sink)
        self.assertEqual((b'123456789', bytearray(b'123456789')), (sink.data, kept.data))

    def test_no_more_is_kept_than_may(self):
        kept = Kept('a', 9)
        self.fill(kept, b'x' * 9)
        with self.assertRaisesRegex(ConnectionLost, 'More and more data of a come'):
            self.fill(kept, b'x')
