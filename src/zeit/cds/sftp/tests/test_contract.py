"""The contract of sessions, kept with each of the servers."""
import unittest

from zeit.cds.pipelined import AtOnce
from zeit.cds.sftp.session import SFTPConnection
from zeit.cds.sftp.tests.sessions import OnServer
from zeit.cds.sftp.tuning import Tuning
from zeit.cds.testing.contracts.pipelined import PipelinedContract
from zeit.cds.testing.contracts.session import SessionContract
from zeit.cds.testing.layers import on_servers, SFTP_LAYERS


class Sessions(OnServer, SessionContract):
    """Whatever can be pipelined is."""


class Lingering(OnServer, PipelinedContract):
    """Files stay open after they were read."""

    connection = SFTPConnection(Tuning(large=1))


class OneByOne(OnServer, PipelinedContract):
    """One verb after the other."""

    level = 2       # it says little that the others don't

    def pipelined(self, session):
        return AtOnce(session)


def test_suite():
    return unittest.TestSuite(on_servers(case, SFTP_LAYERS) for case in (
        Sessions, Lingering, OneByOne))
