"""Files that the server refuses to remove, for the moment."""
import shutil
import threading
import time

from zeit.cds.interfaces import Interrupted
from zeit.cds.testing.faulty import On
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.importing import new_spool
from zeit.cds.transfer.tests.faulty import new_run, ServerTest
from zeit.cds.transfer.tuning import Tuning


class RemovalTest(ServerTest):
    """The server refuses to remove a file, for the moment."""

    files = {'%02d.xml' % n: b'a' for n in range(20)}
    pause = 0.1
    tuning = Tuning(first_pause=pause)

    def check(self, server, **settings):
        times = []
        server.when(On('DELE', '00.xml').reply('450 Busy.'),
                    lambda server: times.append(time.monotonic()))
        outcome = self.exchange(server, **settings)
        self.assertEqual(['00.xml'], [name for name, reason in outcome.failed], self.log.text)
        self.assertEqual(['00.xml'], list(server.files))
        self.assertEqual(19, len(self.published))
        return [later - earlier for earlier, later in zip(times, times[1:])]

    def test_pauses_grow_while_other_files_come(self):
        for character in 'plain', 'pure-ftpd':
            for connections in 1, 4:
                with self.subTest(character=character, connections=connections):
                    self.store_dir = new_spool()
                    self.addCleanup(shutil.rmtree, self.store_dir)
                    server = self.serve(character=character)
                    pauses = self.check(server, connections=connections)
                    self.assertEqual(3, len(pauses))
                    for n, pause in enumerate(pauses):
                        self.assertGreaterEqual(pause, self.pause * 2 ** n)
                    commands = server.commands('RETR DELE')
                    self.assertLess(commands.index('RETR 19.xml'),
                                    len(commands) - commands[::-1].index('DELE 00.xml') - 1)
                    self.assertLess(sum(pauses), 2)

    def test_many_files_share_the_pauses(self):
        server = self.serve(On('DELE', '*.xml').reply('450 Busy.'))
        outcome = self.exchange(server)
        self.assertEqual(20, len(outcome.failed), self.log.text)
        self.assertLess(outcome.seconds, 3)

    def test_a_run_that_is_stopped_does_not_wait(self):
        server = self.serve(On('DELE', '00.xml').reply('450 Busy.'))
        run = new_run(self.feed(server), Tuning(first_pause=20.0))
        server.when(On('DELE', '00.xml', times=1),
                    lambda server: threading.Timer(0.3, run.stop, [Interrupted('Enough.')]).start())
        with recorded():
            outcome = run()
        self.assertIsInstance(outcome.error, Interrupted)
        self.assertLess(outcome.seconds, 5)
        self.assertEqual(2, server.commands('DELE').count('DELE 00.xml'))
        self.assertEqual(['00.xml'], list(server.files))
