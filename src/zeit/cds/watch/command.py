"""What other threads ask of that of a feed."""
import contextlib
import threading
import time


class Command:
    """To look at once, to stop; and until then, to wait."""

    def __init__(self):
        self.interruption = None    # what the run ends with that is cut short, once it shall stop
        self.run = None             # the Run that is underway
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._is_urgent = False

    @property
    def in_hand(self):
        """The Run that is underway and has something to clean up, or None."""
        run = self.run
        return None if run is None or run.connecting else run

    @contextlib.contextmanager
    def underway(self, run):
        """In the block, `run` is stopped with the feed; after that, none begins."""
        with self._guard:
            if self.interruption is not None:
                raise self.interruption
            self.run = run
        try:
            yield
        finally:
            self.run = None

    def stop(self, interruption):
        with self._guard:
            self.interruption = interruption
            if self.run is not None:
                self.run.stop(interruption)
        self.wake(urgent=True)

    def wake(self, urgent=False):
        """End the wait, or the next one.

        urgent -- end one as well that nothing less is to end
        """
        self._is_urgent = self._is_urgent or urgent
        self._wake.set()

    def wait(self, seconds, only_urgent=False):
        """Wait so long at most. Was it ended before? bool"""
        end = time.monotonic() + seconds
        while True:
            if self._is_urgent or self.interruption is not None:
                break
            if not self._wake.wait(max(0.0, end - time.monotonic())):
                return False
            if not only_urgent:
                break
            self._wake.clear()
        self._wake.clear()
        self._is_urgent = False
        return True
