"""What a power failure may do between any two calls: nothing is lost, in part, or twice.

See `zeit.cds.spool.tests.powerloss` for the model.
"""
import itertools
import os

from zeit.cds.spool import directio
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.journal import JOURNAL, RECORD
from zeit.cds.spool.tests.cases import InboxCase, OutboxCase, WHEN
from zeit.cds.spool.tests.powerloss import faults
from zeit.cds.spool.tests.recorder import Recorder


NEVER = 10**6
LARGE = directio.ALIGNED
FILES = {'file-%d' % n: b'%d' % n * 10 ** n for n in range(4)}


class Importing(InboxCase):

    def setUp(self):
        super().setUp()
        self.spool.close()

    def record(self, atomic=True, many=NEVER, large=2**20):
        """The steps of an import of some files."""
        self.tuning = Tuning(many=many, large=large)
        with Recorder(atomic) as recorder:
            if large == LARGE:
                recorder.slow('pwrite', 0.02)
            with self.open() as spool:
                self.spool = spool
                spool.leftovers()
                names = sorted(FILES)
                for some in names[:3], names[3:]:
                    spool.commit([self.receive(name, FILES[name], WHEN, len(FILES[name]))
                                  for name in some])
                    recorder.steps.extend(('removed on server', name) for name in some)
                    for name in some:
                        spool.publish(name)
                spool.sync()
        self.assertEqual(FILES, self.there('new'))
        for name in FILES:
            os.unlink(self.at('new', name))
        return recorder.steps

    def check(self, steps, **kw):
        wrong, count = faults(steps, **kw)
        self.assertEqual([], wrong)
        self.assertLess(len(steps), count)

    def test_each_file_synced_by_itself(self):
        self.check(self.record())

    def test_all_files_synced_at_once(self):
        steps = self.record(many=1)
        self.assertIn(('sync all',), steps)
        self.check(steps)

    def test_large_files(self):
        for many in 1, NEVER:
            with self.subTest(many=many):
                self.check(self.record(many=many, large=LARGE))

    def test_without_a_rename_that_does_not_overwrite(self):
        # Its two steps need a file system that keeps the order of what it loses.
        self.check(self.record(atomic=False), ordered=True)

    def test_publications_are_durable_after_sync(self):
        steps = self.record()
        last = max(n for n, step in enumerate(steps) if step[0] == 'rename')
        self.assertEqual([('sync directory', 'new'), ('sync directory', 'tmp')], steps[last + 1:])

    def test_publications_are_synced_once(self):
        with Recorder() as recorder, self.open() as self.spool:
            self.commit('a')
            self.spool.publish('a')
            self.spool.sync()
            del recorder.steps[:]
            self.spool.sync()
            self.assertEqual([], recorder.steps)

    def test_what_a_killed_run_left_is_secured(self):
        """All of it is on the disk, or so we think; its name may not be, yet."""
        self.spool = self.open()
        self.commit('a')
        self.spool.close()
        with Recorder() as recorder:
            with self.open() as spool:
                spool.leftovers()
                del recorder.steps[:]
                spool.secure('a')
        self.assertEqual([('sync file', 'a'), ('sync directory', 'tmp')], recorder.steps)

    def test_the_model_sees_each_kind_of_mistake(self):
        steps = self.record()
        for mistake in (
                [step for step in steps if step[0] != 'sync'],
                [step for step in steps if step != ('sync directory', 'tmp')],
                [step for step in steps if step[0] == 'removed on server']
                + [step for step in steps if step[0] != 'removed on server'],
                sorted(steps, key=lambda step: step[0] == 'data'),
                sorted(steps, key=lambda step: step[0] != 'rename' and step[0] != 'create')):
            self.assertTrue(faults(mistake)[0])


class Exporting(OutboxCase):
    """When a verb has returned, what it promises is on the disk."""

    def setUp(self):
        super().setUp()
        self.recorder = self.enterContext(Recorder())

    def taken(self):
        """The steps since this was last asked for."""
        steps, self.recorder.steps = self.recorder.steps, []
        return steps

    def assert_durable(self, steps, inode):
        """All data of this inode are followed by a sync of it."""
        kinds = [step[0] for step in steps if step[1:2] == (inode,) and step[0] in ('data', 'sync')]
        self.assertIn('data', kinds)
        self.assertEqual('sync', kinds[-1])

    def test_the_mark(self):
        with self.open() as outbox:
            self.taken()
            outbox.mark()
            steps = self.taken()
        (_, inode, directory, name), *rest = steps
        self.assertEqual((os.path.basename(self.path), JOURNAL), (directory, name))
        self.assertEqual([('data', inode), ('sync', inode), ('sync directory', directory)], rest)

    def test_a_new_journal_takes_the_place_of_an_older_one_when_it_is_whole(self):
        with self.open() as outbox:
            outbox.mark()
        with self.open() as outbox:
            outbox.mark()
            self.taken()
            outbox.begin(['.temporary'])
            steps = self.taken()
        (_, inode, spool, name), *rest = steps
        self.assertNotEqual(JOURNAL, name)
        self.assertEqual([('data', inode), ('sync', inode), ('rename', spool, name, spool, JOURNAL),
                          ('sync directory', spool)], rest)

    def test_notes(self):
        self.offer('a')
        with self.open() as outbox:
            outbox.mark()
            inode = self.taken()[0][1]
            outgoing = self.outgoing(outbox, 'a')
            outbox.storing(outgoing)
            self.assertEqual([('data', inode)], self.taken())     # it's only for cleaning up
            outbox.commit([outgoing])
            self.assert_durable(self.taken(), inode)
            outgoing.temporary = None
            outbox.storing(outgoing)
            self.assert_durable(self.taken(), inode)
            outbox.commit([outgoing])
            self.assert_durable(self.taken(), inode)

    def test_moves(self):
        self.offer('a')
        outbox = self.begun()
        self.sent(outbox, 'a')
        self.taken()
        outbox.retire('a')
        self.assertEqual([('rename', 'new', 'a', 'cur', 'a')], self.taken())
        outbox.sync()
        self.assertEqual([('sync directory', 'cur'), ('sync directory', 'new')], self.taken())
        outbox.sync()
        self.assertEqual([], self.taken())

    def test_all_is_forgotten_only_when_the_moves_are_durable(self):
        self.offer('a')
        outbox = self.begun()
        outbox.settled(self.sent(outbox, 'a').temporary)
        outbox.retire('a')
        self.taken()
        outbox.finish()
        steps = self.taken()
        forgotten = next(n for n, step in enumerate(steps) if step[0] == 'data')
        self.assertEqual({('sync directory', 'cur'), ('sync directory', 'new')},
                         set(steps[:forgotten]))
        self.assert_durable(steps, steps[forgotten][1])

    def test_the_record_is_never_empty(self):
        outbox = self.begun(keep=0.0)
        self.offer('a')
        self.sent(outbox, 'a')
        outbox.retire('a')
        self.taken()
        self.assertEqual(['a'], outbox.expire())
        steps, spool = self.taken(), os.path.basename(self.path)
        inode = steps[1][1]
        self.assertEqual([('unlink', 'cur', 'a'), ('create', inode, spool, RECORD + '.new'),
                          ('sync', inode),
                          ('rename', spool, RECORD + '.new', spool, RECORD)], steps)


class Journals(OutboxCase):
    """A power failure may leave any beginning of what was not synced, and holes in it."""

    def test_a_journal_that_was_cut_off(self):
        for name in 'abc':
            self.offer(name)
        with self.begun() as outbox:
            temporaries = [self.sent(outbox, name).temporary for name in 'abc']
        with open(self.at(JOURNAL), 'rb') as f:
            whole = f.read()
        starts = [0, *itertools.accumulate(map(len, whole.splitlines(keepends=True)))]
        for end in range(len(whole) + 1):
            data = whole[:end] + bytes(len(whole) - end)
            with open(self.at(JOURNAL), 'wb') as f:
                f.write(data)
            with self.open() as outbox:
                notes, begun, _ = outbox.interrupted()
            known = sum(start <= end for start in starts[1:])
            self.assertEqual(list('abc')[:max(0, known - 1) // 2], [note.name for note in notes])
            self.assertLessEqual(set(begun), set(temporaries))
