"""The contract of sessions, kept with each of the servers."""
import unittest

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.pipelined import AtOnce
from zeit.cds.testing import on_servers
from zeit.cds.testing.contracts.directory import LocalDirectory
from zeit.cds.testing.contracts.pipelined import PipelinedContract
from zeit.cds.testing.contracts.session import SessionContract
from zeit.cds.testing.contracts.transfers import TransferContract
from zeit.cds.testing.process import free_port


HOME = {'~': 'It is the home directory, which / is there.'}
REFUSED = {
    'VsFTPD': HOME,
    'ProFTPD': {**HOME, '~x': 'RNTO refuses what may be the home directory of a user.'},
    'PureFTPD': {'a\\b': '553 Prohibited file name'},
}
LACKS = {'PyFTPD': {'foreign names': 'It shows bytes that are no UTF-8 as ?.'}}


class OnServer:
    """See SessionCase."""

    connection = FTPConnection()
    unsendable = ['a\0b', 'a\rb', 'a\nb', 'a\r\nDELE a', '\n']

    @property
    def lacks(self):
        return LACKS.get(self.layer.kind.__name__, {})

    @property
    def refused(self):
        return REFUSED.get(self.layer.kind.__name__, {})

    @property
    def directory(self):
        return LocalDirectory(self.server.directory)

    @property
    def unreachable(self):
        return {'port': free_port()}

    def feed(self, **settings):
        server = self.server
        return Feed(**{**dict(
            store_dir='', hostname=server.host, port=server.port, user=server.user,
            password=server.password), **settings})


class Passive(OnServer, SessionContract):
    """The server waits for data connections."""


class Active(OnServer, TransferContract, PipelinedContract):
    """The server opens them."""

    def feed(self, **settings):
        return super().feed(**{'active': True, **settings})


class OneByOne(OnServer, PipelinedContract):
    """Without the pipelining of FTP."""

    def pipelined(self, session):
        return AtOnce(session)


def test_suite():
    return unittest.TestSuite(on_servers(case) for case in (Passive, Active, OneByOne))
