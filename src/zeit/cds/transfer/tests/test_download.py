"""What a download asks about a file, and what it makes of the answers."""
import contextlib
import types
import unittest

from zeit.cds.interfaces import Entry, PermanentError, TemporaryError
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.download import changed, Download, Limited
from zeit.cds.transfer.importing import REMOVED
from zeit.cds.transfer.jobs import Dropped, Job
from zeit.cds.transfer.tuning import Tuning


RESUME = 100        # bytes
TOLD = Entry('a', 50, 1, 'file')
LARGE = Entry('a', RESUME, 1, 'file')


class Incoming:

    def __init__(self, size):
        self.size, self.restarts, self.completed = size, 0, []

    def restart(self):
        self.size, self.restarts = 0, self.restarts + 1

    def complete(self, modified):
        self.completed.append(modified)

    def buffer(self):
        return memoryview(bytearray(9))

    def advance(self, count):
        self.size += count


class Pending:

    def __init__(self, outcome):
        self.outcome = outcome

    def get(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Line:
    """An IPipelined, which gives these answers; `asked` is what it was asked."""

    def __init__(self, *answers, listed=(), session=None):
        self.answers, self.asked, self.listed = list(answers), [], list(listed)
        self.session = session or types.SimpleNamespace(alive=True)

    @contextlib.contextmanager
    def batch(self):
        yield self

    def stat(self, name, regular=False, time=True):
        self.asked.append((regular, time))
        return Pending(self.answers.pop(0))

    def entries(self):
        self.asked.append('entries')
        return self.listed

    def read(self, *args):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.asked.append(args)


class Downloads(unittest.TestCase):

    def setUp(self):
        self.dropped = []
        self.download = Download(None, Tuning(resume=RESUME, surplus=20), self, REMOVED)

    def log(self, job, text, *args):
        self.begun = text % args

    def drop(self, job, dropped):
        self.dropped.append(dropped)

    def job(self, entry, before=None, size=0):
        job = Job(entry)
        job.before, job.file = before, Incoming(size)
        return job

    @contextlib.contextmanager
    def assert_dropped(self, text, failed, gone=False):
        with self.assertRaisesRegex(Dropped, text) as caught:
            yield
        self.assertEqual((failed, gone), (caught.exception.failed, caught.exception.gone))


class Looking(Downloads):
    """What is asked before a transfer."""

    def check(self, job, *answers, asked=(), found=None, pending=None):
        line = Line(*answers)
        self.assertEqual(found, self.download._look(line, job, pending))
        self.assertEqual((list(asked), []), (line.asked, line.answers))

    def test_nothing_if_the_listing_tells_enough(self):
        self.check(self.job(TOLD), found=TOLD)
        self.check(self.job(LARGE), found=LARGE)
        self.assertIsNone(self.download.ask_before(Line(), self.job(TOLD)))

    def test_what_it_does_not_tell(self):
        for entry in Entry('a', 0, 1, 'file'), Entry('a', None, 1, 'file'), Entry('a', 5, 1):
            self.check(self.job(entry), TOLD, asked=[(False, True)], found=TOLD)
            self.check(self.job(entry), None, asked=[(False, True)])
            self.check(self.job(entry), pending=Pending(TOLD), found=TOLD)
            line = Line(TOLD)
            self.assertIs(TOLD, self.download.ask_before(line, self.job(entry)).get())
            self.assertEqual([(False, True)], line.asked)

    def test_it_is_asked_again_once_a_transfer_was_begun(self):
        self.check(self.job(TOLD, TOLD), LARGE, asked=[(False, True)], found=LARGE)

    def test_times_where_they_are_of_use(self):
        plain = Entry('a', 5, None)
        for entry, before, time in (
                (plain, None, False), (Entry('a', RESUME - 1), None, False),
                (Entry('a', RESUME), None, True), (Entry('a', None), None, False),
                (plain, Entry('a', RESUME), True), (Entry('a', RESUME), plain, False)):
            self.check(self.job(entry, before), TOLD, asked=[(False, time)], found=TOLD)

    def test_the_time_of_a_large_file(self):
        entry, later = LARGE._replace(modified=None), LARGE._replace(modified=2)
        self.check(self.job(entry), later, asked=[(False, True)], found=later)
        self.check(self.job(entry), None, asked=[(False, True)], found=entry)
        self.check(self.job(TOLD._replace(modified=None)), found=TOLD._replace(modified=None))

    def test_where_the_listing_tells_other_times(self):
        self.download._two_clocks = True
        self.check(self.job(TOLD), LARGE, asked=[(False, True)], found=LARGE)
        self.check(self.job(TOLD._replace(modified=None)), found=TOLD._replace(modified=None))

    def test_afterwards(self):
        for job, asked in ((self.job(TOLD, TOLD), (True, True)),
                           (self.job(TOLD, TOLD._replace(size=7)), (False, True)),
                           (self.job(Entry('a', 5), Entry('a', 6)), (False, False))):
            line = Line(TOLD)
            self.assertIs(TOLD, self.download.ask_after(line, job).get())
            self.assertEqual([asked], line.asked)


class Preparing(Downloads):

    def prepare(self, job, *answers):
        with recorded():
            return self.download.prepare(Line(*answers), job, None)

    def test_a_new_one(self):
        job = self.job(TOLD)
        self.assertEqual(0, self.prepare(job))
        self.assertEqual((TOLD, 0, 'Downloading: a'), (job.before, job.file.restarts, self.begun))

    def test_what_is_not_there_or_is_no_file(self):
        with self.assert_dropped('it is not there', False, gone=True):
            self.prepare(self.job(Entry('a')), None)
        with self.assert_dropped('it is no regular file', False):
            self.prepare(self.job(Entry('a', kind='other')), None)

    def test_a_large_one_goes_on(self):
        for size, now, offset in ((RESUME, LARGE, RESUME), (RESUME - 1, LARGE, 0),
                                  (RESUME, LARGE._replace(modified=2), 0),
                                  (RESUME, LARGE._replace(modified=None), 0)):
            self.begun, job = None, self.job(LARGE, LARGE, size)
            job.before = LARGE._replace(size=900)
            answers = [now._replace(size=900)] * (1 if now.modified is not None else 2)
            self.assertEqual(offset, self.prepare(job, *answers), (size, now))
            self.assertEqual((int(not offset), None), (job.file.restarts, self.begun))
            self.assertEqual(answers[0], job.before)

    def test_all_of_it_is_here(self):
        job = self.job(TOLD, TOLD, 50)
        self.assertIsNone(self.prepare(job, TOLD))
        self.assertEqual([1], job.file.completed)

    def test_all_of_what_it_was_is_here_but_it_has_changed(self):
        job = self.job(TOLD, TOLD, 50)
        self.assertEqual(0, self.prepare(job, TOLD._replace(modified=2)))
        self.assertEqual(([], 1), (job.file.completed, job.file.restarts))

    def test_some_of_it_is_here(self):
        job = self.job(TOLD, TOLD, 49)
        self.assertEqual(0, self.prepare(job, TOLD))
        self.assertEqual(([], 1), (job.file.completed, job.file.restarts))

    def test_nothing_of_it_is_here(self):
        job = self.job(Entry('a', 0), Entry('a', 0))
        self.assertEqual(0, self.prepare(job, Entry('a', 0)))
        self.assertEqual(([], 0), (job.file.completed, job.file.restarts))


class Transferring(Downloads):

    def transfer(self, line, before, offset=0, size=0):
        job = self.job(TOLD, before, size)
        self.download.transfer(line, job, offset, 'also', 'then')
        return job, line.asked[0]

    def test_no_more_comes_than_may(self):
        job, (entry, sink, *rest) = self.transfer(Line(None), TOLD)
        self.assertEqual((TOLD, [0, 'also', 'then']), (entry, rest))
        sink.advance(70)
        with self.assert_dropped('sends more and more, 71 bytes of a file of 50', True):
            sink.advance(1)
        job, (_, sink, *_) = self.transfer(Line(None), Entry('a'))
        self.assertIs(job.file, sink)

    def test_a_limited_one_is_its_file_otherwise(self):
        file = Incoming(0)
        self.assertEqual(9, len(Limited(file, 5, 0).buffer()))

    def test_it_is_refused(self):
        error = PermanentError('550 No.')
        session = types.SimpleNamespace(alive=True, stat=lambda name: TOLD)
        with self.assert_dropped('the server refuses it: 550 No.', True):
            self.transfer(Line(error, session=session), TOLD)
        session.stat = lambda name: None
        with self.assert_dropped('it is not there', False, gone=True):
            self.transfer(Line(error, session=session), TOLD)
        session = types.SimpleNamespace(alive=False)
        with self.assert_dropped('it is not there', False, gone=True):
            self.transfer(Line(error, session=session), TOLD)

    def test_it_is_refused_when_all_of_it_has_come(self):
        line = Line(PermanentError('550 No such file.'))
        line.read = lambda before, sink, *_: (sink.advance(50), Line.read(line))
        job = self.job(TOLD, TOLD)
        self.download.transfer(line, job, 0, None, None)
        line.answers = [None, None]
        self.download.verify(line, job, None, False)
        self.assertEqual([1], job.file.completed)

    def test_it_is_not_resumed(self):
        job = self.job(LARGE, LARGE, RESUME)
        with self.assertRaisesRegex(TemporaryError, 'It cannot be resumed: 502 No.'):
            self.download.transfer(Line(PermanentError('502 No.')), job, RESUME, None, None)
        self.assertEqual(1, job.file.restarts)


class Verifying(Downloads):

    def verify(self, before, size, *answers, asked=None, resumed=False, **kw):
        self.verified = self.job(TOLD, before, size)
        with recorded():
            self.download.verify(Line(*answers, **kw), self.verified, asked, resumed)
        self.assertEqual(1, len(self.verified.file.completed))
        return self.verified.file.completed[0]

    def test_it_is_whole(self):
        self.assertEqual(1, self.verify(TOLD, 50, TOLD))
        self.assertEqual(1, self.verify(TOLD, 50, asked=Pending(TOLD)))
        self.assertEqual(2, self.verify(TOLD._replace(modified=None), 50, TOLD._replace(
            modified=2)))
        self.assertEqual(1, self.verify(TOLD, 50, Entry('a', 50)))
        self.assertEqual(1, self.verify(TOLD, 50, Entry('a', None, 1)))
        self.assertEqual(1, self.verify(Entry('a'), 50, TOLD))

    def test_what_is_gone_is_whole_if_all_of_it_came(self):
        self.assertEqual(1, self.verify(TOLD, 50, None, None))
        self.assertIsNone(self.verify(Entry('a'), 7, None, None))
        with self.assert_dropped('it vanished', False):
            self.verify(TOLD, 49, None, None)

    def test_it_is_asked_once_more_what_does_not_fit(self):
        self.assertEqual(1, self.verify(TOLD, 50, TOLD._replace(size=7), TOLD))
        self.assertEqual(1, self.verify(TOLD, 50, None, TOLD))

    def test_it_has_changed(self):
        for now in TOLD._replace(size=51), TOLD._replace(size=51, modified=2):
            with self.assert_dropped('it changed while it was fetched', False):
                self.verify(TOLD, 51, now)
        other = Entry('a', 50, 2)
        with self.assert_dropped('it changed while it was fetched', False):
            self.verify(Entry('a', 50, 1), 50, other, listed=[TOLD])

    def test_less_or_more_came_than_there_is(self):
        for size, resumed, restarts in (49, False, 0), (49, True, 1), (51, False, 1):
            with self.assertRaisesRegex(TemporaryError, '%d bytes came of a file of 50' % size):
                self.verify(TOLD, size, TOLD, TOLD, resumed=resumed)
            self.assertEqual(restarts, self.verified.file.restarts)
        with self.assertRaisesRegex(TemporaryError, '49 bytes came of a file of 50'):
            self.verify(TOLD, 49, Entry('a'))

    def test_two_listings_tell_whether_the_time_changed(self):
        other = TOLD._replace(modified=2)
        for listed, whole in ([TOLD], True), ([other], False), ([], False), ([other, TOLD], False):
            self.setUp()
            line = Line(other, listed=[Entry('b'), *listed])
            job = self.job(TOLD, TOLD, 50)
            with recorded(), contextlib.suppress(Dropped):
                self.download.verify(line, job, None, False)
            self.assertEqual((whole, whole), (self.download._two_clocks, bool(job.file.completed)))
            self.assertEqual(1, line.asked.count('entries'))

    def test_changed(self):
        for before, after, is_changed in (
                (TOLD, TOLD, False), (TOLD, Entry('a'), False), (Entry('a'), TOLD, False),
                (TOLD, TOLD._replace(size=51), True), (TOLD, TOLD._replace(modified=2), True)):
            self.assertEqual(is_changed, changed(before, after))


class Refused(Downloads):
    """The server does not remove it."""

    def refused(self, *answers, gone=False, listed=()):
        job, line = self.job(TOLD, TOLD), Line(*answers, listed=listed)
        if gone:
            self.download._gone.add('a')
        done = self.download.refused(line, job, PermanentError('550 No.'))
        self.assertEqual([not done], [dropped.failed for dropped in self.dropped] or [False])
        return done

    def test_it_is_gone_already(self):
        self.assertTrue(self.refused(None))

    def test_it_is_there(self):
        self.assertFalse(self.refused(TOLD))
        self.assertIn("refuses to remove it: 550 No. It is kept in tmp", self.dropped[0].reason)

    def test_it_is_said_to_be_gone_and_listed(self):
        self.assertFalse(self.refused(None, gone=True, listed=[Entry('b'), TOLD]))
        self.dropped.clear()
        self.assertFalse(self.refused(None, gone=True))     # it is asked for once in a run
        self.setUp()
        self.assertTrue(self.refused(None, gone=True, listed=[Entry('b')]))
        self.assertTrue(self.refused(None, gone=True, listed=[TOLD]))
