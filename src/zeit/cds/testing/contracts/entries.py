"""What there is in the directory, and how it is called: tests of an ICDSSession. See `session`."""
import threading
import time

from zeit.cds.interfaces import Entry, FTPError, PermanentError, TemporaryError
from zeit.cds.pipelined import pipelined
from zeit.cds.testing.contracts.case import SECOND, SessionCase, Sink


REFUSED = (PermanentError, TemporaryError)
RIVALS, RACES = 4, 10
# Each verb that takes a name, and what it does with one that can't be sent
NAMING = {
    'stat': lambda session, name: session.stat(name),
    'read': lambda session, name: session.read(name, Sink()),
    'write': lambda session, name: session.write(name, b'?'),
    'remove': lambda session, name: session.remove(name),
    'rename': lambda session, name: session.rename(name, 'b'),
    'rename to': lambda session, name: session.rename('a', name),
    'exists': lambda session, name: session.exists(name),
    'kind': lambda session, name: session.kind(name),
    'make_directory': lambda session, name: session.make_directory(name),
    'make_directory below': lambda session, name: session.make_directory('m/' + name),
    'remove_directory': lambda session, name: session.remove_directory(name),
    'names': lambda session, name: session.names(name),
    'stored_name': lambda session, name: session.stored_name(name),
}


class DirectoryContract(SessionCase):
    """A mixin for a TestCase: what there is in the directory, and how it is called."""

    def assert_entry(self, entry, name, size=None, kind=None):
        """It tells the truth, or None where nothing is known."""
        self.assertIsInstance(entry, Entry)
        self.assertEqual(name, entry.name)
        self.assertIn(entry.size, (None, size) if kind == 'file' else (None, entry.size))
        self.assertIn(entry.kind, (None, kind))
        if entry.modified is not None:
            self.assertIs(int, type(entry.modified))

    def assert_no_file(self, entry):
        self.assertIn(entry and (entry.size, entry.kind), (None, (None, None)))

    # ------------------------------------------------------------ entries

    def test_empty_directory_has_no_entries(self):
        self.assertEqual([], list(self.open().entries()))

    def test_entries_tell_what_there_is(self):
        self.directory.put('a', b'12345')
        self.directory.put('empty', b'')
        self.directory.make_directory('d')
        self.directory.put('d/hidden', b'')
        entries = {entry.name: entry for entry in self.open().entries()}
        self.assertEqual({'a', 'empty', 'd'}, set(entries))
        self.assert_entry(entries['a'], 'a', 5, 'file')
        self.assert_entry(entries['empty'], 'empty', 0, 'file')
        self.assert_entry(entries['d'], 'd', None, 'dir')

    def test_links_count_as_what_they_lead_to(self):
        self.needs('links')
        self.directory.put('a', b'12345')
        self.directory.make_directory('d')
        for name, target in ('to-a', 'a'), ('to-d', 'd'), ('to-nothing', 'nothing'):
            self.directory.link(name, target)
        session = self.open()
        self.assertLessEqual({'a', 'd', 'to-a', 'to-d'}, set(self.listed(session)))
        self.assert_entry(session.stat('to-a'), 'to-a', 5, 'file')
        for name in 'to-d', 'to-nothing':
            self.assert_no_file(session.stat(name))
        self.assertEqual(b'12345', self.read(session, 'to-a'))
        session.remove('to-a')
        self.assertEqual(b'12345', self.directory.contents()['a'])

    def test_many_entries(self):
        for number in range(1000):
            self.directory.put('%d.xml' % number, b'')
        session = self.open()
        for _ in range(2):
            self.assertEqual(sorted(self.directory.contents()), self.listed(session))

    # ------------------------------------------------------------ stat, exists

    def test_stat_tells_of_a_file_as_it_is_now(self):
        session = self.open()
        for content in b'', b'12345', b'1':
            self.directory.put('a', content)
            self.assert_entry(session.stat('a'), 'a', len(content), 'file')
            self.assertEqual(len(content) if self.has('sizes') else None, session.stat('a').size)

    def test_stat_tells_the_time(self):
        session = self.open()
        for then in 1_000_000_000 * SECOND, 1_793_000_000 * SECOND + 999_999_999:
            self.directory.put('a', b'', then)
            modified = session.stat('a').modified
            if self.has('times'):
                self.assertLess(abs(modified - then), 2 * SECOND + 1)
            else:
                self.assertIsNone(modified)

    def test_stat_and_exists_know_what_is_missing_and_what_is_no_file(self):
        self.directory.put('a', b'')
        self.directory.make_directory('d')
        session = self.open()
        self.assertIsNone(session.stat('missing'))
        self.assertIsNone(session.stat('n' * 300))
        self.assert_no_file(session.stat('d'))
        for name, there in ('a', True), ('d', True), ('missing', False):
            self.assertIs(there, session.exists(name), name)
        for name, kind in ('a', 'file'), ('d', 'dir'), ('missing', None):
            self.assertEqual(kind, session.kind(name), name)
            self.assertEqual(name == 'a', session.stat(name) is not None)
        self.assert_works(session)

    def test_stored_name(self):
        self.directory.put('a', b'')
        session = self.open()
        self.assertIn(session.stored_name('a'), ('a', None))
        self.assertIn(session.stored_name('missing'), ('missing', None))
        self.assert_works(session)

    def test_clock(self):
        before = time.time_ns()
        clock = self.open().clock()
        if self.has('clock'):
            self.assertIs(int, type(clock))
            self.assertLess(abs(clock - before), 10 * SECOND)
        else:
            self.assertIsNone(clock)
        self.assertEqual({}, self.directory.contents())

    # ------------------------------------------------------------ names

    def test_odd_names_go_through_everything(self):
        for name in self.names:
            with self.subTest(name=name):
                try:
                    self.check_name(name, self.open())
                finally:
                    for left in self.directory.contents():
                        self.directory.remove(left)

    def check_name(self, name, session):
        self.directory.put(name, b'there')
        self.assertIn(self.listed(session), ([name], []))       # it may be hidden
        self.assert_entry(session.stat(name), name, 5, 'file')
        self.assertTrue(session.exists(name))
        self.assertEqual(b'there', self.read(session, name))
        self.assertIn(session.stored_name(name), (name, None))
        session.write(name, b'overwritten')
        self.assertEqual({name: b'overwritten'}, self.directory.contents())
        session.rename(name, 'plain name')
        session.rename('plain name', name)
        self.assertEqual({name: b'overwritten'}, self.directory.contents())
        session.remove(name)
        self.assertEqual({}, self.directory.contents())
        try:
            session.make_directory(name)
        except PermanentError:      # only files need any name
            self.assertEqual({}, self.directory.contents())
        else:
            self.assertEqual({name: None}, self.directory.contents())
            session.remove_directory(name)
            self.assertEqual({}, self.directory.contents())

    def test_names_that_cannot_be_sent_are_not(self):
        self.directory.put('a', b'1')
        session = self.open()
        for name in self.unsendable:
            for verb, call in NAMING.items():
                with self.subTest(verb=verb, name=name):
                    if verb != 'stored_name' or session.stored_name('a') is not None:
                        self.assertRaises(ValueError, call, session, name)
                    self.assertEqual({'a': b'1'}, self.directory.contents())
                    self.assert_works(session)

    # ------------------------------------------------------------ remove, rename

    def test_remove_removes_one_file(self):
        self.directory.put('a', b'1')
        self.directory.put('b', b'2')
        self.directory.make_directory('d')
        session = self.open()
        session.remove('a')
        self.assertEqual({'b': b'2', 'd': None}, self.directory.contents())
        for name in 'a', 'd':
            self.assertRaises(PermanentError, session.remove, name)
        self.assertEqual({'b': b'2', 'd': None}, self.directory.contents())
        self.assert_works(session)

    def test_rename_gives_another_name(self):
        self.directory.put('a', b'1')
        session = self.open()
        session.rename('a', 'b')
        self.assertEqual({'b': b'1'}, self.directory.contents())
        self.assertRaises(REFUSED, session.rename, 'a', 'b')
        self.assertEqual({'b': b'1'}, self.directory.contents())
        self.assert_works(session)

    def test_rename_moves_into_a_directory(self):
        self.directory.put('a', b'1')
        self.directory.put('b', b'2')
        session = self.open()
        session.make_directory('m')
        session.rename('a', 'm/a')
        with pipelined(session).batch() as batch:
            moved, missing = batch.rename('b', 'm/x y'), batch.rename('b', 'missing/b')
        self.assertIsNone(moved.get())
        self.assertRaises(REFUSED, missing.get)
        self.assertEqual({'m': None}, self.directory.contents())
        self.assertEqual({'a': b'1', 'x y': b'2'}, self.directory.contents('m'))
        self.assert_works(session)

    def test_rename_onto_a_file_overwrites_it_or_is_refused(self):
        self.directory.put('a', b'1')
        self.directory.put('b', b'2')
        session = self.open()
        try:
            session.rename('a', 'b')
        except REFUSED:
            self.assertEqual({'a': b'1', 'b': b'2'}, self.directory.contents())
        else:
            self.assertEqual({'b': b'1'}, self.directory.contents())
        self.assert_works(session)

    # ------------------------------------------------------------ directories

    def test_directories_are_made_looked_at_and_removed(self):
        session = self.open()
        session.make_directory('m')
        self.assertEqual([], session.names('m'))
        session.make_directory('m/x')
        session.make_directory('m/y z')
        self.directory.put('m/file', b'')
        self.assertEqual(['file', 'x', 'y z'], sorted(session.names('m')))
        self.assertRaises(PermanentError, session.remove_directory, 'm')
        session.remove_directory('m/x')
        session.remove_directory('m/y z')
        self.assertEqual({'file': b''}, self.directory.contents('m'))
        self.assertEqual(['m'], self.listed(session))

    def test_directories_are_refused_where_something_is_and_where_nothing_is(self):
        self.directory.put('a', b'1')
        session = self.open()
        session.make_directory('m')
        session.make_directory('m/x')
        for name in 'm', 'a', 'm/x', 'missing/x':
            self.assertRaises(PermanentError, session.make_directory, name)
        for name in 'a', 'missing', 'm/missing', 'missing/x':
            self.assertRaises(PermanentError, session.remove_directory, name)
        try:
            self.assertEqual([], session.names('missing'))
        except PermanentError:
            pass
        self.assertEqual({'a': b'1', 'm': None}, self.directory.contents())
        self.assertEqual({'x': None}, self.directory.contents('m'))
        self.assert_works(session)

    def test_of_several_who_make_a_directory_one_succeeds(self):
        sessions = [self.open() for _ in range(RIVALS)]
        for race in range(RACES):
            made, barrier = [], threading.Barrier(RIVALS)

            def make(session, made=made, barrier=barrier, name='m%d' % race):
                barrier.wait()
                try:
                    session.make_directory(name)
                    made.append(True)
                except FTPError as e:
                    made.append(isinstance(e, PermanentError) and 'refused')

            threads = [threading.Thread(target=make, args=[session]) for session in sessions]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([True] + ['refused'] * (RIVALS - 1), sorted(made, key=str))
