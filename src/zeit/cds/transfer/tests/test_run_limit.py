"""No run takes longer than it may."""
from zeit.cds.interfaces import RunLimitReached
from zeit.cds.testing.faulty import On
from zeit.cds.transfer.tests.faulty import ServerTest


def long(beginning):
    """A reply with a long line before it."""
    return lambda reply: beginning + b'x' * 30_000 + b'\r\n' + reply


class RunLimitTest(ServerTest):
    """A server that sends a byte now and then does not keep a run for ever: in no phase."""

    def check_end(self, *script, **kw):
        server = self.serve(*script)
        outcome = self.exchange(server, run_limit=1, timeout=30, **kw)
        self.assertIsInstance(outcome.error, RunLimitReached, self.log.text)
        self.assertLess(outcome.seconds,
                        8)     # of the 30 that silence may last, and of the hours that it drips
        self.assertIn('a.xml', server.files)
        self.assertEqual({}, self.published)
        server.behave()
        self.assertTrue(server.wait_until(lambda: not server.open_sessions))
        self.assertEqual([],
                         [name for name in ('read', '.cds-mutex')
                          if name in {**server.files, **server.directories}])

    def test_login(self):
        self.check_end(On('PASS').shape(long(b'230-')).drip_reply(0.05))

    def test_greeting(self):
        self.check_end(On('GREETING').shape(long(b'220-')).drip_reply(0.05))

    def test_listing(self):
        self.check_end(On('MLSD').many(1000).drip(0.05))

    def test_data(self):
        self.check_end(On('RETR', 'a.xml').serve(lambda: [b'x' * 10_000]).drip(0.05))

    def test_data_that_stall(self):
        self.check_end(On('RETR', 'a.xml').stall(after_bytes=1))

    def test_reply_to_a_transfer(self):
        self.check_end(On('RETR',
                          'a.xml').shape(long(b'226-')).drip_reply(0.05))
