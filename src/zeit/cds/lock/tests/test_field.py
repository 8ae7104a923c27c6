"""Servers whose MKD keeps nobody out, as tools/install-field-servers got them: short races."""
import unittest

from zeit.cds.testing.field import FtpSrv, Rclone
from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.tests.crash.races import races


class Races(unittest.TestCase):

    layer = BESIDE_LAYER

    def races(self, kind, clients):
        if missing := kind.missing():
            self.skipTest(missing)
        with kind() as server:
            wrong, figures = races(server, 10, clients)
        self.assertEqual(([], 10, 0), (wrong, figures['races'], figures['overlaps']))
        self.assertEqual(0, figures['nobody'])

    def test_ftp_srv(self):
        for clients in 2, 5:
            with self.subTest(clients=clients):
                self.races(FtpSrv, clients)

    def test_rclone(self):
        for clients in 2, 5:
            with self.subTest(clients=clients):
                self.races(Rclone, clients)
