"""Round trips that may be shared: tests of an IPipelined. See `session`."""
import zope.interface.verify

from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    IBatch,
    IPending,
    IPipelined,
    PermanentError,
    RunLimitReached,
)
from zeit.cds.testing.contracts.case import data, Deadline, LARGE, Oops, Sink
from zeit.cds.testing.contracts.following import Also, FollowingContract


class PipelinedContract(FollowingContract):
    """A mixin for a TestCase: what shares a round trip is done as if it did not."""

    # ------------------------------------------------------------ batches

    def test_interfaces_of_shared_round_trips_are_kept(self):
        session, pipe = self.opened()
        zope.interface.verify.verifyObject(IPipelined, pipe)
        self.assertIs(session, pipe.session)
        with pipe.batch() as batch:
            zope.interface.verify.verifyObject(IBatch, batch)
            pending = batch.stat('a')
        zope.interface.verify.verifyObject(IPending, pending)

    def test_batch_does_what_the_verbs_of_the_session_do(self):
        self.directory.put('a', b'12345')
        self.directory.put('b', b'1')
        session, pipe = self.opened()
        with pipe.batch() as batch:
            stat, missing = batch.stat('a'), batch.stat('missing')
            renamed, removed = batch.rename('a', 'c'), batch.remove('b')
            made, below = batch.make_directory('m'), batch.make_directory('m/x')
            called = batch.stored_name('c')
        self.assertEqual(('a', 'file'), (stat.get().name, stat.get().kind or 'file'))
        self.assert_known(stat.get(), 5)
        self.assertIsNone(missing.get())
        self.assertEqual([None] * 4, [each.get() for each in (renamed, removed, made, below)])
        self.assertIn(called.get(), ('c', None))
        self.assertEqual({'c': b'12345', 'm': None}, self.directory.contents())
        with pipe.batch() as batch:
            batch.remove_directory('m/x')
            left = batch.remove_directory('m')
        self.assertIsNone(left.get())
        self.assertEqual({'c': b'12345'}, self.directory.contents())
        self.assert_works(session)

    def test_operations_of_a_batch_are_done_in_the_order_of_the_calls(self):
        self.directory.put('a', b'1')
        self.directory.put('b', b'22')
        session, pipe = self.opened()
        with pipe.batch() as batch:
            before = batch.stat('a')
            batch.remove('a')
            between = batch.stat('a')
            batch.rename('b', 'a')
            after = batch.stat('a')
        self.assert_known(before.get(), 1)
        self.assertIsNone(between.get())
        self.assert_known(after.get(), 2)
        self.assertEqual({'a': b'22'}, self.directory.contents())

    def test_failure_stays_with_its_operation(self):
        self.directory.put('a', b'1')
        session, pipe = self.opened()
        with pipe.batch() as batch:
            failing = [batch.remove('missing'), batch.make_directory('a'),
                       batch.rename('missing', 'b'), batch.remove_directory('missing')]
            renamed, removed = batch.rename('a', 'b'), batch.remove('b')
        for pending in failing * 2:
            self.assertRaises(PermanentError, pending.get)
        for pending in renamed, removed:
            self.assertIsNone(pending.get())
        self.assertEqual({}, self.directory.contents())
        self.assert_works(session)

    def test_name_that_cannot_be_sent_leaves_the_others_alone(self):
        self.directory.put('a', b'1')
        session, pipe = self.opened()
        for name in self.unsendable:
            with pipe.batch() as batch:
                before, bad, after = batch.stat('a'), batch.stat(name), batch.stat('a')
            self.assertRaises(ValueError, bad.get)
            for pending in before, after:
                self.assert_known(pending.get(), 1)
        self.assert_works(session)

    def test_large_and_empty_batches(self):
        session, pipe = self.opened()
        with pipe.batch():
            pass
        for number in range(300):
            self.directory.put('file %d' % number, b'%d' % number)
        with pipe.batch() as batch:
            stats = [batch.stat('file %d' % number) for number in range(300)]
            removals = [batch.remove('file %d' % number) for number in range(300)]
        self.assertEqual(['file %d' % number for number in range(300)],
                         [stat.get().name for stat in stats])
        self.assertEqual({None}, {removal.get() for removal in removals})
        self.assertEqual({}, self.directory.contents())
        self.assert_works(session)

    def test_hints_change_nothing_but_the_number_of_commands(self):
        self.directory.put('a', b'12345')
        session, pipe = self.opened()
        for regular in True, False:
            for time in True, False:
                with self.subTest(regular=regular, time=time):
                    with pipe.batch() as batch:
                        there = batch.stat('a', regular=regular, time=time)
                        missing = batch.stat('missing', regular=regular, time=time)
                    self.assert_known(there.get(), 5)
                    self.assertIsNone(missing.get())
                    if time and self.has('times'):
                        self.assertIsNotNone(there.get().modified)

    def test_what_may_be_done_later_is_done_before_the_next_thing(self):
        for verb in (lambda session, pipe: session.exists('b'),
                     lambda session, pipe: self.read(session, 'b') == b'1',
                     lambda session, pipe: self.listed(session) == ['b'],
                     lambda session, pipe: session.write('b', b'2') == 1,
                     lambda session, pipe: self.fetch(pipe, 'b', 1) == b'1',
                     lambda session, pipe: [each.name for each in pipe.entries()] == ['b'],
                     lambda session, pipe: self.stat_in_batch(pipe, 'b') is not None):
            self.directory.put('a', b'1')
            session, pipe = self.opened()
            with pipe.batch(later=True) as batch:
                renamed = batch.rename('a', 'b')
            self.assertTrue(verb(session, pipe))
            self.assertIsNone(renamed.get())
            session.remove('b')
            self.assertEqual({}, self.directory.contents())

    def stat_in_batch(self, pipe, name):
        with pipe.batch() as batch:
            pending = batch.stat(name)
        return pending.get()

    def test_failure_of_what_is_done_later_stays_with_it(self):
        session, pipe = self.opened()
        with pipe.batch(later=True) as batch:
            failing = batch.remove('missing')
        self.assert_works(session)
        self.assertRaises(PermanentError, failing.get)

    def test_end_of_the_session_comes_through(self):
        session, pipe = self.opened()
        session.abort()
        with self.assertRaises(ConnectionLost), pipe.batch() as batch:
            pending = batch.remove('a')
        self.assertRaises(ConnectionLost, pending.get)

    def test_deadline_comes_through(self):
        self.directory.put('a', b'1')
        deadline = Deadline()
        session, pipe = self.opened(deadline)
        deadline.expire()
        with self.assertRaises(RunLimitReached), pipe.batch() as batch:
            batch.remove('a')
        self.assertEqual({'a': b'1'}, self.directory.contents())
        deadline.extend(60.0)
        self.assert_honest(session)

    # ------------------------------------------------------------ transfers, and what shares them

    def test_transfers_do_what_the_verbs_of_the_session_do(self):
        session, pipe = self.opened()
        for size in 0, 5000, LARGE:
            for known in size, None:
                with self.subTest(size=size, known=known):
                    self.assertEqual(size, pipe.write('a', data(size)))
                    self.assertEqual(size, pipe.write('a', iter([data(size)])))
                    self.assertTrue(data(size) == self.fetch(pipe, 'a', known))
                    if size and self.has('resumed reads'):
                        self.assertTrue(data(size)[9:] == self.fetch(pipe, 'a', known, offset=9))
        if self.has('resumed writes'):
            self.directory.put('a', b'123')
            self.assertEqual(2, pipe.write('a', b'45', 3))
            self.assertEqual({'a': b'12345'}, self.directory.contents())
        self.assert_works(session)

    def test_entries_are_a_list_and_heard_of_as_they_come(self):
        for number in range(100):
            self.directory.put('%d' % number, b'')
        heard = []
        session, pipe = self.opened()
        entries = pipe.entries(heard.append)
        self.assertIs(list, type(entries))
        self.assertEqual(sorted(self.directory.contents()), sorted(each.name for each in entries))
        self.assertEqual(sorted(heard), heard)
        self.assertLessEqual(set(heard), set(range(101)))

    def test_also_is_done_after_the_transfer(self):
        def entries(session, pipe, also):
            self.assertEqual(['a'], [entry.name for entry in pipe.entries(also=also)])

        def read(session, pipe, also):
            self.assertTrue(content == self.fetch(pipe, 'a', len(content), also=also))

        def write(session, pipe, also):
            self.assertEqual(len(content), pipe.write('a', content, also=also))

        for content in b'', b'12345', data(LARGE):
            for verb in entries, read, write:
                with self.subTest(verb=verb.__name__, size=len(content)):
                    self.directory.put('a', b'old' if verb is write else content)
                    session, pipe = self.opened()
                    also = Also(lambda batch: [batch.stat('a'), batch.rename('a', 'b'),
                                               batch.remove('missing')])
                    verb(session, pipe, also)
                    self.assertEqual(1, also.calls)
                    stat, renamed, failing = also.pending
                    self.assert_known(stat.get(), len(content))
                    self.assertIsNone(renamed.get())
                    self.assertRaises(PermanentError, failing.get)
                    self.assertTrue(content == self.directory.contents()['b'])
                    self.assert_works(session)
                    session.remove('b')

    def test_also_is_called_once_at_most_if_the_transfer_fails(self):
        self.directory.make_directory('d')
        for verb in (lambda pipe, also: pipe.read(Entry('missing', 5), Sink(), also=also),
                     lambda pipe, also: pipe.read(Entry('d'), Sink(), also=also),
                     lambda pipe, also: pipe.write('d', b'12345', also=also)):
            session, pipe = self.opened()
            also = Also(lambda batch: batch.make_directory('made'))
            self.assertRaises(PermanentError, verb, pipe, also)
            self.assertLessEqual(also.calls, 1)
            if also.calls:
                self.assertIsNone(also.pending.get())
                session.remove_directory('made')
            self.assertEqual({'d': None}, self.directory.contents())
            self.assert_works(session)

    def test_also_is_called_once_at_most_if_the_sink_fails(self):
        def fail():
            raise Oops

        self.directory.put('a', data(LARGE))
        session, pipe = self.opened()
        also = Also(lambda batch: batch.make_directory('made'))
        self.assertRaises(Oops, pipe.read, Entry('a', LARGE), Sink(first=fail), also=also)
        self.assertLessEqual(also.calls, 1)
        if also.calls:
            try:
                self.assertIsNone(also.pending.get())
            except ConnectionLost:
                self.assertFalse(session.alive)
        self.assert_honest(session)

    # ------------------------------------------------------------ as a worker does

    def test_many_files_in_a_row_each_removed_with_the_next(self):
        hints = {
            'the next': lambda name, size: Entry(name, size),
            'known to be a file': lambda name, size: Entry(name, size, kind='file'),
            'any': lambda name, size: Entry(name),
            'none': lambda name, size: None,
            'a wrong size': lambda name, size: Entry(name, size + 1),
            'another': lambda name, size: Entry('missing', 5),
        }
        for kind, hint in hints.items():
            with self.subTest(hint=kind):
                self.fetch_all(hint)
                self.assertEqual({}, self.directory.contents())

    def fetch_all(self, hint):
        """Read and remove files in a row; `hint` makes the Entry that is said to be next."""
        entries = [Entry('%d' % number, size) for number, size in enumerate(self.sizes())]
        for entry in entries:
            self.directory.put(entry.name, data(entry.size))
        session, pipe = self.opened()
        done = None
        for entry, following in zip(entries, [*entries[1:], Entry('none')]):
            also = Also(lambda batch, done=done, entry=entry: [
                batch.stat(entry.name, regular=True),
                done and batch.remove(done.name)], hint(following.name, following.size or 0))
            self.assertTrue(data(entry.size) == self.fetch(pipe, *entry[:2], also=also))
            self.assertEqual(1, also.calls)
            stat, removed = also.pending
            self.assert_known(stat.get(), entry.size)
            self.assertIsNone(removed and removed.get())
            done = entry
        session.remove(done.name)

    def test_a_file_that_fails_does_not_harm_the_next(self):
        session, pipe = self.opened()
        for number in range(10):
            kind = 'file' if number % 2 else None
            self.directory.put('%d' % number, data(4096))
            gone = Also(hint=Entry('%d' % number, 4096, kind=kind))
            with self.assertRaises(PermanentError):
                pipe.read(Entry('gone', 4096), Sink(), also=gone)
            also = Also(lambda batch, number=number: batch.rename('%d' % number, 'x%d' % number),
                        Entry('gone', 4096, kind=kind))
            self.assertEqual(data(4096), self.fetch(pipe, '%d' % number, 4096, also=also))
            self.assertIsNone(also.pending.get())
            self.assertEqual(1, also.calls)
        self.assertEqual({'x%d' % number: data(4096) for number in range(10)},
                         self.directory.contents())

    def test_many_files_in_a_row_each_named_with_the_next(self):
        session, pipe = self.opened()
        done = None
        for number, size in enumerate(self.sizes()):
            name = '%d' % number
            also = Also(lambda batch, done=done, name=name: [
                batch.stat(name + '.part', time=False),
                done and batch.rename(done + '.part', done)], Entry('next'))
            self.assertEqual(size, pipe.write(name + '.part', data(size), also=also))
            self.assertEqual(1, also.calls)
            stat, renamed = also.pending
            self.assert_known(stat.get(), size)
            self.assertIsNone(renamed and renamed.get())
            done = name
        session.rename(done + '.part', done)
        wanted = {'%d' % number: data(size) for number, size in enumerate(self.sizes())}
        self.assertTrue(wanted == self.directory.contents())

    def test_reading_and_writing_may_alternate(self):
        session, pipe = self.opened()
        for number in range(10):
            name = '%d' % number
            pipe.write(name, data(4096), also=Also(hint=Entry(name, 4096)))
            self.assertEqual(data(4096), self.fetch(pipe, name, 4096, also=Also(hint=Entry('x'))))
            self.assertIn(name, [entry.name for entry in pipe.entries()])
        self.assert_works(session)

    def test_pipelined_sessions_in_tasks_do_not_get_in_each_others_way(self):
        def serve(number):
            session, pipe = self.opened()
            for size in self.sizes():
                name = 'of %d' % number
                also = Also(lambda batch, name=name: batch.stat(name), Entry(name, size))
                pipe.write(name, data(size), also=also)
                self.assert_known(also.pending.get(), size)
                self.assertTrue(data(size) == self.fetch(pipe, name, size, also=Also()))

        self.in_tasks(lambda: serve(0), lambda: serve(1))
        self.assertEqual({'of 0', 'of 1'}, set(self.directory.contents()))
