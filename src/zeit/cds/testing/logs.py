"""What zeit.cds logs, for texts to look at."""
import io
import logging


LOGGER = 'zeit.cds'


class Capture(logging.StreamHandler):
    """Keeps what a logger emits at INFO and above; the messages with their tracebacks."""

    def __init__(self, name):
        super().__init__(io.StringIO())
        self.setLevel(logging.INFO)
        self.setFormatter(logging.Formatter('%(message)s'))
        self.logger = logging.getLogger(name)

    def install(self):
        self.before = self.logger.level, self.logger.propagate
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False       # what is looked at need not be printed, too
        self.logger.addHandler(self)

    def remove(self):
        self.logger.removeHandler(self)
        self.logger.setLevel(self.before[0])
        self.logger.propagate = self.before[1]

    def take(self):
        """Return what was logged since the last time, str."""
        self.acquire()
        try:
            logged = self.stream.getvalue()
            self.setStream(io.StringIO())
        finally:
            self.release()
        return logged


_capture = None


def start_logging():
    """Begin to keep what the logger 'zeit.cds' emits at INFO and above.

    Raises RuntimeError if that has begun already.
    """
    global _capture
    if _capture is not None:
        raise RuntimeError('The log is already kept. Call stop_logging() first.')
    _capture = Capture(LOGGER)
    _capture.install()


def dumplog():
    """Print what was logged since the last call, or since `start_logging()`.

    Raises RuntimeError without `start_logging()`.
    """
    if _capture is None:
        raise RuntimeError('The log is not kept. Call start_logging() first.')
    print(_capture.take(), end='')


def stop_logging():
    """Put the logger back into its state before `start_logging()`. May be called twice."""
    global _capture
    if _capture is not None:
        _capture.remove()
        _capture = None
