"""What is done for a feed, again and again: a look, and a run where it finds something."""
import logging
import time

from zeit.cds import main
from zeit.cds.interfaces import (
    CDSError,
    ConnectionLost,
    ICDSConnection,
    Interrupted,
    Locked,
    ReplyError,
)
from zeit.cds.watch.kept import Kept, LookDeadline
from zeit.cds.watch.rest import Rest
from zeit.cds.watch.trouble import Blocked
from zeit.cds.watch.unchanged import Unchanged


log = logging.getLogger('zeit.cds')

LONG_AGO = float('-inf')


class Times:
    """When what was done last: values of time.monotonic()."""

    def __init__(self):
        self.used = time.monotonic()        # the session was of use
        self.asked = self.ran = LONG_AGO    # the server was asked; a run was made
        self.noticed = self.used            # the journal was told what consumers have taken


class Turns:
    """All of it happens in the thread of the feed. What fails is raised."""

    def __init__(self, feed, command, figures, failures, tuning, ask=None):
        """
        feed -- IFeed
        command, figures, failures -- Command, Figures, Failures
        tuning -- Tuning
        ask -- see main.run_import
        """
        self._feed, self._command, self._figures = feed, command, figures
        self._failures = failures
        self._tuning, self._ask = tuning, ask
        self._blocked, self._rest, self._times = Blocked(tuning), Rest(tuning), Times()
        self._unchanged = Unchanged(tuning)
        self._kept = self._look = None      # Kept, and a zeit.cds.transfer.look.Look
        # Whatever a killed run has left, and a failed one: only a run finds out.
        self._is_new = True

    def turn(self):
        """Look, and exchange what there is. How long to wait until the next time: seconds."""
        begun = time.monotonic()
        if self._look is None:
            self._kept = Kept(
                main.utility(ICDSConnection, self._feed.connection), self._tuning)
            self._look = main.look(self._feed, self._ask, self._kept)
        found = self._found()
        worthwhile = self._is_new or self._expires() or self._rest.is_worth_a_run(found)
        if self._blocked.permits(found.locks, worthwhile, self._is_new):
            self._exchange(found)
        self._close_idle()
        self._notice()
        if self._blocked.is_on:
            self._figures.state = 'locked'
            return self._blocked.pause(self._feed.every)
        self._figures.state = 'waiting'
        return max(0.0, begun + self._feed.every - time.monotonic())

    def once(self):
        """A run, whatever is there."""
        self._figures.state = 'exchanging'
        self._figures.ran(self._run(None))

    @property
    def locked_since(self):
        return self._blocked.since

    def failed(self):
        """Begin anew with the next turn."""
        self._figures.tried()
        self.end()
        self._look, self._unchanged = None, Unchanged(self._tuning)

    def end(self):
        """Close the session."""
        if self._kept is not None:
            self._kept.close()

    def abort(self):
        """Have what goes on in a session end at once. Any thread may do that."""
        if self._kept is not None:
            self._kept.abort()

    # ------------------------------------------------------------ looks

    def _found(self):
        """A Found."""
        here = self._look.here()
        if here is not None and not here.entries and not self._is_asleep():
            self._figures.looked(here)
            return here
        was_open = self._kept.is_open
        try:
            return self._found_there()
        except (ReplyError, ConnectionLost) as e:
            if not was_open or self._command.interruption is not None:
                raise
            # Servers end sessions that were idle for long, and that is nothing to tell of.
            log.debug('Opening another session, as something is wrong with the one kept: %s', e)
            return self._found_there()

    def _found_there(self):
        figures, kept, feed = self._figures, self._kept, self._look.feed
        figures.state = 'looking' if kept.is_open else 'connecting'
        session = kept.open(feed, LookDeadline(2 * feed.timeout))
        figures.state = 'looking'
        try:
            found = self._look(session, self._unchanged.entries)
        except BaseException:
            session.close()
            raise
        kept.give_back(session)
        self._unchanged.quiet = not found.entries
        figures.looked(found, session)
        self._times.asked = time.monotonic()
        return found

    def _is_asleep(self):
        """Is it time to ask the server for something, lest it ends the session? bool"""
        if not self._kept.is_open and self._feed.idle is not None and not self._is_new:
            return False
        return time.monotonic() - self._times.asked >= self._tuning.kept_awake

    def _notice(self):
        """Runs tell the journal what consumers have taken; but none may come for long."""
        if time.monotonic() - self._times.noticed < self._tuning.listens:
            return
        self._times.noticed = time.monotonic()
        try:
            self._look.notice()
        except CDSError as e:
            log.debug('The journal is not told what was taken: %s', e)

    def _close_idle(self):
        idle = self._feed.idle
        if idle is not None and time.monotonic() - self._times.used >= idle:
            self._kept.close()

    # ------------------------------------------------------------ runs

    def _expires(self):
        """Does an export have old files to remove, perhaps? bool"""
        return self._feed.keep is not None and (
            time.monotonic() - self._times.ran >= self._tuning.expires)

    def _exchange(self, found):
        self._figures.state, self._is_new = 'exchanging', True
        outcome = self._run(self._kept)
        self._unchanged.has_changed()
        now, error = time.monotonic(), outcome.error
        self._figures.ran(outcome)
        self._blocked.ended(error)
        if error is None:
            self._is_new = False
            self._rest.note(found, outcome)
            self._times.ran = self._times.asked = now
            if outcome.files:
                self._times.used = now
        elif not isinstance(error, (Interrupted, Locked)):
            raise error

    def _run(self, kept):
        verb = main.run_import if self._feed.direction == 'import' else main.run_export
        return verb(self._feed, self._underway, self._ask, kept)

    def _underway(self, run):
        run.told = self._failures.failure
        return self._command.underway(run)
