"""Subscribers for the feeds of tests, named in ZCML."""
import signal

from zeit.cds.tests.commands import Terminate


terminate = Terminate(signal.SIGTERM, 1)
