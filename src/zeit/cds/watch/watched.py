"""A feed that is watched, in a thread of its own. See zeit.cds.interfaces.watch for its states."""
import contextlib
import logging
import threading

import zope.interface

from zeit.cds.events import Outcome
from zeit.cds.feed import label
from zeit.cds.interfaces import CDSError, IWatched
from zeit.cds.logfile import log_to, logged_as_well
from zeit.cds.text import in_words
from zeit.cds.watch.command import Command
from zeit.cds.watch.figures import Figures
from zeit.cds.watch.trouble import Failures
from zeit.cds.watch.turns import Turns


log = logging.getLogger('zeit.cds')


def figure(name):
    return property(lambda self: getattr(self._figures, name))


@zope.interface.implementer(IWatched)
class Watched:
    """See IWatched."""

    state, files = figure('state'), figure('files')
    last_look, last_file = figure('last_look'), figure('last_file')
    last_try = figure('last_try')
    silence, silent, waiting_since = figure('silence'), figure('silent'), figure('waiting_since')
    waiting, round_trip, outcome = figure('waiting'), figure('round_trip'), figure('outcome')

    def __init__(self, feed, tuning, ask=None):
        """
        feed -- IFeed
        tuning -- Tuning
        ask -- see main.run_import
        """
        self.feed = feed
        self.command = Command()
        self._tuning = tuning
        self._figures, self._failures = Figures(), Failures(tuning)
        self._turns = Turns(feed, self.command, self._figures, self._failures, tuning, ask)
        self._thread = self._arrivals = None

    @property
    def error(self):
        return self._failures.error

    @property
    def failure(self):
        return self._failures.failure

    @property
    def locked_since(self):
        return self._turns.locked_since

    @property
    def backing_off_until(self):
        return self._failures.until

    @property
    def late(self):
        seconds = max(self._tuning.least_late, self._tuning.late * self.feed.every)
        if self.state == 'exchanging':
            seconds += self.feed.run_limit
        return self._figures.is_late(seconds)

    # ------------------------------------------------------------ for the watch

    def heard(self, heard):
        """The journal has told how it is: see zeit.cds.journal.lateness.Heard."""
        self._figures.heard(heard)

    def start(self, pause, after=(), once=False, arrivals=None):
        """Begin, in a thread.

        pause -- after so many seconds
        after -- Watched: once these have ended, or have nothing in hand
        once -- only for one run
        arrivals -- Arrivals, which wake an export
        """
        if self.feed.direction == 'export' and not once:
            self._arrivals = arrivals
        self._thread = threading.Thread(
            target=self._once if once else self._loop, args=(pause, after), daemon=True,
            name='zeit.cds-feed')
        self._thread.label = label(self.feed)       # whose lines these are
        self._thread.start()

    @property
    def is_alive(self):
        return self._thread is not None and self._thread.is_alive()

    def join(self, seconds=None):
        self._thread.join(seconds)

    def stop(self, interruption):
        """Finish the file in hand, and end."""
        self.command.stop(interruption)
        if self.command.run is None:
            self._turns.abort()

    def abort(self):
        """Drop the file in hand."""
        if (run := self.command.run) is not None:
            run.abort()
        else:
            self._turns.abort()

    # ------------------------------------------------------------ in its thread

    def _once(self, pause, after):
        with self._alone(after):
            try:
                self._turns.once()
            except CDSError as e:
                self._told(log.error, '%s', in_words(e))
                self._figures.ran(Outcome(error=e))
            except Exception as e:
                self._told(log.exception, 'A defect of the program.')
                self._figures.ran(Outcome(error=e))

    def _loop(self, pause, after):
        with self._alone(after):
            self.command.wait(pause)
            while self.command.interruption is None:
                pause = self._turn()
                if self.command.wait(pause, only_urgent=self.backing_off_until is not None):
                    self.command.wait(self._tuning.gather)

    @contextlib.contextmanager
    def _alone(self, after):
        with log_to(None):      # its lines are no concern of other feeds
            for watched in after:
                # Who waits for a server has nothing in hand, and will begin no run any more.
                while watched.is_alive and watched.state not in ('connecting', 'looking'):
                    watched.join(0.05)
            try:
                yield
            finally:
                if self._arrivals is not None:
                    self._arrivals.forget(self)
                self._turns.end()
                self._figures.state = 'stopped'

    def _turn(self):
        """Returns how long to wait, in seconds."""
        try:
            if self._arrivals is not None:
                self._arrivals.look_out(self)   # what comes during the look, ends the pause
            pause = self._turns.turn()
        except Exception as e:
            if self.command.interruption is not None:
                return 0.0
            self._turns.failed()
            self._figures.state = 'backing off'
            return self._told(self._failures.failed, e)
        if not self._failures.are_new:
            self._told(self._failures.succeeded)
        return pause

    def _told(self, tell, *args):
        """tell(*args), which goes to the feed's log file as well, unless that is what is wrong."""
        with logged_as_well(self.feed.logfile, self.feed.name):
            return tell(*args)
