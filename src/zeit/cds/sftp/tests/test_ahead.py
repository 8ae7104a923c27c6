"""What is begun before its turn, and what is not."""
import unittest
from unittest import mock

from zeit.cds.file.tests.local import Local
from zeit.cds.interfaces import Entry, IPipelined, PermanentError
from zeit.cds.sftp import packets
from zeit.cds.sftp.channel import Channel
from zeit.cds.sftp.tests.odd import Odd, OddConnection
from zeit.cds.sftp.tuning import Tuning
from zeit.cds.testing.contracts.case import data, Sink
from zeit.cds.testing.contracts.following import Queue


class Ahead(Local, unittest.TestCase):

    def opened(self, tuning=None, **odd):
        connection = OddConnection(Odd(**odd), tuning or Tuning())
        self.session = connection.open(self.feed(), None)
        self.addCleanup(self.session.close)
        self.server = connection.servers[0]
        return IPipelined(self.session)

    def files(self, number, size=100):
        entries = [Entry('%03d' % each, size, kind='file') for each in range(number)]
        for entry in entries:
            self.directory.put(entry.name, data(size))
        return entries

    def read_all(self, pipe, entries, skip=()):
        queue = Queue(list(entries))
        while (entry := queue.pop()) is not None:
            if entry.name not in skip:
                sink = Sink(2**17)
                pipe.read(entry, sink, also=lambda batch: queue.first(), then=queue)
                self.assertEqual(data(entry.size), sink.data)

    def opened_at_once(self):
        """The greatest number of files that were open."""
        count = most = 0
        for kind in self.server.kinds:
            count += (kind == packets.OPEN) - (kind == packets.CLOSE)
            most = max(most, count)
        return most

    def test_small_files_are_open_at_once(self):
        pipe = self.opened()
        self.read_all(pipe, self.files(100))
        self.assertEqual(32, self.opened_at_once())

    def test_each_is_asked_for_once(self):
        pipe = self.opened()
        self.read_all(pipe, self.files(100))
        self.session.close()            # the last CLOSE is not waited for
        for kind in packets.OPEN, packets.READ, packets.CLOSE:
            self.assertEqual(100, self.server.kinds.count(kind))

    def test_several_requests_go_out_at_once(self):
        pipe, entries = self.opened(Tuning(window=2**18)), self.files(1, 2**22)
        with mock.patch.object(Channel, 'flush', autospec=True, side_effect=Channel.flush) as flush:
            self.read_all(pipe, entries)
        requests = self.server.kinds.count(packets.READ)
        self.assertGreater(requests, 100)
        self.assertLess(flush.call_count, requests / 3)

    def test_a_mailbox_that_gives_each_file_once_loses_none(self):
        pipe = self.opened(once=True)
        self.read_all(pipe, self.files(20))
        self.assertEqual(1, self.opened_at_once())
        self.assertEqual(20, self.server.kinds.count(packets.OPEN))

    def test_nothing_is_begun_until_the_first_file_has_shown_that_files_stay(self):
        pipe, entries = self.opened(), self.files(20)
        further = iter(entries[2:])
        pipe.read(entries[0], Sink(), also=lambda batch: entries[1], then=further)
        self.assertEqual(1, self.server.kinds.count(packets.OPEN))
        self.assertEqual(entries[2], next(further))

    def test_no_more_bytes_than_fit_into_the_window_are_begun(self):
        pipe = self.opened(Tuning(window=1000))
        self.read_all(pipe, self.files(50))
        self.assertEqual(10, self.opened_at_once())

    def test_nothing_is_begun_beyond_a_large_file(self):
        pipe = self.opened(Tuning(begun=5000))
        entries = self.files(20)
        entries[5] = Entry('005', 5001, kind='file')
        self.directory.put('005', data(5001))
        further = iter(entries[2:])
        for number in range(2):
            following = entries[number + 1]
            pipe.read(entries[number], Sink(), also=lambda batch, following=following: following,
                      then=further)
        self.assertEqual(entries[6], next(further))

    def test_a_server_that_bears_few_open_files_gets_fewer(self):
        pipe = self.opened(handles=4)
        self.read_all(pipe, self.files(200))
        refused = self.server.kinds.count(packets.OPEN) - 200
        self.assertGreater(refused, 0)
        self.assertLess(refused, 70)

    def test_what_is_not_read_is_closed(self):
        pipe = self.opened()
        for size in 100, 70_000:    # the latter are open, and no more, before their turn
            self.read_all(pipe, self.files(20, size), skip=('004', '005', '011'))
        self.session.close()
        self.assertEqual(0, self.server.left_open)

    def test_a_read_that_ends_too_early_costs_one_file_a_try(self):
        pipe, entries = self.opened(most=30_000), self.files(20, 50_000)
        entries[:3] = self.files(3)
        queue, counts = Queue(entries), []
        while (entry := queue.pop()) is not None:
            counts.append(pipe.read(entry, Sink(2**17), also=lambda batch: queue.first(),
                                    then=queue))
        self.assertEqual([100, 100, 100, 30_000] + 16 * [50_000], counts)

    def test_what_also_asks_for_is_done_with_the_next_thing(self):
        pipe, entries = self.opened(), self.files(3)
        pending = []
        pipe.read(entries[0], Sink(), also=lambda batch: pending.append(
            batch.remove('missing')), then=iter(()))
        self.assertRaises(PermanentError, pending[0].get)

    def test_an_operation_before_it_makes_what_was_asked_before_worthless(self):
        pipe, entries = self.opened(), self.files(1)
        pending = []

        def also(batch):
            batch.remove('000')
            pending.append(batch.stat('000'))
        pipe.read(entries[0], Sink(), also=also)
        self.assertIsNone(pending[0].get())
