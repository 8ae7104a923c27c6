"""What zeit.cds logs, for tests and texts to look at."""
import contextlib
import io
import logging


LOGGER = 'zeit.cds'


class Recorder(logging.StreamHandler):
    """Keeps what a logger emits at `level` and above, between `install` and `remove`.

    `lines`  pairs of level and message, both str
    `text`   all messages with their tracebacks, a line each

    What is kept is printed nowhere else.
    """

    def __init__(self, level=logging.DEBUG, name=LOGGER):
        super().__init__(io.StringIO())
        self.setLevel(level)
        self.setFormatter(logging.Formatter('%(message)s'))
        self.logger = logging.getLogger(name)
        self.lines = []

    def install(self):
        self.before = self.logger.level, self.logger.propagate
        self.logger.setLevel(self.level)
        self.logger.propagate = False
        self.logger.addHandler(self)

    def remove(self):
        self.logger.removeHandler(self)
        self.logger.setLevel(self.before[0])
        self.logger.propagate = self.before[1]

    def emit(self, record):
        self.lines.append((record.levelname, record.getMessage()))
        super().emit(record)

    def of(self, *levels):
        """The messages of these levels, list of str."""
        return [text for level, text in self.lines if level in levels]

    @property
    def warnings(self):
        return self.of('WARNING')

    @property
    def complaints(self):
        """Warnings and worse."""
        return self.of('WARNING', 'ERROR', 'CRITICAL')

    @property
    def text(self):
        return self.stream.getvalue()

    def take(self):
        """Return the `text` since the last time, str."""
        self.acquire()
        try:
            taken = self.text
            self.setStream(io.StringIO())
        finally:
            self.release()
        return taken


@contextlib.contextmanager
def recorded(level=logging.DEBUG):
    """A Recorder of what 'zeit.cds' logs in the block."""
    recorder = Recorder(level)
    recorder.install()
    try:
        yield recorder
    finally:
        recorder.remove()


_recorder = None


def start_logging():
    """Begin to keep what the logger 'zeit.cds' emits at INFO and above.

    Raises RuntimeError if that has begun already.
    """
    global _recorder
    if _recorder is not None:
        raise RuntimeError('The log is already kept. Call stop_logging() first.')
    _recorder = Recorder(logging.INFO)
    _recorder.install()


def dumplog():
    """Print what was logged since the last call, or since `start_logging()`.

    Raises RuntimeError without `start_logging()`.
    """
    if _recorder is None:
        raise RuntimeError('The log is not kept. Call start_logging() first.')
    print(_recorder.take(), end='')


def stop_logging():
    """Put the logger back into its state before `start_logging()`. May be called twice."""
    global _recorder
    if _recorder is not None:
        _recorder.remove()
        _recorder = None
