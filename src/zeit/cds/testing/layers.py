"""Layers for zope.testrunner: the FTP servers, and a component registry."""
import os
import unittest

import zope.component.testing
from zope.configuration import xmlconfig

from zeit.cds.testing.brokers import RabbitMQ, Redis
from zeit.cds.testing.browser import Chromium
from zeit.cds.testing.modsftp import ModSFTP
from zeit.cds.testing.postgres import PostgreSQL
from zeit.cds.testing.servers import ProFTPD, PureFTPD, PyFTPD, VsFTPD
from zeit.cds.testing.sshd import SSHD
from zeit.cds.testing.stores import Azurite, SeaweedFS


def in_ci():
    return os.environ.get('CI') == 'true'


class ServerLayer:
    """A server of one kind (`server`), running and empty whenever a test begins.

    Where its program is missing nothing is started, `server` stays None, a line tells how to get
    it, and a `ServerTestCase` is skipped. With CI=true in the environment that is an error of the
    layer instead.
    """

    __bases__ = ()

    def __init__(self, kind, name):
        self.kind = kind
        self.__name__, self.__module__ = name, __name__
        self.server = None

    def setUp(self):
        missing = self.kind.missing()
        if missing is None:
            self.server = self.kind()
            self.server.start()
        elif in_ci():
            raise RuntimeError(missing)
        else:
            print('Skipped: %s' % missing)

    def tearDown(self):
        if self.server is not None:
            self.server.stop()
            self.server = None

    def testSetUp(self):
        if self.server is not None:
            if self.server.pid is None:
                self.server.restart()
            self.server.clear()

    def testTearDown(self):
        """Nothing: who debugs a test wants to see what it left."""

    def __repr__(self):
        return '<%s.%s>' % (self.__module__, self.__name__)


PYFTPDLIB_LAYER = ServerLayer(PyFTPD, 'PYFTPDLIB_LAYER')
VSFTPD_LAYER = ServerLayer(VsFTPD, 'VSFTPD_LAYER')
PROFTPD_LAYER = ServerLayer(ProFTPD, 'PROFTPD_LAYER')
PUREFTPD_LAYER = ServerLayer(PureFTPD, 'PUREFTPD_LAYER')
SSHD_LAYER = ServerLayer(SSHD, 'SSHD_LAYER')
SERVER_LAYERS = [PYFTPDLIB_LAYER, VSFTPD_LAYER, PROFTPD_LAYER, PUREFTPD_LAYER]
MODSFTP_LAYER = ServerLayer(ModSFTP, 'MODSFTP_LAYER')
MODSFTP_LAYER.level = 2     # slow at logging in: only `bin/test --at-level 2` runs these
POSTGRESQL_LAYER = ServerLayer(PostgreSQL, 'POSTGRESQL_LAYER')
BROWSER_LAYER = ServerLayer(Chromium, 'BROWSER_LAYER')
BROWSER_LAYER.level = 2     # slow as well
SFTP_LAYERS = [SSHD_LAYER, MODSFTP_LAYER]
REDIS_LAYER = ServerLayer(Redis, 'REDIS_LAYER')
RABBITMQ_LAYER = ServerLayer(RabbitMQ, 'RABBITMQ_LAYER')
RABBITMQ_LAYER.level = 2       # slow at starting
ALL_LAYERS = SERVER_LAYERS + SFTP_LAYERS        # what is the same whatever the server speaks

SEAWEEDFS_LAYER = ServerLayer(SeaweedFS, 'SEAWEEDFS_LAYER')
AZURITE_LAYER = ServerLayer(Azurite, 'AZURITE_LAYER')
AZURITE_LAYER.level = 2     # an emulator; real S3 shows most
STORE_LAYERS = [SEAWEEDFS_LAYER, AZURITE_LAYER]


class BESIDE_LAYER:
    """Nothing is set up. Tests that are many, and wait much, run beside the others."""


class ServerTestCase(unittest.TestCase):
    """A test of a subclass whose `layer` is one of the above; `server` is the running server.

    It is skipped where the program is missing, except with CI=true.
    """

    layer = None

    def __init_subclass__(cls, **kw):
        super().__init_subclass__(**kw)
        missing = cls.layer and cls.layer.kind.missing()
        if missing and not in_ci():
            # who changes a line at home need not install four servers; CI has them all
            unittest.skip(missing)(cls)

    @property
    def server(self):
        return self.layer.server


def on_servers(mixin, layers=SERVER_LAYERS, level=1):
    """Return a suite that runs the tests of `mixin` on each of the servers.

    `mixin` is a class with test methods that use `self.server`; it's not a
    TestCase itself, else it would run once more, without a server::

        class Transfers: ...

        def test_suite():
            return zeit.cds.testing.on_servers(Transfers)
    """
    suite = unittest.TestSuite()
    for layer in layers:
        suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(
            server_test_case(mixin, layer, level)))
    return suite


def server_test_case(mixin, layer, level=1):
    """Return `mixin` as a TestCase on the server of `layer`."""
    return type('%s_%s' % (mixin.__name__, layer.kind.__name__),
                (mixin, ServerTestCase),
                {'layer': layer,
                 'level': max(level, getattr(layer, 'level', 1), getattr(mixin, 'level', 1)),
                 '__module__': mixin.__module__, '__doc__': mixin.__doc__})


class ZCMLLayer:
    """An empty component registry of its own into which one ZCML file was loaded.

    `filename`  in the package `package` (module or dotted name), or a path
    """

    __bases__ = ()

    def __init__(self, name, filename='configure.zcml', package='zeit.cds', module=__name__):
        self.__name__, self.__module__ = name, module
        self.filename, self.package = filename, package

    def setUp(self):
        zope.component.testing.setUp()
        package = __import__(self.package, fromlist=['*'])
        self.context = xmlconfig.file(self.filename, package)

    def tearDown(self):
        zope.component.testing.tearDown()


ZCML_LAYER = ZCMLLayer('ZCML_LAYER')
