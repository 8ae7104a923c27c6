"""The contract of sessions, kept by a directory whose verbs run in a thread of their own."""
import unittest

import zope.interface

from zeit.cds.file.session import FileConnection
from zeit.cds.file.tests.local import Local
from zeit.cds.interfaces import ICDSConnection
from zeit.cds.testing.contracts.session import SessionContract
from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.transfer.threaded import Threaded


@zope.interface.implementer(ICDSConnection)
class InThread:
    """Opens sessions that do not block."""

    needs_password = False

    def open(self, feed, deadline, like=None):
        return Threaded(FileConnection().open(feed, deadline))


class Contract(Local, SessionContract, unittest.TestCase):
    """See SessionContract."""

    layer = BESIDE_LAYER

    connection = InThread()
