"""Into the mutex and out of it: what is tried, how often, and what is made of each answer."""
import contextlib
import types
import unittest
from unittest import mock

from zeit.cds.interfaces import Entry, Locked, PermanentError, TemporaryError
from zeit.cds.lock.directory import ask, MUTEX, Tuning
from zeit.cds.lock.mutex import Mutex, refusal
from zeit.cds.lock.token import Owner
from zeit.cds.testing.logs import recorded


NO, LATER = PermanentError('550 No.'), TemporaryError('450 Later.')
FINAL = PermanentError('553 No.')
FINAL.reply = types.SimpleNamespace(code=553)


class Pending:

    def __init__(self, error=None):
        self.error = error

    def get(self):
        if self.error is not None:
            raise self.error


class Session:
    """It answers verbs with these errors, one after the other; None: with success."""

    def __init__(self, names=None, **errors):
        self.errors, self.listed, self.done = errors, names, []

    def __conform__(self, interface):
        return self

    @contextlib.contextmanager
    def batch(self, **kw):
        self.done.append(('batch', *kw))
        yield types.SimpleNamespace(
            stat=self.stat, make_directory=lambda name: self.pending('make', name),
            remove_directory=lambda name: self.pending('remove', name))

    def stat(self, name, **kw):
        return types.SimpleNamespace(get=lambda: Entry(name) if name == 'read' else None)

    def pending(self, verb, name):
        self.done.append((verb, name))
        errors = self.errors.get(verb)
        return Pending(errors.pop(0) if errors else None)

    def exists(self, name):
        return self.listed is not None

    def names(self, directory):
        return self.listed

    def remove_directory(self, name):
        self.pending('remove', name).get()


class Mutexes(unittest.TestCase):

    def setUp(self):
        self.owner = Owner.me()
        self.inner = '%s/%s' % (MUTEX, self.owner.token)
        self.log = self.enterContext(recorded())
        self.slept = []
        self.enterContext(mock.patch('zeit.cds.lock.mutex.sleep', self.slept.append))
        self.mutex = Mutex(self.owner, Tuning(mutex_wait=30.0))


class Entering(Mutexes):

    def enter(self, *answers, named=True, taken_over=()):
        """What `enter` gives, how often it was made, how often others were looked at.

        answers -- error, or None, and whether there is one
        """
        left, taken_over = list(answers), list(taken_over)
        self.made, self.waited = 0, []
        there = []

        def make(session):
            self.made += 1
            error, is_there = left.pop(0)
            there[:] = [is_there]
            self.mutex._named = named
            return error, ['seen']

        self.mutex.make = make
        self.mutex._taken_over = lambda session: bool(taken_over) and taken_over.pop(0)
        self.mutex._take_turn = lambda session, waiting, end: 'our turn'
        session = types.SimpleNamespace(exists=lambda name: there[0])
        return self.mutex.enter(session, self.waited.append)

    def test_it_is_free(self):
        self.assertEqual(['seen'], self.enter((None, True)))
        self.assertEqual((1, [], []), (self.made, self.waited, self.slept))
        self.assertIsNone(self.mutex.refusal)

    def test_the_server_makes_it_twice(self):
        self.assertEqual('our turn', self.enter((None, True), named=None))

    def test_somebody_is_in_it(self):
        self.enter((NO, True), (NO, True), (None, True))
        self.assertEqual((3, [['seen']] * 2, 2), (self.made, self.waited, len(self.slept)))
        for seconds in self.slept:
            self.assertTrue(0.02 <= seconds <= 0.1)

    def test_the_owner_is_dead(self):
        self.enter((NO, True), (None, True), taken_over=[True])
        self.assertEqual((2, [], []), (self.made, self.waited, self.slept))

    def test_the_server_makes_none(self):
        self.assertEqual(['seen'], self.enter(*[(NO, False)] * 3))
        self.assertEqual((3, [['seen']] * 3, [], NO),
                         (self.made, self.waited, self.slept, self.mutex.refusal))

    def test_refusals_count_that_follow_each_other(self):
        refused, there = (NO, False), (NO, True)
        self.enter(refused, refused, there, refused, refused, refused)
        self.assertEqual((6, 1), (self.made, len(self.slept)))

    def test_a_refusal_that_is_final_counts_at_once(self):
        self.assertEqual(['seen'], self.enter((FINAL, False)))
        self.assertIs(FINAL, self.mutex.refusal)

    def test_what_passes_is_no_answer(self):
        with self.assertRaises(TemporaryError):
            self.enter(*[(LATER, False)] * 3)
        self.assertIsNone(self.mutex.refusal)

    def test_one_that_cannot_be_put_aside(self):
        self.mutex.refusal = FINAL
        self.assertEqual(['seen'], self.enter((LATER, True)))
        self.assertIs(FINAL, self.mutex.refusal)

    def test_nobody_waits_for_ever(self):
        self.mutex._tuning = Tuning(mutex_wait=0.0)
        with mock.patch('zeit.cds.lock.mutex.time', types.SimpleNamespace(monotonic=lambda: 5.0)):
            with self.assertRaisesRegex(Locked, 'for more than 0 s'):
                self.enter((None, True))
        self.assertEqual(0, self.made)


class Making(Mutexes):

    def make(self, *errors):
        self.session = Session(make=list(errors))
        return self.mutex.make(self.session)

    def test_it_keeps_others_out(self):
        for errors in (None, NO), (NO, None):
            self.assertEqual((None, ['read']), self.make(*errors))
            self.assertEqual(
                [('batch', 'ahead'), ('make', MUTEX), ('make', MUTEX), ('batch', 'later'),
                 ('make', self.inner)], self.session.done)
            self.assertEqual((True, True), (self.mutex.held, self.mutex.named))

    def test_our_name_is_not_in_it(self):
        self.make(None, NO, NO)
        self.assertFalse(self.mutex.named)

    def test_it_keeps_nobody_out(self):
        self.assertEqual((None, ['read']), self.make(None, None))
        self.assertEqual((True, False, 3), (
            self.mutex.held, self.mutex.named, len(self.session.done)))

    def test_it_is_there_already(self):
        self.assertEqual((NO, ['read']), self.make(NO, LATER))
        self.assertFalse(self.mutex.held)

    def test_why(self):
        self.assertEqual([None, NO], [refusal(Pending()), refusal(Pending(NO))])

    def test_without_one(self):
        session = Session()
        self.assertEqual(['read'], self.mutex.skip(session))
        self.assertEqual((False, [('batch',)]), (self.mutex.held, session.done))
        self.assertLess(0.0, self.mutex.entered)


class Asking(unittest.TestCase):

    def test_lock_files_are_asked_for_by_name_and_without_times(self):
        asked = []

        def stat(name, regular=False, time=True):
            asked.append((name, regular, time))
            return types.SimpleNamespace(get=lambda: Entry(name) if name == 'write' else None)

        names = ask(types.SimpleNamespace(stat=stat))
        self.assertEqual([('read', False, False), ('write', False, False)], sorted(asked))
        self.assertEqual(['write'], names())


class Leaving(Mutexes):

    def leave(self, names=None, **errors):
        self.mutex.held = True
        self.session = Session(names, **errors)
        self.mutex.leave_now(self.session)
        self.assertFalse(self.mutex.held)
        return self.session.done

    STEPS = ('batch',)

    def test_it_is_left(self):
        both = [('remove', self.inner), ('remove', MUTEX)]
        self.assertEqual([self.STEPS, *both], self.leave())
        self.mutex.leave_now(self.session)
        self.assertEqual([self.STEPS, *both], self.session.done)

    def test_it_was_not_removed(self):
        both = [('remove', self.inner), ('remove', MUTEX)]
        self.assertEqual([self.STEPS, *both, *both], self.leave(
            ['x', self.owner.token], remove=[None, NO]))
        self.assertEqual([], self.log.warnings)

    def test_somebody_else_is_in_it(self):
        self.assertEqual(3, len(self.leave(['x'], remove=[None, NO])))
        self.assertEqual(3, len(self.leave(None, remove=[None, NO])))
        self.assertEqual([], self.log.warnings)

    def test_the_server_removes_none(self):
        self.leave([self.owner.token], remove=[NO] * 4)
        self.assertIn('The mutex %s stays, for the server refuses to remove it: 550 No.' % MUTEX,
                      self.log.warnings[0])

    def test_what_is_not_ours_is_not_left(self):
        self.mutex.left(None)
        self.mutex.leave(None)
        self.mutex.leave_now(None)
