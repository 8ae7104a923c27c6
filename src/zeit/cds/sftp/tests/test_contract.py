"""The contract of sessions, kept with sshd."""
from zeit.cds.pipelined import AtOnce
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.sftp.tests.sessions import OnSSHD
from zeit.cds.sftp.transfers import Tuning
from zeit.cds.testing.contracts.pipelined import PipelinedContract
from zeit.cds.testing.contracts.session import SessionContract
from zeit.cds.testing.layers import ServerTestCase


class Sessions(OnSSHD, SessionContract, ServerTestCase):
    """Whatever can be pipelined is."""


class Ahead(OnSSHD, PipelinedContract, ServerTestCase):
    """As on a long line: a file is opened before its turn."""

    connection = SFTPConnection(Tuning(far=0.0))


class OneByOne(OnSSHD, PipelinedContract, ServerTestCase):
    """One verb after the other."""

    def pipelined(self, session):
        return AtOnce(session)
