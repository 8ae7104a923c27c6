"""What only a session with a directory has to take care of."""
import errno
import os
import shutil
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import zope.component
import zope.component.testing
from zope.configuration import xmlconfig

import zeit.cds
from zeit.cds.file.session import FileConnection, FileSession, PROBE
from zeit.cds.interfaces import ConnectionLost, ICDSConnection, PermanentError, TemporaryError
from zeit.cds.memory import Memory, read
from zeit.cds.testing.contracts.case import Deadline


class Recorded(FileSession):
    """Remembers its system calls."""

    def __init__(self, *args):
        self.calls = []
        super().__init__(*args)

    def _call(self, function, *args, **kw):
        self.calls.append(function.__name__)
        return super()._call(function, *args, **kw)

    def _sync(self, below=''):
        self.calls.append('sync')
        super()._sync(below)


class Folding(FileSession):
    """With a file system that does not tell upper from lower case."""

    def _status(self, name, follow=True):
        found = [each for each in os.listdir(self._fd) if each.lower() == name.lower()]
        return super()._status(found[0] if found else name, follow)


class Sessions(unittest.TestCase):

    def setUp(self):
        self.path = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.path)
        self.place = self.path / 'share'
        self.place.mkdir()

    def open(self, kind=FileSession):
        session = kind(str(self.place), Deadline())
        self.addCleanup(session.close)
        return session

    def test_registered_by_its_name(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        xmlconfig.file('configure.zcml', zeit.cds)
        self.assertIsInstance(zope.component.getUtility(ICDSConnection, 'file'), FileConnection)

    # ------------------------------------------------------------ durable

    def test_data_are_synced_before_write_returns(self):
        session = self.open(Recorded)
        for source in b'1', [b'1', b'2'], b'':
            session.write('a', source)
            self.assertEqual('fsync', session.calls[-1])
        session.write('a', b'1', 0)
        self.assertEqual('fsync', session.calls[-1])

    def test_names_are_synced_before_rename_and_remove_return(self):
        session = self.open(Recorded)
        session.write('a', b'1')
        session.rename('a', 'b')
        self.assertEqual(['rename', 'sync'], session.calls[-2:])
        session.remove('b')
        self.assertEqual(['unlink', 'sync'], session.calls[-2:])
        session.write('a', b'1')
        session.make_directory('m')
        with mock.patch.object(os, 'fsync') as fsync:
            session.rename('a', 'm/a')
        self.assertEqual(2, fsync.call_count)

    # ------------------------------------------------------------ safe

    def test_names_do_not_lead_elsewhere(self):
        (self.path / 'a').write_bytes(b'outside')
        (self.place / 'm').mkdir()
        session = self.open()
        for name in '', '.', '..', '../a', '/etc/passwd', 'm/..', 'm/../a', 'm//a', 'm/x/y', 'm/':
            for verb in session.make_directory, session.remove_directory, session.names:
                with self.subTest(name=name, verb=verb.__name__):
                    self.assertRaises(ValueError, verb, name)
        for name in '', '.', '..', '../a', 'm/a', 'm/../a':
            for verb in session.stat, session.exists, session.remove:
                with self.subTest(name=name, verb=verb.__name__):
                    self.assertRaises(ValueError, verb, name)
            with self.subTest(name=name):
                self.assertRaises(ValueError, session.read, name, Memory())
                self.assertRaises(ValueError, session.write, name, b'1')
                if name != 'm/a':
                    self.assertRaises(ValueError, session.rename, 'b', name)
                self.assertRaises(ValueError, session.rename, name, 'b')
        self.assertEqual(b'outside', (self.path / 'a').read_bytes())

    def test_nothing_is_written_by_way_of_a_link(self):
        (self.path / 'outside').write_bytes(b'outside')
        for name in 'a', PROBE:
            (self.place / name).symlink_to('../outside')
        session = self.open()
        self.assertRaises(PermanentError, session.write, 'a', b'1')
        self.assertIsNone(session.clock())
        self.assertEqual(b'outside', (self.path / 'outside').read_bytes())

    def test_a_pipe_blocks_nobody(self):
        os.mkfifo(self.place / 'pipe')
        session = self.open()
        entry, = session.entries()
        self.assertEqual(('pipe', 'other'), (entry.name, entry.kind))
        self.assertIsNone(session.stat('pipe'))
        self.assertTrue(session.exists('pipe'))
        self.assertRaises(PermanentError, session.read, 'pipe', Memory())
        self.assertRaises(PermanentError, session.write, 'pipe', b'1')
        reader = os.open(self.place / 'pipe', os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertRaises(PermanentError, session.write, 'pipe', b'1')
        self.assertEqual(b'', os.read(reader, 10))

    def test_a_device_is_no_file(self):
        (self.place / 'zero').symlink_to('/dev/zero')
        session = self.open()
        self.assertIsNone(session.stat('zero'))
        self.assertRaises(PermanentError, session.read, 'zero', Memory())

    def unprivileged(self):
        """From now on we are not root, and the directory belongs to us."""
        if not os.geteuid():
            self.path.chmod(0o755)
            os.chown(self.place, 1, -1)
            os.seteuid(1)
            self.addCleanup(os.seteuid, 0)

    def test_link_that_leads_where_we_may_not_go_does_not_hide_the_others(self):
        (self.path / 'closed').mkdir()
        (self.path / 'closed').chmod(0)
        (self.place / 'link').symlink_to('../closed/a')
        (self.place / 'a').write_bytes(b'1')
        self.unprivileged()
        self.assertEqual({'link': 'other', 'a': 'file'},
                         {entry.name: entry.kind for entry in self.open().entries()})

    def test_what_may_not_be_looked_at_does_not_count_as_missing(self):
        """Else a lock file would."""
        (self.place / 'read').write_bytes(b'1')
        self.unprivileged()
        self.place.chmod(0o400)
        session = self.open()
        for verb in session.exists, session.stat:
            self.assertRaises(PermanentError, verb, 'read')

    def test_directory_that_cannot_be_synced_is_as_durable_as_it_gets(self):
        session = FileSession('/proc', Deadline())
        self.addCleanup(session.close)
        session._sync()
        self.assertTrue(session.alive)

    def test_links_that_lead_nowhere_do_not_hide_the_others(self):
        (self.place / 'loop').symlink_to('loop')
        (self.place / 'nowhere').symlink_to('missing')
        (self.place / 'a').write_bytes(b'1')
        session = self.open()
        self.assertEqual({'loop': 'other', 'nowhere': 'other', 'a': 'file'},
                         {entry.name: entry.kind for entry in session.entries()})
        for name in 'loop', 'nowhere':
            self.assertIsNone(session.stat(name))
            self.assertTrue(session.exists(name))

    def test_file_that_vanishes_during_the_listing_is_left_out(self):
        for name in 'abc':
            (self.place / name).write_bytes(b'')
        entries = self.open().entries()
        first = next(entries).name
        for name in 'abc':
            (self.place / name).unlink()
        self.assertEqual([], [entry.name for entry in entries if entry.name != first])

    def test_directory_stays_the_same_when_another_gets_its_name(self):
        session = self.open()
        self.place.rename(self.path / 'old')
        self.place.mkdir()
        session.write('a', b'1')
        self.assertEqual(b'1', (self.path / 'old' / 'a').read_bytes())
        self.assertEqual([], list(self.place.iterdir()))

    # ------------------------------------------------------------ the rest

    def test_written_again_at_an_offset_the_end_goes(self):
        session = self.open()
        session.write('a', b'12345')
        self.assertEqual(1, session.write('a', b'X', 2))
        self.assertEqual(b'12X', read(session, 'a'))
        self.assertRaises(PermanentError, session.write, 'a', b'X', 4)
        self.assertRaises(PermanentError, session.write, 'missing', b'X', 4)
        self.assertRaises(PermanentError, session.read, 'a', Memory(), 4)
        self.assertEqual(b'12X', read(session, 'a'))
        self.assertEqual(['a'], os.listdir(self.place))

    def test_stored_name_where_upper_case_is_lower_case(self):
        (self.place / 'Flash.xml').write_bytes(b'1')
        (self.place / 'other').write_bytes(b'1')
        session = self.open(Folding)
        self.assertEqual('Flash.xml', session.stored_name('flash.xml'))
        self.assertEqual('Flash.xml', session.stored_name('Flash.xml'))
        self.assertIsNone(session.stored_name('missing'))

    def test_clock_makes_use_of_what_somebody_left_who_was_killed(self):
        (self.place / PROBE).write_bytes(b'?')
        os.utime(self.place / PROBE, (0, 0))
        self.assertLess(abs(self.open().clock() - time.time_ns()), 10 * 10**9)
        self.assertEqual([], os.listdir(self.place))

    def test_several_may_look_at_the_clock(self):
        clocks = []

        def look(session):
            for _ in range(100):
                clocks.append(session.clock())

        threads = [threading.Thread(target=look, args=[self.open()]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(200, len(clocks))
        self.assertNotIn(None, clocks)
        self.assertEqual([], os.listdir(self.place))

    def test_errors_of_the_system_are_those_of_the_contract(self):
        for number, kind in [
                (errno.ENOENT, PermanentError), (errno.EACCES, PermanentError),
                (errno.EEXIST, PermanentError), (errno.EROFS, PermanentError),
                (errno.EFBIG, PermanentError), (errno.ENOSPC, TemporaryError),
                (errno.EDQUOT, TemporaryError), (errno.EMFILE, TemporaryError),
                (errno.EIO, ConnectionLost), (errno.ESTALE, ConnectionLost),
                (errno.ENOTCONN, ConnectionLost)]:
            with self.subTest(error=errno.errorcode[number]):
                session = self.open()

                def fail(number=number):
                    raise OSError(number, os.strerror(number))

                with self.assertRaises(kind) as caught:
                    session._call(fail)
                self.assertIn(os.strerror(number), str(caught.exception))
                self.assertEqual(kind is not ConnectionLost, session.alive)

    def test_what_is_no_directory_is_told_of(self):
        path = self.path / 'file'
        path.write_bytes(b'')
        feed = type('Feed', (), dict(ftp_dir=str(path)))
        with self.assertRaises(PermanentError) as caught:
            FileConnection().open(feed, Deadline())
        self.assertIn(str(path), caught.exception.__notes__[0])

    def test_no_descriptor_is_left_open(self):
        before = len(os.listdir('/proc/self/fd'))
        for verb, *args in [
                ('write', 'a', b'1'), ('read', 'a', Memory()), ('clock',), ('names', 'a'),
                ('write', 'a', iter([1])), ('read', 'a', None), ('read', 'missing', None)]:
            session = self.open()
            try:
                getattr(session, verb)(*args)
            except Exception:
                self.assertIn(verb, ('read', 'write', 'names'))
            session.close()
            self.assertEqual(before, len(os.listdir('/proc/self/fd')), verb)
