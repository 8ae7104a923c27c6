"""The servers of the field start, serve their directory, and stop."""
import io
import os
import pwd
import unittest

from zeit.cds.testing.field import FIELD_SERVERS, Inetutils, place
from zeit.cds.testing.servers import ACCOUNT


class FieldServersTest(unittest.TestCase):

    def test_each_serves_its_directory(self):
        for kind in FIELD_SERVERS:
            with self.subTest(kind.name):
                if missing := kind.missing():
                    self.skipTest(missing)
                with kind() as server:
                    self.serves(server)
                    directory = server.directory
                self.assertFalse(os.path.exists(directory))

    def serves(self, server):
        with server.connect() as ftp:
            ftp.cwd(server.ftp_dir)
            ftp.storbinary('STOR a.xml', io.BytesIO(b'contents'))
            with open(os.path.join(server.directory, 'a.xml'), 'rb') as f:
                self.assertEqual(b'contents', f.read())
            with open(os.path.join(server.directory, 'b.xml'), 'wb') as f:
                f.write(b'of others')
            received = bytearray()
            ftp.retrbinary('RETR b.xml', received.extend)
            self.assertEqual(b'of others', bytes(received))
            ftp.delete('b.xml')
            server.clear()
            self.assertEqual([], os.listdir(server.directory))

    def test_each_tells_its_version(self):
        for kind in FIELD_SERVERS:
            with self.subTest(kind.name):
                if missing := kind.missing():
                    self.skipTest(missing)
                self.assertRegex(kind.version(), r'^[0-9]+\.[0-9]')

    def test_inetutils_acts_as_the_account_of_the_tests(self):
        if missing := Inetutils.missing():
            self.skipTest(missing)
        with Inetutils() as server, server.connect() as ftp:
            ftp.cwd(server.ftp_dir)
            ftp.storbinary('STOR a.xml', io.BytesIO(b'contents'))
            owner = os.stat(os.path.join(server.directory, 'a.xml')).st_uid
        self.assertEqual(pwd.getpwnam(ACCOUNT).pw_uid, owner)

    def test_what_is_not_there_is_told(self):
        class Nowhere(Inetutils):
            path = 'no/such/program'
        self.assertIn('install-field-servers', Nowhere.missing())
        self.assertIn('TLS', Inetutils.missing(tls='explicit'))
        self.assertTrue(os.path.isabs(place()))
