"""Each reply is taken for that of its own command, or the session ends, and the run goes on."""
import errno
import shutil
from unittest import mock

from zeit.cds.net.stream import Listener
from zeit.cds.testing.faulty import On
from zeit.cds.tests.importing import new_spool
from zeit.cds.transfer.tests.faulty import ServerTest


def scarce(number):
    """A Listener that finds no port, but for so many times before and ever after."""
    class Scarce(Listener):

        left = number

        def __init__(self, *args):
            Scarce.left -= 1
            if Scarce.left == -1:
                raise OSError(errno.EMFILE, 'Too many open files')
            super().__init__(*args)

    return Scarce


class StepTest(ServerTest):
    """Each reply is taken for that of its own command, or the session ends."""

    files = {'%s.xml' % name: b'a' for name in 'abc'}

    def check(self, server, **settings):
        """Import from it; how often it was tried again."""
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)
        outcome = self.exchange(server, **settings)
        self.assertTrue(outcome.successful, self.log.text)
        self.assertEqual(self.files, self.published)
        self.assertEqual(({}, [], []), (server.files.data, server.unused, server.violations))
        return self.log.text.count('Trying again')

    def test_way_to_the_data_that_is_none(self):
        for character in 'plain', 'pure-ftpd':
            for n in range(5):
                for rules in ((On('EPSV', skip=n, times=1).reply('229 Here you are.'),),
                              (On('EPSV').refuse(),
                               On('PASV', skip=n, times=1).reply('227 (1,2,3,4,999,999)'))):
                    with self.subTest(character=character, n=n, verbs=len(rules)):
                        server = self.serve(*rules, character=character)
                        self.assertLessEqual(self.check(server), 1, self.log.text)

    def test_no_port_where_the_server_could_bring_the_data(self):
        for character in 'plain', 'pure-ftpd':
            for n in range(6):
                with self.subTest(character=character,
                                  n=n), mock.patch('zeit.cds.ftp.data.Listener', scarce(n)):
                    server = self.serve(character=character)
                    self.assertLessEqual(self.check(server, active=True), 1, self.log.text)
                    self.assertEqual([], server.commands('EPSV'))
                    self.assertEqual(1, len(server.commands('USER')), self.log.text)

    def test_reply_to_eprt_that_does_not_fit(self):
        for character in 'plain', 'pure-ftpd':
            server = self.serve(On('EPRT', times=1).reply('202 Superfluous.'), character=character)
            self.assertEqual(0, self.check(server, active=True))
            self.assertEqual([1, 1], [len(server.commands(verb)) for verb in ('EPRT', 'USER')])
            self.assertIn('we do, since its answer is not 200: 202 Superfluous',
                          self.log.complaints[0])
            for n in range(1, 5):
                with self.subTest(character=character, n=n):
                    server = self.serve(On('EPRT', skip=n, times=1).reply('226 Done.', done=True),
                                        character=character)
                    self.assertLessEqual(self.check(server, active=True), 1)

    def test_final_reply_to_an_upload_that_does_not_fit(self):
        server = self.serve(On('STOR', 'read', times=1).reply('350 More?', done=True))
        self.assertEqual(1, self.check(server))
        self.assertGreater(len(server.commands('USER')), 1)
