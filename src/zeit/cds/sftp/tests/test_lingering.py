"""Large files stay open until somebody has time to close them."""
import unittest

from zeit.cds.file.tests.local import Local
from zeit.cds.interfaces import Entry, IChangeDetection, IPipelined, PermanentError
from zeit.cds.sftp import packets
from zeit.cds.sftp.tests.odd import Odd, OddConnection
from zeit.cds.sftp.tuning import Tuning
from zeit.cds.testing.contracts.case import data, Sink


SIZE = 70_000       # not closed before its turn


class Lingering(Local, unittest.TestCase):

    def opened(self, **odd):
        connection = OddConnection(Odd(**odd), Tuning(large=SIZE, lingering=2 * SIZE))
        self.session = connection.open(self.feed(), None)
        self.addCleanup(self.session.close)
        self.server = connection.servers[0]
        self.pipe = IPipelined(self.session)

    def read(self, *names, size=SIZE):
        """Read files, and remove each with the next one, as an import does."""
        removed = None
        for name in names:
            self.directory.put(name, data(size))
        for name in names:
            pending, sink = [], Sink(2**17)

            def also(batch, removed=removed, pending=pending):
                if removed is not None:
                    pending.append(batch.remove(removed))
            self.pipe.read(Entry(name, size, kind='file'), sink, also=also)
            self.assertEqual(data(size), sink.data)
            for each in pending:
                each.get()
            removed = name
        with self.pipe.batch() as batch:
            pending = batch.remove(removed)
        pending.get()
        self.assertEqual({}, self.directory.contents())

    def closed(self):
        self.session.stat('none')       # what waits goes out, and is done
        return self.server.kinds.count(packets.CLOSE)

    def test_they_are_removed_while_they_are_open(self):
        self.opened()
        self.read('a', 'b')
        self.assertEqual(0, self.closed())
        self.session.close()
        self.assertEqual(2, self.server.left_open)

    def test_a_smaller_one_is_closed(self):
        self.opened()
        self.read('a', 'b', size=SIZE - 1)
        self.assertEqual(2, self.closed())

    def test_one_that_takes_too_much_room_is_closed(self):
        self.opened()
        self.read('a', 'b', size=2 * SIZE + 1)
        self.assertEqual(2, self.closed())

    def test_the_oldest_are_closed_when_there_are_many(self):
        self.opened()
        self.read(*'abcde')
        self.assertEqual(3, self.closed())

    def test_none_is_open_any_more_when_a_session_goes_on(self):
        for goes_on in (lambda: self.pipe.entries(), lambda: list(self.session.entries()),
                        lambda: IChangeDetection(self.session).version()):
            self.opened()
            self.read('a', 'b')
            goes_on()
            self.session.close()
            self.assertEqual(0, self.server.left_open)

    def test_a_server_that_removes_no_open_file_is_asked_once_in_vain(self):
        self.opened(locks=True)
        self.read(*'abcde')
        self.assertEqual(6, self.server.kinds.count(packets.REMOVE))
        self.assertEqual(5, self.closed())

    def test_nor_renames_it(self):
        self.opened(locks=True)
        self.directory.put('a', data(SIZE))
        self.pipe.read(Entry('a', SIZE, kind='file'), Sink(2**17), also=lambda batch: None)
        self.session.rename('a', 'b')
        self.assertEqual({'b': data(SIZE)}, self.directory.contents())

    def test_a_server_that_bears_few_open_files_lists_all_the_same(self):
        self.opened(handles=1)
        self.directory.put('a', data(SIZE))
        self.session.make_directory('b')
        self.pipe.read(Entry('a', SIZE, kind='file'), Sink(2**17), also=lambda batch: None)
        self.assertEqual([], self.session.names('b'))

    def test_what_is_refused_for_other_reasons_changes_nothing(self):
        self.opened()
        self.directory.put('a', data(SIZE))
        self.pipe.read(Entry('a', SIZE, kind='file'), Sink(2**17), also=lambda batch: None)
        with self.pipe.batch() as batch:
            pending = batch.remove('missing')
        for _ in range(2):
            self.assertRaises(PermanentError, pending.get)
        self.assertEqual(2, self.server.kinds.count(packets.REMOVE))
        self.session.remove('a')
        self.read('b')
        self.session.close()
        self.assertEqual(1, self.server.left_open)

    def test_who_merely_looks_into_a_file_closes_it(self):
        self.opened()
        self.directory.put('a', data(SIZE))
        self.session.read('a', Sink(2**17))
        self.assertEqual(1, self.closed())
