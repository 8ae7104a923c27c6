"""A spool that cannot be used: a clear error, nothing else."""
import errno
import os
import shutil
import tempfile
from types import SimpleNamespace
from unittest import mock

from zeit.cds.interfaces import Locked, SpoolError
from zeit.cds.spool.inbox import LOCK, ReadOnlySpool, Spool
from zeit.cds.spool.outbox import Outbox, ReadOnlyOutbox
from zeit.cds.spool.store import hint, spool_error, spool_errors, user_name
from zeit.cds.spool.tests.cases import as_somebody_else, InSpool, NOBODY


class Broken(InSpool):

    def assert_error(self, *texts):
        for open_ in self.spool, self.outbox:
            with self.assertRaises(SpoolError) as caught:
                open_()
            self.assert_texts('%s %s' % (caught.exception, getattr(
                caught.exception, '__notes__', '')), *texts)

    def assert_texts(self, got, *texts):
        for text in (self.path, *texts):
            self.assertIn(text, got or '')

    def spool(self):
        Spool(self.path).close()

    def outbox(self):
        Outbox(self.path, '').close()

    def test_missing(self):
        shutil.rmtree(self.path)
        self.assert_error('Create the directory first')
        self.assertFalse(os.path.exists(self.path))

    def test_no_directory(self):
        shutil.rmtree(self.path)
        with open(self.path, 'w'):
            pass
        self.addCleanup(os.unlink, self.path)
        self.assert_error('must be a directory')

    def test_no_permission(self):
        os.chmod(self.path, 0o755)
        self.assert_texts(as_somebody_else(self.spool), 'needs the right to write')

    def test_no_permission_in_new(self):
        os.chmod(self.path, 0o777)
        for name, mode in ('tmp', 0o777), ('new', 0o755), ('cur', 0o777):
            os.chmod(self.at(name), mode)
        for open_ in self.spool, self.outbox:
            self.assert_texts(as_somebody_else(open_), self.at('new'), 'needs the right to write')

    def test_on_two_file_systems(self):
        here = os.stat(self.path).st_dev
        others = [path for path in (os.path.dirname(__file__), '/dev/shm', '/tmp')
                  if os.path.isdir(path) and os.stat(path).st_dev != here]
        if not others:
            self.skipTest('There is only one file system here.')
        other = tempfile.mkdtemp(dir=others[0])
        self.addCleanup(shutil.rmtree, other)
        os.rmdir(self.at('new'))
        os.symlink(other, self.at('new'))
        self.assert_error('must be on one file system')

    def test_in_use(self):
        with Spool(self.path):
            self.assertRaises(Locked, Spool, self.path)
        self.spool()
        self.assertTrue(os.path.exists(self.at(LOCK)))

    def test_a_refused_opening_leaves_nothing_open(self):
        os.rmdir(self.at('new'))
        with open(self.at('new'), 'w'):
            pass
        before = os.listdir('/proc/self/fd')
        self.assert_error()
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

    def test_the_first_run_makes_the_directories(self):
        for name in 'tmp', 'new', 'cur':
            os.rmdir(self.at(name))
        self.spool()
        self.assertLessEqual({'tmp', 'new', 'cur'}, set(os.listdir(self.path)))


class Texts(InSpool):
    """What is told of an OSError."""

    def test_what_went_wrong_and_where(self):
        number, text = errno.ENOSPC, 'No space left on device'
        for error, said in (
                (OSError(number, text), 'Spool /s: No space left on device'),
                (OSError(number, text, '/s/a\n'),
                 r'Spool /s: No space left on device: /s/a\x0a'),
                (OSError(number, text, '/s'), 'Spool /s: No space left on device'),
                (OSError(number, text, 7), 'Spool /s: No space left on device'),
                (OSError('odd'), 'Spool /s: odd')):
            found = spool_error('/s', error, 'the rest waits')
            self.assertIsInstance(found, SpoolError)
            self.assertEqual(said, str(found))
            self.assertEqual(1, len(found.__notes__))

    def test_what_to_do(self):
        for number, text in ((errno.ENOENT, 'Create the directory first'),
                             (errno.ENXIO, 'Remove what is there'), (errno.EIO, 'disk errors')):
            self.assertIn(text, hint('/s', OSError(number, 'x'), 'the rest waits'))

    def test_only_errors_of_the_system_become_those_of_a_spool(self):
        class Spooled:
            _error = staticmethod(lambda error: SpoolError('told'))

            @spool_errors
            def verb(self, error, result=None):
                if error is not None:
                    raise error
                return result

        spooled = Spooled()
        self.assertEqual('done', spooled.verb(None, result='done'))
        self.assertEqual('verb', spooled.verb.__name__)
        for error, kind in (OSError(5, 'x'), SpoolError), (FileExistsError(17, 'x'), (
                FileExistsError)), (KeyError('x'), KeyError):
            self.assertRaises(kind, spooled.verb, error)


class FirstRuns(InSpool):
    """Two make the directories at the same time."""

    def test_what_somebody_else_has_just_made_is_good(self):
        os.rmdir(self.at('cur'))

        def prepare(store):
            os.mkdir(self.at('cur'))
            raise FileExistsError(errno.EEXIST, 'File exists', self.at('cur'))

        with mock.patch('gocept.filestore.filestore.FileStore.prepare', prepare):
            Spool(self.path).close()

    def test_what_is_no_directory_is_none(self):
        os.rmdir(self.at('cur'))
        os.symlink('nowhere', self.at('cur'))
        with self.assertRaisesRegex(SpoolError, 'Not a directory: %s' % self.at('cur')):
            Spool(self.path)


class ReadOnlyDisks(InSpool):

    def test_it_is_no_matter_of_rights(self):
        for flag, text in (os.ST_RDONLY, 'Read-only file system'), (0, 'Permission denied'):
            system = self.with_system()
            system.access = lambda path, mode: not path.endswith('new')
            system.statvfs = lambda path, flag=flag: SimpleNamespace(f_flag=flag)
            for open_ in Spool, lambda path: Outbox(path, ''):
                with self.assertRaisesRegex(SpoolError, text):
                    open_(self.path)


class Looking(InSpool):
    """Who only looks changes nothing, and waits for nobody."""

    def test_it_may_be_in_use(self):
        with Spool(self.path), Outbox(self.path, ''):
            ReadOnlySpool(self.path).close()
            with ReadOnlyOutbox(self.path, '') as outbox:
                self.assertEqual([], outbox.waiting())

    def test_before_the_first_run(self):
        for name in 'tmp', 'new', 'cur':
            os.rmdir(self.at(name))
        with ReadOnlySpool(self.path) as spool:
            self.assertFalse(spool.unread('a'))
            self.assertIsNone(spool.impossible('a'))
        with ReadOnlyOutbox(self.path, '') as outbox:
            self.assertEqual([], outbox.waiting())
        self.assertEqual([], os.listdir(self.path))

    def test_there_is_none(self):
        shutil.rmtree(self.path)
        for kind in ReadOnlySpool, lambda path: ReadOnlyOutbox(path, ''):
            with self.assertRaisesRegex(SpoolError, 'No such file'):
                kind(self.path)

    def test_nothing_stays_open(self):
        before = len(os.listdir('/proc/self/fd'))
        for spool in ReadOnlySpool(self.path), Spool(self.path), Outbox(self.path, ''):
            spool.close()
            spool.close()
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))


class Hints(InSpool):
    """What a person can do."""

    def test_each_kind_of_error(self):
        for number, text in (
                (errno.ENOSPC, 'Make room; the rest waits.'), (errno.EDQUOT, 'Raise it; the rest'),
                (errno.EROFS, 'read-only'), (errno.EIO, 'Look for disk errors'),
                (errno.EFBIG, 'ulimit -f'), (errno.EMFILE, 'ulimit -n')):
            self.assertIn(text, hint(self.path, OSError(number, ''), 'the rest waits'))

    def test_what_belongs_to_others(self):
        if os.getuid():
            self.skipTest('Only root can make what belongs to others.')
        for name in 'tmp', 'new', 'cur':
            os.chown(self.at(name), NOBODY, NOBODY)
        os.chown(self.path, NOBODY, NOBODY)
        self.make('export.lock')
        self.make('import.lock')
        os.chown(self.at('import.lock'), 1, 1)
        for name, owner, mode in (('export.journal', 1, 0o666), ('export.record', NOBODY, 0o444)):
            self.make(name)
            os.chown(self.at(name), owner, owner)
            os.chmod(self.at(name), mode)
        said = as_somebody_else(lambda: Outbox(self.path, '').close())
        self.assertIn('%s belongs to root' % self.at('export.lock'), said)
        self.assertIn('%s belongs to %s' % (self.at('import.lock'), user_name(1)), said)
        self.assertIn('chown %s %s %s' % (
            user_name(NOBODY), self.at('import.lock'), self.at('export.lock')), said)
        for name in 'export.journal', 'export.record':      # what may be written is in nobody's way
            self.assertNotIn(name, said)

    def test_nothing_belongs_to_others(self):
        self.assertEqual('User %s needs the right to write there.' % user_name(os.geteuid()),
                         hint(self.path, PermissionError(errno.EACCES, ''), ''))

    def test_users_without_a_name(self):
        self.assertEqual('987654', user_name(987654))
