"""Whose a lock is, and what becomes of it: each answer of a server, one by one."""
import math
import types
import unittest
from unittest import mock

from zeit.cds.interfaces import Entry, Locked, LockInfo, PermanentError
from zeit.cds.lock import inspection
from zeit.cds.lock.directory import contents, locked, MUTEX, occupied, removed, RENEWAL, Tuning
from zeit.cds.lock.mutex import is_final, Mutex
from zeit.cds.lock.tests.places import dead
from zeit.cds.lock.token import Owner
from zeit.cds.lock.turn import Turn
from zeit.cds.testing.logs import recorded


SECOND = 10**9      # ns
NO = PermanentError('550 No.')


class Session:
    """With these files {name: data}, at this time (s) by the server's clock."""

    def __init__(self, now=None, modified=None, names=None, **files):
        self.files, self.now, self.modified, self.listed = files, now, modified, names
        self.refuses, self.done, self.reads = set(), [], []

    def _call(self, *args):
        self.done.append(args)
        if args in self.refuses or args[0] in self.refuses:
            raise NO

    def stat(self, name, **kw):
        modified = None if self.modified is None else self.modified * SECOND
        return Entry(name, 1, modified) if name in self.files else None

    def clock(self):
        self._call('clock')
        return None if self.now is None else self.now * SECOND

    def read(self, name, sink, offset=0):
        self._call('read', name)
        if self.reads:
            answer = self.reads.pop(0)
            if isinstance(answer, Exception):
                raise answer
        if name not in self.files:
            raise NO
        data = self.files[name]
        sink.buffer()[:len(data)] = data
        sink.advance(len(data))

    def remove(self, name):
        self._call('remove', name)
        self.files.pop(name, None)

    def exists(self, name):
        return self.listed is not None

    def names(self, directory):
        self._call('names', directory)
        return self.listed

    def remove_directory(self, name):
        self._call('remove_directory', name)

    def rename(self, name, new):
        self._call('rename', name, new)

    def make_directory(self, name):
        self._call('make_directory', name)


class Judging(unittest.TestCase):

    def setUp(self):
        self.log = self.enterContext(recorded())


class Stale(Judging):

    ELSEWHERE = Owner.me()._replace(host='elsewhere')

    def stale(self, session, owner=ELSEWHERE):
        return inspection.stale(session, 'read', owner, 60)

    def test_it_was_not_renewed(self):
        self.assertEqual('it was not renewed for 61 s',
                         self.stale(Session(now=161, modified=100, read=b'')))

    def test_it_may_live(self):
        for session in (Session(now=160, modified=100, read=b''), Session(now=161, modified=100),
                        Session(now=161, read=b''), Session(modified=100, read=b'')):
            self.assertEqual('', self.stale(session))

    def test_of_this_machine_it_is_known(self):
        session = Session(now=999, modified=100, read=b'')
        self.assertEqual('', self.stale(session, Owner.me()))
        self.assertEqual([], session.done)


class Words(Judging):

    def test_who_holds_it(self):
        for held, error, said in (
                (None, NO, 'does not let us read it: 550 No. cds-lock shows'),
                (None, None, 'It has just come, or gone.'),
                (Owner.me().token.encode(), None, 'It is held by process '),
                (b'', None, 'It is empty: somebody is just creating it'),
                (b'zeit.c', None, 'It has only been begun'),
                (b'zeit.cds,h', None, 'It has only been begun'),
                (b'else', None, 'It is foreign.')):
            self.assertIn(said, inspection.in_words(held, error))

    def test_who_is_not_known(self):
        for held, error, said in (
                (b'', NO, 'unknown (it cannot be read)'),
                (b'', None, 'unknown (it is empty, or just being created)'),
                (b'zeit.', None, 'unknown (it is just being created)'), (b'else', None, 'unknown')):
            self.assertEqual(said, inspection.unknown(held, error))

    def test_what_others_find(self):
        self.assertIn('It is foreign.', inspection.found(Session(read=b'x'), 'read').__notes__[0])
        self.assertEqual('Lock file already exists: a', str(locked('a', 'note')))
        self.assertEqual('Another process has been in the mutex %s for more than 7 s.' % MUTEX,
                         str(occupied(7.9)))


class Breaking(Judging):

    def test_the_same(self):
        def info(contents=b'x', ours=False, since=5):
            return LockInfo('read', 'who', ours, since, None, contents)

        for shown, now, same in (
                (info(), info(), True), (info(), info(b'y'), False), (info(), info(since=6), False),
                (info(since=None), info(), True), (info(), info(since=None), True),
                (info(ours=True), info(ours=True, since=6), True)):
            self.assertEqual(same, inspection.same(shown, now))

    def test_of_a_dead_process(self):
        session = Session(read=dead().token.encode())
        inspection.break_dead(session, 'read', 60)
        self.assertEqual([('remove', 'read'), ('remove', RENEWAL)],
                         [args for args in session.done if args[0] == 'remove'])
        session = Session(read=dead().token.encode())
        session.refuses.add(('remove', RENEWAL))
        inspection.break_dead(session, 'read', 60)
        self.assertEqual({}, session.files)

    def test_none_is_there_any_more(self):
        session = Session()
        inspection.break_dead(session, 'read', 60)
        self.assertEqual(([], []), (self.log.warnings,
                                    [args for args in session.done if args[0] == 'remove']))

    def test_it_went_while_we_looked(self):
        session = Session(read=dead().token.encode())
        present = mock.patch.object(inspection, 'present', lambda session: [])
        with present:
            self.assertIsNone(inspection.judge(session, 'read', 60))
            session.files['read'] = b'foreign'
            self.assertIsNone(inspection.judge(session, 'read', 60))
        self.assertRaises(Locked, inspection.judge, session, 'read', 60)

    def test_what_was_begun(self):
        owner = dead()
        for held, goes in (b'', True), (owner.token[:9].encode(), True), (b'else', False), (
                owner.token.encode(), False), (None, False):
            session = Session(**({} if held is None else {'read': held}))
            inspection.remove_begun(session, owner._replace(lock='read'))
            self.assertEqual(goes, ('remove', 'read') in session.done)

    def test_a_lock_file_is_read_twice_before_it_counts_as_unreadable(self):
        session = Session(read=b'data')
        session.reads = [NO]
        self.assertEqual(b'data', contents(session, 'read'))
        session.reads = [NO, NO]
        self.assertRaises(PermanentError, contents, session, 'read')
        self.assertIsNone(contents(Session(), 'read'))

    def test_what_is_there(self):
        info = inspection.current(Session(now=9, modified=5, read=b'x'), 'read')
        self.assertEqual(('read', 'unknown', False, 5 * SECOND, 4 * SECOND, b'x'), info)
        session = Session(now=9, modified=5, read=b'x')
        self.assertIsNone(inspection.current(session, 'read', clock=False).age)
        self.assertNotIn(('clock',), session.done)
        session = Session(now=9, read=b'x')
        self.assertEqual((None, None), inspection.current(session, 'read')[3:5])
        self.assertNotIn(('clock',), session.done)
        self.assertIsNone(inspection.current(Session(), 'read'))

    def test_what_comes_or_goes_between_two_looks_is_none(self):
        for held, files in (None, {'read': b''}), (b'x', {}):
            with mock.patch.object(inspection, 'look', lambda *args, held=held: (held, None)):
                self.assertIsNone(inspection.current(Session(now=9, **files), 'read'))

    def test_the_mutex(self):
        session = Session(names=['b', 'a'])
        info = inspection.mutex(session)
        self.assertEqual((MUTEX, 'unknown, unknown', True, b'a\nb'), (*info[:3], info.contents))
        session.refuses.add('names')
        self.assertIsNone(inspection.mutex(session))
        self.assertIsNone(inspection.mutex(Session()))
        self.assertEqual('unknown', inspection.mutex(Session(names=[])).owner)

    def test_a_directory(self):
        session = Session()
        self.assertTrue(removed(session, 'd'))
        session.refuses.add('remove_directory')
        self.assertFalse(removed(session, 'd'))


class TakingOver(Judging):
    """Somebody else's mutex."""

    def setUp(self):
        super().setUp()
        self.mutex = Mutex(Owner.me(), Tuning(mutex_grace=5.0))
        self.now = 0.0
        self.enterContext(mock.patch('zeit.cds.lock.mutex.time', types.SimpleNamespace(
            monotonic=lambda: self.now)))

    def taken_over(self, session):
        return self.mutex._taken_over(session)

    def after_the_grace(self, session):
        self.assertFalse(self.taken_over(session))
        self.now += 5.0
        return self.taken_over(session)

    def test_of_the_dead(self):
        owner = dead()
        session = Session(names=['x', owner.token])
        self.assertTrue(self.taken_over(session))
        self.assertEqual([('remove_directory', '%s/%s' % (MUTEX, owner.token)),
                          ('remove_directory', MUTEX)],
                         [args for args in session.done if args[0] == 'remove_directory'])
        session.refuses.add('remove_directory')
        self.assertFalse(self.taken_over(session))

    def test_of_the_living(self):
        self.assertFalse(self.taken_over(Session(names=['x', Owner.me()._replace(host='x').token])))

    def test_without_a_name(self):
        session = Session(names=[])
        self.assertTrue(self.after_the_grace(session))
        self.assertIn('was forgotten by an unknown process', self.log.warnings[0])

    def test_with_a_name_that_is_not_listed(self):
        session = Session(names=[])
        session.refuses.add('remove_directory')
        self.assertTrue(self.after_the_grace(session))
        (_, name, aside), = [args for args in session.done if args[0] == 'rename']
        self.assertEqual((MUTEX, MUTEX + '.'), (name, aside[:len(MUTEX) + 1]))
        self.assertIsNone(self.mutex.refusal)
        session.refuses.add('rename')
        self.assertFalse(self.after_the_grace(session))
        self.assertIs(NO, self.mutex.refusal)

    def test_it_has_a_name_after_all(self):
        session = Session(names=[])
        session.refuses.add('remove_directory')
        looks = iter(([], [], ['somebody']))
        session.names = lambda directory: next(looks)
        self.assertFalse(self.after_the_grace(session))
        self.assertNotIn('rename', [verb for verb, *_ in session.done])

    def test_it_was_left(self):
        session = Session()
        session.refuses.add('names')
        self.assertFalse(self.after_the_grace(session))
        self.assertIsNone(self.mutex._names(session))
        session.listed = ['x']
        self.assertEqual([], self.mutex._names(session))

    def test_what_is_refused_for_good(self):
        for code, final in (553, True), (550, False):
            error = PermanentError('No.')
            error.reply = types.SimpleNamespace(code=code)
            self.assertEqual(final, is_final(error))
        self.assertFalse(is_final(PermanentError('No.')))


class Twice(Judging):
    """The server says that it made the mutex twice."""

    def test_whose_turn_it_is(self):
        for ours in True, False:
            mutex, session = Mutex(Owner.me(), Tuning()), Session(names=[])
            mutex.held = True
            with mock.patch.object(Turn, 'take', lambda *args, ours=ours: ours):
                self.assertEqual([], mutex._take_turn(session, None, 0.0))
            self.assertEqual((ours, ours), (mutex.held, mutex.named))
            self.assertEqual(not ours, ('remove_directory', MUTEX) in session.done)
            self.assertLess(0.0, mutex.entered)


class Slow(Judging):

    def test_half_of_the_grace_is_too_long(self):
        mutex = Mutex(Owner.me(), Tuning(mutex_grace=5.0))
        clock = types.SimpleNamespace()
        with mock.patch('zeit.cds.lock.mutex.time', clock):
            for held, now, slow in (True, 2.5, False), (True, 2.6, True), (False, 2.6, False):
                mutex.held, clock.monotonic = held, lambda now=now: now
                self.assertEqual(slow, mutex.slow)


class Turns(Judging):

    def setUp(self):
        super().setUp()
        self.turn = Turn('token', Tuning())

    def test_whether_others_are_in_it(self):
        session = Session(names=['token'])
        self.assertEqual(set(), self.turn._others(session))
        session.listed = ['token', 'other', dead().token]
        self.assertEqual({'other'}, self.turn._others(session))
        self.assertEqual([dead()], self.turn._dead)
        session.listed = ['other']
        self.assertIsNone(self.turn._others(session))

    def test_whether_it_is_free(self):
        for names, free in ([], True), ([dead().token], True), (['other'], False):
            self.assertEqual(free, self.turn._is_free(Session(names=names)))

    def test_pauses(self):
        for chance, seconds in (0, 0.02), (255, 0.1):
            with mock.patch('os.urandom', lambda number, chance=chance: bytes([chance] * number)):
                self.assertAlmostEqual(seconds, Turn._pause())

    def test_whoever_is_not_first_stands_back_until_the_others_have_gone(self):
        slept, waited, session = [], [], Session(names=['token', 'a'])

        def sleep(seconds):
            slept.append(seconds)
            session.listed = ['a'] if len(slept) < 2 else []

        with mock.patch('zeit.cds.lock.turn.sleep', sleep):
            self.turn._stand_back(session, waited.append, math.inf)
        self.assertEqual((2, [[], [], []]), (len(slept), waited))
        self.assertIn(('remove_directory', MUTEX + '/token'), session.done)
        session.listed = ['a']
        with mock.patch('zeit.cds.lock.turn.time', types.SimpleNamespace(
                monotonic=lambda: 5.0)), self.assertRaises(Locked):
            self.turn._stand_back(session, waited.append, 5.0)

    def test_others_that_come_after_ours_will_go(self):
        slept, session = [], Session(names=['token', 'z'])

        def sleep(seconds):
            slept.append(seconds)
            session.listed = ['token', 'z'] if len(slept) < 3 else ['token']

        with mock.patch('zeit.cds.lock.turn.sleep', sleep):
            self.assertTrue(self.turn.take(session, self.fail, math.inf))
        self.assertEqual(3, len(slept))
        self.assertNotIn(('remove_directory', MUTEX + '/token'), session.done)

    def test_where_names_are_not_listed_nobody_can_tell(self):
        self.assertFalse(self.turn.take(Session(names=[]), self.fail, math.inf))
        session = Session(names=['token'])
        session.refuses.add('make_directory')
        self.assertFalse(self.turn.take(session, self.fail, math.inf))

    def test_whether_our_name_is_in_it(self):
        session = Session()
        self.assertTrue(self.turn._put_in(session))
        self.assertEqual([('make_directory', MUTEX + '/token')], session.done)
        session.refuses.add('make_directory')
        self.assertFalse(self.turn._put_in(session))
        self.assertEqual([('make_directory', name) for name in (
            MUTEX + '/token', MUTEX, MUTEX + '/token')], session.done[1:])

    def test_it_is_put_in_again_when_the_mutex_had_just_gone(self):
        session, refusals = Session(), [NO, None, None]

        def make_directory(name):
            session.done.append(name)
            if (error := refusals.pop(0)) is not None:
                raise error

        session.make_directory = make_directory
        self.assertTrue(self.turn._put_in(session))
        self.assertEqual([MUTEX + '/token', MUTEX, MUTEX + '/token'], session.done)

    def test_the_dead_are_removed_and_only_lock_files_that_they_had_begun(self):
        for lock, begun in ('read', True), ('a', False):
            owner = dead()._replace(lock=lock)
            session = Session(**{lock: b''})
            self.turn._dead = [owner]
            self.turn._remove_dead(session)
            self.assertIn(('remove_directory', '%s/%s' % (MUTEX, owner.token)), session.done)
            self.assertEqual(begun, ('remove', lock) in session.done)
