"""Sessions that are opened while others work, and those that need threads."""
import threading

from zeit.cds.interfaces import ConnectionLost, LoginRefused, TemporaryError
from zeit.cds.memory import Memory
from zeit.cds.transfer.tests.plain import Exchanges, Fault, hangs, QUICK
from zeit.cds.transfer.threaded import Threaded


class Meanwhile(Exchanges):

    files = {'%02d' % n: b'data' for n in range(40)}

    def check(self, *faults, connections=4, **kw):
        server = self.serve(*faults, files=self.files, **kw)
        outcome = self.run_it(self.import_(server, connections=connections))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual((self.files, {}, []), (self.spool('new'), server.files, self.log.warnings))
        return server

    def test_they_are_like_the_first(self):
        for blocking in False, True:
            self.setUp()
            server = self.check(blocking=blocking)
            self.assertEqual([None, *[server.sessions[0]] * 3], server.likes)

    def test_they_are_opened_while_the_lock_is_looked_at(self):
        server = self.check()
        verbs = [verb for verb, args in server.calls]
        self.assertEqual(4, verbs[:verbs.index('read')].count('open'))
        self.assertEqual(1, verbs[:verbs.index('entries')].count('open'))

    def test_none_for_few_files(self):
        self.files = {'a': b'data', 'b': b'data'}
        self.assertEqual(1, len(self.check().sessions))

    def test_as_many_as_pay(self):
        self.files = {'%02d' % n: b'data' for n in range(16)}
        self.assertEqual(3, len(self.check(connections=9).sessions))

    def test_those_that_are_not_needed_are_closed(self):
        server = self.serve(files=self.files)
        outcome = self.run_it(self.import_(server, connections=4, include=('00',)))
        self.assertEqual((4, 1), (len(server.sessions), outcome.files))
        self.assertEqual({1}, {number for number, thread in server.threads} - {2, 3, 4})

    def test_they_do_not_come_about(self):
        for error in LoginRefused('One is enough.'), ConnectionLost('Off.'), TemporaryError('Busy'):
            for blocking in False, True:
                with self.subTest(error=type(error).__name__, blocking=blocking):
                    self.setUp()
                    self.check(*(Fault('open', error, session=n) for n in range(2, 9)),
                               blocking=blocking)

    def test_the_second_try_works(self):
        server = self.check(Fault('open', ConnectionLost('Off.'), session=2))
        self.assertEqual(5, len(server.sessions))
        self.assertEqual({1, 3, 4, 5}, {session.number for session in server.sessions
                                        if any(s is session for s in server.readers)})

    def test_nobody_waits_for_those_that_never_come_about(self):
        self.check(*(Fault('open', hangs, session=n) for n in range(2, 9)))

    def test_nor_for_those_that_are_tried_once_more(self):
        server = self.serve(
            *(Fault('open', ConnectionLost('Off.'), session=n) for n in range(2, 5)),
            *(Fault('open', hangs, session=n) for n in range(5, 20)), files=self.files)
        outcome = self.run_it(self.import_(server, connections=4, run_limit=9))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(7, len(server.sessions))

    def test_nor_for_threads(self):
        event = threading.Event()
        self.addCleanup(event.set)
        server = self.serve(*(Fault('open', lambda *args: event.wait(9), session=n, times=1)
                              for n in range(2, 9)), files=self.files, blocking=True)
        outcome = self.import_(server, connections=4)()
        self.assertTrue(outcome.successful)
        self.assertEqual({}, server.files)
        self.assertFalse(event.is_set())
        event.set()
        for thread in threading.enumerate():
            if thread.name == 'zeit.cds-thread':
                thread.join(9)
                self.assertFalse(thread.is_alive())
        self.assertEqual([], [session for session in server.sessions if session.alive])

    def test_several_listings_use_them_again(self):
        server = self.serve(files=self.files)
        outcome = self.run_it(self.import_(server, QUICK._replace(long_listing=20), connections=4,
                                           limit=None))
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(4, len(server.sessions))


class Threads(Exchanges):

    files = {'%02d' % n: b'data' for n in range(40)}

    def test_each_session_has_its_own(self):
        before = set(threading.enumerate())
        server = self.serve(files=self.files, blocking=True)
        self.assertTrue(self.run_it(self.import_(server, connections=4)).successful)
        used = {}
        for number, thread in server.threads:
            used.setdefault(number, set()).add(thread)
        first = used.pop(1)
        self.assertEqual(2, len(first))     # it is opened before anybody knows that it blocks
        self.assertEqual([1, 1, 1], [len(threads) for threads in used.values()])
        self.assertEqual(4, len(set.union(*used.values(), first) - {threading.current_thread()}))
        for thread in set(threading.enumerate()) - before:
            thread.join(9)
            self.assertFalse(thread.is_alive())

    def test_verbs(self):
        server = self.serve(files={'a': b'data'}, blocking=True)
        session = Threaded(server.open(None, Never()))
        with session as entered:
            self.assertIs(session, entered)
            self.assertEqual((True, server.latency, False),
                             (session.alive, session.latency, session.blocking))
            self.assertEqual(['a'], [entry.name for entry in session.entries()])
            sink = Memory()
            self.assertEqual((2, b'ta'), (session.read('a', sink, 2), bytes(sink.data)))
            self.assertEqual(4, session.write('b', b'more'))
            self.assertEqual(2, session.write('b', b're', 2))
            self.assertEqual(['file', None], [session.kind(name) for name in ('b', 'none')])
            session.rename('b', 'c')
            self.assertEqual(4, session.stat('c').size)
            self.assertEqual((True, False), (session.exists('c'), session.exists('b')))
            session.make_directory('d')
            self.assertEqual(([], 'd'), (session.names('d'), session.stored_name('d')))
            session.remove_directory('d')
            session.remove('c')
            self.assertIsInstance(session.clock(), int)
        self.assertFalse(session.alive)
        session.close()
        other = Threaded(server.open(None, Never()))
        other.abort()
        self.assertFalse(other.alive)
        other.close()


class Never:
    """A deadline that never passes."""

    def check(self):
        pass
