"""The journal of exports, and the record of what was sent."""
import os
import signal
import tempfile
import unittest

from zeit.cds.interfaces import FileRefused, SpoolError
from zeit.cds.spool.filesystem import append
from zeit.cds.spool.journal import DAY, JOURNAL, lines, RECORD
from zeit.cds.spool.tests.cases import OutboxCase
from zeit.cds.spool.tests.recorder import error, INVALID, NO_SPACE, System


class Notes(OutboxCase):

    def left_by(self, name='a'):
        """The temporary name of a file that was sent by an export which was killed then."""
        self.offer(name)
        with self.begun() as outbox:
            return self.sent(outbox, name).temporary

    def assert_only_the_temporary_name(self, temporary):
        with self.open() as outbox:
            self.assertEqual(([], [temporary], []), outbox.interrupted())

    def test_another_file_in_the_same_place_on_the_disk(self):
        temporary = self.left_by()
        with open(self.at('new', 'a'), 'r+b') as f:
            f.write(b'atad')
        self.assert_only_the_temporary_name(temporary)

    def test_what_a_power_failure_left_half_written_is_no_note(self):
        self.left_by()
        with open(self.at(JOURNAL), 'ab') as f:
            f.write(b'["sent", "b", nu\n\0\0\0\0')
        with self.open() as outbox:
            self.assertEqual(['a'], [note.name for note in outbox.interrupted()[0]])

    def test_what_is_no_line_hides_no_other(self):
        self.assertEqual([[1], 2], list(lines(b'[1]\n\0\0\n\n2\n["x"')))

    def test_a_power_failure_left_nothing_of_the_journal_but_its_size(self):
        with open(self.at(JOURNAL), 'wb') as f:
            f.write(bytes(100))
        with self.open() as outbox:
            self.assertTrue(outbox.marked)
            self.assertEqual(([], [], []), outbox.interrupted())

    def test_a_file_that_cannot_be_read_any_more_counts_as_the_one_that_was_sent(self):
        self.left_by()
        with System() as system, self.open() as outbox:
            system.fail('preadv', INVALID)
            self.assertEqual(['a'], [note.name for note in outbox.interrupted()[0]])

    def test_names_that_are_no_text(self):
        name = os.fsdecode(b'K\xf6ln\xff "\\')
        self.left_by(name)
        with self.open() as outbox:
            self.assertEqual([name], [note.name for note in outbox.interrupted()[0]])

    def test_a_full_disk_leaves_no_half_note(self):
        self.offer('a')
        outbox = self.begun()
        outgoing = self.outgoing(outbox, 'a')
        with open(self.at(JOURNAL), 'rb') as f:
            before = f.read()
        with System() as system:
            calls = []
            system.instead('write', lambda real, fd, data: real(fd, data[:5]))
            system.fail('write', NO_SPACE, lambda fd, data: calls.append(1) or len(calls) > 1)
            for verb in outbox.storing, lambda outgoing: outbox.commit([outgoing]):
                del calls[:]
                with self.assertRaises(SpoolError) as caught:
                    verb(outgoing)
                self.assertIn('The disk is full', caught.exception.__notes__[0])
        with open(self.at(JOURNAL), 'rb') as f:
            self.assertEqual(before, f.read())
        with self.assertRaises(KeyError):
            outbox.retire('a')      # nobody may take it for one that was sent

    def test_a_directory_has_the_name_of_the_journal(self):
        os.mkdir(self.at(JOURNAL))
        with self.open() as outbox:
            with self.assertRaises(SpoolError) as caught:
                outbox.interrupted()
        self.assertNotIsInstance(caught.exception, FileRefused)
        self.assertIn(JOURNAL, str(caught.exception))
        self.assertIn('Remove the directory', caught.exception.__notes__[0])

    def test_a_further_export_leaves_no_file_open(self):
        outbox = self.begun()
        outbox.finish()
        before = os.listdir('/proc/self/fd')
        outbox.mark()
        outbox.begin([])
        self.assertEqual(len(before), len(os.listdir('/proc/self/fd')))

    def test_nobody_waits_for_a_pipe(self):
        signal.alarm(10)        # which would end the tests
        self.addCleanup(signal.alarm, 0)
        for name in JOURNAL, RECORD:
            os.mkfifo(self.at(name))
        self.offer('a')
        with self.open(keep=1) as outbox:
            self.assertFalse(outbox.marked)
            self.assertEqual(([], [], []), outbox.interrupted())
            self.assertEqual([], outbox.expire())
            with self.assertRaises(SpoolError) as caught:
                outbox.mark()
            self.assertIn('It must be a file', caught.exception.__notes__[0])
            os.unlink(self.at(JOURNAL))
            outbox.mark()
            outbox.begin([])
            self.sent(outbox, 'a')
            self.assertRaises(SpoolError, outbox.retire, 'a')


class Appending(unittest.TestCase):

    def setUp(self):
        self.file = self.enterContext(tempfile.TemporaryFile())
        self.file.write(b'before\n')
        self.file.flush()

    def append(self, *sizes):
        """Append to a file of which the system takes so many bytes with each call, and no more."""
        def some(real, fd, data):
            size = next(left, None)
            if size is None:
                raise NO_SPACE
            return real(fd, data[:size])

        left = iter(sizes)
        with System() as system:
            system.instead('write', some)
            append(self.file.fileno(), b'12345')

    def assert_holds(self, data):
        self.assertEqual(data, os.pread(self.file.fileno(), 100, 0))

    def test_bit_by_bit(self):
        self.append(1, 3, 9)
        self.assert_holds(b'before\n12345')

    def test_all_or_nothing(self):
        for sizes in (), (1,), (1, 3):
            self.assertRaises(OSError, self.append, *sizes)
            self.assert_holds(b'before\n')
            self.file.seek(0, os.SEEK_END)


class Keeping(OutboxCase):

    def export(self, *names, keep, ago=0.0):
        """Export files, so many days ago."""
        outbox = self.begun(keep=keep)
        for name in names:
            self.offer(name)
            self.sent(outbox, name)
            outbox.retire(name)
        outbox.close()
        self.age(ago)

    def age(self, days):
        try:
            with open(self.at(RECORD)) as f:
                lines = f.read().splitlines()
        except FileNotFoundError:
            return
        with open(self.at(RECORD), 'w') as f:
            for line in lines:
                seconds, _, rest = line[1:].partition(',')
                f.write('[%d,%s\n' % (int(seconds) - days * DAY, rest))

    def expire(self, keep):
        with self.open(keep=keep) as outbox:
            return outbox.expire()

    def test_old_files_go_and_young_ones_stay(self):
        self.export('a', 'b', keep=7, ago=5)
        self.export('c', keep=7, ago=3)
        self.make('cur', 'somebody-elses')
        self.assertEqual(['a', 'b'], self.expire(7))
        self.assertEqual({'c', 'somebody-elses'}, set(self.there('cur')))
        self.assertEqual([], self.expire(7))
        self.age(5)
        self.assertEqual(['c'], self.expire(7))

    def test_without_keep_nothing_is_recorded_or_removed(self):
        self.export('a', keep=None, ago=5)
        self.assertFalse(os.path.exists(self.at(RECORD)))
        self.export('b', keep=1, ago=5)
        self.assertEqual([], self.expire(None))
        self.assertEqual(['b'], self.expire(1))
        self.assertEqual({'a'}, set(self.there('cur')))

    def test_what_was_made_of_it_stays(self):
        self.export('a', keep=1, ago=5)
        with open(self.at('cur', 'a'), 'ab') as f:
            f.write(b'more')
        self.assertEqual([], self.expire(1))

    def test_another_file_of_that_name_stays(self):
        self.export('a', 'b', keep=1, ago=5)
        self.make('cur', 'a', data=b"the CMS' own")
        os.unlink(self.at('cur', 'b'))
        self.assertEqual([], self.expire(1))
        self.assertEqual({'a': b"the CMS' own"}, self.there('cur'))

    def test_the_record_does_not_grow(self):
        for n in range(10):
            self.export('a%d' % n, keep=2, ago=1)
            self.expire(2)
        with open(self.at(RECORD)) as f:
            self.assertLessEqual(len(f.readlines()), 4)

    def test_a_full_disk_leaves_no_half_line(self):
        self.export('a', keep=1)
        outbox = self.begun(keep=1)
        self.offer('b')
        self.sent(outbox, 'b')
        with System() as system:
            system.fail('write', error(28))
            self.assertRaises(SpoolError, outbox.retire, 'b')
        with open(self.at(RECORD)) as f:
            self.assertEqual(1, len(f.readlines()))
