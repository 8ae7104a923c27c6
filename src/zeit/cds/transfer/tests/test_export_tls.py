"""Exports over TLS, to each of the servers."""
import os

from zeit.cds.main import run_export
from zeit.cds.net.tests.test_tls import TLSTest
from zeit.cds.testing.logs import recorded
from zeit.cds.testing.servers import ProFTPD, PureFTPD, PyFTPD, VsFTPD
from zeit.cds.tests.importing import contents, put


FILES = {b'large.bin': bytes(range(256)) * 4 * 3072, b'empty': b'', **{b'%02d.xml' % n: b'%d\n' % n * 500 for n in range(14)}}


class Servers(TLSTest):
    """A test for each server is added below."""

    def check(self, kind, security):
        if missing := kind.missing(security):
            self.skipTest(missing)
        self.security = security
        with kind(tls=security, certificate=self.layer.certificate()) as server:
            for connections in (1, 4):
                with self.subTest(connections=connections):
                    self.check_export(server, connections)

    def check_export(self, server, connections):
        for name, data in FILES.items():
            put(os.path.join(self.store_dir, 'new'), name, data)
        with recorded() as log:
            outcome = run_export(self.feed(server, connections=connections, direction='export'))
        self.assertTrue(outcome.successful, log.text)
        self.assertEqual([], log.complaints)
        self.assertEqual((FILES, {}), (contents(server.directory), contents(os.path.join(self.store_dir, 'new'))))
        server.clear()


def add(kind, security):
    def test(self):
        self.check(kind, security)
    setattr(Servers, 'test_%s_%s' % (kind.program.replace('-', '_'), security), test)


for kind in (PyFTPD, VsFTPD, ProFTPD, PureFTPD):
    add(kind, 'explicit')
add(VsFTPD, 'implicit')
