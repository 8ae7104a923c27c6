"""The texts beside the code, each of them."""
import importlib.resources
import re
import unittest

import zope.component.testing

import zeit.cds.testing
from zeit.cds.testing.brokers import Redis
from zeit.cds.testing.layers import in_ci, SEAWEEDFS_LAYER
from zeit.cds.testing.servers import PyFTPD
from zeit.cds.testing.sshd import SSHD
from zeit.cds.testing.stores import SeaweedFS
from zeit.cds.testing.texts import Parser
from zeit.cds.tests.commands import Shell
from zeit.cds.tests.importing import put


# What a text needs that is not here begins with an empty component registry,
# as in an interpreter that loaded no ZCML.
LAYERS = {'objectstore.txt': SEAWEEDFS_LAYER}
OF_COMMANDS = ('commands.txt',)     # what a shell is typed
NEEDED = {'fleet.txt': Redis, 'objectstore.txt': SeaweedFS, 'sftp.txt': SSHD}


class CommandLines(Parser):
    """Reads a text with command lines, `    $ cds-import ...`: calls `sh` with each."""

    PROMPT = re.compile(r'^(    )\$ (.*)$', re.MULTILINE)

    def parse(self, string, name='<string>'):
        return super().parse(self.PROMPT.sub(self.call, string), name)

    @staticmethod
    def call(match):
        return '%s>>> sh(%r)' % match.groups()


def with_shell(test):
    """Start what the command lines of commands.txt need: a server with three articles, `sh`."""
    zope.component.testing.setUp(test)
    server = test.globs['server'] = PyFTPD()
    server.start()
    for name in 'flood.xml', 'storm.jpg', 'vote.xml':
        put(server.directory, name, b'<nitf/>')
    url = 'ftp://test@127.0.0.1:%d/' % server.port
    test.globs['sh'] = shell = Shell(PORT=str(server.port), URL=url)
    shell.directory.joinpath('ftp').symlink_to(server.directory)
    for name in 'tmp', 'new', 'cur':
        shell.directory.joinpath('spool', name).mkdir(parents=True)
    secret = shell.directory / 'secret'
    secret.touch(0o600)
    secret.write_text('testpw')


def without_shell(test):
    test.globs['sh'].close()
    test.globs['server'].stop()
    tear_down(test)


def texts():
    """Return the names of all texts of the package, list of str."""
    return sorted(entry.name for entry in importlib.resources.files('zeit.cds').iterdir()
                  if entry.name.endswith('.txt'))


def suite_of(name):
    missing = name in NEEDED and NEEDED[name].missing()
    if missing and not in_ci():
        return unittest.FunctionTestCase(unittest.skip(missing)(lambda: None), description=name)
    if name in OF_COMMANDS:
        return zeit.cds.testing.DocFileSuite(
            name, setUp=with_shell, tearDown=without_shell, parser=CommandLines())
    layer = LAYERS.get(name)
    if layer is not None:
        return zeit.cds.testing.DocFileSuite(name, layer=layer)
    return zeit.cds.testing.DocFileSuite(
        name, setUp=zope.component.testing.setUp, tearDown=tear_down)


def tear_down(test):
    """Put back what a text that failed halfway left."""
    zeit.cds.testing.stop_ftp_server()
    zeit.cds.testing.stop_logging()
    zope.component.testing.tearDown()


def test_suite():
    return unittest.TestSuite(suite_of(name) for name in texts())
