"""What every session has to keep: tests for whoever writes an ICDSConnection.

Ours pass the same tests. A subclass tells what is under test (see SessionCase); in the simplest
case, the server shows a directory of this machine::

    class MySession(SessionContract, unittest.TestCase):

        connection = MyConnection()

        def setUp(self):
            self.directory = LocalDirectory(tempfile.mkdtemp())
            self.addCleanup(shutil.rmtree, self.directory.path)

        def feed(self, **settings):
            return Feed(**{**dict(store_dir='', hostname='localhost', user='', ...), **settings})

Where the contract leaves something to the server, each of its ways passes.
"""
from zeit.cds.testing.contracts.connection import ConnectionContract
from zeit.cds.testing.contracts.entries import DirectoryContract
from zeit.cds.testing.contracts.pipelined import PipelinedContract
from zeit.cds.testing.contracts.transfers import TransferContract


class SessionContract(ConnectionContract, DirectoryContract, TransferContract, PipelinedContract):
    """A mixin for a TestCase: all that is said of ICDSConnection, ICDSSession and IPipelined.

    See SessionCase for what a subclass gives.
    """
