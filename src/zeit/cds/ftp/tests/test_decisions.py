"""What is pipelined, and when: each condition by itself."""
import types
import unittest

from zeit.cds.ftp import pipelining
from zeit.cds.ftp.pipelined import ANY, connection_only, Pipelined
from zeit.cds.ftp.pipelining import (
    ASKED,
    ENDING,
    IDLE,
    LOST,
    Machine,
    MOVED,
    MOVED_AHEAD,
    MOVING,
    Step,
    TABLE,
    Tuning,
)
from zeit.cds.ftp.protocol import Reply
from zeit.cds.ftp.quirks import Quirks
from zeit.cds.interfaces import ConnectionLost, Entry, PermanentError, TemporaryError
from zeit.cds.net.stream import Stream


FILE = Entry('a', 50, None, 'file')
TUNING = Tuning(small=100, begun=1000, far=0.5)


class Table(unittest.TestCase):

    def test_the_docstring_tells_it(self):
        lines = pipelining.__doc__.splitlines()
        first, second, last = [n for n, line in enumerate(lines) if line.startswith('=====')]
        told = [line.split()[:3] for line in lines[second + 1:last]]
        self.assertEqual([[state, event, after] for (state, event), after in TABLE.items()], told)

    def test_each_state_can_be_reached_and_left(self):
        self.assertEqual(set(pipelining.STATES) - {'IDLE'}, set(TABLE.values()) - {'IDLE'})
        self.assertEqual(set(pipelining.STATES) - {LOST}, {state for state, _ in TABLE})
        self.assertEqual(set(pipelining.EVENTS), {event for _, event in TABLE})

    def test_there_is_no_other_way(self):
        for state in pipelining.STATES:
            for event in set(pipelining.EVENTS) - {e for s, e in TABLE if s == state}:
                machine = Machine.__new__(Machine)
                machine.state = state
                self.assertRaises(KeyError, machine.on, event)
                self.assertEqual(state, machine.state)


class Place:
    """A session with a Control and DataConnections that tell what they are asked."""

    def __init__(self, tunnel=None, is_ahead=False, command='EPSV', failures_left=3, passive=True,
                 latency=1.0, one_at_a_time=False, **quirks):
        self.done = []
        self.control = self.data = self.findings = self
        self.tunnel, self.is_ahead, self.command = tunnel, is_ahead, command
        self.may_pipeline, self.passive, self.latency = failures_left > 0, passive, latency
        self.one_at_a_time, self.later = one_at_a_time, None
        self.quirks = Quirks(**quirks)

    def arrange_ahead(self):
        self.done.append('arrange')
        return self.command

    def flush(self):
        self.done.append('flush')

    def ask(self, command):
        self.done.append('ask ' + command)
        return ['reply']

    def connect_ahead(self, reply):
        self.done.append('connect by ' + reply)


class Deciding(unittest.TestCase):

    def pipelined(self, **kw):
        self.place = Place(**kw)
        return Pipelined(self.place, TUNING)

    def test_whether_a_batch_goes_out_before_all_data_are_here(self):
        def bears(size=50, **kw):
            return self.pipelined(**{'batch_with_transfer': True, **kw})._bears_batch_in(
                Entry('a', size))

        for size, borne in (None, False), (0, False), (1, True), (100, True), (101, False):
            self.assertEqual(borne, bears(size), size)
        for condition in {'failures_left': 0}, {'passive': False}, {'tunnel': True}, {
                'batch_with_transfer': False}:
            self.assertFalse(bears(**condition), condition)
        for latency, during, borne in (0.6, True, True), (0.5, True, False), (0.6, False, False):
            self.assertEqual(borne, bears(batch_with_transfer=False, batch_during_retr=during,
                                          latency=latency))

    def test_whether_data_go_out_before_their_command(self):
        stream = Stream.__new__(Stream)
        self.assertTrue(self.pipelined(data_before_stor=True)._may_be_fed(stream))
        self.assertFalse(self.pipelined(data_before_stor=True)._may_be_fed('a listener'))
        self.assertFalse(self.pipelined(data_before_stor=True, tunnel=True)._may_be_fed(stream))
        self.assertFalse(self.pipelined()._may_be_fed(stream))

    def test_whether_the_next_file_is_asked_for(self):
        def may(entry=FILE, **kw):
            return bool(Machine(Place(**{'passive': False, 'retr_with_eprt': True, **kw}),
                                TUNING)._may_begin(entry))

        self.assertTrue(may())
        for condition in {'passive': True}, {'retr_with_eprt': False}, {'failures_left': 0}:
            self.assertFalse(may(**condition), condition)
        for entry in (None, Entry('a', 50), Entry('a', 50, None, 'dir'),
                      Entry('a', 0, None, 'file'), Entry('a', None, None, 'file'),
                      Entry('a', 1000, None, 'file')):
            self.assertFalse(may(entry), entry)
        for size in 1, 999:
            self.assertTrue(may(Entry('a', size, None, 'file')))

    def test_whether_the_next_file_needs_a_connection(self):
        machine = Machine(Place(), TUNING)
        self.assertFalse(machine._wants_connection(None))
        self.assertTrue(machine._wants_connection(Entry('a')))
        machine.kept = 'a', None
        self.assertEqual((False, True), (machine._wants_connection(Entry('a')),
                                         machine._wants_connection(Entry('b'))))

    def test_what_follows_an_upload(self):
        self.assertIsNone(connection_only(lambda batch: None)('batch'))
        self.assertIs(ANY, connection_only(lambda batch: Entry(batch))('batch'))

    def test_what_goes_out_at_the_end_of_a_batch(self):
        for kw, settings, done in (
                ({}, {}, ['flush']), ({}, {'later': True}, []),
                ({}, {'ahead': True}, ['arrange', 'ask EPSV', 'connect by reply']),
                ({'command': None}, {'ahead': True}, ['arrange', 'flush']),
                ({'is_ahead': True}, {'ahead': True}, ['flush'])):
            with self.pipelined(**kw).batch(**settings):
                self.assertEqual([], self.place.done)
            self.assertEqual(done, self.place.done)

    def test_nothing_does_if_it_fails(self):
        with self.assertRaises(KeyError), self.pipelined().batch():
            raise KeyError
        self.assertEqual([], self.place.done)

    def test_what_follows_a_transfer_alone(self):
        for also, done in ((None, []), (lambda batch: None, ['flush']), (
                lambda batch: ANY, ['arrange', 'ask EPSV', 'connect by reply'])):
            self.pipelined()._follow(also)
            self.assertEqual(done, self.place.done)

    def stored_unconnected(self, reply, connected=None, started=None):
        """How often the connection that was begun is closed."""
        def done(error, result=None):
            if error is not None:
                raise error
            return result

        closed = []
        ahead = types.SimpleNamespace(close=lambda: closed.append(1))
        pipelined = self.pipelined()
        pipelined._control = types.SimpleNamespace(
            issue=lambda command: None, lost=lambda error: ConnectionLost(str(error)),
            reply=lambda: Reply(reply, ''))
        pipelined._data = types.SimpleNamespace(
            take_ahead=lambda: ahead, connected=lambda ahead: done(connected, 'stream'))
        pipelined.machine = types.SimpleNamespace(
            on=lambda event: None, started=lambda data, reply: done(started, data))
        try:
            pipelined._store_unconnected('a')
        finally:
            self.closed = len(closed)

    def test_a_connection_that_was_begun_in_vain_is_closed(self):
        self.stored_unconnected(150)
        self.assertEqual(0, self.closed)
        self.assertRaises(PermanentError, self.stored_unconnected, 553,
                          started=PermanentError('553 No.'))
        self.assertEqual(1, self.closed)
        self.assertRaises(ConnectionLost, self.stored_unconnected, 150, OSError('refused'))
        self.assertEqual(1, self.closed)

    def test_a_transfer_that_does_not_start(self):
        def started(data, reply):
            raise TemporaryError(str(reply))

        for reply, alive, state in (150, True, IDLE), (550, True, IDLE), (150, False, ASKED):
            place = Place()
            place.alive, place.started = alive, started
            machine = Machine(place, TUNING)
            machine.state = ASKED
            with self.assertRaises(TemporaryError):
                machine.started('stream', Reply(reply, 'x'))
            self.assertEqual(state, machine.state)

    def test_an_upload_that_breaks(self):
        def send(data, source):
            raise PermanentError('552 Full.')

        for alive, state in (True, IDLE), (False, MOVING):
            place = Place()
            place.alive, place.transfers = alive, types.SimpleNamespace(send=send)
            machine = Machine(place, TUNING)
            machine.state = MOVING
            self.assertRaises(PermanentError, machine.send, 'stream', 'source')
            self.assertEqual(state, machine.state)

    def test_which_final_replies_are_good(self):
        for state, code, good in ((MOVED, 226, True), (MOVED, 200, True), (MOVED, 299, True),
                                  (MOVED, 426, False), (MOVED_AHEAD, 226, True),
                                  (MOVED_AHEAD, 250, True)):
            place = Place()
            place.error = lambda reply: TemporaryError(str(reply))
            machine = Machine(place, TUNING)
            machine.state, machine._answer = state, lambda: None
            if good:
                self.assertEqual('Done.', machine.final(Reply(code, 'Done.')))
            else:
                self.assertRaises(TemporaryError, machine.final, Reply(code, 'No.'))

    def test_a_final_reply_that_fits_no_command(self):
        given_up, place = [], Place()
        place.error = lambda reply: ConnectionLost('It fits nothing.')
        place.close = lambda: place.done.append('close')
        place.give_up = lambda taken, error: given_up.append(taken)
        machine = Machine(place, TUNING)
        machine.state, machine._step = ENDING, Step(['pending'], False, None)
        with self.assertRaisesRegex(ConnectionLost, 'It fits nothing'):
            machine.final(Reply(350, 'What?'))
        self.assertEqual((LOST, ['close'], [['pending']], None), (
            machine.state, place.done, given_up, machine._step))

    def test_which_end(self):
        for one_at_a_time, state, way in (
                (True, MOVED, 'alone'), (False, MOVED, 'shared'), (True, 'MOVED_AHEAD', 'shared')):
            pipelined = self.pipelined(one_at_a_time=one_at_a_time)
            pipelined.machine = types.SimpleNamespace(state=state, end=lambda also: 'shared')
            pipelined._end_alone = lambda also: 'alone'
            self.assertEqual(way, pipelined._end(None))

    def test_which_end_of_an_upload(self):
        for batch_before_ack, way in (True, 'shared'), (False, 'alone'):
            pipelined, ways = self.pipelined(batch_before_ack=batch_before_ack), []
            pipelined._end = lambda also, ways=ways: ways.append('shared')
            pipelined._end_alone = lambda also, ways=ways: ways.append('alone')
            pipelined._end_upload(None)
            self.assertEqual([way], ways)

    def test_a_file_that_came_before_it_was_wanted(self):
        kept = types.SimpleNamespace(data=b'123', hand_on=lambda sink: sink.append('handed on'))
        sink = []
        self.assertEqual(3, self.pipelined()._hand_on(kept, sink, lambda batch: None))
        self.assertEqual((['handed on'], ['flush']), (sink, self.place.done))
        with self.assertRaises(PermanentError):
            self.pipelined()._hand_on(PermanentError('550 No.'), sink, lambda batch: None)
        self.assertEqual([], self.place.done)
