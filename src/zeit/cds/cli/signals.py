"""SIGINT, SIGTERM, SIGHUP: a run ends early, and leaves nothing behind.

A signal's handler interrupts the main thread anywhere, even while it holds a lock that `threading.Event.set` needs. So
the handler only puts the signal's number into a queue that bears this, and another thread tells the run::

    handler (main thread) -> SimpleQueue -> watcher -> run.stop()     finish the file in hand
                                               |
                                               +-----> run.abort()    after GRACE seconds, or at the second signal

Only where nothing is to be cleaned up, the handler raises Interrupted itself: before a run, and while one connects.
"""
import contextlib
import queue
import signal
import threading

from zeit.cds.interfaces import Interrupted


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 5.0         # seconds for the file in hand


class Signals:
    """A context manager in whose block the signals are handled. In any thread but the main one it does nothing."""

    def __init__(self):
        self.number = None      # of the first signal that came, int
        self._queue = queue.SimpleQueue()
        self._run = None
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # nohup, and a shell that starts something in the background, have a signal ignored on purpose
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            # Who is about to end because of a signal shall not die of another one, with another status.
            signal.signal(number, handler if self.number is None else signal.SIG_IGN)

    @contextlib.contextmanager
    def watch(self, run):
        """In the block, signals stop `run`, a zeit.cds.transfer.run.Run."""
        watcher = threading.Thread(target=self._watch, args=(run,), daemon=True, name='zeit.cds-signals')
        watcher.start()
        self._run = run
        try:
            yield
        finally:
            self._run = None
            self._queue.put(None)
            watcher.join()

    @property
    def error(self):
        """What the run ends with: Interrupted."""
        return Interrupted('Interrupted by %s.' % signal.Signals(self.number).name)

    def _received(self, number, frame):
        first, run = self.number is None, self._run
        if first:
            self.number = number
            if run is None or run.connecting:
                raise self.error
        if run is not None:
            self._queue.put(number)

    def _watch(self, run):
        if self._queue.get() is None:
            return
        run.stop(self.error)
        try:
            if self._queue.get(timeout=GRACE) is None:
                return
        except queue.Empty:
            pass        # the file in hand takes too long
        run.abort()
        while self._queue.get() is not None:
            pass        # further signals change nothing
