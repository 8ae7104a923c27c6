"""Which feeds are silent for longer than they should be, by what the journal knows."""
import time
from typing import NamedTuple

import zope.interface

from zeit.cds.events import Event, notify
from zeit.cds.feed import label
from zeit.cds.interfaces import FileRow, IFeedSilent, IFeedSpeaksAgain
from zeit.cds.journal.expectation import Expectation, Silence


SECOND = 10**9      # nanoseconds


class Told(Event):
    """What FeedSilent and FeedSpeaksAgain have in common."""

    __slots__ = ('last',)

    def __init__(self, feed, last):
        super().__init__(feed)
        self.last = last


@zope.interface.implementer(IFeedSilent)
class FeedSilent(Told):
    """See IFeedSilent."""

    __slots__ = ()


@zope.interface.implementer(IFeedSpeaksAgain)
class FeedSpeaksAgain(Told):
    """See IFeedSpeaksAgain."""

    __slots__ = ()


class Heard(NamedTuple):
    """How a feed is, by the journal."""

    feed: object                # IFeed
    last: FileRow | None        # the file that was published last
    silence: Silence            # see its `is_late`
    counts: dict                # {state: number}, of the states that are no end
    oldest: int | None          # when the oldest of those was seen that are not published


def heard(journal, feeds, now=None):
    """A list of Heard, one for each feed. Raises JournalError.

    journal -- IJournal
    now -- seconds since 1970
    """
    now = time.time() if now is None else now
    with journal.ask() as queries:
        return [_heard(queries, feed, now) for feed in feeds]


def _heard(queries, feed, now):
    name, direction = label(feed), feed.direction
    last = queries.last(name).get((name, direction))
    found = {state: value for (_, way, state), value in queries.counts(name).items()
             if way == direction}
    silence = Silence(0.0, None)
    if feed.expect_within:
        since = last.published if last else queries.known_since(name, direction)
        if since is not None:       # else it was never exchanged
            silence = Expectation(feed.expect_within).silence(since / SECOND, now)
    waiting = [oldest for state, (_, oldest) in found.items() if state != 'published']
    return Heard(feed, last, silence, {state: number for state, (number, _) in found.items()},
                 min(waiting, default=None))


def tell(journal, feeds, now=None):
    """The same; and whoever subscribed hears of each feed that falls silent, or speaks again, once.

    A feed that sleeps, by its table, is no news.
    """
    now = time.time() if now is None else now
    found = heard(journal, feeds, now)
    for one in found:
        if (one.silence.is_late or _speaks(one, now)) and journal.heed(
                label(one.feed), one.feed.direction, one.silence.is_late):
            last = one.last and one.last.published
            notify((FeedSilent if one.silence.is_late else FeedSpeaksAgain)(one.feed, last))
    return found


def _speaks(one, now):
    """Has it had a file since it woke up last? bool

    one -- Heard, of a feed that is not late
    """
    return one.silence.allowed is not None and one.last is not None and (
        one.last.published / SECOND + one.silence.seconds > now - 1)
