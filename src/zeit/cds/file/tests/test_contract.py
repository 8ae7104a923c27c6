"""The contract of sessions, kept by a directory."""
import unittest

from zeit.cds.file.tests.local import Local
from zeit.cds.testing.contracts.session import SessionContract
from zeit.cds.testing.layers import BESIDE_LAYER


class Contract(Local, SessionContract, unittest.TestCase):
    """See SessionContract."""

    layer = BESIDE_LAYER

