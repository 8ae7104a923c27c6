"""What the pages tell: of each feed, by the watch, the journal, and the feed's own settings.

Each of the three may be missing. Times are those of the journal, nanoseconds since 1970.
"""
import contextlib
import time
from typing import NamedTuple

from zeit.cds.feed import label
from zeit.cds.interfaces import CDSError, FileRow, IFeed, IWatched, RunRow
from zeit.cds.journal.expectation import Expectation, Silence


SECOND = 10**9
HOUR = 3600 * SECOND
OVERVIEW, DETAIL = 24, 48       # hours that are drawn
REASONS = 5                     # failures that are told at once; all are on the feed's own page
FILES, FOUND, RUNS = 50, 200, 20
FAILED = 'failed', 'unknown'    # states of files
WRONG = *FAILED, 'aside'
WAITING = 'waiting', 'whole'
FRACTIONS = 0.5, 0.9, 0.99


class Known(NamedTuple):
    """A feed that there is."""

    name: str
    direction: str
    feed: IFeed | None = None
    watched: IWatched | None = None


class Hourly(NamedTuple):
    """What was published in an hour, and how long that took.

    Times are seconds from the server's time on, for each of FRACTIONS; float, or None.
    """

    begun: int
    files: int
    bytes: int
    delays: tuple = ()  # to publication
    taken: tuple = ()   # to the consumer


class Facts(NamedTuple):
    """How a feed is."""

    known: Known
    hours: tuple = ()               # of Hourly, without gaps, the newest last
    last: FileRow | None = None     # the file that was published last
    run: RunRow | None = None       # the last one
    counts: dict = {}               # {state: (number, time of the oldest)}
    wrong: tuple = ()               # of FileRow: what failed
    silence: Silence | None = None  # None: nothing is expected of it, or not known
    has_journal: bool = True

    def number(self, *states):
        return sum(self.counts[state][0] for state in states if state in self.counts)


class Detail(NamedTuple):
    """All that is known of a feed."""

    facts: Facts
    files: tuple        # of FileRow
    runs: tuple         # of RunRow


class Told(NamedTuple):
    """What a page tells."""

    now: int
    found: tuple        # of Facts, or of Detail
    trouble: str        # why the journal can't be asked; '' if it can, or there is none


class Sources:
    """Where the pages know from."""

    def __init__(self, journal, watch=None, feeds=tuple):
        """
        journal -- function that returns the IJournal, or None
        watch -- IWatch, or None
        feeds -- function that returns the IFeeds, where there is no watch. If there are none, all
                 that the journal knows are meant
        """
        self._journal, self._watch, self._feeds = journal, watch, feeds

    def overview(self):
        """Told of the Facts of all feeds."""
        return self._told(lambda queries, now: self._all(
            queries, lambda known, answers: facts(queries, known, now, answers)))

    def everything(self):
        """Told of the Detail of all feeds."""
        return self._told(lambda queries, now: self._all(
            queries, lambda known, answers: detail(queries, known, now, answers)))

    def feed(self, name, direction, beginning=None):
        """Told of a feed's Detail; nothing is found if there is no such feed.

        beginning -- only files whose names begin so, str
        """
        return self._told(lambda queries, now: (
            detail(queries, known, now, Answers(queries, name), beginning)
            for known in self._known(queries)
            if (known.name, known.direction) == (name, direction)))

    def _all(self, queries, tell):
        answers = Answers(queries)
        return [tell(known, answers) for known in self._known(queries)]

    def _told(self, find):
        now, trouble = time.time_ns(), ''
        try:
            journal = self._journal()
            with contextlib.nullcontext() if journal is None else journal.ask() as queries:
                return Told(now, tuple(find(queries, now)), '')
        except CDSError as e:       # the feeds are told of, as far as that is possible
            trouble = str(e)
        return Told(now, tuple(find(None, now)), trouble)

    def _known(self, queries):
        if self._watch is not None:
            return [Known(label(watched.feed), watched.feed.direction, watched.feed, watched)
                    for watched in self._watch.feeds]
        declared = [Known(label(feed), feed.direction, feed) for feed in self._feeds()]
        return declared or [Known(*key) for key in (() if queries is None else queries.feeds())]


class Answers:
    """What is asked once, of one feed or of all: a journal has many files, and many feeds."""

    def __init__(self, queries, feed=None):
        self.last = {} if queries is None else queries.last(feed)
        self.counts = {}
        for (name, direction, state), value in (
                () if queries is None else queries.counts(feed).items()):
            self.counts.setdefault((name, direction), {})[state] = value


def facts(queries, known, now, answers, number=OVERVIEW, delays=False):
    """The Facts of a feed.

    answers -- Answers
    number -- of hours
    """
    if queries is None:
        return Facts(known, has_journal=False)
    key = known.name, known.direction
    last, counts = answers.last.get(key), answers.counts.get(key, {})
    runs = queries.runs(known.name, 1, known.direction)
    wrong = ()
    if any(state in counts for state in WRONG):
        wrong = queries.files(
            feed=known.name, states=WRONG, limit=REASONS, direction=known.direction)
    return Facts(known, tuple(hourly(queries, known, now, number, delays)), last,
                 runs[0] if runs else None, counts, tuple(wrong),
                 silence(queries, known, last, now))


def silence(queries, known, last, now):
    """The Silence of a feed, or None."""
    if known.feed is None or not known.feed.expect_within:
        return None
    since = last.published if last else queries.known_since(known.name, known.direction)
    if since is None:       # it was never exchanged
        return None
    return Expectation(known.feed.expect_within).silence(since / SECOND, now / SECOND)


def hourly(queries, known, now, number, delays):
    """Hourlies of so many hours, the present one included."""
    first = now - now % HOUR - (number - 1) * HOUR
    found = {hour.begun: hour for hour in queries.hours(
        known.name, known.direction, first, first + number * HOUR)}
    for begun in range(first, first + number * HOUR, HOUR):
        hour, ends = found.get(begun), ()
        if hour and delays:     # an export's files have no consumer of ours
            ends = ('published', 'taken') if known.direction == 'import' else ('published',)
        times = [tuple(queries.delays(
            known.name, known.direction, begun, FRACTIONS, begun + HOUR, end)) for end in ends]
        yield Hourly(begun, hour.files if hour else 0, hour.bytes if hour else 0, *times)


def detail(queries, known, now, answers, beginning=None):
    """The Detail of a feed. beginning -- see Sources.feed"""
    if queries is None:
        return Detail(facts(None, known, now, answers), (), ())
    if beginning is None:
        files = queries.files(feed=known.name, limit=FILES, direction=known.direction)
    else:
        files = queries.files_like(beginning, known.name, known.direction, FOUND)
    return Detail(facts(queries, known, now, answers, DETAIL, True), tuple(files),
                  tuple(queries.runs(known.name, RUNS, known.direction)))
