"""Files that an IPipelined is told of before it is their turn: tests. See `session`."""
from zeit.cds.interfaces import Entry
from zeit.cds.testing.contracts.case import data, SessionCase, Sink


FILES, TOLD = 40, 20


class Also:
    """The `also` of a test: puts operations into the batch, and remembers."""

    def __init__(self, operate=None, hint=None):
        self._operate, self._hint = operate, hint
        self.calls = 0
        self.pending = None

    def __call__(self, batch):
        self.calls += 1
        if self._operate is not None:
            self.pending = self._operate(batch)
        return self._hint


class Queue:
    """Entries whose turn is to come. It is also the `then` of a test."""

    def __init__(self, entries):
        self._entries, self._told = entries, 0

    def pop(self):
        """The next Entry, None if there is none."""
        self._told = max(0, self._told - 1)
        return self._entries.pop(0) if self._entries else None

    def first(self):
        self._told = max(1, self._told)
        return self._entries[0] if self._entries else None

    def __iter__(self):
        return self

    def __next__(self):
        if self._told >= len(self._entries):
            raise StopIteration
        self._told += 1
        return self._entries[self._told - 1]


class FollowingContract(SessionCase):
    """A mixin for a TestCase: a session may know which files are next; it never has to be so."""

    def opened(self, *args):
        """A new session, and its IPipelined."""
        session = self.open(*args)
        return session, self.pipelined(session)

    def assert_known(self, entry, size):
        self.assertEqual(size if self.has('sizes') else None, entry.size)

    def fetch(self, pipe, name, size=None, **kw):
        """The contents of a file, bytes."""
        sink = Sink()
        self.assertEqual(pipe.read(Entry(name, size), sink, **kw), len(sink.data))
        return bytes(sink.data)

    def sizes(self):
        return [(0, 1, 4096, 70_000, 5, 300_000)[number % 6] for number in range(FILES)]

    def put(self, name, size):
        self.directory.put(name, data(size))
        self.sizes_there = {**getattr(self, 'sizes_there', {}), name: size}

    def take_away(self, name):
        self.directory.remove(name)
        del self.sizes_there[name]

    def tell_and_read(self, number=TOLD):
        """Put files there, and read and remove them, while the session is told of those to come.

        The pairs of the Entry that is next and the Queue, before its turn; a test may change both.
        """
        entries = [Entry('%d' % each, (4096, 1, 70_000, 5, 300_000)[each % 5], kind='file')
                   for each in range(number)]
        for entry in entries:
            self.put(entry.name, entry.size)
        session, pipe = self.opened()
        queue, removals = Queue(entries), []
        while (entry := queue.pop()) is not None:
            yield entry, queue
            if entry.name in self.sizes_there:
                self.read_and_remove(pipe, entry, queue, removals)
        for removal in removals:
            self.assertIsNone(removal.get())
        self.assert_works(session)

    def read_and_remove(self, pipe, entry, queue, removals):
        done, size = removals[-1:], self.sizes_there[entry.name]

        def operate(batch):
            stat = batch.stat(entry.name)
            removals.append(batch.remove(entry.name))
            return stat
        sink, also = Sink(), Also(operate)
        count = pipe.read(entry, sink, also=lambda batch: also(batch) or queue.first(), then=queue)
        for removal in done:
            self.assertIsNone(removal.get())
        self.assertEqual((count, 1), (len(sink.data), also.calls))
        known = also.pending.get()
        if size == entry.size:
            self.assertEqual(size, count)
            self.assertTrue(data(count) == sink.data)
            self.assert_known(known, size)
        elif count != size and self.has('sizes'):
            # It was begun before it was another one: all of the older one, or that shows.
            self.assertTrue(count == entry.size or count != known.size)

    def test_files_that_it_is_told_of(self):
        for _ in self.tell_and_read():
            pass
        self.assertEqual({}, self.directory.contents())

    def test_files_that_it_is_told_of_and_that_are_not_read(self):
        for entry, queue in self.tell_and_read():
            if int(entry.name) % 7 == 3:
                queue.pop()
        self.assertEqual({'%d' % number for number in range(TOLD) if number % 7 == 4},
                         set(self.directory.contents()))

    def test_files_that_it_is_told_of_and_that_are_gone_or_other_ones_at_their_turn(self):
        for entry, _ in self.tell_and_read():
            if entry.name in ('7', '13'):
                self.take_away(entry.name)
            elif entry.name in ('9', '16'):
                self.put(entry.name, entry.size + 1)
        self.assertEqual({}, self.directory.contents())

    def test_files_that_it_is_told_of_and_that_are_none(self):
        for entry, queue in self.tell_and_read(10):
            if entry.name == '2':
                for name in 'd', 'gone', 'a/b', 'n' * 300:
                    queue._entries.append(Entry(name, 5, kind='file'))
                self.directory.make_directory('d')
        self.assertEqual({'d': None}, self.directory.contents())
