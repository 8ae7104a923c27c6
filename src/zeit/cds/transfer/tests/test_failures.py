"""What ends a run: it is logged, not raised, and leaves no trace. On each of the servers."""
import unittest

from zeit.cds.interfaces import ConfigurationError, LoginRefused, PermanentError, Unreachable
from zeit.cds.main import import_
from zeit.cds.testing.layers import ALL_LAYERS, on_servers
from zeit.cds.testing.logs import recorded
from zeit.cds.testing.process import free_port
from zeit.cds.tests.importing import Importing


class Failures(Importing):
    """What ends a run: it is logged, not raised, and leaves no trace."""

    def check(self, error, **settings):
        self.put('a', b'1')
        outcome = self.run_import(**settings)
        self.assertIsInstance(outcome.error, error)
        self.assertFalse(outcome.successful)
        self.assertEqual('Error accessing FTP server.', self.log.of('ERROR')[0])
        self.assertEqual('Exiting with exception:', self.log.of('ERROR')[1])
        self.assertTrue(outcome.error.__notes__)
        self.assertNotIn('testpw', repr(self.log.lines))
        self.assertEqual(({}, {b'a': b'1'}), (self.published, self.there))
        self.assert_nothing_left()
        self.assertTrue(self.run_import().successful)
        self.assertEqual({b'a': b'1'}, self.published)

    def test_wrong_password(self):
        self.check(LoginRefused, password='testpw-wrong')

    def test_wrong_directory(self):
        self.check(PermanentError, ftp_dir='/nonexistent')

    def test_wrong_port(self):
        self.check(Unreachable, port=free_port())

    def test_server_that_is_down(self):
        self.put('a', b'1')
        self.server._end()
        outcome = self.run_import()
        self.assertIsInstance(outcome.error, Unreachable)
        self.assertIn('Check host name and port', outcome.error.__notes__[0])
        self.assert_nothing_left()
        self.server.restart()
        self.assertTrue(self.run_import().successful)

    def test_import_raises_nothing_and_returns_none(self):
        with recorded() as log:
            self.assertIsNone(import_(
                self.store_dir, self.server.host, self.server.port, 'test', 'testpw',
                '/nonexistent'))
        self.assertEqual('Error accessing FTP server.', log.of('ERROR')[0])

    def test_wrong_argument_raises_at_once(self):
        with recorded() as log:
            for wrong in (dict(port='21'), dict(connections=0), dict(colour='red'),
                          dict(user='a\r\nDELE b')):
                arguments = {**dict(store_dir=self.store_dir, hostname=self.server.host,
                                    port=self.server.port,
                                    user='test', password='testpw', ftp_dir='/'), **wrong}
                with self.assertRaises(ConfigurationError) as caught:
                    import_(**arguments)
                self.assertNotIn('testpw', str(caught.exception))
        self.assertEqual([], log.lines)


def test_suite():
    return unittest.TestSuite([on_servers(Failures, ALL_LAYERS)])
