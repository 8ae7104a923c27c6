"""The journal and the record, line by line, and what an outbox makes of them."""
import json
import os
import types
from unittest import mock

from zeit.cds.interfaces import Note
from zeit.cds.spool import journal
from zeit.cds.spool.journal import DAY, JOURNAL, Journal, RECORD, Record
from zeit.cds.spool.outbox import numbered
from zeit.cds.spool.outgoing import BUFFER, FAIR, temporary_name
from zeit.cds.spool.tests.cases import InSpool, OutboxCase, PLACE
from zeit.cds.spool.tests.recorder import BROKEN, System


def outgoing(name, temporary, digest='digest'):
    return types.SimpleNamespace(name=name, temporary=temporary,
                                 facts=(name, temporary, 7, 4, digest))


class Journals(InSpool):

    def setUp(self):
        super().setUp()
        self.journal = self.opened()

    def opened(self):
        opened = Journal(self.path, 'here')
        self.addCleanup(opened.close)
        return opened

    def lines(self):
        with open(self.at(JOURNAL)) as f:
            return [json.loads(line) for line in f]

    def test_what_is_noted(self):
        self.journal.mark()
        self.assertEqual(['here'], self.lines())
        self.journal.mark()
        self.journal.begin(['.old'], [])
        self.assertEqual(['here'], self.lines())        # it is a new one
        self.journal.storing(outgoing('a', '.a"\xe4'))
        self.journal.storing(outgoing('b', None))
        self.journal.commit([outgoing('a', '.a"\xe4'), outgoing('c', '.c')])
        self.assertEqual(['here', ['storing', '.a"\xe4'], ['direct', 'b', None, 7, 4, 'digest'],
                          ['sent', 'a', '.a"\xe4', 7, 4, 'digest'],
                          ['sent', 'c', '.c', 7, 4, 'digest']], self.lines())

    def test_what_an_earlier_one_noted(self):
        self.journal.mark()
        self.journal.storing(outgoing('a', '.a'))
        self.journal.storing(outgoing('b', '.b'))
        self.journal.storing(outgoing('a', '.a'))
        self.journal.storing(outgoing('b', None))
        self.journal.commit([outgoing('a', '.a')])
        again = self.opened()
        self.assertEqual((['.a', '.b'], {'a': Note('a', '.a', True, 7, 4, 'digest'),
                                         'b': Note('b', None, False, 7, 4, 'digest')}),
                         again.noted())
        self.assertTrue(again.marked)
        again._place = 'elsewhere'
        self.assertEqual(([], {}), again.noted())

    def test_a_journal_takes_the_place_of_an_older_one(self):
        self.journal.mark()
        again = self.opened()
        again.mark()
        again.begin(['.a', '.b'], [Note('c', None, False, 7, 4, 'digest')])
        self.assertEqual(['here', ['storing', '.a'], ['storing', '.b'],
                          ['direct', 'c', None, 7, 4, 'digest']], self.lines())
        self.assertEqual((['c'], False), (again.unfinished(), again.is_settled))
        self.assertFalse(os.path.exists(self.at(JOURNAL + '.new')))

    def test_when_all_is_settled(self):
        journal = self.journal
        journal.mark()
        self.assertTrue(journal.is_settled)
        journal.storing(outgoing('a', '.a'))
        self.assertFalse(journal.is_settled)
        journal.settled('.a')
        self.assertTrue(journal.is_settled)
        journal.storing(outgoing('b', None))
        journal.storing(outgoing('a', None))
        self.assertEqual((False, ['a', 'b']), (journal.is_settled, journal.unfinished()))
        journal.withdrawn('a')
        journal.commit([outgoing('b', None)])
        self.assertEqual((True, []), (journal.is_settled, journal.unfinished()))
        journal.forget()
        self.assertEqual((False, []), (journal.marked, self.lines()))

    def test_what_was_left_is_to_be_settled_as_well(self):
        self.journal.mark()
        again = self.opened()
        again.begin(['.a'], [])
        self.assertFalse(again.is_settled)
        again.settled('.a')
        self.assertTrue(again.is_settled)

    def test_it_is_closed(self):
        before = len(os.listdir('/proc/self/fd'))
        self.journal.mark()
        self.journal.close()
        self.journal.close()
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))


class Records(InSpool):

    def setUp(self):
        super().setUp()
        self.now = 100 * DAY
        self.enterContext(mock.patch.object(
            journal, 'time', types.SimpleNamespace(time=lambda: self.now)))
        self.cur = os.open(self.at('cur'), os.O_RDONLY)
        self.addCleanup(os.close, self.cur)

    def exported(self, *names):
        record = Record(self.path, 2.0)
        for name in names:
            self.make('cur', name)
            status = os.stat(self.at('cur', name))
            record.add(name, (status.st_ino, status.st_size, status.st_mtime_ns))

    def lines(self):
        with open(self.at(RECORD)) as f:
            return [json.loads(line)[:2] for line in f]

    def expire(self, keep=2.0):
        return Record(self.path, keep).expire(self.cur)

    def test_what_is_old_enough_goes(self):
        self.exported('a')
        self.now += DAY
        self.exported('b')
        self.now += DAY - 1
        self.assertEqual([], self.expire())
        self.now += 1
        self.assertEqual((['a'], ['b']), (self.expire(), list(self.there('cur'))))
        self.assertEqual([], self.expire(None))
        self.now += DAY
        self.assertEqual(['b'], self.expire())
        self.assertEqual([], self.lines())

    def test_it_is_written_anew_when_half_of_it_is_due(self):
        self.exported('a')
        self.now += DAY
        self.exported('b', 'c')
        self.now += DAY
        self.assertEqual(['a'], self.expire())
        self.assertEqual(3, len(self.lines()))      # a third is due
        os.unlink(self.at('cur', 'b'))
        self.now += DAY
        self.exported('d')
        self.assertEqual(['c'], self.expire())
        self.assertEqual([[103 * DAY, 'd']], self.lines())

    def test_what_is_no_line_hides_no_other(self):
        self.exported('a')
        with open(self.at(RECORD), 'ab') as f:
            f.write(b'[half\\n')
        self.exported('b')
        self.now += 2 * DAY
        self.assertEqual(['a'], self.expire())

    def test_lines_without_sense_are_passed(self):
        with open(self.at(RECORD), 'wb') as f:
            f.write(b'nonsense\n')
        self.exported('a')
        self.now += 2 * DAY
        self.assertEqual(['a'], self.expire())


class Outboxes(OutboxCase):

    def test_what_is_known_of_what_was_left(self):
        """Files that still wait, temporary names without a note, parts without a file."""
        for name in 'abcd':
            self.offer(name)
        with self.begun() as outbox:
            names = {name: self.sent(outbox, name).temporary for name in 'ab'}
            unsent = self.outgoing(outbox, 'c')
            outbox.storing(unsent)
            direct = self.outgoing(outbox, 'd')
            direct.temporary = None
            outbox.storing(direct)
            self.assertEqual(self.at('cur', 'b'), outbox.retire('b'))
        os.unlink(self.at('new', 'd'))
        with self.open() as outbox:
            waiting, temporaries, lost = outbox.interrupted()
        self.assertEqual((['a'], [unsent.temporary], ['d']), (
            [note.name for note in waiting], temporaries, [note.name for note in lost]))
        self.assertEqual(names['a'], waiting[0].temporary)

    def test_no_file_that_was_compared_stays_open(self):
        self.offer('a')
        with self.begun() as outbox:
            self.sent(outbox, 'a')
        with self.open() as outbox, System() as system:
            before = len(os.listdir('/proc/self/fd'))
            for _ in range(2):
                self.assertEqual(['a'], [note.name for note in outbox.interrupted()[0]])
                self.assertEqual(before, len(os.listdir('/proc/self/fd')))
                system.fail('preadv', BROKEN)       # then nothing speaks against it

    def test_what_was_sent_is_not_forgotten_before_it_was_retired(self):
        self.offer('a')
        outbox = self.begun()
        sent = self.sent(outbox, 'a')
        outbox.settled(sent.temporary)
        outbox.finish()
        self.assertTrue(outbox.marked)
        outbox.retire('a')
        outbox.finish()
        self.assertFalse(outbox.marked)

    def test_what_was_not_sent_cannot_be_retired(self):
        self.offer('a')
        outbox = self.begun()
        self.assertRaises(KeyError, outbox.retire, 'a')
        self.sent(outbox, 'a')
        outbox.withdrawn('a')
        outbox.withdrawn('a')
        self.assertRaises(KeyError, outbox.retire, 'a')

    def test_names(self):
        self.assertEqual(['a.2', 'a.12'], [numbered('a', 2), numbered('a', 12)])
        self.assertEqual('x' * 253 + '.2', numbered('x' * 254, 2))
        self.assertEqual('x' * 253 + '.2', numbered('x' * 253, 2))
        for length, kept in (236, True), (237, False):
            name = 'x' * length
            self.assertEqual(kept, temporary_name(name).startswith('.' + name), length)
        long = temporary_name('y' * 255)
        self.assertEqual(64 + 1 + 18, len(long))
        self.assertNotIn('yy', long)

    def test_an_open_file_is_opened_once(self):
        self.offer('a')
        outgoing = self.open(PLACE).create('a')
        outgoing.open()
        fd = outgoing._fd
        outgoing.open()
        self.assertEqual(fd, outgoing._fd)
        outgoing.discard()
        outgoing.discard()
        self.assertRaises(OSError, os.fstat, fd)

    def test_pieces_of_a_file_that_grows_while_it_is_read(self):
        self.offer('a', b'1234')
        outgoing = self.open().create('a')
        self.addCleanup(outgoing.discard)
        outgoing.open()
        with open(self.at('new', 'a'), 'ab') as f:
            f.write(b'56789')
        self.assertEqual(b'123456789', b''.join(map(bytes, outgoing.pieces())))
        self.assertEqual((9, 4, False), (outgoing.size, outgoing.length, outgoing.unchanged()))

    def test_a_file_of_no_bytes(self):
        self.offer('a', b'')
        outgoing = self.open().create('a')
        self.addCleanup(outgoing.discard)
        outgoing.open()
        self.assertEqual([], list(outgoing.pieces()))
        self.assertEqual((0, True), (outgoing.size, outgoing.unchanged()))

    def test_others_have_their_turn_now_and_then(self):
        self.offer('a', bytes(3 * FAIR))
        turns, outgoing = [], self.open().create('a')
        self.addCleanup(outgoing.discard)
        outgoing.open()
        with mock.patch('zeit.cds.spool.outgoing.checkpoint', lambda: turns.append(outgoing.size)):
            for _ in outgoing.pieces():
                pass
        self.assertEqual([n * FAIR - BUFFER for n in (1, 2, 3)], turns)
