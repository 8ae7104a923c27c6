"""The log file: a new one each week, however many processes write to it."""
import contextlib
import fcntl
import logging.handlers
import os
import time


WEEKS_KEPT = 5


class LogFile(logging.handlers.TimedRotatingFileHandler):
    """Goes on with the new file if another process has begun one: the base class would remove the past week's."""

    def __init__(self, path):
        """Raises OSError."""
        super().__init__(path, when='W0', backupCount=WEEKS_KEPT, encoding='utf-8', errors='backslashreplace')
        self.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(message)s'))

    def doRollover(self):
        self.stream = self.stream or self._open()
        with open(os.dup(self.stream.fileno())) as past:
            with contextlib.suppress(OSError):      # some file systems have no locks
                fcntl.flock(past, fcntl.LOCK_EX)
            if self._is_at_its_place(past):
                with contextlib.suppress(OSError):      # it can't be renamed
                    return super().doRollover()
            if self.stream:
                self.stream.close()
            self.stream = self._open()
            self.rolloverAt = self.computeRollover(int(time.time()))

    def _is_at_its_place(self, file):
        try:
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def rotation_filename(self, name):
        if os.path.exists(name):
            raise FileExistsError(name)
        return name
