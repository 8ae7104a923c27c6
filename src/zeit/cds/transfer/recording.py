"""What a run tells the journal, if one is kept."""
import contextlib


class NoRecord:
    """Of a run of which no journal is kept: see IRecord."""

    doubtful = ()

    def begin(self, leftovers):
        """Nobody wants to know."""

    def seen(self):
        """Nobody wants to know."""

    def whole(self, files, kept=()):
        """Nobody wants to know."""

    def published(self, name):
        """Nobody wants to know."""

    def settled(self):
        """Nobody wants to know."""


NO_RECORD = NoRecord()


@contextlib.contextmanager
def recorded(journal, feed, spool, outcome):
    """Gives the IRecord of the run in the block, which is closed at its end, whatever the end is.

    journal -- IJournal, or None
    outcome -- IOutcome
    """
    if journal is None:
        yield NO_RECORD
        return
    record = journal.open(feed, spool)
    try:
        yield record
    except BaseException as e:
        outcome.error = e       # the run will have it there
        raise
    finally:
        record.close(outcome)
