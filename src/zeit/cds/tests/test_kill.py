"""Imports killed at some of their steps; tools/kill-matrix does it at all of them."""
import unittest
import unittest.mock

from zeit.cds.testing.layers import on_servers, PYFTPDLIB_LAYER, SSHD_LAYER, VSFTPD_LAYER
from zeit.cds.tests.crash.kills import kill_everywhere, Matrix
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


def test_suite():
    return unittest.TestSuite([on_servers(Runs, [PYFTPDLIB_LAYER, VSFTPD_LAYER]),
                               on_servers(Runs, [SSHD_LAYER], level=2),
                               on_servers(Checks, [PYFTPDLIB_LAYER])])
