"""A killed export loses nothing, and sends nothing twice. tools/kill-exports does this at each
step.
"""
import contextlib
import unittest

from zeit.cds.testing.layers import (
    on_servers,
    PYFTPDLIB_LAYER,
    server_test_case,
    SSHD_LAYER,
    VSFTPD_LAYER,
)
from zeit.cds.testing.servers import VsFTPD
from zeit.cds.tests.crash.exportkills import ExportMatrix
from zeit.cds.tests.crash.kills import kill_everywhere


POINTS = 8


class Killed:

    def assert_all_is_well(self, server=None, **given):
        with contextlib.closing(ExportMatrix(server or self.server, files=5, **given)) as matrix:
            count, steps = kill_everywhere(matrix, POINTS)
        self.assertEqual([], matrix.wrong)
        self.assertEqual(POINTS, count)
        self.assertGreater(steps, 50)

    def test_one_session(self):
        self.assert_all_is_well()

    def test_somebody_took_the_files_meanwhile(self):
        self.assert_all_is_well(consume=True)

    def test_there_is_a_newer_file_of_the_same_name(self):
        self.assert_all_is_well(renew=True)

    def test_a_journal_is_true(self):
        self.assert_all_is_well(renew=True, journal='sqlite')

    def test_several_sessions_and_all_of_that(self):
        self.assert_all_is_well(connections=4, consume=True, renew=True)


class KilledWithoutRename(Killed):
    """A server that does not rename files, so that they are stored under their own names."""

    # without heeding the lock: not promised there
    test_somebody_took_the_files_meanwhile = None
    test_several_sessions_and_all_of_that = None

    def setUp(self):
        super().setUp()
        self.stubborn = VsFTPD(settings={'cmds_denied': 'RNFR,RNTO'})
        self.addCleanup(self.stubborn.stop)
        self.stubborn.start()

    def assert_all_is_well(self, server=None, **given):
        super().assert_all_is_well(self.stubborn, **given)


def test_suite():
    return unittest.TestSuite([
        on_servers(Killed, [PYFTPDLIB_LAYER, VSFTPD_LAYER]),
        on_servers(Killed, [SSHD_LAYER], level=2),
        unittest.defaultTestLoader.loadTestsFromTestCase(server_test_case(KilledWithoutRename,
                                                                          VSFTPD_LAYER))])
