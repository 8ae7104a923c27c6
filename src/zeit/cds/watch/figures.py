"""What is told of a feed that is watched: see IWatched."""
import time


SECOND = 10**9      # nanoseconds


class Figures:
    """See IWatched. They are set by the feed's thread, and read by others."""

    def __init__(self):
        self.state = 'connecting'
        self.since = time.time()
        self.last_look = self.last_file = self.waiting = self.round_trip = self.outcome = None
        self.last_try = self.silence = self.waiting_since = None
        self.files = 0

    def looked(self, found, session=None):
        """A look has come to its end: a Found, and the ICDSSession if the server was asked."""
        self.last_look = self.last_try = time.time()
        self.waiting = found.waiting
        if session is not None:
            self.round_trip = session.latency or None

    def tried(self):
        """So has one, or a run, that failed."""
        self.last_try = time.time()

    def ran(self, outcome):
        """So has a run: its IOutcome."""
        self.tried()
        if outcome.error is not None:
            outcome.error.__traceback__ = None      # it would keep alive all that the run had
        if outcome.files:
            self.files += outcome.files
            self.last_file = time.time()
        if outcome.waiting is not None:
            self.waiting = outcome.waiting
        if outcome.error is None:
            self.last_look = time.time()
        self.outcome = outcome

    def heard(self, heard):
        """The journal has told how it is: see zeit.cds.journal.lateness.Heard."""
        if heard.last is not None:
            self.last_file = max(self.last_file or 0.0, heard.last.published / SECOND)
        self.waiting_since = None if heard.oldest is None else heard.oldest / SECOND
        self.silence = tuple(heard.silence) if heard.feed.expect_within else None

    @property
    def silent(self):
        return self.silence is not None and self.silence[1] is not None and (
            self.silence[0] > self.silence[1])

    def is_late(self, seconds):
        """Is the last look that succeeded longer ago? bool"""
        return time.time() - (self.last_look or self.since) > seconds
