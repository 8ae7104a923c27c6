"""What becomes of files on real servers once they are ours: moved there, or kept."""
import os
import shutil
import unittest
from unittest import mock

from zeit.cds.feed import Feed
from zeit.cds.interfaces import TemporaryError
from zeit.cds.testing.faulty import FaultyServer, On
from zeit.cds.testing.layers import (
    ALL_LAYERS,
    on_servers,
    PUREFTPD_LAYER,
    PYFTPDLIB_LAYER,
    VSFTPD_LAYER,
)
from zeit.cds.testing.servers import PyFTPD, VsFTPD
from zeit.cds.tests.crash.kills import kill_everywhere, Matrix
from zeit.cds.tests.crash.readonly import Archive
from zeit.cds.tests.importing import contents, Importing, new_spool
from zeit.cds.transfer.importing import Import


class Moves(Importing):

    @property
    def done(self):
        return contents(os.path.join(self.server.directory, 'done'))

    def test_files_are_moved_into_a_directory(self):
        for taken in range(2):
            for n in range(3):
                self.put('%d.xml' % n, b'%d' % n, 1_700_000_000 + taken)
            outcome = self.run_import(afterwards='move:done')
            self.assertTrue(outcome.successful, self.log.text)
            self.assertEqual({b'%d.xml' % n: b'%d' % n for n in range(3)}, self.consume())
        self.assertIn('File moved on server: 0.xml', self.log.text)
        self.assertEqual([], outcome.skipped)       # the directory itself is none of them
        self.assertEqual({b'done': None}, self.there)
        self.assertEqual({b'%d.xml%s' % (n, end): b'%d' % n for n in range(3)
                          for end in (b'', b'.1')}, self.done)

    def test_a_file_that_was_left_in_tmp_is_moved(self):
        self.put('a', b'1')
        with mock.patch.object(Import, '_publish', side_effect=TemporaryError('Killed.')), \
                mock.patch('zeit.cds.transfer.afterwards.Moved.finalize', lambda *args: Refused()):
            self.run_import(afterwards='move:done')
        self.assertEqual({b'a': b'1'}, self.spool('tmp'))
        self.assertEqual({b'a': b'1', b'done': None}, self.there)
        self.assertTrue(self.run_import(afterwards='move:done').successful)
        self.assertEqual(({b'a': b'1'}, {b'a': b'1'}), (self.done, self.published))


class Refused:
    done = True

    def get(self):
        raise TemporaryError('It is busy.')


class RefusedMoves(unittest.TestCase):
    """A server that has rights of its own."""

    def exchange(self, *script, **files):
        store_dir = new_spool()
        self.addCleanup(shutil.rmtree, store_dir)
        server = FaultyServer(files={'a': b'1', **files})
        server.script = list(script)
        server.start()
        self.addCleanup(server.stop)
        from zeit.cds.main import run_import
        with self.assertLogs('zeit.cds', 'WARNING'):
            outcome = run_import(Feed(
                store_dir=store_dir, hostname=server.host, port=server.port, user='test',
                password='testpw', retries=0, timeout=5, afterwards='move:done'))
        return outcome, server, contents(os.path.join(store_dir, 'new'))

    def test_a_directory_that_cannot_be_made(self):
        outcome, server, new = self.exchange(On('MKD', 'done').reply('550 Permission denied.'))
        self.assertIn("Make the directory 'done' there by hand", ''.join(outcome.error.__notes__))
        self.assertEqual(({b'a': b'1'}, {}), ({b'a': server.files['a'].data}, new))

    def test_a_file_that_may_not_be_moved(self):
        outcome, server, new = self.exchange(On('RNTO', 'done/a').reply('553 Not allowed.'))
        [(name, reason)] = outcome.failed
        self.assertIn('the server refuses to move it: 553 Not allowed', reason)
        self.assertIn('a', server.files)
        self.assertEqual({}, new)


class Kills:

    def check(self, points, **kw):
        matrix = Matrix(self.server, 2, **kw)
        self.addCleanup(matrix.close)
        kill_everywhere(matrix, points)
        self.assertEqual([], matrix.wrong)

    def test_files_that_are_kept(self):
        self.check(8, afterwards='keep', journal='sqlite', consume=True, renew=True)

    def test_files_that_are_moved(self):
        self.check(6, afterwards='move:done', consume=True, renew=True)


class MoreKills(Kills):

    def test_files_that_are_kept_and_nobody_takes(self):
        self.check(40, afterwards='keep', journal='sqlite')

    def test_files_that_are_moved_and_nobody_takes(self):
        self.check(40, afterwards='move:done')


class Checks:
    """The check itself."""

    def test_a_run_that_forgets(self):
        matrix = Matrix(self.server, 2, afterwards='keep', journal='sqlite')
        self.addCleanup(matrix.close)
        with mock.patch('zeit.cds.transfer.afterwards.Kept.new',
                        lambda self, entries, spool: entries):
            kill_everywhere(matrix, 2)
        self.assertIn('published twice', ''.join(matrix.wrong))


class ReadOnly(unittest.TestCase):
    """Many runs, some of them killed, on a directory in which nothing can be changed."""

    kind, settings, runs, level = PyFTPD, {'permissions': 'elr'}, 12, 1

    def test_nothing_comes_twice(self):
        if missing := self.kind.missing():
            self.skipTest(missing)
        with self.kind(settings=self.settings) as server:
            archive = Archive(server, files=4)
            self.addCleanup(archive.close)
            self.assertEqual([], archive.run_often(self.runs))
            self.assertLess(self.runs // 4, archive.kills)


class ReadOnlyVsFTPD(ReadOnly):

    kind, settings, runs, level = VsFTPD, {'write_enable': 'NO'}, 50, 2


def test_suite():
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    return unittest.TestSuite([
        on_servers(Moves, ALL_LAYERS), load(RefusedMoves),
        on_servers(Kills, [PYFTPDLIB_LAYER]),
        on_servers(MoreKills, [VSFTPD_LAYER, PUREFTPD_LAYER], 2),
        on_servers(Checks, [PYFTPDLIB_LAYER]), load(ReadOnly), load(ReadOnlyVsFTPD)])
