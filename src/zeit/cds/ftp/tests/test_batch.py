"""What a batch asks of a server, and what its answers mean: a table for each verb."""
import types
import unittest

from zeit.cds.ftp.batch import called, FTPBatch, is_there, modified
from zeit.cds.ftp.existence import UNSUPPORTED
from zeit.cds.ftp.protocol import Reply
from zeit.cds.interfaces import Entry, PermanentError, TemporaryError
from zeit.cds.testing.logs import recorded


TIME = 1_600_000_000 * 10**9
MDTM = '20200913122640'
FILE = Entry('a', 3, None, 'file')
DATED = Entry('a', 3, TIME, 'file')


class Pending:

    def __init__(self, interpret, reply):
        self.interpret, self.reply = interpret, reply

    def get(self):
        return self.interpret(self.reply)


class Session:
    """An FTPSession that gets these replies: {verb: (code, text)}."""

    def __init__(self, mlst=True, size=True, strange=False, **replies):
        self.knows_mlst, self.knows_size, self.is_strange = mlst, size, strange
        self.replies, self.done, self.lacking = replies, [], []
        self.findings = types.SimpleNamespace(seen=set(), sizes_directories=None)
        self.control = self.existence = self
        self.by_data = False
        self.is_missing = False

    def later(self, interpret, verb, name):
        self.done.append(verb)
        return Pending(interpret, Reply(*self.replies.get(verb, (550, 'No.'))))

    def asked(self, name):
        return 'asked for %s' % name

    def one_of_them(self, name):
        return 'one of them'

    def search(self, name, there):
        return 'searched', there

    def note_removed(self, name):
        self.removed = name

    def lacks(self, verb):
        self.lacking.append(verb)

    def came_by_data(self, reply):
        return self.by_data

    def means_missing(self, verb, name, error):
        self.done.append('means %s missing?' % verb)
        return self.is_missing

    def judged(self, verb, name, error):
        return PermanentError('%s of %s: %s' % (verb, name, error))


SIZE = {'SIZE': (213, '3')}
NO = {}


def mlst(facts):
    return {'MLST': (250, 'Listing\n %s /in/a\nEnd' % facts)}


DESCRIBED = mlst('type=file;size=5;modify=%s;' % MDTM)


class Batch(unittest.TestCase):

    def setUp(self):
        self.enterContext(recorded())

    def stat(self, session, **kw):
        return FTPBatch(session).stat('a', **kw).get()


class Commands(Batch):
    """Which are sent for `stat`."""

    def check(self, verbs, session, **kw):
        self.stat(session, **kw)
        self.assertEqual(verbs.split(), session.done)

    def test_a_known_server(self):
        replies = {**SIZE, **DESCRIBED, 'MDTM': (213, MDTM)}
        for verbs, mlst, size, kw in (
                ('SIZE MLST', True, True, {}), ('MLST', True, True, {'regular': True}),
                ('SIZE', True, True, {'time': False}), ('SIZE MDTM', False, True, {}),
                ('SIZE', False, True, {'time': False}), ('MLST', True, False, {}),
                ('MLST', True, False, {'time': False}), ('RNFR', False, False, {})):
            self.check(verbs, Session(mlst, size, **replies), **kw)

    def test_a_strange_one(self):
        replies = {**SIZE, **DESCRIBED, 'MDTM': (213, MDTM)}
        for verbs, seen, kw in (
                ('SIZE MLST', '', {}), ('SIZE MLST', 'MLST SIZE', {}),
                ('SIZE MLST', '', {'time': False}), ('SIZE MLST', 'SIZE', {'regular': True}),
                ('MLST', 'MLST', {'regular': True}),
                ('SIZE MLST', 'MLST', {'regular': True, 'time': False}),
                ('SIZE', 'SIZE', {'regular': True, 'time': False})):
            session = Session(strange=True, **replies)
            session.findings.seen.update(seen.split())
            self.check(verbs, session, **kw)
        self.check('SIZE MDTM', Session(mlst=False, strange=True, **replies))
        self.check('MLST', Session(size=False, strange=True, **replies))


class Size(Batch):
    """What is told without MLST."""

    def check(self, expected, session, **kw):
        session.knows_mlst = False
        self.assertEqual(expected, self.stat(session, **kw))
        return session

    def test_a_file(self):
        session = self.check(FILE, Session(**SIZE), time=False)
        self.assertEqual({'SIZE'}, session.findings.seen)
        self.check(DATED, Session(**SIZE, MDTM=(213, MDTM)))
        for reply in (550, 'No.'), (450, 'Busy.'):
            self.check(FILE, Session(**SIZE, MDTM=reply))

    def test_it_may_be_a_directory_where_these_have_sizes(self):
        session = Session(**SIZE, MDTM=(213, MDTM))
        session.findings.sizes_directories = True
        self.check(DATED._replace(kind=None), session)

    def test_none(self):
        session = self.check(None, Session())
        self.assertEqual(set(), session.findings.seen)

    def test_the_server_does_not_know_size(self):
        for code in 500, 501, 502, 504:
            session = self.check('asked for a', Session(SIZE=(code, 'What?')))
            self.assertEqual(['SIZE'], session.lacking)

    def test_a_passing_refusal(self):
        session = Session(SIZE=(450, 'Busy.'))
        with self.assertRaises(TemporaryError):
            self.check(None, session)
        session.is_missing = True
        self.check(None, session)

    def test_neither(self):
        for code, there in (350, True), (550, False), (502, None):
            self.check(('searched', there), Session(size=False, RNFR=(code, '')))


class Described(Batch):
    """What MLST tells, alone or beside SIZE."""

    def check(self, expected, session, seen=(), **kw):
        self.assertEqual(expected, self.stat(session, **kw))
        self.assertEqual(set(seen), session.findings.seen)
        return session

    def test_a_file(self):
        self.check(DATED, Session(**SIZE, **DESCRIBED), ['SIZE', 'MLST'])
        self.check(DATED._replace(size=5), Session(size=False, **DESCRIBED), ['MLST'])
        self.check(DATED._replace(size=5), Session(**DESCRIBED), ['MLST'], regular=True)

    def test_what_it_is_is_not_told(self):
        self.check(DATED._replace(size=5), Session(
            size=False, **mlst('size=5;modify=%s;' % MDTM)), ['MLST'])
        self.check(Entry('a', None, None, 'file'), Session(
            size=False, MLST=(250, 'nonsense')), ['MLST'])

    def test_none(self):
        for session in Session(), Session(size=False), Session(**SIZE):
            self.check(None, session, session.replies and ['SIZE'])

    def test_none_on_a_strange_server(self):
        self.check(None, Session(strange=True))
        self.check('one of them', Session(strange=True, **SIZE), ['SIZE'])
        self.check('one of them', Session(strange=True, **DESCRIBED), ['MLST'])
        self.check(None, Session(size=False, strange=True))
        session = Session(strange=True)
        session.findings.seen.add('MLST')
        self.check('one of them', session, ['MLST'], regular=True)
        self.assertEqual(['MLST'], session.done)

    def test_a_directory(self):
        directory = mlst('type=dir;')
        session = self.check(None, Session(**SIZE, **directory), ['SIZE'])
        self.assertTrue(session.findings.sizes_directories)
        session = self.check(None, Session(size=False, **directory))
        self.assertIs(False, session.findings.sizes_directories)

    def test_a_link(self):
        link = mlst('type=OS.unix=slink:/x;size=1;modify=%s;' % MDTM)
        self.check(DATED, Session(**SIZE, **link), ['SIZE'])
        self.check('asked for a', Session(**link), regular=True)
        self.check(None, Session(size=False, **link))
        self.check(None, Session(strange=False, **link), ())

    def test_the_server_does_not_know_it(self):
        for code in 500, 502, 504:
            for replies, outcome, seen in ((SIZE, 'asked for a', ['SIZE']), (NO, None, [])):
                session = self.check(outcome, Session(**replies, MLST=(code, 'What?')), seen)
                self.assertEqual(['MLST'], session.lacking)
            self.check('asked for a', Session(size=False, MLST=(code, 'What?')))

    def test_501_is_how_pyftpdlib_denies_a_file(self):
        session = self.check(None, Session(MLST=(501, 'Not there.')))
        self.assertEqual([], session.lacking)

    def test_nor_size(self):
        """It does not know SIZE, after all."""
        session = self.check(DATED._replace(size=5), Session(SIZE=(502, 'What?'), **DESCRIBED),
                             ['MLST'])
        self.assertEqual(['SIZE'], session.lacking)

    def test_what_came_over_a_data_connection(self):
        session = Session(**SIZE, MLST=(226, 'Done.'))
        session.by_data = True
        self.check('asked for a', session, ['SIZE'])

    def test_a_passing_refusal(self):
        session = Session(**SIZE, MLST=(450, 'Busy.'))
        self.assertRaises(TemporaryError, self.stat, session)
        self.assertEqual('means MLST missing?', session.done[-1])
        session.is_missing = True
        self.assertIsNone(self.stat(session))


class Others(Batch):

    def test_removal(self):
        for code in 200, 250, 299:
            FTPBatch(Session(DELE=(code, 'Done.'))).remove('a').get()
        with self.assertRaisesRegex(PermanentError, '550 No.'):
            FTPBatch(Session()).remove('a').get()

    def test_renaming(self):
        for first, second, error in (
                ((350, 'Go on.'), (250, 'Done.'), None), ((350, 'Go on.'), (553, 'Bad.'), 'Bad.'),
                ((550, 'None.'), (503, 'What?'), 'None.'), ((450, 'Busy.'), (503, 'What?'), 'Busy'),
                ((500, 'What?'), (503, 'No.'), 'What'), ((400, 'Busy.'), (503, 'No.'), 'Busy'),
                ((250, 'Odd.'), (250, 'Done.'), None)):
            session = Session(RNFR=first, RNTO=second)
            later = session.later

            def both(interpret, verb, name, later=later, replies=session.replies):
                if verb == 'RNFR':
                    interpret(Reply(*replies[verb]))
                return later(interpret, verb, name)

            session.later = both
            pending = FTPBatch(session).rename('a', 'b')
            if error:
                with self.assertRaisesRegex((PermanentError, TemporaryError), error):
                    pending.get()
            else:
                pending.get()
            self.assertEqual(['RNFR', 'RNTO'], session.done)

    def test_names_that_cannot_be_sent(self):
        for names in ('a\n', 'b'), ('a', 'b\r'):
            session = Session()
            self.assertRaises(ValueError, FTPBatch(session).rename(*names).get)
            self.assertEqual([], session.done)

    def test_directories(self):
        for verb, name in ('MKD', 'make_directory'), ('RMD', 'remove_directory'):
            getattr(FTPBatch(Session(**{verb: (250, 'Done.')})), name)('d').get()
            with self.assertRaisesRegex(PermanentError, '^%s of d: 450 Busy' % verb):
                getattr(FTPBatch(Session(**{verb: (450, 'Busy.')})), name)('d').get()
            with self.assertRaisesRegex(PermanentError, '^550'):
                getattr(FTPBatch(Session()), name)('d').get()

    def test_how_a_file_is_called(self):
        self.assertEqual('a', FTPBatch(Session(**DESCRIBED)).stored_name('A').get())
        self.assertIsNone(FTPBatch(Session()).stored_name('A').get())
        session = Session(mlst=False)
        self.assertIsNone(FTPBatch(session).stored_name('A').get())
        self.assertEqual([], session.done)

    def test_replies(self):
        self.assertEqual((TIME, None), (modified(Reply(213, MDTM)), modified(Reply(550, MDTM))))
        self.assertEqual([True, False, None],
                         [is_there(Reply(code, '')) for code in (350, 550, 502)])
        self.assertIsNone(called(Reply(550, 'No.')))
        self.assertEqual(UNSUPPORTED, FTPBatch(Session(SIZE=(502, ''))).size('a').get().kind)
