"""tools/try-servers in short, on servers that tools/install-field-servers got."""
import shutil
import tempfile
import unittest

from zeit.cds.testing.field import AioFTP, FtpSrv, Inetutils, Rclone, Twisted
from zeit.cds.testing.layers import BESIDE_LAYER, in_ci
from zeit.cds.tests.crash.field import Trial


class FieldTest(unittest.TestCase):

    layer = BESIDE_LAYER

    def setUp(self):
        super().setUp()
        self.logs = tempfile.mkdtemp(prefix='zeit.cds-field-')
        self.addCleanup(shutil.rmtree, self.logs)

    def trial(self, kind):
        if missing := kind.missing():
            self.assertFalse(in_ci(), missing)
            self.skipTest(missing)      # at home nobody needs to get five servers; CI has them
        server = kind()
        server.start()
        self.addCleanup(server.stop)
        return Trial(server, self.logs, files=60)

    def works(self, kind):
        trial = self.trial(kind)
        for what, *sessions in (trial.importing, 4), (trial.exporting, 4), (trial.killing,):
            cell = what(*sessions)
            self.assertEqual('ok', cell[:2], (cell, trial.remarks))

    def test_inetutils(self):
        self.works(Inetutils)

    def test_ftp_srv(self):
        self.works(FtpSrv)

    def test_rclone(self):
        self.works(Rclone)

    def test_twisted(self):
        self.works(Twisted)

    def test_aioftp(self):
        self.works(AioFTP)
