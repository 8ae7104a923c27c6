"""What an upload makes of a file that is stored, and how that gets its name."""
import types

from zeit.cds.interfaces import ConnectionLost, Entry, TemporaryError
from zeit.cds.transfer import elsewhere
from zeit.cds.transfer.tests.uploads import Line, PART, refusal, Uploads
from zeit.cds.transfer.upload import Done, keeps_name, missing, stat


class Verifying(Uploads):

    def test_it_is_asked_with_the_transfer(self):
        for temporary in PART, None:
            job, line = self.job(), Line()
            job.file.temporary = temporary
            self.upload.ask_after(line, job)
            self.assertEqual([('stat', temporary or 'a', True, False)], line.done)

    def verify(self, there=50, asked=None, job=None, **calls):
        job, line = job or self.job(), Line(**calls)
        if there != 'nothing':
            line.there[PART] = Entry(PART, there)
        self.upload.verify(line, job, asked, False)
        return job

    def test_it_is_whole(self):
        for job in (self.verify(), self.verify(None), self.verify(
                'nothing', types.SimpleNamespace(get=lambda: Entry(PART, 50)))):
            self.assertEqual(['discard'], job.file.done)
        self.assertFalse(self.naming.direct)

    def test_it_is_not(self):
        for there, text in (49, '49 bytes of 50'), ('nothing', '0 bytes of 50'):
            with self.assertRaisesRegex(TemporaryError, text):
                self.verify(there)

    def test_it_changed(self):
        job = self.job()
        job.file.changed = True
        with self.assert_dropped('it changed while it was sent', False):
            self.verify(job=job)

    def test_once_one_was_stored_directly_all_are(self):
        job, line = self.job(), Line('a')
        job.file.temporary = None
        self.upload.verify(line, job, None, False)
        self.assertTrue(self.naming.direct)

    def test_a_strange_name_that_is_not_kept(self):
        for stored, kept in (None, True), ('a\n', True), ('b', False):
            line = Line(stored_name=lambda name: stored)    # noqa: B023
            self.assertEqual(kept, keeps_name(line, 'a\n'))
            self.assertTrue(keeps_name(line, 'a'))
        job = self.job()
        job.file.temporary, line.there['a\n'] = 'a\n', Entry('a\n', 50)
        with self.assert_dropped('the server cannot keep this name', True):
            self.upload.verify(line, job, None, False)

    def test_it_appears_later(self):
        self.upload._appears, looks = (0, 0, 0), []

        def stat(name):
            looks.append(name)
            return Entry(name, 50) if len(looks) >= 3 else None

        self.assertEqual(['discard'], self.verify('nothing', stat=stat).file.done)
        self.assertEqual(3, len(looks))

    def test_it_is_stored_under_another_name(self):
        other, line = PART.upper(), Line()
        line.there[other] = Entry(other, 50)
        with self.assert_dropped('it would be called A there', True):
            self.upload.verify(line, self.job(), None, False)
        self.assertEqual([('settled', PART), ('withdrawn', PART)], self.noted)
        self.assertNotIn(other, line.there)

    def test_and_cannot_be_removed_there(self):
        other, line = PART.upper(), Line(remove=lambda name: refusal(550))
        line.there[other] = Entry(other, 50)
        with self.assert_dropped('is still there, and is to be removed: 550', True):
            self.upload.verify(line, self.job(), None, False)
        self.assertEqual([], self.noted)


class Dropping(Uploads):

    def test_what_was_begun_is_removed(self):
        for temporary in PART, None:
            self.noted.clear()
            job, line = self.job(begun=True), Line()
            job.file.temporary = temporary
            name = temporary or 'a'
            self.upload.dropped(line, job)
            self.assertEqual([('remove', name)], line.verbs('remove'))
            self.assertEqual([('settled', name), ('withdrawn', name)], self.noted)

    def test_what_cannot_be_removed_stays_noted(self):
        for error in refusal(550), ConnectionLost('Gone.'):
            self.upload.dropped(Line(remove=lambda name: error), self.job(begun=True))  # noqa: B023
            self.assertEqual([], self.noted)

    def test_nothing_is_to_be_done(self):
        line = Line()
        self.upload.dropped(line, self.job())
        self.upload.dropped(None, self.job(begun=True))
        self.assertEqual(([], []), (line.done, self.noted))

    def test_why(self):
        self.assertEqual('it could not be stored: Gone.',
                         self.upload.why(ConnectionLost('Gone.')) + '.')
        error = TemporaryError('452 Full.')
        error.reply = types.SimpleNamespace(code=452)
        self.assertIn('452 Full. The quota of the user me', self.upload.why(error))

    def test_what_is_missing(self):
        line = Line('a')
        self.assertEqual({'b'}, missing(line, ['a', 'b']))
        self.assertEqual([('stat', name, False, False) for name in ('a', 'b', 'write')], line.done)
        self.assertEqual(line.there['a'], stat(line, 'a'))
        self.assertEqual(('stat', 'a', False, False), line.done[-1])
        del line.there['write']
        with self.assertRaisesRegex(TemporaryError, 'does not find our lock file write'):
            missing(line, ['a', 'b'])


class Renaming(Uploads):

    def test_a_rename(self):
        job, line = self.job(), Line()
        self.assertEqual('renamed', self.upload.finalize(line, job))
        self.assertEqual([('rename', PART, 'a')], line.done)
        self.upload.finalized(job)
        self.assertEqual(([('settled', PART)], ['File stored on server: a']),
                         (self.noted, self.lines))

    def test_none_is_needed(self):
        job, line = self.job(), Line()
        job.file.temporary = None
        self.assertIsInstance(self.upload.finalize(line, job), Done)
        self.assertIsNone(self.upload.finalize(line, job).get())
        self.assertEqual([], line.done)

    def test_a_strange_name_is_looked_for(self):
        line = Line()
        renamed = self.upload.finalize(line, self.job(name='a b'))
        self.assertIsInstance(renamed, elsewhere.Renamed)
        self.assertEqual([('rename', PART, 'a b'), ('stat', 'a b', False, False)], line.done)

    def test_it_was_renamed_before(self):
        self.assertTrue(self.upload.refused(Line('a'), self.job(), refusal(550)))
        self.assertEqual([], self.ends)

    def test_it_is_not_renamed(self):
        self.assertFalse(self.upload.refused(Line(PART), self.job(), refusal(550)))
        self.assertEqual((['put back'], {'a': PART}), (self.ends, self.naming.refused))

    def test_an_older_one_is_removed_where_it_may_be_replaced(self):
        self.naming.replace = True
        line = Line(PART, 'a')
        self.assertTrue(self.upload.refused(line, self.job(), refusal(550)))
        self.assertEqual([('remove', 'a'), ('rename', PART, 'a')], line.verbs('remove', 'rename'))
        for line in Line(PART), Line(PART, 'a', rename=lambda *args: refusal(550)):
            self.ends.clear()
            self.assertFalse(self.upload.refused(line, self.job(), refusal(550)))
            self.assertEqual(['put back'], self.ends)
        self.naming.replace = False
        line = Line(PART, 'a')
        self.assertFalse(self.upload.refused(line, self.job(), refusal(550)))
        self.assertEqual([], line.verbs('remove', 'rename'))

    def lost(self, line, name='a b'):
        return self.upload.refused(line, self.job(name=name), elsewhere.NotThere('No.'))

    def test_it_has_its_name_after_all(self):
        for size in 50, None:
            line = Line()
            line.there['a b'] = Entry('a b', size)
            self.assertTrue(self.lost(line))
        self.assertEqual(([], []), (self.noted, self.ends))

    def test_it_is_not_to_be_found(self):
        for names in (), ('a b',):
            self.noted.clear()
            self.ends.clear()
            line = Line(*names)
            if names:
                line.there['a b'] = Entry('a b', 51)
            self.assertFalse(self.lost(line))
            dropped, = self.ends
            self.assertTrue(dropped.failed)
            self.assertIn('does not find it under its name', dropped.reason)
            self.assertEqual([('storing', None), ('settled', PART), ('withdrawn', 'a b')],
                             self.noted)

    def test_it_has_got_another_name(self):
        def read(name, sink=None):
            return None

        line = Line('a_b', read=read)
        job = self.job(name='a b')
        job.file.digest = elsewhere.Digest().hexdigest()
        self.assertFalse(self.upload.refused(line, job, elsewhere.NotThere('No.')))
        self.assertNotIn('a_b', line.there)
        self.assertIn('it would be called a_b there', self.ends[0].reason)
        self.assertEqual([('settled', PART), ('withdrawn', 'a b')], self.noted[-2:])
