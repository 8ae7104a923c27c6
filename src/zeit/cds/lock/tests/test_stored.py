"""Our lock file, step by step, on a server that answers as it is told to."""
import types
import unittest
from unittest import mock

from zeit.cds.interfaces import ConnectionLost, Entry, PermanentError, ReplyError, TemporaryError
from zeit.cds.lock.directory import RENEWAL, Tuning
from zeit.cds.lock.stored import Stored
from zeit.cds.testing.logs import recorded


TOKEN = b'0123456789'
OURS = Entry('read', len(TOKEN), 5)
NO = PermanentError('550 No.')


class Session:
    """Answers `stat` with these one after the other, and `read` with what is in `data`."""

    def __init__(self, *answers, data=TOKEN, **fails):
        self.answers, self.data, self.fails, self.done = list(answers), data, fails, []

    def _call(self, verb, name):
        self.done.append((verb, name))
        if verb in self.fails:
            raise self.fails[verb]

    def stat(self, name, **kw):
        self._call('stat', name)
        if name != 'read':
            return None
        return self.answers.pop(0) if self.answers else None

    def read(self, name, sink, offset=0):
        self._call('read', name)
        sink.buffer()[:len(self.data)] = self.data
        sink.advance(len(self.data))
        return len(self.data)

    def remove(self, name):
        self._call('remove', name)

    def verbs(self):
        return [verb for verb, name in self.done]


class StoredCase(unittest.TestCase):

    def setUp(self):
        self.now, self.pauses = 1000.0, []
        self.log = self.enterContext(recorded())
        for name, value in (('time', types.SimpleNamespace(monotonic=lambda: self.now)),
                            ('sleep', self.sleep)):
            self.enterContext(mock.patch('zeit.cds.lock.stored.' + name, value))
        self.stored = Stored('read', TOKEN, Tuning(recent=1.0, visible=1.0))

    def sleep(self, seconds):
        self.pauses.append(round(seconds, 3))
        self.now += seconds

    def whole(self, mark=OURS):
        self.stored.there, self.stored._whole, self.stored._mark = True, True, mark
        return self.stored

    def look(self, entry):
        self.stored.look(types.SimpleNamespace(
            stat=lambda name, regular: types.SimpleNamespace(get=lambda: entry)))


class Arriving(StoredCase):

    def arrived(self, entry, *answers, by_size=True, **kw):
        self.session = Session(*answers, **kw)
        self.stored.sheltered = True
        self.look(entry)
        return self.stored.arrived(self.session, by_size)

    def test_by_its_size(self):
        self.assertTrue(self.arrived(OURS))
        self.assertFalse(self.arrived(OURS._replace(size=9)))
        self.assertEqual([], self.session.done)

    def test_by_what_it_holds(self):
        for entry, by_size in (OURS, False), (Entry('read'), True):
            self.assertTrue(self.arrived(entry, by_size=by_size))
            self.assertFalse(self.arrived(entry, by_size=by_size, data=b'else'))
            self.assertEqual(['read'], self.session.verbs())

    def test_it_shows_a_moment_later(self):
        self.assertTrue(self.arrived(None, None, None, OURS))
        self.assertEqual([0.1, 0.2, 0.4], self.pauses)
        self.assertEqual(['stat'] * 3 + ['read'], self.session.verbs())
        self.assertFalse(self.stored.sheltered)
        self.assertIs(OURS, self.stored._mark)

    def test_it_never_shows(self):
        with self.assertRaisesRegex(PermanentError, 'but there is none, even 1 s later') as caught:
            self.arrived(None)
        self.assertEqual([0.1, 0.2, 0.4, 0.8], self.pauses)
        self.assertIn('Has somebody removed it?', caught.exception.__notes__[0])

    def test_nobody_waits_for_it_if_that_is_not_wanted(self):
        self.stored._tuning = Tuning(visible=0.0)
        with self.assertRaises(PermanentError):
            self.arrived(None)
        self.assertEqual([], self.pauses)


class Seen(StoredCase):
    """Was it ours a moment ago?"""

    def seen(self, entry=None, worked=True, after=0.0, mark=OURS, whole=True):
        self.whole(mark)._whole = whole
        if entry is not None:
            self.look(entry)
        else:
            self.stored._asked_at = self.now
        self.stored.worked = worked
        self.now += after
        return self.stored.just_seen()

    def test_it_was(self):
        self.assertTrue(self.seen(OURS))
        self.assertTrue(self.seen(OURS, after=1.0))
        self.assertTrue(self.seen(worked=False))

    def test_it_was_not(self):
        for entry in (None, Entry('read', 10, 6), Entry('read', 9, 5), Entry('read', 10),
                      Entry('read', None, 5)):
            self.assertFalse(self.seen(entry))
        self.assertFalse(self.seen(OURS, after=1.1))
        self.assertFalse(self.seen(OURS, mark=None))
        self.assertFalse(self.seen(Entry('read', 10), mark=Entry('read', 10)))
        self.assertFalse(self.seen(Entry('read', None, 5), mark=Entry('read', None, 5)))
        self.assertFalse(self.seen(worked=False, whole=False))

    def test_a_look_counts_once(self):
        self.assertTrue(self.seen(OURS))
        self.assertFalse(self.stored.just_seen())

    def test_a_look_counts_no_more_once_something_was_done(self):
        self.whole()
        self.look(OURS)
        self.stored.work()
        self.assertFalse(self.stored.just_seen())

    def test_the_look_failed(self):
        def get():
            raise ConnectionLost('Gone.')

        self.whole()
        self.stored.look(types.SimpleNamespace(
            stat=lambda name, regular: types.SimpleNamespace(get=get)))
        self.stored.worked = True
        self.assertFalse(self.stored.just_seen())

    def test_whose_it_is(self):
        self.whole()
        for answer, data, ours, verbs in (
                (OURS, b'', True, ['stat']), (OURS._replace(modified=6), TOKEN, True, None),
                (OURS._replace(modified=6), b'else', False, ['stat', 'read']),
                (None, TOKEN[:5], False, None)):
            session = Session(answer, data=data)
            self.assertEqual(ours, self.stored.ours(session))
            self.assertEqual(verbs or ['stat', 'read'], session.verbs())


class Removing(StoredCase):

    def remove(self, *answers, **kw):
        self.session = Session(*answers, **kw)
        self.stored.remove(self.session)
        self.assertFalse(self.stored.there)
        return ('remove', 'read') in self.session.done

    def test_what_was_just_seen(self):
        self.whole()._asked_at = self.now
        self.assertTrue(self.remove())
        self.assertEqual(['remove'], self.session.verbs())

    def test_what_is_ours_at_a_look(self):
        self.whole()
        self.assertTrue(self.remove(OURS))
        self.assertEqual(['stat', 'remove'], self.session.verbs())
        self.whole()
        self.assertTrue(self.remove(OURS._replace(modified=6)))
        self.assertEqual(['stat', 'read', 'remove'], self.session.verbs())

    def test_what_is_another_ones_stays(self):
        self.whole()
        self.assertFalse(self.remove(OURS._replace(modified=6), data=b'\x1belse' * 100))
        said, = self.log.warnings
        self.assertIn(r'is not ours any more, and stays: \x1belse', said)
        self.assertLess(len(said), 400)

    def test_what_is_gone(self):
        self.whole()
        self.assertFalse(self.remove(None))
        self.assertEqual(['Lock file read is not ours any more, and stays: it is gone'],
                         self.log.warnings)

    def test_a_part(self):
        self.stored.there = True
        entry = Entry('read', 5, 5)
        self.assertTrue(self.remove(entry, data=TOKEN[:5]))
        self.assertFalse(self.remove(entry, data=b'else'))
        self.log.lines.clear()
        self.assertFalse(self.remove(None))
        self.assertEqual([], self.log.warnings)

    def test_a_part_that_cannot_be_read(self):
        for sheltered, whole, size, removed in (
                (True, False, 5, True), (True, False, 10, True), (True, False, 11, False),
                (True, False, None, False), (False, False, 5, False), (True, True, 5, False)):
            self.stored.sheltered, self.stored._whole = sheltered, whole
            session = Session(Entry('read', size), read=NO)
            session.present = True
            answers = [Entry('read', size)] * 9
            session.answers = answers
            if removed:
                self.stored.remove(session)
                self.assertEqual('remove', session.verbs()[-1])
            else:
                self.assertRaises(ReplyError, self.stored.remove, session)

    def test_somebody_else_removes_it_in_the_same_moment(self):
        self.whole()
        self.assertTrue(self.remove(OURS, remove=NO))
        self.assertEqual(['Lock file read is gone: somebody else removed it.'], self.log.warnings)
        self.whole()
        self.assertRaises(PermanentError, self.stored.remove, Session(OURS, OURS, remove=NO))

    def test_what_was_to_take_its_place_goes_as_well(self):
        for fails in {}, {'remove': NO}:
            self.whole()._renewing = True
            session = Session(OURS, **fails)
            try:
                self.stored.remove(session)
            except PermanentError:
                pass
            self.assertEqual(('remove', RENEWAL), session.done[0])
            self.assertFalse(self.stored._renewing)


class Replacing(StoredCase):

    def pipelined(self, size, **fails):
        """What happens: a list of verbs; the renewed file has this size."""
        done = []

        def tell(verb):
            done.append(verb)
            if verb in fails:
                raise fails[verb]
            return types.SimpleNamespace(get=lambda: Entry(RENEWAL, size) if size != 'none' else (
                None))

        batch = types.SimpleNamespace(
            stat=lambda name, regular=False, time=True: tell('stat %s' % name),
            rename=lambda *names: tell('rename %s %s' % names))

        class Line:
            def __enter__(self):
                return batch

            def __exit__(self, *_):
                pass

            def batch(self):
                return self

            def write(self, name, data, also):
                tell('write %s %s' % (name, data.decode()))
                also(batch)

        session = types.SimpleNamespace(remove=lambda name: tell('remove ' + name),
                                        __conform__=lambda interface: Line())
        return session, done

    WRITE, RENAME = 'write %s 0123456789' % RENEWAL, 'rename %s read' % RENEWAL

    def replace(self, size, **fails):
        session, done = self.pipelined(size, **fails)
        with mock.patch('zeit.cds.lock.stored.pipelined', lambda session: session.__conform__(0)):
            return self.whole().replace(session), done

    def test_it_takes_the_place_of_the_old_one(self):
        for size in 10, None, 'none':
            self.assertEqual((True, [self.WRITE, 'stat ' + RENEWAL, self.RENAME, 'stat read']),
                             self.replace(size))
            self.assertFalse(self.stored._renewing)
            self.assertEqual(self.now, self.stored._asked_at)

    def test_the_server_does_not_let_it(self):
        for verb in self.WRITE, self.RENAME:
            replaced, done = self.replace(10, **{verb: NO})
            self.assertEqual((False, 'remove ' + RENEWAL), (replaced, done[-1]))
            self.assertFalse(self.stored._renewing)

    def test_it_keeps_less_than_it_was_given(self):
        with self.assertRaisesRegex(TemporaryError, 'kept 9 of the 10 bytes'):
            self.replace(9)
        self.assertTrue(self.stored._renewing)
