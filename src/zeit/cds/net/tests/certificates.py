"""Certificates, and what else tests of TLS have in common."""
import contextlib
import os
import shutil
import ssl
import tempfile
import unittest
from unittest import mock

import trustme

from zeit.cds.feed import Feed


VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class CertificateLayer:
    """`ca` is a certificate authority, `ca_file` its file; `certificate()` gives a file with key
    and certificate."""

    @classmethod
    def setUp(cls):
        cls.directory = tempfile.mkdtemp(prefix='zeit.cds-ca-')
        os.chmod(cls.directory, 0o755)
        cls.ca = trustme.CA()
        cls.ca_file = os.path.join(cls.directory, 'ca.pem')
        cls.ca.cert_pem.write_to_path(cls.ca_file)

    @classmethod
    def tearDown(cls):
        shutil.rmtree(cls.directory)

    @classmethod
    def certificate(cls, *names, ca=None, **kw):
        issued = (ca or cls.ca).issue_cert(*names or ('127.0.0.1',), **kw)
        path = tempfile.mktemp(dir=cls.directory, suffix='.pem')
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    @classmethod
    def context(cls, *names, **kw):
        """An ssl.SSLContext for a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.certificate(*names, **kw))
        return context


@contextlib.contextmanager
def only(version):
    """Let the client speak just this version of TLS."""
    def create_default_context(**kw):
        context = create(**kw)
        context.maximum_version = version
        return context
    create = ssl.create_default_context
    with mock.patch('zeit.cds.net.tls.ssl.create_default_context', create_default_context):
        yield


class TLSTest(unittest.TestCase):

    layer = CertificateLayer
    security = 'explicit'

    def setUp(self):
        self.store_dir = tempfile.mkdtemp(prefix='zeit.cds-spool-')
        self.addCleanup(shutil.rmtree, self.store_dir)
        for name in 'tmp', 'new', 'cur':
            os.mkdir(os.path.join(self.store_dir, name))

    def feed(self, server, **settings):
        return Feed(**{**dict(
            store_dir=self.store_dir, hostname=server.host, port=server.port, user=server.user,
            timeout=10, retries=1, password=server.password, ftp_dir='/', security=self.security,
            ca_file=self.layer.ca_file), **settings})
