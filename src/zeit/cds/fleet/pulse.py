"""A worker shows that it lives while a run goes on; a run whose worker can't is ended.

Who can't show it for `fence` seconds may be taken for dead by others soon. So it ends by itself, in
time: it drops the file in hand, and gives the lock back if it can. A heartbeat may hang as long as
the network lets it: so there are two threads, one that beats and one that watches.
"""
import logging
import threading
import time

from zeit.cds.interfaces import Interrupted, JournalError
from zeit.cds.text import phrase


log = logging.getLogger('zeit.cds')


def clock():
    """Seconds, float; it goes on while the machine sleeps, where there is such a clock."""
    return time.clock_gettime(getattr(time, 'CLOCK_BOOTTIME', time.CLOCK_MONOTONIC))


WAIT = 0.5      # seconds for a heartbeat under way; then the thread is left to end by itself


class Pulse:
    """A context manager around a run."""

    def __init__(self, run, beat, last, tuning):
        """
        run -- zeit.cds.transfer.run.Run
        beat -- callable: a heartbeat; false if the claim is somebody else's. Raises JournalError
        last -- value of `clock` before the last heartbeat
        tuning -- zeit.cds.fleet.crew.Tuning
        """
        self._run, self._beat, self._tuning = run, beat, tuning
        self._last = last
        self._over = threading.Event()
        self._threads = []

    def __enter__(self):
        for target in self._go, self._watch:
            thread = threading.Thread(target=target, daemon=True, name='zeit.cds-pulse')
            thread.parent = threading.current_thread()      # it logs for this thread's run
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(WAIT)

    def _go(self):
        while not self._over.wait(self._tuning.beat):
            begun = clock()
            try:
                if not self._beat():
                    return self._end('another worker took this one for dead, and works on the feed')
                self._last = begun
            except JournalError as e:
                log.debug('No heartbeat: %s', phrase(e))

    def _watch(self):
        while not self._over.wait(max(0.0, self._last + self._tuning.fence - clock())):
            if clock() - self._last >= self._tuning.fence:
                return self._end(
                    'this worker could not show for %d s that it lives, so others may take it for '
                    'dead. Is the database of the journal within reach?' % (clock() - self._last))

    def _end(self, reason):
        if not self._over.is_set():
            self._over.set()
            log.error('The run is ended: %s', reason)
            self._run.stop(Interrupted('Interrupted: %s' % reason))
            self._run.abort()
