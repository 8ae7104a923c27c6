"""Imports killed at some of their steps; tools/kill-matrix does it at all of them."""
import unittest
import unittest.mock

from zeit.cds.journal.record import Record
from zeit.cds.spool.inbox import Spool
from zeit.cds.testing.layers import on_servers, PYFTPDLIB_LAYER, SSHD_LAYER, VSFTPD_LAYER
from zeit.cds.tests.crash.journals import TROUBLES
from zeit.cds.tests.crash.kills import kill_everywhere, Matrix, NEVER
from zeit.cds.transfer.importing import Import


class Kills:

    def matrix(self, *args, **kw):
        matrix = Matrix(self.server, *args, **kw)
        self.addCleanup(matrix.close)
        return matrix


class Runs(Kills):
    """Nothing is lost, nothing published twice, and nothing left behind."""

    def check(self, matrix, points):
        count, steps = kill_everywhere(matrix, points)
        self.assertEqual([], matrix.wrong)
        self.assertEqual(points, count)
        self.assertLess(points, steps)

    def test_one_session(self):
        self.check(self.matrix(2), 12)

    def test_one_session_with_a_consumer_and_a_new_version(self):
        self.check(self.matrix(2, consume=True, renew=True), 12)

    def test_several_sessions(self):
        self.check(self.matrix(9, connections=4), 6)

    def test_a_journal_is_true(self):
        self.check(self.matrix(2, consume=True, renew=True, journal='sqlite'), 8)

    def test_a_journal_in_trouble_is_true_once_that_is_over(self):
        for trouble in TROUBLES:
            with self.subTest(trouble):
                self.check(self.matrix(2, consume=True, journal='sqlite:' + trouble), 4)

    def test_several_sessions_with_a_new_version(self):
        self.check(self.matrix(9, connections=4, renew=True), 6)


class Checks(Kills):
    """The check itself: it finds what runs would do that take no care."""

    def assert_seen(self, text):
        matrix = self.matrix(2)
        kill_everywhere(matrix, 12)
        self.assertIn(text, ''.join(matrix.wrong))

    def test_import_without_recovery(self):
        with unittest.mock.patch.object(Import, '_recover', lambda self, leftovers: None):
            self.assert_seen('never finished')

    def test_recovery_that_takes_every_file_for_another(self):
        with unittest.mock.patch.object(Import, '_same', lambda *args: False):
            self.assert_seen('published twice')

    def assert_journal_is_wrong(self, text):
        """After a kill in the second half of a run, when files are whole and not published yet."""
        matrix = self.matrix(2, journal='sqlite')
        steps = matrix.steps()
        for step in range(steps // 2, steps):
            matrix.kill_at(step)
            if text in ''.join(matrix.wrong):
                return
        self.fail('Nothing is seen.')

    def test_trouble_of_a_journal_is_trouble(self):
        for trouble in TROUBLES:
            with self.subTest(trouble):
                matrix = self.matrix(2, journal='sqlite:' + trouble)
                matrix.prepare()
                self.assertRegex(matrix.run(NEVER - 1), 'success')
                self.assertEqual(2, len(matrix.kept.wrong(matrix.published().items())))

    def test_a_journal_that_does_not_ask_what_became_of_files(self):
        with unittest.mock.patch.object(Record, '_resolve', lambda self, version: None):
            self.assert_journal_is_wrong('which is whole')

    def test_a_journal_that_takes_all_that_is_whole_for_published(self):
        with unittest.mock.patch.object(Spool, 'fate', lambda *args: 'done'):
            self.assert_journal_is_wrong('false row')


def test_suite():
    return unittest.TestSuite([on_servers(Runs, [PYFTPDLIB_LAYER, VSFTPD_LAYER]),
                               on_servers(Runs, [SSHD_LAYER], level=2),
                               on_servers(Checks, [PYFTPDLIB_LAYER])])
