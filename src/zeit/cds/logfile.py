"""The log of a run: its lines, and the file that they go to, a new one each week.

Several runs may be under way in one process, each in a thread of its own, and several processes
may write to one file. Each run's file gets the lines of that run only::

    record -> logger 'zeit.cds' -> LogFile of run A: made by A's thread, or by one it started?
                                -> LogFile of run B: ...
"""
import collections
import contextlib
import errno
import fcntl
import logging
import math
import os
import re
import stat
import threading
import time

from zeit.cds.interfaces import CDSError, ConfigurationError
from zeit.cds.text import in_words


log = logging.getLogger('zeit.cds')

WEEKS_KEPT = 5
NO_SUCH_PLACE = errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


# ---------------------------------------------------------------- lines

class Formatter(logging.Formatter):
    """Begins each line of a record with `prefix`, such as 'cds-import: %(levelname)s: '.

    What went wrong is told with a traceback only if it is a defect, or if the log tells all. (The
    text of a traceback is not kept in the record: another handler may want one.)
    """

    def __init__(self, prefix):
        super().__init__(prefix)

    def format(self, record):
        text = record.getMessage()
        if record.exc_info:
            text += '\n' + self.formatException(record.exc_info)
        if self.usesTime():
            record.asctime = self.formatTime(record)
        prefix = self.formatMessage(record)
        return '\n'.join([prefix + line for line in text.split('\n')])

    def formatException(self, info):
        if isinstance(info[1], CDSError) and not log.isEnabledFor(logging.DEBUG):
            return in_words(info[1])
        return super().formatException(info)

    def formatTime(self, record, datefmt=None):
        local = time.localtime(record.created)
        return '%s,%03d%s' % (time.strftime('%Y-%m-%d %H:%M:%S', local), record.msecs,
                              time.strftime('%z', local))


# ---------------------------------------------------------------- whose lines

_runs = collections.Counter()       # id of a thread: the runs that it is in


@contextlib.contextmanager
def run_of_this_thread():
    """What this thread logs in the block, and what the threads log that it starts, is one run's."""
    me = threading.get_ident()
    _runs[me] += 1
    try:
        yield
    finally:
        _runs[me] -= 1
        if not _runs[me]:
            del _runs[me]


def thread_of_run():
    """The id of the thread whose run the present thread works for; None if that is not known.

    A thread that a run starts for its own purposes names the thread that started it, as an
    attribute `parent`, a threading.Thread.
    """
    thread = threading.current_thread()
    while thread is not None and thread.ident not in _runs:
        thread = getattr(thread, 'parent', None)
    return None if thread is None else thread.ident


# ---------------------------------------------------------------- the level

class _Level:
    """Lets INFO through as long as anybody needs it, in whatever order they begin and end."""

    def __init__(self):
        self._lock = threading.Lock()
        self._users = 0
        self._before = self._set = None

    def __enter__(self):
        with self._lock:
            if not self._users:
                self._before = self._set = log.level
            self._users += 1
            if not log.isEnabledFor(logging.INFO):
                self._set = logging.INFO
                log.setLevel(logging.INFO)

    def __exit__(self, *_):
        with self._lock:
            self._users -= 1
            # Who has changed it meanwhile, had a reason.
            if not self._users and log.level == self._set:
                log.setLevel(self._before)


_level = _Level()


# ---------------------------------------------------------------- the file

@contextlib.contextmanager
def log_to(path, label=''):
    """Everything from INFO on that this run logs to 'zeit.cds' goes to that file as well.

    path -- str, or None for no file
    label -- stands before the process id in each line: str
    Raises ConfigurationError if there can't be a file. If it merely can't be written (it is another
    user's, the disk is full or read-only), that is told, and the run goes on without.
    """
    handler = None if path is None else opened(path, label)
    if handler is None:
        with run_of_this_thread():
            yield
        return
    with run_of_this_thread(), _level:
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)
            handler.close()


@contextlib.contextmanager
def logged_as_well(path, label=''):
    """See `log_to`; without the file, if that is what is wrong."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(log_to(path, label))
        except CDSError as e:
            log.debug('%s', e)
        yield


def opened(path, label):
    """A LogFile, or None if it can't be written, which is told. Raises ConfigurationError."""
    try:
        return LogFile(path, label)
    except OSError as e:
        if e.errno in NO_SUCH_PLACE:
            error = ConfigurationError('The log file cannot be written: %s' % e)
            error.add_note('Make its directory first, or name another file as logfile.')
            raise error from e
        log.error('The log file %s cannot be written, this run has none: %s', path, e.strerror)


class LogFile(logging.Handler):
    """A file for the run of the thread that made it; a new one begins each week, five are kept.

    A line that can't be written is lost, which is told once. It never is the run's concern.
    """

    def __init__(self, path, label=''):
        """Raises OSError."""
        self._path = os.path.abspath(path)
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            status = None
        self._week, self._until = week(time.time() if status is None else status.st_mtime)
        if status is not None and not stat.S_ISREG(status.st_mode):
            self._until = math.inf      # /dev/stderr stays where it is
        self._file = os.open(self._path, FLAGS, 0o666)
        super().__init__()      # from now on it will be closed
        self.setFormatter(Formatter('%%(asctime)s %s[%%(process)d] %%(levelname)s ' % (
            (label or 'cds').replace('%', '%%'))))
        self._thread = threading.get_ident()
        self._told = False

    def filter(self, record):
        # One too many rather than none of a thread that nobody knows.
        return thread_of_run() in (self._thread, None) and super().filter(record)

    def emit(self, record):
        try:
            if time.time() >= self._until:
                self._begin_anew()
            line = (self.format(record) + '\n').encode('utf-8', 'backslashreplace')
            while line:         # mostly once: others that write to it don't come in between
                line = line[os.write(self._file, line):]
        except Exception as e:
            self._tell(e)

    def _tell(self, error):
        if not self._told:
            self._told = True
            log.error('The log file %s cannot be written, the log is not complete: %s',
                      self._path, error)

    def close(self):
        with self.lock:
            if self._file is not None:
                file, self._file = self._file, None
                with contextlib.suppress(OSError):  # of a full network disk: it has been told
                    os.close(file)
        super().close()

    # ------------------------------------------------------------ weeks

    def _begin_anew(self):
        """Put the past week's file aside, unless another process has done so, and begin one."""
        with contextlib.suppress(OSError):      # some file systems have no locks
            fcntl.flock(self._file, fcntl.LOCK_EX)
        if self._is_at_its_place():
            with contextlib.suppress(OSError):      # it can't be renamed
                self._put_aside()
        self._week, self._until = week(time.time())
        past, self._file = self._file, os.open(self._path, FLAGS, 0o666)
        os.close(past)      # and so the lock is gone

    def _is_at_its_place(self):
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _put_aside(self):
        aside = '%s.%s' % (self._path, self._week)
        if not os.path.exists(aside):
            os.rename(self._path, aside)
        directory, name = os.path.split(self._path)
        older = re.compile(re.escape(name) + r'\.\d{4}-\d\d-\d\d')
        for name in sorted(filter(older.fullmatch, os.listdir(directory)))[:-WEEKS_KEPT]:
            os.unlink(os.path.join(directory, name))


def week(when):
    """The week of that time (seconds since 1970): its Monday, YYYY-MM-DD, and when it ends."""
    local = time.localtime(when)
    monday = local.tm_mday - local.tm_wday
    begin, end = (time.mktime((local.tm_year, local.tm_mon, day, 0, 0, 0, 0, 0, -1))
                  for day in (monday, monday + 7))
    return time.strftime('%Y-%m-%d', time.localtime(begin)), end
