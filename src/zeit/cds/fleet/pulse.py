"""A worker shows that it lives while a run goes on; a run whose worker can't is ended.

Who can't show it for `fence` seconds may be taken for dead by others soon. So it ends by itself, in
time: it drops the file in hand, and gives the lock back if it can.
"""
import logging
import threading
import time

from zeit.cds.interfaces import Interrupted, JournalError
from zeit.cds.text import phrase


log = logging.getLogger('zeit.cds')

# It goes on while the machine sleeps, where there is such a clock.
CLOCK = getattr(time, 'CLOCK_BOOTTIME', time.CLOCK_MONOTONIC)


class Pulse:
    """A context manager around a run."""

    def __init__(self, run, beat, tuning):
        """
        run -- zeit.cds.transfer.run.Run
        beat -- callable: a heartbeat; false if the claim is somebody else's. Raises JournalError
        tuning -- zeit.cds.fleet.crew.Tuning
        """
        self._run, self._beat, self._tuning = run, beat, tuning
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True, name='zeit.cds-pulse')

    def __enter__(self):
        self._thread.parent = threading.current_thread()    # it logs for this thread's run
        self._last = time.clock_gettime(CLOCK)  # the claim was a heartbeat
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()        # the thread ends by itself: a run need not wait for the database

    def _go(self):
        while not self._over.wait(self._pause()):
            if reason := self._missed():
                return self._end(reason)

    def _pause(self):
        left = self._last + self._tuning.fence - time.clock_gettime(CLOCK)
        return max(0.0, min(self._tuning.beat, left))

    def _missed(self):
        """Why the run has to end, str; None: it may go on."""
        begun = time.clock_gettime(CLOCK)
        if begun - self._last >= self._tuning.fence:
            return ('this worker could not show for %d s that it lives, so others may take it for '
                    'dead' % (begun - self._last))
        try:
            if not self._beat():
                return 'another worker took this one for dead, and works on the feed'
        except JournalError as e:
            log.debug('No heartbeat: %s', phrase(e))
        else:
            self._last = begun
        return None

    def _end(self, reason):
        if not self._over.is_set():
            log.error('The run is ended: %s. Is the database of the journal within reach?', reason)
            self._run.stop(Interrupted('Interrupted: %s.' % reason))
            self._run.abort()
