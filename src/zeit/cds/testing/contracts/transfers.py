"""Bytes that come and go: tests of an ICDSSession. See `session`."""
from zeit.cds.interfaces import PermanentError
from zeit.cds.net.scheduler import checkpoint
from zeit.cds.testing.contracts.case import data, LARGE, Oops, SessionCase, Sink


SIZES = (0, 1, 511, 4096, 65537, LARGE)
TRIES = 20


class Broken(Sink):
    """A sink that raises an error, after the first bytes or before."""

    def __init__(self, error, at_buffer):
        super().__init__()
        self._error, self._at_buffer = error, at_buffer

    def buffer(self):
        if self._at_buffer:
            raise self._error
        return super().buffer()

    def advance(self, count):
        super().advance(count)
        raise self._error


class TransferContract(SessionCase):
    """A mixin for a TestCase: what a sink gets, and what a source gives, is what is in the file."""

    # ------------------------------------------------------------ read

    def test_read_hands_over_the_whole_file(self):
        session = self.open()
        for size in SIZES:
            with self.subTest(size=size):
                self.directory.put('a', data(size))
                self.assertTrue(data(size) == self.read(session, 'a'))

    def test_read_keeps_to_the_buffer_that_it_is_lent(self):
        self.directory.put('a', data(5000))
        session = self.open()
        for size in 1, 7, 4999, 5000, 2**20:
            with self.subTest(size=size):
                sink = Sink(size)
                self.assertEqual(5000, session.read('a', sink))
                self.assertEqual(data(5000), sink.data)

    def test_read_of_bytes_that_look_like_something(self):
        content = b'\r\n.\r\n226 Done.\r\n\xff\xf4\xff\xf2\0\x1a\n' + bytes(range(256))
        self.directory.put('a', content)
        self.assertEqual(content, self.read(self.open(), 'a'))

    def test_read_from_an_offset(self):
        self.needs('resumed reads')
        session = self.open()
        for size in 5000, LARGE:
            self.directory.put('a', data(size))
            for offset in 0, 1, size - 1:
                with self.subTest(size=size, offset=offset):
                    self.assertTrue(data(size)[offset:] == self.read(session, 'a', offset))

    def test_read_from_an_offset_where_nothing_is_gives_nothing(self):
        self.needs('resumed reads')
        self.directory.put('a', b'12345')
        session = self.open()
        for offset in 5, 6, 5000:
            with self.subTest(offset=offset):
                sink = Sink()
                try:
                    self.assertEqual(0, session.read('a', sink, offset))
                except PermanentError:
                    pass
                self.assertEqual(b'', sink.data)
                self.assertEqual(b'12345', self.read(session, 'a'))

    def test_read_of_what_is_no_file_is_refused(self):
        self.directory.make_directory('d')
        session = self.open()
        for name in 'missing', 'd', 'n' * 300:
            with self.subTest(name=name):
                sink = Sink()
                self.assertRaises(PermanentError, session.read, name, sink)
                self.assertEqual(b'', sink.data)
                self.assert_works(session)

    def test_what_the_sink_raises_comes_through(self):
        for size in 1, 5000, LARGE:
            for error in Oops(), OSError(28, 'No space left on device'):
                for at_buffer in True, False:
                    with self.subTest(size=size, error=error, at_buffer=at_buffer):
                        self.directory.put('a', data(size))
                        session = self.open()
                        with self.assertRaises(type(error)) as caught:
                            session.read('a', Broken(error, at_buffer))
                        self.assertIs(error, caught.exception)
                        self.assert_honest(session)

    # ------------------------------------------------------------ write

    def test_write_makes_a_file(self):
        session = self.open()
        for size in SIZES:
            with self.subTest(size=size):
                self.assertEqual(size, session.write('a%d' % size, data(size)))
                self.assertTrue(data(size) == self.directory.contents()['a%d' % size])

    def test_write_overwrites_a_file(self):
        session = self.open()
        for size in LARGE, 5000, 5001, 1, 0:
            with self.subTest(size=size):
                session.write('a', data(size))
                self.assertTrue(data(size) == self.directory.contents()['a'])
        self.assertEqual(['a'], self.listed(session))

    def test_write_takes_pieces_of_any_kind(self):
        session = self.open()
        for name, source in [
                ('none', []), ('empty', [b'']), ('list', [b'1', b'2']),
                ('empty ones', [b'', b'1', b'', bytearray(), b'2', b'']),
                ('kinds', (b'1', bytearray(b'2'), memoryview(b'-345-')[1:4])),
                ('generator', (b'%d' % number for number in range(1000)))]:
            with self.subTest(source=name):
                pieces = list(source)
                wanted = b''.join(pieces)
                self.assertEqual(len(wanted), session.write('a', iter(pieces)))
                self.assertEqual(wanted, self.directory.contents()['a'])

    def test_write_looks_at_no_piece_after_it_asked_for_the_next(self):
        def pieces():
            memory = bytearray(10_000)
            for start in range(0, len(wanted), len(memory)):
                piece = wanted[start:start + len(memory)]
                memory[:len(piece)] = piece
                yield memoryview(memory)[:len(piece)]
                memory[:] = b'!' * len(memory)

        wanted = data(LARGE)
        session = self.open()
        self.assertEqual(LARGE, session.write('a', pieces()))
        self.assertTrue(wanted == self.directory.contents()['a'])

    def test_write_goes_on_at_an_offset(self):
        self.needs('resumed writes')
        session = self.open()
        for size, offset in (5000, 1), (5000, 4999), (LARGE, 2**20):
            for kind, source in ('bytes', data(size)[offset:]), ('list', [data(size)[offset:]]):
                with self.subTest(size=size, offset=offset, kind=kind):
                    self.directory.put('a', data(size)[:offset])
                    self.assertEqual(size - offset, session.write('a', source, offset))
                    self.assertTrue(data(size) == self.directory.contents()['a'])

    def test_what_the_source_raises_ends_the_session(self):
        def pieces(before, error):
            yield from before
            raise error

        for before in (), (b'1',), (data(LARGE),):
            for error in Oops(), OSError(5, 'Input/output error'):
                with self.subTest(pieces=len(before), error=error):
                    session = self.open()
                    with self.assertRaises(type(error)) as caught:
                        session.write('a', pieces(before, error))
                    self.assertIs(error, caught.exception)
                    if before:      # else nothing was sent yet
                        self.assertFalse(session.alive)
                    self.assert_honest(session)

    def test_write_onto_a_directory_is_refused(self):
        self.directory.make_directory('d')
        session = self.open()
        self.assertRaises(PermanentError, session.write, 'd', b'1')
        self.assertEqual({'d': None}, self.directory.contents())
        self.assert_works(session)

    # ------------------------------------------------------------ several sessions

    def test_a_session_serves_in_a_task_and_outside(self):
        session = self.open()
        self.assert_works(session)
        for _ in range(2):
            self.in_tasks(lambda: self.assert_works(session))
            self.assert_works(session)

    def test_sessions_in_tasks_do_not_get_in_each_others_way(self):
        sessions = [self.open() for _ in range(2)]

        def serve(session, name):
            for size in (*SIZES, 1):
                session.write(name, data(size))
                self.assertTrue(data(size) == self.read(session, name))
                self.assertTrue(session.exists(name))
            session.remove(name)

        self.in_tasks(*[lambda session=session, number=number: serve(session, 'f%d' % number)
                        for number, session in enumerate(sessions)])
        self.assertEqual({}, self.directory.contents())

    def test_who_does_not_block_lets_others_go_on(self):
        session = self.open()
        if session.blocking:
            self.skipTest('It says that it blocks.')
        turns, ended = [], []

        def count():
            while not ended:
                turns.append(True)
                checkpoint()

        def went_on(verb):
            before = len(turns)
            verb()
            return len(turns) > before

        def serve():
            try:
                for verb in (lambda: list(session.entries()), lambda: session.write('a', b'1'),
                             lambda: self.read(session, 'a'), lambda: session.exists('a')):
                    # now and then an answer is there before anybody has to wait
                    self.assertTrue(any(went_on(verb) for _ in range(TRIES)))
            finally:
                ended.append(True)

        self.in_tasks(serve, count)
