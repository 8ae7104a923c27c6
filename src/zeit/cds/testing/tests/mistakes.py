"""Sessions of which each makes one mistake, and the tests of the suite that have to notice."""
import contextlib
import functools
import os
import shutil
import tempfile
import time
import unittest

from zeit.cds.feed import Feed
from zeit.cds.file.session import FileConnection, FileSession
from zeit.cds.interfaces import ConnectionLost, Entry, FTPError, PermanentError
from zeit.cds.memory import read
from zeit.cds.pipelined import AtOnce, Batch
from zeit.cds.testing.contracts.directory import LocalDirectory
from zeit.cds.testing.contracts.session import SessionContract


class Contract(SessionContract, unittest.TestCase):
    """The suite on one kind of session, and one kind of IPipelined."""

    session, pipe = FileSession, AtOnce

    def setUp(self):
        self.directory = LocalDirectory(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory.path)

    @property
    def connection(self):
        connection = FileConnection()
        connection.open = lambda feed, deadline, like=None: self.begin(feed, deadline, like)
        return connection

    def begin(self, feed, deadline, like):
        try:
            return self.session(feed.ftp_dir, deadline)
        except PermanentError as e:
            e.add_note('Check the directory %s.' % feed.ftp_dir)
            raise

    def feed(self, **settings):
        return Feed(**{**dict(
            store_dir='', hostname='localhost', user='', ftp_dir=self.directory.path), **settings})

    def pipelined(self, session):
        return self.pipe(session)


MISTAKES = []       # (test that has to notice, what is wrong, changes of Contract)


def mistake(verb, *tests, of=FileSession):
    """Decorator of a function that does a verb wrong; those tests have to notice.

    Its arguments are the object, the right verb, and the verb's own.
    """
    def register(wrong):
        right = getattr(of, verb)

        def method(self, *args, **kw):
            return wrong(self, functools.partial(right, self), *args, **kw)

        kind = type(wrong.__name__, (of,), {verb: method})
        changes = {AtOnce: dict(pipe=kind), FileSession: dict(session=kind)}[of]
        MISTAKES.extend((test, wrong.__name__, changes) for test in tests)
    return register


def is_wrong(test, **attributes):
    """A session with these attributes is a mistake that a test has to notice."""
    kind = type('Wrong', (FileSession,), attributes)
    MISTAKES.append((test, str(attributes), dict(session=kind)))


# ---------------------------------------------------------------- opening and ending

is_wrong('interfaces_are_kept', latency=None)
is_wrong('interfaces_are_kept', clock=None)
is_wrong('who_does_not_block_lets_others_go_on', blocking=False)
is_wrong('closed_session_does_nothing', alive=property(lambda self: True, lambda self, value: None))


@mistake('close', 'closed_session_does_nothing')
def close_twice_fails(self, right):
    if self._fd is None:
        raise OSError(9, 'Bad file descriptor')
    right()


@mistake('abort', 'abort_ends_a_read_of_another_thread', 'abort_ends_a_write_of_another_thread')
def abort_does_nothing(self, right):
    """A read goes on as if nothing had happened."""


@mistake('__init__', 'missing_directory_is_told_of_with_a_hint')
def missing_directory_is_made(self, right, path, deadline):
    os.makedirs(path, exist_ok=True)
    right(path, deadline)


@mistake('__init__', 'feed_names_the_directory')
def directory_is_ignored(self, right, path, deadline):
    right(path.removesuffix('/below'), deadline)


@mistake('_call', 'no_verb_begins_after_the_deadline_but_when_it_is_extended',
         'no_transfer_goes_on_after_the_deadline', 'no_session_is_opened_after_the_deadline')
def deadline_is_ignored(self, right, function, *args, **kw):
    self._deadline.extend(60.0)
    return right(function, *args, **kw)


@mistake('exists', 'no_verb_begins_after_the_deadline_but_when_it_is_extended')
def deadline_is_ignored_by_one_verb(self, right, name):
    self._deadline.extend(60.0)
    return right(name)


# ---------------------------------------------------------------- entries, stat, names

@mistake('entries', 'empty_directory_has_no_entries', 'entries_tell_what_there_is', 'many_entries')
def directory_lists_itself(self, right):
    return [Entry('.'), *right()]


@mistake('entries', 'many_entries')
def listing_is_cut_off(self, right):
    return list(right())[:999]


@mistake('entries', 'entries_tell_what_there_is')
def entries_tell_a_wrong_size(self, right):
    return [entry._replace(size=0) for entry in right()]


@mistake('entries', 'odd_names_go_through_everything')
def names_are_decoded_in_some_way(self, right):
    for entry in right():
        yield entry._replace(name=os.fsencode(entry.name).decode('utf-8', 'replace'))


@mistake('stat', 'stat_tells_of_a_file_as_it_is_now')
def stat_remembers(self, right, name):
    remembered = self.__dict__.setdefault('_remembered', {})
    return remembered.setdefault(name, right(name))


@mistake('stat', 'stat_tells_the_time')
def time_is_local(self, right, name):
    entry = right(name)
    return entry and entry._replace(modified=entry.modified + 3600 * 10**9)


@mistake('stat', 'stat_and_exists_know_what_is_missing_and_what_is_no_file')
def stat_takes_a_directory_for_a_file(self, right, name):
    return right(name) or (Entry(name, 4096, 0, 'file') if self.exists(name) else None)


@mistake('stat', 'links_count_as_what_they_lead_to')
def link_counts_as_a_link(self, right, name):
    entry = right(name)
    status = self._status(name, follow=False)
    return entry and entry._replace(size=status.st_size)


@mistake('exists', 'stat_and_exists_know_what_is_missing_and_what_is_no_file')
def directories_do_not_exist(self, right, name):
    return self.stat(name) is not None


@mistake('_at', 'names_that_cannot_be_sent_are_not')
def name_ends_at_nul(self, right, function, name, *args, **kw):
    return right(function, name.partition('\0')[0], *args, **kw)


@mistake('stored_name', 'odd_names_go_through_everything')
def names_are_folded(self, right, name):
    return name.lower()


@mistake('clock', 'clock')
def clock_counts_seconds(self, right):
    return time.time()


@mistake('clock', 'clock')
def clock_leaves_its_probe(self, right):
    self.write('.probe', b'')
    return right()


@mistake('remove', 'remove_removes_one_file')
def removing_nothing_is_fine(self, right, name):
    with contextlib.suppress(FTPError):
        right(name)


@mistake('rename', 'rename_gives_another_name')
def rename_is_a_copy(self, right, source, target):
    self.write(target, read(self, source))


@mistake('rename', 'rename_onto_a_file_overwrites_it_or_is_refused')
def refused_rename_loses_the_target(self, right, source, target):
    if self.exists(target):
        self.remove(target)
        raise PermanentError('It is there.')
    right(source, target)


@mistake('make_directory', 'of_several_who_make_a_directory_one_succeeds')
def directory_is_looked_for_and_then_made(self, right, name):
    if self.exists(name):
        raise PermanentError('It is there.')
    time.sleep(0.01)
    with contextlib.suppress(PermanentError):
        right(name)


@mistake('names', 'directories_are_made_looked_at_and_removed')
def names_have_a_path(self, right, directory):
    return ['%s/%s' % (directory, name) for name in right(directory)]


# ---------------------------------------------------------------- read, write

@mistake('read', 'read_hands_over_the_whole_file', 'read_from_an_offset')
def count_is_that_of_the_file(self, right, name, sink, offset=0):
    return right(name, sink, offset) + offset + 1


@mistake('read', 'read_from_an_offset')
def offset_is_ignored(self, right, name, sink, offset=0):
    return right(name, sink)


@mistake('read', 'read_hands_over_the_whole_file', 'read_keeps_to_the_buffer_that_it_is_lent')
def sink_gets_nothing_at_the_end(self, right, name, sink, offset=0):
    count = right(name, sink, offset)
    sink.buffer()
    sink.advance(0)
    return count


@mistake('read', 'what_the_sink_raises_comes_through')
def error_of_the_sink_is_called_a_lost_connection(self, right, name, sink, offset=0):
    try:
        return right(name, sink, offset)
    except OSError as e:
        raise ConnectionLost(str(e)) from e


@mistake('write', 'write_overwrites_a_file')
def file_is_not_truncated(self, right, name, source, offset=0):
    entry = self.stat(name)
    if entry and not offset and isinstance(source, bytes) and len(source) < entry.size:
        return right(name, source + b'?' * (entry.size - len(source))) and len(source)
    return right(name, source, offset)


@mistake('write', 'write_looks_at_no_piece_after_it_asked_for_the_next')
def pieces_are_collected(self, right, name, source, offset=0):
    return right(name, source if isinstance(source, bytes) else list(source), offset)


@mistake('write', 'write_goes_on_at_an_offset')
def write_begins_anew(self, right, name, source, offset=0):
    return right(name, source)


@mistake('_pieces', 'what_the_source_raises_ends_the_session')
def file_ends_where_the_source_failed(self, right, source):
    with contextlib.suppress(Exception):
        yield from source


@mistake('_pieces', 'what_the_source_raises_ends_the_session')
def session_goes_on_after_the_source_failed(self, right, source):
    yield from source


# ---------------------------------------------------------------- round trips that are shared

def batch_is(kind):
    """What replaces AtOnce.batch such that its batches are of this kind."""
    @contextlib.contextmanager
    def batch(self, right, later=False):
        batch = kind(self.session)
        yield batch
        batch.end()
    batch.__name__ = kind.__name__
    return batch


class Backwards(Batch):
    """Does operations in the wrong order."""

    def __init__(self, session):
        super().__init__(session)
        self._calls = []

    def _do(self, verb, *args):
        self._calls.append((verb, args))
        return self

    def end(self):
        for verb, args in reversed(self._calls):
            super()._do(verb, *args)

    def get(self):
        """Nothing is of interest."""


class Loud(Batch):
    """The first failure is raised at once."""

    def _do(self, verb, *args):
        pending = super()._do(verb, *args)
        pending.get()
        return pending

    def end(self):
        """All is done."""


class Quiet(Batch):
    """The end of a session stays with an operation."""

    def end(self):
        """All is done."""


mistake('batch', 'failure_stays_with_its_operation', of=AtOnce)(batch_is(Backwards))
mistake('batch', 'failure_stays_with_its_operation',
        'name_that_cannot_be_sent_leaves_the_others_alone', of=AtOnce)(batch_is(Loud))
mistake('batch', 'end_of_the_session_comes_through', of=AtOnce)(batch_is(Quiet))


@mistake('batch', 'what_may_be_done_later_is_done_before_the_next_thing', of=AtOnce)
@contextlib.contextmanager
def later_is_never(self, right, later=False):
    with right() as batch:
        yield Backwards(self.session) if later else batch


@mistake('_end', 'also_is_done_after_the_transfer', of=AtOnce)
def also_is_forgotten(self, right, result, also):
    return result


@mistake('_end', 'also_is_done_after_the_transfer', of=AtOnce)
def also_is_called_twice(self, right, result, also):
    right(result, also)
    return right(result, also)


@mistake('read', 'also_is_done_after_the_transfer', of=AtOnce)
def also_is_done_before(self, right, entry, sink, offset=0, also=None, then=None):
    self._end(None, also)
    return right(entry, sink, offset)


@mistake('read', 'also_is_called_once_at_most_if_the_transfer_fails',
         'also_is_called_once_at_most_if_the_sink_fails', of=AtOnce)
def also_is_called_again_after_a_failure(self, right, entry, sink, offset=0, also=None, then=None):
    try:
        return right(entry, sink, offset, also)
    except Exception:
        self._end(self._end(None, also), also)
        raise


@mistake('read', 'many_files_in_a_row_each_removed_with_the_next', of=AtOnce)
def size_is_believed(self, right, entry, sink, offset=0, also=None, then=None):
    count = right(entry, sink, offset, also)
    return count if entry.size is None else entry.size - (entry.size == 70_000)


@mistake('entries', 'entries_are_a_list_and_heard_of_as_they_come', of=AtOnce)
def entries_are_heard_of_one_by_one(self, right, heard=None, also=None):
    return right(heard and (lambda number: [heard(1000), heard(1)]), also)
