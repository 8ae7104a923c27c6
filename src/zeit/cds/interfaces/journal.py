"""The journal: what became of each file, and of each run.

A run tells, people and pages ask::

    IJournal.open(feed, spool)  ->  IRecord, what one run has to tell
    IJournal.ask()              ->  IQueries, answers about all of them

The spool keeps what was told until the journal has it (`INoted`), so that a journal may be away,
and a killed run can be made up for: before a file is published, its spool has a durable note that
it is whole. What became of it then, the next run sees from the spool.

Times are int, nanoseconds since 1970 (UTC).
"""
from typing import NamedTuple

import zope.interface

from zeit.cds.interfaces.errors import CDSError


class JournalError(CDSError):
    """The journal can't be used: away, locked, full, read-only, broken, or of a later version."""


class FileRow(NamedTuple):
    """What became of a file, a certain version of it."""

    feed: str                       # its name, or where it is
    direction: str                  # 'import' or 'export'
    name: str
    # waiting: left for a later run, nothing wrong; failed: left, and something is wrong;
    # whole: in the spool, or on the server, but not under its name; published: in `new`, or on the
    # server under its name; taken: the consumer took it out of `new`; gone: it was left, and is not
    # there any more; aside: given up, see `reason`, and not tried again before `retry`; unknown:
    # what became of it can't be told, see `reason`
    state: str
    size: int | None = None         # bytes
    digest: str | None = None       # SHA-256, hexadecimal
    modified: int | None = None     # the server's time; of an export, that of the file in `new`
    seen: int | None = None         # when a run chose or left it first
    whole: int | None = None        # when all of it had come, or gone, and was durable
    published: int | None = None    # when it was published, or exported
    taken: int | None = None        # when a run noticed that it was gone from `new`
    tries: int = 0                  # runs that tried to exchange it
    reason: str | None = None       # why it was last left
    run: str | None = None          # the run that told of it last, see RunRow
    host: str | None = None         # the machine
    spool: str | None = None        # the feed's store_dir


class RunRow(NamedTuple):
    """What a run did: see IOutcome for what has no comment here."""

    run: str                        # what tells it from others
    feed: str
    direction: str
    host: str
    pid: int                        # number of its process
    begun: int
    ended: int | None = None        # None: it goes on, or was killed
    files: int = 0
    bytes: int = 0
    skipped: int = 0
    failed: int = 0
    waiting: int | None = None
    error: str | None = None        # what ended it before its time


class Hour(NamedTuple):
    """What was published in an hour."""

    begun: int
    files: int
    bytes: int


class IJournal(zope.interface.Interface):
    """Utility: the journal. Keeps no state but connections."""

    def open(feed, spool):
        """The record of a run that begins. Returns an IRecord.

        feed -- IFeed
        spool -- ISpool or IOutbox, which is open, and provides INoted
        Raises ConfigurationError if the spool keeps no notes.
        """

    def known(feed, spool, entries):
        """Of a feed whose files are kept on the server: which of these were taken before?

        feed -- IFeed
        spool -- ISpool that provides INoted, perhaps only looked at: what was noted there counts as
            well
        entries -- list of Entry: all that the directory's listing has
        Returns names, a set of str: those of which the size and the time, as far as both are known
        then and now, are what they were when the file of that name was taken last. Raises
        JournalError, SpoolError.
        """

    def ask():
        """Returns an IQueries, a context manager. Raises JournalError."""

    def notice(feed, spool):
        """Files of an import that are not in `new` any more were taken.

        feed -- IFeed
        spool -- ISpool that provides INoted, perhaps only looked at, while no run is underway
        Returns how many that are, int. Raises JournalError, SpoolError.
        """

    def failures(feed):
        """Files of a feed (IFeed) that failed, or were set aside: a list of FileRow. Of an export,
        also those that are whole on the server, but not under their names.

        Raises JournalError.
        """

    def retry(name, feed=None):
        """Have files tried again that were set aside. Returns how many, int.

        name -- str
        feed -- str, its name; None: of all feeds
        Raises JournalError.
        """

    def heed(feed, direction, silent):
        """Remember whether a feed (str, its name) is silent, bool. Returns whether that is news.

        Of several who tell so, one has the news. Raises JournalError.
        """

    def expire(days):
        """Remove what came to its end so many days ago (float). Returns how many files (int).

        Raises JournalError.
        """


class IRecord(zope.interface.Interface):
    """What a run tells the journal.

    No verb raises an exception, but for what is said of `whole`: an exchange goes on whatever
    happens to the journal. What can't be written is told once, in the log, and written by a later
    run.
    """

    def begin(leftovers):
        """Find out what became of the files that earlier runs had noted.

        leftovers -- list of Entry: what is in the spool's tmp; of an export, an empty list
        When this returns, each of these files has a durable note.
        """

    doubtful = zope.interface.Attribute(
        'Of an export: temporary names (str) of files that were whole on the server when a run was '
        'killed, and of which the spool does not tell whether they got their own names')

    def decide(arrived):
        """Of the doubtful files, these (a set of str) did get their names, and the others did not.
        """

    def seen():
        """The files of the next exchange were chosen just now."""

    def whole(files, kept=()):
        """These are whole and durable, and not published yet: durably noted when this returns.

        files -- list of IIncoming or IOutgoing (or Note) that the spool was to commit
        kept -- list of Entry: what stays on the server, as its listing has it, and is taken with
            that. Unlike all else, this raises an exception if it can't be noted: SpoolError.
        """

    def published(name):
        """The file of this name was published, or exported."""

    def set_aside(entry, tries, reason):
        """A file is given up.

        entry -- Entry
        tries -- int: runs that tried to exchange it, this one as well
        """

    def gone(name):
        """A file that was set aside is not there any more."""

    def settled():
        """All publications so far are durable."""

    def close(outcome):
        """The run ends: hand all to the journal. outcome -- IOutcome"""


class IQueries(zope.interface.Interface):
    """Questions to a journal; a context manager. Each verb raises JournalError."""

    def feeds():
        """The feeds of all runs that are remembered: a sorted list of (feed, direction)."""

    def files(name=None, feed=None, since=None, states=(), digest=None, limit=1000,
              direction=None):
        """A list of FileRow, newest first, of which all that is given is true.

        name, feed, digest, direction -- str
        since -- only what happened then or later, int
        states -- iterable of str: those of FileRow
        limit -- so many at most, int
        """

    def files_like(beginning, feed, direction, limit=1000):
        """Files of a feed whose names begin so: a list of FileRow, in the order of names, which
        has only the first of them where there are very many.
        """

    def runs(feed=None, limit=100, direction=None):
        """A list of RunRow, newest first."""

    def last(feed=None):
        """The FileRow that was published last, of each feed: {(feed, direction): FileRow}."""

    def known_since(feed, direction):
        """When the first run of a feed began, as far as it is remembered: int, or None."""

    def counts(feed=None):
        """How many files are in a state that is no end: {(feed, direction, state): (number,
        time of the oldest)}. The states are waiting, failed, whole, aside, unknown, and, of
        imports, published.
        """

    def hours(feed, direction, since, until):
        """What was published in each hour of a time: a list of Hour, those with files only."""

    def delays(feed, direction, since, fractions=(0.5, 0.9, 0.99), until=None, to='published'):
        """Seconds (float) from the server's time to publication, which such fractions of the files
        that were published since then did not exceed: a list as long as `fractions`; None in it if
        there are none.

        until -- only what was published before that, int
        to -- 'taken': to the consumer, who took them; those that nobody has taken don't count
        """
