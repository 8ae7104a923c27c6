"""Trying again what can pass by itself: on a new connection, a few times, with growing pauses, under the run's limit."""
import logging
import time

import zope.interface

from zeit.cds.interfaces import ConnectionLost, IDeadline, RunLimitReached, TemporaryError
from zeit.cds.net.scheduler import in_thread


log = logging.getLogger('zeit.cds')

PASSING = (TemporaryError, ConnectionLost)
FIRST_PAUSE = 0.5       # seconds, doubled each time
LONGEST_PAUSE = 30.0


@zope.interface.implementer(IDeadline)
class Deadline:
    """See IDeadline."""

    def __init__(self, seconds):
        """
        seconds -- how long from now on
        """
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self):
        return self._end - time.monotonic()

    def check(self):
        if self.left <= 0:
            raise RunLimitReached('The run took longer than %g s.' % self._seconds)

    def limit(self, seconds):
        self.check()
        return min(seconds, self.left)

    def extend(self, seconds):
        self._end = max(self._end, time.monotonic() + seconds)


class Patience:
    """How often, and until when, a run tries again."""

    def __init__(self, retries, seconds, stopped):
        """
        retries -- how often after the first failure
        seconds -- how long from now on
        stopped -- threading.Event that ends each pause, and forbids further tries
        """
        self._retries = retries
        self._end = time.monotonic() + seconds
        self._stopped = stopped

    @property
    def left(self):
        """Seconds of the run that are left; negative when they are used up. float"""
        return self._end - time.monotonic()

    def again(self, error, verb):
        """Call `verb` again and again after `error`, which is one of PASSING. Returns what it returns, or raises
        what it raised last."""
        import tenacity  # most runs never need it, and it takes longer to import than a login
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(PASSING),
            stop=tenacity.stop_any(tenacity.stop_after_attempt(self._retries + 1), self._no_more),
            wait=tenacity.wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            sleep=lambda seconds: in_thread(self._stopped.wait, seconds), before_sleep=self._tell, reraise=True)
        for attempt in tries:
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise error     # the first try is what brought us here
                return verb()

    def pause(self, failures):
        """Seconds that shall pass after so many failures, for what does not wait in `again`: float; 0 if the run allows no
        further try."""
        seconds = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)
        return 0.0 if self._stopped.is_set() or self.left < seconds else seconds

    def rest(self, seconds):
        """Wait so many seconds, while others go on. True if the run was stopped meanwhile. bool"""
        return in_thread(self._stopped.wait, max(0.0, seconds))

    def _no_more(self, state):
        return self._stopped.is_set() or self.left < state.upcoming_sleep

    @staticmethod
    def _tell(state):
        log.warning('Trying again in %.1f s: %s', state.upcoming_sleep, state.outcome.exception())
