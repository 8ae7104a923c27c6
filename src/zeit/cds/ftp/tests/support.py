"""What tests of FTP sessions have in common."""
import unittest

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.cases.stub import Server
from zeit.cds.testing.faulty import FaultyServer
from zeit.cds.transfer.retry import Deadline


LIMIT = 60      # seconds that no test needs
STRANGE = {'a': b'abc', 'b': b'x'}      # files


def feed_of(server, **settings):
    return Feed(**{**dict(store_dir='/', hostname=server.host, port=server.port, user=server.user,
                          password=server.password, timeout=10), **settings})


class Sessions:
    """For a TestCase: opens sessions, and closes them at its end."""

    def open(self, server, deadline=None, like=None, **settings):
        session = FTPConnection().open(
            feed_of(server, **settings), deadline or Deadline(LIMIT), like)
        self.addCleanup(session.close)
        return session


class FaultySessions(Sessions, unittest.TestCase):
    """On a server that misbehaves."""

    def serve(self, *script, **kw):
        self.server = FaultyServer(script=script, **kw)
        self.server.start()
        self.addCleanup(self.stop, self.server)
        return self.server

    def stop(self, server):
        server.stop()
        self.assertEqual([], server.errors)
        self.assertEqual([], server.violations)


class Traced:
    """The IPipelined of a session, and what its state machine went through: 'EVENT STATE ...'."""

    def __init__(self, session):
        self.pipelined = pipelined(session)
        self.machine = self.pipelined.machine
        self.passed = []
        self.rows = set()
        self._on, self.machine.on = self.machine.on, self._trace

    def _trace(self, event):
        self.rows.add((self.machine.state, event))
        self._on(event)
        self.passed.append('%s %s' % (event, self.machine.state))

    def path(self):
        """What was passed since this was asked last."""
        passed, self.passed = self.passed, []
        return ' '.join(passed)


class Strange(Sessions, unittest.TestCase):
    """On a server that is not known; see zeit.cds.testing.cases."""

    def begin(self, kind, files=STRANGE, dirs=(), **settings):
        self.server = Server(kind, files, dirs)
        self.server.host, self.server.user, self.server.password = '127.0.0.1', 'me', 'secret'
        self.addCleanup(self.server.stop)
        self.session = self.open(self.server, **settings)
        return self.session

    def said(self, verb):
        return self.server.store.said(verb)
