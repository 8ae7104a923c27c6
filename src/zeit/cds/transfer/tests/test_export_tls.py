"""Exports over TLS, to each of the servers."""
import os
import shutil
import tempfile
import unittest

import trustme

from zeit.cds.feed import Feed
from zeit.cds.testing.logs import recorded
from zeit.cds.testing.servers import ProFTPD, PureFTPD, PyFTPD, VsFTPD
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.transfer.tests.faulty import new_run


FILES = {b'large.bin': bytes(range(256)) * 4 * 3072, b'empty': b'',
         **{b'%02d.xml' % n: b'%d\n' % n * 500 for n in range(14)}}


class Certificate:
    """A layer: `path` is a file with key and certificate, `ca_file` one of who vouches for it."""

    @classmethod
    def setUp(cls):
        cls.directory = tempfile.mkdtemp(prefix='zeit.cds-ca-')
        os.chmod(cls.directory, 0o755)
        cls.path, cls.ca_file = (os.path.join(cls.directory, name) for name in ('pem', 'ca.pem'))
        ca = trustme.CA()
        ca.cert_pem.write_to_path(cls.ca_file)
        ca.issue_cert('127.0.0.1').private_key_and_cert_chain_pem.write_to_path(cls.path)

    @classmethod
    def tearDown(cls):
        shutil.rmtree(cls.directory)


class Servers(unittest.TestCase):
    """A test for each server is added below."""

    layer = Certificate

    def setUp(self):
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)

    def check(self, kind, security):
        if missing := kind.missing(security):
            self.skipTest(missing)
        self.security = security
        with kind(tls=security, certificate=self.layer.path) as server:
            for connections in (1, 4):
                with self.subTest(connections=connections):
                    self.check_export(server, connections)

    def check_export(self, server, connections):
        for name, data in FILES.items():
            put(os.path.join(self.store_dir, 'new'), name, data)
        with recorded() as log:
            outcome = new_run(Feed(
                direction='export', store_dir=self.store_dir, hostname=server.host,
                port=server.port, user=server.user, password=server.password, timeout=10,
                connections=connections, security=self.security, ca_file=self.layer.ca_file))()
        self.assertTrue(outcome.successful, log.text)
        self.assertEqual([], log.complaints)
        self.assertEqual((FILES, {}),
                         (contents(server.directory),
                          contents(os.path.join(self.store_dir, 'new'))))
        server.clear()


def add(kind, security):
    def test(self):
        self.check(kind, security)
    setattr(Servers, 'test_%s_%s' % (kind.program.replace('-', '_'), security), test)


for kind in (PyFTPD, VsFTPD, ProFTPD, PureFTPD):
    add(kind, 'explicit')
add(VsFTPD, 'implicit')
