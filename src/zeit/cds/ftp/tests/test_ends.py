"""Transfers that end before their time: no reply is taken for that to another command."""
from zeit.cds.ftp.pipelining import LOST, PipeliningFailed
from zeit.cds.ftp.tests.support import FaultySessions, Traced
from zeit.cds.interfaces import Entry, TemporaryError
from zeit.cds.memory import Memory
from zeit.cds.testing.faulty import On


FILES = {'a.xml': b'a' * 5000}
ENTRY_A = Entry('a.xml', 5000, None, 'file')
IN_TURN = 'ASK ASKED START MOVING END MOVED BATCH ENDING FINISH ANSWERING ANSWER IDLE'


class Ends(FaultySessions):
    def begin(self, *script, **kw):
        self.serve(*script, files=FILES, **kw)
        self.session = self.open(self.server)
        self.traced = Traced(self.session)
        return self.traced.pipelined

    def test_sink_that_takes_no_more(self):
        class Full(Memory):
            def advance(self, count):
                raise TemporaryError('full')

        pipelined = self.begin()
        with self.assertRaisesRegex(TemporaryError, 'full'):
            pipelined.read(ENTRY_A, Full(), also=lambda batch: None)
        self.assertFalse(self.session.alive)
        self.assertEqual(LOST, self.traced.machine.state)

    def test_source_that_breaks(self):
        def source():
            yield b'x' * 1000
            raise OSError('no disk')

        for character in 'plain', 'vsftpd', 'pyftpdlib':
            with self.subTest(character):
                pipelined = self.begin(character=character)
                with self.assertRaisesRegex(OSError, 'no disk'):
                    pipelined.write('new', source(), also=lambda batch: None)
                self.assertFalse(self.session.alive)

    def test_also_that_raises(self):
        def also(batch):
            raise RuntimeError('no')

        for character in 'plain', 'pure-ftpd':
            with self.subTest(character):
                pipelined = self.begin(character=character)
                self.assertRaises(RuntimeError, pipelined.read, ENTRY_A, Memory(), also=also)
                if self.session.alive:
                    self.assertEqual(5000, self.session.stat('a.xml').size)
                else:
                    self.assertEqual(LOST, self.traced.machine.state)

    def test_no_more_pipelining_when_it_failed_three_times(self):
        def also(batch):
            batch.stat('a.xml')

        first = None
        self.serve(On('RETR').swallow(), files=FILES, character='pure-ftpd')
        for failures_left in 2, 1, 0:
            first = self.open(self.server, like=first)
            self.assertRaises(PipeliningFailed, Traced(first).pipelined.read, ENTRY_A, Memory(),
                              also=also)
            self.assertEqual(failures_left, first.findings.failures_left)
        traced = Traced(self.open(self.server, like=first))
        traced.pipelined.read(ENTRY_A, Memory(), also=also)
        self.assertEqual(IN_TURN, traced.path())
