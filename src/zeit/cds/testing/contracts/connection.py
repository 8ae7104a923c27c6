"""Sessions are opened, and end: tests of an ICDSConnection. See `session`."""
import threading

import zope.interface.verify

from zeit.cds.interfaces import (
    ConnectionLost,
    ICDSConnection,
    ICDSSession,
    LoginRefused,
    PermanentError,
    RunLimitReached,
    Unreachable,
)
from zeit.cds.testing.contracts.case import data, Deadline, LARGE, Oops, SessionCase, Sink


# Each verb, on a file 'a'
VERBS = {
    'entries': lambda session: list(session.entries()),
    'stat': lambda session: session.stat('a'),
    'read': lambda session: session.read('a', Sink()),
    'write': lambda session: session.write('a', b'again'),
    'rename': lambda session: session.rename('a', 'b'),
    'exists': lambda session: session.exists('a'),
    'kind': lambda session: session.kind('a'),
    'make_directory': lambda session: session.make_directory('m'),
    'names': lambda session: session.names('m'),
    'remove_directory': lambda session: session.remove_directory('m'),
    'stored_name': lambda session: session.stored_name('b'),
    'clock': lambda session: session.clock(),
    'remove': lambda session: session.remove('b'),
}


class ConnectionContract(SessionCase):
    """A mixin for a TestCase: sessions are opened, ended, and end by themselves."""

    def test_interfaces_are_kept(self):
        zope.interface.verify.verifyObject(ICDSConnection, self.connection)
        session = self.open()
        zope.interface.verify.verifyObject(ICDSSession, session)
        for kind, value in [(bool, self.connection.needs_password), (bool, session.alive),
                            (float, session.latency), (bool, session.blocking)]:
            self.assertIs(kind, type(value))
        self.assertGreaterEqual(session.latency, 0.0)

    def test_feed_names_the_directory(self):
        self.directory.make_directory('below')
        self.directory.put('below/a', b'1')
        session = self.open(ftp_dir=self.feed().ftp_dir.rstrip('/') + '/below')
        self.assertEqual(['a'], self.listed(session))
        session.rename('a', 'b')
        session.write('c', b'3')
        self.assertEqual({'b': b'1', 'c': b'3'}, self.directory.contents('below'))

    def test_missing_directory_is_told_of_with_a_hint(self):
        with self.assertRaises(PermanentError) as caught:
            self.open(ftp_dir=self.feed().ftp_dir.rstrip('/') + '/missing')
        self.assertIn('missing', ''.join(caught.exception.__notes__))

    def test_wrong_password_is_refused(self):
        if not (self.connection.needs_password
                or getattr(self.connection, 'takes_password', False)):
            self.skipTest('There is no password.')
        with self.assertRaises(LoginRefused):
            self.open(password='wr0ng')

    def test_server_that_is_not_there(self):
        if self.unreachable is None:
            self.skipTest('No settings for that are given.')
        with self.assertRaises(Unreachable):
            self.open(**self.unreachable)

    def test_sessions_do_not_depend_on_each_other(self):
        first = self.open()
        for like in None, first:
            with self.subTest(like=like):
                second = self.open(like=like)
                self.assert_works(second)
                second.close()
                self.assert_works(first)
        second = self.open(like=first)
        first.close()
        self.assert_works(second)

    def test_block_closes_the_session(self):
        for error in None, Oops:
            with self.subTest(error=error):
                try:
                    with self.open() as session:
                        self.assertTrue(session.alive)
                        if error:
                            raise error
                except Oops:
                    pass
                self.assertIs(False, session.alive)

    def test_closed_session_does_nothing(self):
        for end in 'close', 'abort':
            session = self.open()
            getattr(session, end)()
            self.assertIs(False, session.alive)
            self.directory.put('a', b'1')
            before = self.directory.contents()
            for name in VERBS:
                with self.subTest(end=end, verb=name):
                    self.assert_refused(ConnectionLost, name, session)
                    self.assertEqual(before, self.directory.contents())
            for again in 'close', 'abort', 'close':
                getattr(session, again)()

    def test_abort_ends_a_read_of_another_thread(self):
        self.directory.put('a', data(4 * LARGE))
        session = self.open()
        self.assertRaises(ConnectionLost, session.read, 'a',
                          Sink(first=lambda: self.abort(session)))
        self.assertIs(False, session.alive)
        session.close()
        self.assert_works(self.open())

    def test_abort_ends_a_write_of_another_thread(self):
        session = self.open()

        def pieces():
            yield data(LARGE)
            self.abort(session)
            for _ in range(100):
                yield data(LARGE)

        self.assertRaises(ConnectionLost, session.write, 'a', pieces())
        self.assertIs(False, session.alive)
        session.close()
        self.assert_works(self.open())

    def assert_refused(self, error, verb, session):
        """The verb raises this error; but nobody needs to be asked what can never be told."""
        try:
            answer = VERBS[verb](session)
        except error:
            return
        self.assertEqual((None, 'stored_name'), (answer, verb))

    def abort(self, session):
        """Have another thread abort the session."""
        thread = threading.Thread(target=session.abort)
        thread.start()
        thread.join()

    # ------------------------------------------------------------ the deadline

    def test_no_session_is_opened_after_the_deadline(self):
        self.assertRaises(RunLimitReached, self.open, Deadline(-1.0))

    def test_no_verb_begins_after_the_deadline_but_when_it_is_extended(self):
        self.directory.put('a', b'1')
        deadline = Deadline()
        session = self.open(deadline)
        for name, verb in VERBS.items():
            with self.subTest(verb=name):
                before = self.directory.contents()
                deadline.expire()
                self.assert_refused(RunLimitReached, name, session)
                self.assertEqual(before, self.directory.contents())
                deadline.extend(60.0)
                verb(session)
        self.assert_works(session)

    def test_no_transfer_goes_on_after_the_deadline(self):
        self.directory.put('a', data(4 * LARGE))
        deadline = Deadline()
        session, sink = self.open(deadline), Sink(first=deadline.expire)
        self.assertRaises(RunLimitReached, session.read, 'a', sink)
        self.assertLess(len(sink.data), 4 * LARGE)
        deadline.extend(60.0)
        self.assert_honest(session)

        def pieces():
            yield b'begun'
            deadline.expire()
            for _ in range(100):
                yield data(LARGE)

        session = self.open(deadline)
        self.assertRaises(RunLimitReached, session.write, 'b', pieces())
        deadline.extend(60.0)
        self.assert_honest(session)
