"""The contract of sessions, kept with sshd."""
from zeit.cds.pipelined import AtOnce
from zeit.cds.sftp.tests.sessions import OnSSHD
from zeit.cds.testing.contracts.pipelined import PipelinedContract
from zeit.cds.testing.contracts.session import SessionContract
from zeit.cds.testing.layers import ServerTestCase


class Sessions(OnSSHD, SessionContract, ServerTestCase):
    """Whatever can be pipelined is."""


class OneByOne(OnSSHD, PipelinedContract, ServerTestCase):
    """One verb after the other."""

    def pipelined(self, session):
        return AtOnce(session)
