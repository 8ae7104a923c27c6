"""The states of a transfer, each way from one to the next, and what is sent on it."""
import unittest
from unittest import mock

from zeit.cds.ftp.pipelined import Pipelined
from zeit.cds.ftp.pipelining import LOST, PipeliningFailed, TABLE, Tuning
from zeit.cds.ftp.quirks import PIPELINING_FAILURES
from zeit.cds.ftp.tests.support import FaultySessions, Traced
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    PermanentError,
    RunLimitReached,
    TemporaryError,
)
from zeit.cds.memory import Memory
from zeit.cds.testing.faulty import CHARACTERS, On
from zeit.cds.transfer.retry import Deadline


A, B = b'a' * 5000, b'b' * 6000
FILES = {'a.xml': A, 'b.xml': B}
ENTRY_A, ENTRY_B = Entry('a.xml', 5000, None, 'file'), Entry('b.xml', 6000, None, 'file')
# All of a small file is underway before it looks at what comes after RETR.
QUICK = CHARACTERS['pyftpdlib']._replace(meanwhile='queue')
MISSING = Entry('missing', 5, None, 'file')

IN_TURN = 'ASK ASKED START MOVING END MOVED BATCH ENDING FINISH ANSWERING ANSWER IDLE'
IN_ONE_WRITE = ('ASK_BATCH ASKED_AHEAD START MOVING_AHEAD END MOVED_AHEAD FINISH ANSWERING '
                'ANSWER IDLE')


class Ways(FaultySessions):
    """Each row of the table, on a server."""

    def begin(self, *script, character='plain', active=False, **kw):
        self.serve(*script, files=kw.pop('files', FILES), character=character, **kw)
        self.session = self.open(self.server, active=active)
        self.traced = Traced(self.session)
        self.pipelined = self.traced.pipelined
        self.pendings = []

    def also(self, following=None, name='a.xml'):
        def also(batch):
            self.pendings.append(batch.stat(name))
            return following
        return also

    def read(self, entry=ENTRY_A, following=None):
        sink = Memory()
        self.pipelined.read(entry, sink, also=self.also(following))
        return bytes(sink.data)

    def write(self, data=b'new', name='new'):
        return self.pipelined.write(name, data, also=self.also(name=name))

    def passes(self, path):
        self.assertEqual(path, self.traced.path())

    def goes_on(self, asked=1):
        """The session is in step, and the batch had its replies, if it was asked."""
        self.assertEqual(asked, len(self.pendings))
        for pending in self.pendings:
            pending.get()
        self.assertTrue(self.session.alive)
        self.assertEqual(5000, self.session.stat('a.xml').size)
        self.assertEqual(PIPELINING_FAILURES, self.session.findings.failures_left)

    def is_lost(self, failures_left):
        self.assertFalse(self.session.alive)
        self.assertEqual(LOST, self.traced.machine.state)
        self.assertEqual(failures_left, self.session.findings.failures_left)
        for pending in self.pendings:
            self.assertRaises(ConnectionLost, pending.get)
        self.assertRaises(ConnectionLost, self.read)
        self.assertRaises(ConnectionLost, self.session.stat, 'a.xml')

    # Downloads

    def test_in_turn(self):
        self.begin()
        self.assertEqual(A, self.read())
        self.passes(IN_TURN)
        self.goes_on()

    def test_refused(self):
        self.begin()
        self.assertRaises(PermanentError, self.read, MISSING)
        self.passes('ASK ASKED REFUSE IDLE')
        self.goes_on(asked=0)

    def test_broken(self):
        self.begin(On('RETR').drop_data(900, reset=True))
        self.assertRaises(TemporaryError, self.read)
        self.passes('ASK ASKED START MOVING BREAK IDLE')
        self.goes_on(asked=0)

    def test_failed_at_the_end(self):
        self.begin(On('RETR').reply('451 Disk.', done=True))
        self.assertRaises(TemporaryError, self.read)
        self.passes('ASK ASKED START MOVING END MOVED BATCH ENDING FAIL ANSWERING ANSWER IDLE')
        self.goes_on()

    def test_final_reply_that_fits_nothing_answers_no_batch(self):
        self.begin(On('RETR').reply('350 Go on.', done=True))
        self.assertRaises(ConnectionLost, self.read)
        self.passes('ASK ASKED START MOVING END MOVED BATCH ENDING')
        self.is_lost(failures_left=PIPELINING_FAILURES - 1)
        self.assertTrue(self.session.findings.one_at_a_time)

    def test_in_one_write(self):
        self.begin(character='pure-ftpd')
        self.assertEqual(A, self.read())
        self.passes(IN_ONE_WRITE)
        self.goes_on()

    def test_refused_in_one_write(self):
        self.begin(character='pure-ftpd')
        self.assertRaises(PermanentError, self.read, MISSING)
        self.passes('ASK_BATCH ASKED_AHEAD REFUSE ANSWERING ANSWER IDLE')
        self.goes_on()

    def test_broken_in_one_write(self):
        self.begin(On('RETR').drop_data(900, reset=True), character='pure-ftpd')
        with self.assertRaises(PipeliningFailed) as caught:
            self.read()
        self.assertTrue(caught.exception.at_once)
        self.passes('ASK_BATCH ASKED_AHEAD START MOVING_AHEAD BREAK LOST')
        self.is_lost(failures_left=2)

    def test_commands_that_came_too_soon_are_thrown_away(self):
        self.begin(On('RETR').swallow(), character='pure-ftpd')
        self.assertRaises(PipeliningFailed, self.read)
        self.passes('ASK_BATCH ASKED_AHEAD START MOVING_AHEAD END MOVED_AHEAD FAIL LOST')
        self.is_lost(failures_left=2)

    def test_a_reply_to_the_batch_in_the_place_of_the_final_one(self):
        """It tells nothing of a server to which less is sent at once."""
        self.begin(On('RETR').reply('213 5', done=True), character='pure-ftpd')
        self.assertRaises(PipeliningFailed, self.read)
        self.assertFalse(self.session.findings.one_at_a_time)
        self.is_lost(failures_left=2)

    def test_connection_lost_is_the_end_of_pipelining(self):
        self.begin(On('SIZE').drop_control(), character='pure-ftpd')
        self.assertRaises(ConnectionLost, self.read)
        self.passes('ASK_BATCH ASKED_AHEAD START MOVING_AHEAD END MOVED_AHEAD FINISH ANSWERING')
        self.is_lost(failures_left=0)

    def test_connection_lost_before_the_replies_to_a_batch_fails_it_for_that_reason(self):
        self.begin(On('EPSV', skip=1).drop_control())
        with self.assertRaisesRegex(ConnectionLost, 'The server closed the connection') as caught:
            self.read(following=ENTRY_B)
        pending, = self.pendings
        with self.assertRaises(ConnectionLost) as again:
            pending.get()
        self.assertIs(caught.exception, again.exception)
        self.is_lost(failures_left=0)

    def test_a_batch_that_cannot_go_out_fails_for_the_reason_of_that(self):
        for character, following in ('plain', None), ('vsftpd', ENTRY_B):
            with self.subTest(character):
                self.begin(character=character)
                also, stream = self.also(following), self.session.control.stream

                def late(batch, also=also, stream=stream):
                    stream.deadline = Deadline(-1)
                    return also(batch)

                if following is not None:
                    with self.pipelined.batch(later=True) as queued:
                        self.pendings.append(queued.remove('b.xml'))
                with self.assertRaises(RunLimitReached):
                    self.pipelined.read(ENTRY_A, Memory(), also=late)
                for pending in self.pendings:
                    self.assertRaises(RunLimitReached, pending.get)

    def test_what_was_queued_goes_before_a_transfer_in_one_write(self):
        self.begin(character='vsftpd')
        with self.pipelined.batch(later=True) as batch:
            made = batch.make_directory('d')
        self.assertEqual(A, self.read())
        made.get()
        self.assertEqual(['MKD d', 'RETR a.xml'], self.server.commands('MKD RETR'))
        self.passes(IN_ONE_WRITE)
        self.goes_on()

    def test_soon_after(self):
        self.begin(On('RETR').stall(0.3), character=QUICK)
        self.session.findings.latency = 0.1
        self.assertEqual(A, self.read())
        self.passes('ASK ASKED BATCH ASKED_AHEAD START MOVING_AHEAD END MOVED_AHEAD FINISH '
                    'ANSWERING ANSWER IDLE')
        self.goes_on()

    def test_not_soon_after_on_a_short_line(self):
        self.begin(On('RETR').stall(0.3), character='pyftpdlib')
        self.session.findings.latency = 0.001
        self.assertEqual(A, self.read())
        self.passes(IN_TURN)
        self.goes_on()

    def test_not_after_the_data_are_here(self):
        self.begin(character='pyftpdlib')
        self.session.findings.latency = 5
        self.assertEqual(A, self.read())
        self.passes(IN_TURN)
        self.goes_on()

    # Uploads

    def test_upload_in_turn(self):
        self.begin()
        self.assertEqual(3, self.write())
        self.passes('ASK ASKED START MOVING END MOVED FINISH IDLE')
        self.goes_on()

    def test_upload_failed_at_the_end(self):
        self.begin(On('STOR').reply('552 Full.', done=True))
        self.assertRaises(PermanentError, self.write)
        self.passes('ASK ASKED START MOVING END MOVED FAIL IDLE')
        self.goes_on(asked=0)

    def test_upload_whose_data_come_first(self):
        self.begin(character='vsftpd')
        self.assertEqual(3, self.write())
        self.passes('FEED FED ' + IN_ONE_WRITE)
        self.assertEqual(3, self.pendings[0].get().size)
        self.goes_on()

    def test_upload_whose_data_come_first_in_part(self):
        self.begin(character='vsftpd')
        data = [b'x' * 2**20] * 16
        self.assertEqual(2**24, self.write(data))
        self.passes('FEED FED ' + IN_TURN)
        self.goes_on()

    def test_replies_to_what_was_read_too_soon_end_the_session(self):
        """Each would pass for the reply to another command."""
        self.begin(On('STOR', 'new').swallow('450 Busy.', 2), character='vsftpd')
        self.assertRaises(PipeliningFailed, self.write)
        self.is_lost(failures_left=2)

    def test_upload_before_there_is_a_connection(self):
        self.begin(character='pyftpdlib')
        self.assertEqual(3, self.write())
        self.passes('ASK ASKED START MOVING END MOVED FINISH IDLE')
        self.assertEqual(['EPSV', 'STOR new'], self.server.commands()[-4:-2])
        self.goes_on()

    def test_upload_asks_for_nothing(self):
        self.begin(character='vsftpd', active=True)
        self.pipelined.write('new', b'x', also=self.also(ENTRY_B))
        self.assertEqual([], self.server.commands('RETR'))
        self.goes_on()

    # Files that are asked for before their turn

    def test_begun(self):
        self.begin(character='vsftpd', active=True)
        self.assertEqual(A, self.read(following=ENTRY_B))
        self.passes(IN_TURN[:-len('ANSWER IDLE')] + 'BEGIN BEGUN')
        self.assertEqual(B, self.read(ENTRY_B))
        self.passes(IN_TURN.replace('ASK ASKED ', ''))
        self.goes_on(asked=2)
        self.assertEqual(2, len(self.server.commands('RETR')))

    def test_begun_and_refused(self):
        self.begin(character='vsftpd', active=True)
        self.read(following=MISSING)
        self.traced.path()
        self.assertRaises(PermanentError, self.read, MISSING)
        self.passes('REFUSE IDLE')
        self.goes_on()

    def test_begun_and_not_wanted_yet(self):
        self.begin(character='vsftpd', active=True)
        self.read(following=ENTRY_B)
        self.traced.path()
        self.assertTrue(self.session.exists('a.xml'))
        self.passes('START MOVING END MOVED FINISH IDLE')
        self.assertEqual(B, self.read(ENTRY_B))
        self.passes('')
        self.goes_on(asked=2)
        self.assertEqual(2, len(self.server.commands('RETR')))

    def test_begun_and_never_wanted(self):
        self.begin(character='vsftpd', active=True)
        self.read(following=ENTRY_B)
        self.assertEqual(A, self.read())
        self.goes_on(asked=2)

    def test_begun_and_wanted_from_an_offset(self):
        self.begin(character='vsftpd', active=True)
        self.read(following=ENTRY_B)
        sink = Memory()
        self.pipelined.read(ENTRY_B, sink, 10)
        self.assertEqual((B[10:], None), (bytes(sink.data), self.traced.machine.kept))
        self.goes_on()

    def test_begun_when_the_session_is_closed_or_something_goes_wrong_here(self):
        for wrong in False, True:
            self.begin(character='vsftpd', active=True)
            self.read(following=ENTRY_B)
            _, listener = self.traced.machine.begun
            with mock.patch.object(listener, 'close', wraps=listener.close) as closed, \
                    mock.patch.object(self.session.data, 'started', side_effect=KeyError):
                if wrong:
                    self.assertRaises(KeyError, self.read, ENTRY_B)
                    self.assertEqual((False, LOST), (self.session.alive, self.traced.machine.state))
                self.session.close()
                self.assertEqual(1, closed.call_count)

    def test_begun_without_end(self):
        self.begin(character='vsftpd', active=True)
        self.session._pipelined = Pipelined(self.session, Tuning(memory=1000))
        self.traced = Traced(self.session)
        self.pipelined = self.traced.pipelined
        self.read(following=ENTRY_B)
        with self.assertRaisesRegex(ConnectionLost, 'More and more data of b.xml'):
            self.session.stat('a.xml')
        self.pendings.clear()
        self.is_lost(failures_left=0)

    def test_not_begun_unless_it_is_known_to_be_worth_it(self):
        """Whether an empty file came before its turn could not be told."""
        for size in 0, None, Tuning().begun:
            with self.subTest(size=size):
                self.begin(character='vsftpd', active=True)
                self.read(following=ENTRY_B._replace(size=size))
                self.passes(IN_TURN)
                self.assertEqual(['RETR a.xml'], self.server.commands('RETR'))
                self.goes_on()

    def test_all_rows_are_passed(self):
        tests = [Ways(name) for name in unittest.TestLoader().getTestCaseNames(Ways)
                 if name != self._testMethodName]
        rows = set()
        for test in tests:
            test.debug()
            rows |= test.traced.rows
        self.assertEqual(set(), set(TABLE) - rows)
