"""One lock, step by step: how long it waits, when it is renewed, what makes it give way."""
import types
import unittest
from unittest import mock

from zeit.cds.interfaces import ConnectionLost, Locked, PermanentError
from zeit.cds.lock.directory import Tuning
from zeit.cds.lock.lockfile import another, Lock
from zeit.cds.testing.logs import recorded


class File:
    """The Stored of a lock."""

    sheltered, there = True, True

    def __init__(self, **answers):
        self.answers, self.done = answers, []

    def __getattr__(self, name):
        if name.startswith('_') or name == 'answers':
            raise AttributeError(name)

        def call(*args, **kw):
            self.done.append((name, kw['by_size']) if kw else name)
            answer = self.answers.get(name, True)
            return answer.pop(0) if isinstance(answer, list) else answer
        return call


class Session:

    alive = True

    def __init__(self):
        self.closed = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed += 1


class Holding(unittest.TestCase):

    def setUp(self):
        self.now = 1000.0
        self.log = self.enterContext(recorded())
        self.enterContext(mock.patch('zeit.cds.lock.lockfile.time', types.SimpleNamespace(
            monotonic=lambda: self.now)))

    def lock(self, quirks=(), **answers):
        feed = types.SimpleNamespace(stale_after=400, quirks=quirks, ftp_dir='/', user='me')
        lock = Lock('read', feed, Tuning(pause=0.1, longest_pause=1.0, pause_alone=0.5,
                                         longest_alone=5.0))
        lock._found = lambda session, name: Locked('found %s' % name)
        lock._file = self.file = File(**answers)
        return lock

    def test_how_long_it_waits_for_a_rival(self):
        lock = self.lock()
        for sheltered, took, pause in (
                (True, 0.05, 0.1), (True, 0.25, 0.25), (True, 3.0, 1.0),
                (False, 0.05, 0.5), (False, 0.5, 1.0), (False, 3.0, 5.0)):
            lock._file.sheltered = sheltered
            lock._stored, lock._mutex.entered = 10.0 + took, 10.0
            self.assertAlmostEqual(pause, lock._pause())

    def test_when_it_was_stored(self):
        lock = self.lock()
        lock._stored, session = 0.0, Session()
        self.assertIs(session, lock._store(session, self.fail))
        self.assertEqual(self.now, lock._stored)

    def test_a_session_that_is_lost_while_it_is_stored(self):
        for whole in True, False:
            lock, another = self.lock(is_whole=whole), Session()
            lock._file.store = mock.Mock(side_effect=ConnectionLost('Gone.'))
            session = Session()
            session.alive = False
            if whole:
                self.assertIs(another, lock._store(session, lambda another=another: another))
            else:
                self.assertRaises(ConnectionLost, lock._store, session, Session)

    def test_it_is_sheltered_by_a_mutex_with_our_name(self):
        for held, named in (True, True), (True, False), (False, True):
            lock = self.lock()
            lock._mutex = types.SimpleNamespace(held=held, named=named)
            lock._store(Session(), self.fail)
            self.assertEqual(held and named, lock._file.sheltered)

    def test_when_it_is_renewed(self):
        lock = self.lock()
        lock._refreshed = self.now
        for seconds, steps in (99.9, ['work']), (0.1, [
                'work', 'ours', 'replace', ('arrived', True)]), (99.9, ['work']):
            self.now += seconds
            del self.file.done[:]
            lock.refresh(Session())
            self.assertEqual(steps, self.file.done)
        self.assertEqual(1100.0, lock._refreshed)

    def test_it_is_not_ours_any_more(self):
        for verb in 'ours', 'arrived':
            lock = self.lock(**{verb: False})
            lock._refreshed = 0
            self.assertRaises(Locked, lock.refresh, Session())
            self.assertEqual(0, lock._refreshed)

    def test_it_is_stored_anew(self):
        lock, stored = self.lock(replace=False), []
        lock._refreshed, lock._store_anew = 0, stored.append
        session = Session()
        lock.refresh(session)
        self.assertEqual([session], stored)

    def look(self, lock, *seen):
        lock._judge_look(Session(), ['read', *seen])

    def test_what_a_look_shows(self):
        lock = self.lock()
        self.look(lock)
        self.assertEqual([('arrived', True)], self.file.done)
        with self.assertRaisesRegex(Locked, 'found write'):
            self.look(lock, 'write')
        self.assertTrue(lock._file.there)
        lock = self.lock(arrived=False)
        with self.assertRaisesRegex(Locked, 'found read'):
            self.look(lock)
        self.assertFalse(lock._file.there)
        lock = self.lock()
        lock._file.sheltered = False
        self.look(lock)
        self.assertEqual([('arrived', False)], self.file.done)

    def made_sure(self, sheltered):
        lock, looks = self.lock(), []

        def look_again(session, meanwhile, pauses=1):
            looks.append((meanwhile, pauses))
            return lambda: ['read']

        lock._look_again, lock._file.sheltered = look_again, sheltered
        lock._make_sure(Session(), 'meanwhile')
        return looks

    def test_how_often_it_looks(self):
        self.assertEqual([('meanwhile', 1)], self.made_sure(True))
        self.assertEqual([('meanwhile', 1), (None, 3)], self.made_sure(False))

    def test_a_pause_is_what_is_left_of_it(self):
        for passed, slept, pauses in (
                (0.0, 0.3, [3]), (0.2, 0.1, [3]), (0.5, 0.0, [3]), (0.0, 0.1, [])):
            lock, sleeps = self.lock(), []
            lock._pause = lambda: 0.1

            def meanwhile(also, passed=passed):
                self.now += passed
                also(mock.MagicMock())

            with mock.patch('zeit.cds.lock.lockfile.sleep', sleeps.append):
                lock._look_again(Session(), meanwhile, *pauses)
            self.assertAlmostEqual(slept, sleeps[0])

    def test_a_session_takes_the_place_of_a_dead_one_only(self):
        session, error = Session(), ConnectionLost('Gone.')
        with self.assertRaises(ConnectionLost):
            another(session, lambda: 'another', error)
        session.alive = False
        self.assertEqual('another', another(session, lambda: 'another', error))

    def test_it_is_tried_on_three_sessions(self):
        for losses, held in (2, True), (3, False):
            lock, tried = self.lock(), []

            def make_sure(session, meanwhile, losses=losses, tried=tried):
                tried.append(meanwhile)
                session.alive = False
                if len(tried) <= losses:
                    raise ConnectionLost('Gone.')

            lock._make_sure, lock._enter = make_sure, lambda session: []
            lock._store = lambda session, reopen: session
            if held:
                lock.create(Session(), Session, 'meanwhile')
            else:
                self.assertRaises(ConnectionLost, lock.create, Session(), Session, 'meanwhile')
            self.assertEqual(['meanwhile', None, None], tried)

    def removed(self, *outcomes, alive=True, there=True, mutex=False):
        """How often it was tried, and on how many further sessions."""
        lock, tried, opened = self.lock(), [], []
        left = list(outcomes)

        def clear(session):
            tried.append(session)
            outcome = left.pop(0)
            if outcome is not None:
                raise outcome

        def reopen():
            opened.append(Session())
            return opened[-1]

        lock._clear, lock._file.there, lock._mutex.held = clear, there, mutex
        session = Session()
        session.alive = alive
        try:
            lock._remove(session, reopen)
        except (ConnectionLost, PermanentError) as e:
            return type(e), len(tried), len(opened)
        finally:
            self.assertEqual([1] * len(opened), [each.closed for each in opened])
        return None, len(tried), len(opened)

    def test_how_it_is_removed(self):
        lost, no = ConnectionLost('Gone.'), PermanentError('No.')
        self.assertEqual((None, 0, 0), self.removed(there=False))
        self.assertEqual((None, 1, 0), self.removed(None))
        self.assertEqual((None, 1, 0), self.removed(None, there=False, mutex=True))
        self.assertEqual((None, 1, 1), self.removed(None, alive=False))
        self.assertEqual((None, 2, 1), self.removed(lost, None))
        self.assertEqual((None, 2, 1), self.removed(no, None))
        self.assertEqual((None, 3, 2), self.removed(no, lost, None))
        self.assertEqual((ConnectionLost, 3, 2), self.removed(no, lost, lost))
        self.assertEqual((PermanentError, 2, 1), self.removed(lost, no))

    def test_without_a_mutex_by_request(self):
        for quirks, way in (('no-mutex',), 'skip'), ((), 'enter'):
            lock = self.lock(quirks)
            lock._mutex = types.SimpleNamespace(skip=lambda *args: 'skip',
                                                enter=lambda *args: 'enter')
            self.assertEqual(way, lock._enter(Session()))
