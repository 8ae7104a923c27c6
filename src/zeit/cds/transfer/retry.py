"""Trying again what can pass by itself: a few times, with growing pauses, until the deadline."""
import logging
import time

import zope.interface

from zeit.cds.interfaces import ConnectionLost, IDeadline, RunLimitReached, TemporaryError
from zeit.cds.net.scheduler import in_thread


log = logging.getLogger('zeit.cds')

PASSING = (TemporaryError, ConnectionLost)


@zope.interface.implementer(IDeadline)
class Deadline:
    """See IDeadline."""

    def __init__(self, seconds):
        """
        seconds -- how long from now on
        """
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._is_shortened = False

    @property
    def left(self):
        return self._end - time.monotonic()

    # Both are called for each wait: no call more than it takes.

    def check(self):
        if time.monotonic() >= self._end:
            raise self._reached()

    def limit(self, seconds):
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._reached()
        return seconds if seconds < left else left

    def _reached(self):
        if self._is_shortened:
            return RunLimitReached('The run was to end, and the server did not answer in time.')
        return RunLimitReached('The run took longer than %g s (run_limit=%g).' % (
            self._seconds, self._seconds))

    def extend(self, seconds):
        self._end = max(self._end, time.monotonic() + seconds)

    def shorten(self, seconds):
        """There are no more than so many seconds left, but for what `extend` gives."""
        self._end, self._is_shortened = min(self._end, time.monotonic() + seconds), True


class RetryPolicy:
    """How often, and until when, a run tries again."""

    def __init__(self, retries, deadline, stopped, tuning):
        """
        retries -- how often after the first failure
        deadline -- IDeadline
        stopped -- threading.Event that ends each pause, and forbids further tries
        tuning -- Tuning
        """
        self._retries = retries
        self._deadline = deadline
        self._stopped = stopped
        self._first, self._longest = tuning.first_pause, tuning.longest_pause

    def call(self, verb):
        """Call `verb`, again and again when what failed may pass by itself. Returns what it
        returns, or raises what it raised last."""
        try:
            return verb()
        except PASSING as e:
            return self.again(e, verb)

    def again(self, error, verb):
        """The same after a first try that raised `error`, which is one of PASSING."""
        import tenacity  # most runs never need it, and it takes longer to import than a login
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PASSING),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._retries + 1), self._no_more),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self._first, max=self._longest, jitter=self._first),
            sleep=self.wait, before_sleep=self._tell, reraise=True)
        for attempt in tries:
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise error     # the first try is what brought us here
                return verb()

    @property
    def is_over(self):
        """Is no further try allowed? bool"""
        return self._stopped.is_set() or self._deadline.left <= 0

    def pause(self, failures):
        """Seconds that shall pass after so many failures, for what does not wait in `again`: float;
        0 if the run allows no further try."""
        seconds = min(self._first * 2 ** (failures - 1), self._longest)
        return 0.0 if self._stopped.is_set() or self._deadline.left < seconds else seconds

    def wait(self, seconds):
        """Wait so many seconds, while others go on. True if the run was stopped meanwhile. bool"""
        return in_thread(self._stopped.wait, max(0.0, min(seconds, self._deadline.left)))

    def _no_more(self, state):
        return self._stopped.is_set() or self._deadline.left < state.upcoming_sleep

    @staticmethod
    def _tell(state):
        log.warning('Trying again in %.1f s: %s', state.upcoming_sleep, state.outcome.exception())
