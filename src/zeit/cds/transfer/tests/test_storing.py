"""What an upload asks the server before and while it stores a file, and makes of the answers."""
import types

from zeit.cds.interfaces import Entry, PermanentError, TemporaryError, Unreadable
from zeit.cds.transfer.jobs import OtherWay
from zeit.cds.transfer.tests.uploads import Line, PART, refusal, RESUME, Uploads


class Beginning(Uploads):

    def test_the_first_try(self):
        job, line = self.job(), Line()
        self.assertEqual(0, self.upload.prepare(line, job, None))
        self.assertEqual((True, job.entry, ['open']), (job.begun, job.before, job.file.done))
        self.assertEqual(([('storing', PART)], ['Uploading: a'], []),
                         (self.noted, self.lines, line.done))

    def test_one_that_was_begun_before_is_told_once(self):
        job = self.job()
        job.before = job.entry
        self.upload.prepare(Line(), job, None)
        self.assertEqual([], self.lines)

    def test_its_name_is_taken(self):
        self.naming.listed = None
        for line, asked in (Line('a'), None), (Line(), types.SimpleNamespace(get=lambda: 'there')):
            with self.assert_dropped('still on the server', False):
                self.upload.prepare(line, self.job(), asked)
        self.assertEqual(0, self.upload.prepare(Line(), self.job(), None))
        asked = types.SimpleNamespace(get=lambda: None)
        self.assertEqual(0, self.upload.prepare(Line('a'), self.job(), asked))

    def test_a_question_before(self):
        line = Line()
        self.assertIsNone(self.upload.ask_before(line, self.job()))
        self.naming.listed = None
        self.upload.ask_before(line, self.job())
        self.assertEqual([('stat', 'a', False, False)], line.done)

    def test_it_cannot_be_read(self):
        job = self.job()

        def fail():
            raise Unreadable('broken')

        job.file.open = fail
        with self.assert_dropped('broken', True):
            self.upload.prepare(Line(), job, None)

    def test_under_its_own_name(self):
        for replace, older in (False, None), (True, Entry('a', 50)):
            self.noted.clear()
            self.naming.direct, self.naming.replace = True, replace
            job = self.job()
            self.upload.prepare(Line('a'), job, None)
            self.assertEqual((['open', 'read'], None, older),
                             (job.file.done, job.file.temporary, job.older))
            self.assertEqual([('storing', None)], self.noted)

    def test_what_could_not_be_renamed_is_removed(self):
        self.naming.refused['a'] = '.a.old.part'
        line = Line('.a.old.part')
        self.upload.prepare(line, self.job(), None)
        self.assertEqual([('remove', '.a.old.part')], line.verbs('remove'))
        self.assertEqual((None, True), (self.naming.refused['a'], self.naming.is_direct('a')))
        self.assertEqual([('storing', None), ('settled', '.a.old.part'),
                          ('withdrawn', '.a.old.part')], self.noted)


class Again(Uploads):
    """A transfer that was begun before."""

    def test_all_of_it_has_arrived(self):
        job, line = self.job(begun=True), Line(PART)
        self.assertIsNone(self.upload.prepare(line, job, None))
        self.assertEqual(['discard'], job.file.done)

    def test_not_all_of_it_has(self):
        for size, length, there in (50, 50, 49), (50, 50, None), (49, 50, 49), (0, 0, 0):
            job, line = self.job(size, begun=True), Line()
            job.file.length = length
            if there is not None:
                line.there[PART] = Entry(PART, there)
            self.assertEqual(0, self.upload.prepare(line, job, None))
            self.assertEqual([], job.file.done)

    def test_moved(self):
        for size, length, temporary, replace, moved in (
                (5, 5, PART, False, True), (4, 5, PART, False, False), (0, 0, PART, False, False),
                (5, 5, None, False, True), (5, 5, None, True, False), (5, 5, PART, True, True)):
            job = self.job()
            job.file.size, job.file.length, job.file.temporary = size, length, temporary
            self.naming.replace = replace
            self.assertEqual(moved, self.upload.moved(job))
        self.naming.replace = False
        self.naming.ours.add('a')
        job.file.temporary = None
        self.assertFalse(self.upload.moved(job))

    def offset(self, there, size=RESUME, temporary=PART, **known):
        job, line = self.job(size, begun=True), Line()
        job.file.length, job.file.temporary = 900, temporary
        for name, value in known.items():
            setattr(job.file, name, value)
        if there != 'nothing':
            line.there[temporary or 'a'] = Entry(temporary or 'a', there)
        return self.upload.prepare(line, job, None)

    def test_a_large_one_goes_on(self):
        self.assertEqual([RESUME, RESUME, 150, 200],
                         [self.offset(*sizes) for sizes in (
                             (RESUME, RESUME), (RESUME, 200), (150, 200), (200, 200))])
        self.assertEqual(RESUME, self.offset(RESUME, temporary=None))

    def test_or_begins_anew(self):
        self.assertEqual([0] * 6, [self.offset(*sizes) for sizes in (
            (RESUME - 1, 200), (RESUME, RESUME - 1), (RESUME - 1, RESUME - 1), (201, 200),
            ('nothing', 200), (None, 200))])
        self.assertEqual(0, self.offset(RESUME, 200, resumable=False))
        self.naming.replace = True
        self.assertEqual(0, self.offset(RESUME, 200, temporary=None))


class Storing(Uploads):

    def transfer(self, job, line, offset=0):
        self.upload.transfer(line, job, offset, 'also', None)

    def test_where_it_goes(self):
        for temporary, name in (PART, PART), (None, 'a'):
            job, line = self.job(), Line()
            job.file.temporary = temporary
            self.transfer(job, line, 7)
            self.assertEqual([('write', name, 'pieces from 7', 7, 'also')], line.done)

    def test_it_cannot_be_read(self):
        with self.assert_dropped('broken', True):
            self.transfer(self.job(), Line(write=lambda *args: Unreadable('broken')))

    def test_it_is_not_resumed(self):
        job = self.job()
        with self.assertRaisesRegex(TemporaryError, 'does not let us resume: 502'):
            self.transfer(job, Line(write=lambda *args: refusal(502)), 7)
        self.assertFalse(job.file.resumable)

    def test_it_is_refused(self):
        job, line = self.job(), Line(write=lambda *args: refusal(552))
        with self.assert_dropped('the server refuses it: 552 No. The quota of the user me', True):
            self.transfer(job, line)
        line.calls['write'] = lambda *args: PermanentError('No')
        with self.assert_dropped('the server refuses it: No', True):
            self.transfer(job, line)
        self.assertEqual(([], [], PART), (self.noted, job.file.done, job.file.temporary))

    def test_its_temporary_name_may_be_what_is_refused(self):
        for code in 501, 504, 550, 553:
            for names, removed in ((), []), ((PART,), [('remove', PART)]):
                self.noted.clear()
                job, line = self.job(), Line(*names, write=lambda *args: refusal(code))  # noqa: B023
                with self.assertRaises(OtherWay):
                    self.transfer(job, line)
                self.assertEqual((removed, None, ['read']), (
                    line.verbs('remove'), job.file.temporary, job.file.done))
                self.assertIn(('settled', PART), self.noted)
                self.assertEqual(('storing', None), self.noted[-1])

    def refused_directly(self, older, there, alive=True, replace=True):
        """Is what was begun taken back?"""
        job = self.job(begun=True)
        job.file.temporary, job.older = None, older
        self.naming.replace = replace
        line = Line(write=lambda *args: refusal(550))
        line.alive = alive
        if there is not None:
            line.there['a'] = there
        self.noted.clear()
        with self.assert_dropped('the server refuses it', True):
            self.transfer(job, line)
        self.assertEqual([] if job.begun else [('withdrawn', 'a')], self.noted)
        return not job.begun

    def test_an_older_one_of_its_name_stays_if_nothing_of_it_was_stored(self):
        older, part = Entry('a', 9), Entry('a', 3)
        self.assertTrue(self.refused_directly(older, older))
        self.assertTrue(self.refused_directly(None, None))
        self.assertFalse(self.refused_directly(older, part))
        self.assertFalse(self.refused_directly(older, older, alive=False))
        self.assertFalse(self.refused_directly(None, None, replace=False))
