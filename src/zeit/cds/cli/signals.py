"""SIGINT, SIGTERM, SIGHUP: a run ends before its time, and leaves nothing behind.

Python runs a signal's handler in the main thread, between two of its steps. That may be while it
holds a lock that `threading.Event.set` needs; and it may be late, for a signal that comes just
before the thread begins to wait for the network does not end its waiting. So the interpreter
also writes the signal's number into a pipe, and another thread tells the run::

    signal --> handler (main thread)      raises Interrupted, where nothing is to be cleaned up:
       |                                  before a run, and while one connects
       +--> pipe --> watcher -> SIGURG    until the main thread has noticed
                        |-----> run.stop()     finish the file in hand
                        +-----> run.abort()    after a while, or at the second signal
"""
import contextlib
import logging
import os
import select
import signal
import threading

from zeit.cds.interfaces import Interrupted


log = logging.getLogger('zeit.cds')

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NUDGE = signal.SIGURG       # ends a system call of the main thread; means nothing by itself
NUDGE_AFTER = 0.02          # seconds
GRACE = 5.0                 # seconds for the file in hand


class Signals:
    """A context manager in whose block the signals are handled.

    In any thread but the main one it does nothing.
    """

    def __init__(self, grace=GRACE):
        """
        grace -- how long the file in hand may take after a signal, seconds
        """
        self.number = None      # of the first signal that came, int
        self._grace = grace
        self._run = None
        self._before = {}
        self._actions = {}      # of signals that end nothing
        self._watcher = None
        self._is_ready = self._over = False

    def __enter__(self):
        if threading.current_thread() is not threading.main_thread():
            return self
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in SIGNALS:
            # nohup, and a shell that starts something in the background, have a signal ignored
            # on purpose
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._received)
        self._before[NUDGE] = signal.signal(NUDGE, lambda *_: None)
        self._watcher = threading.Thread(target=self._watch, daemon=True, name='zeit.cds-signals')
        self._watcher.parent = threading.current_thread()   # it logs for this thread's run
        self._watcher.start()
        try:
            self._is_ready = True
            if self.number is not None:     # it came meanwhile
                raise self.error
        except Interrupted:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._watcher is None:
            return
        for number, handler in self._before.items():
            # Who is about to end because of a signal shall not die of another one, with another
            # status.
            signal.signal(number, handler if self.number is None else signal.SIG_IGN)
        self._over = True
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._writing)
        self._watcher.join()
        os.close(self._reading)

    @contextlib.contextmanager
    def watch(self, run):
        """In the block, signals stop `run`, a zeit.cds.transfer.run.Run, or an IWatch."""
        self._run = run
        try:
            yield
        finally:
            self._run = None

    def hear(self, actions):
        """From now on, some signals end nothing, but have something done.

        actions -- {number: function without arguments}. It is called in another thread, and has to
            return at once
        """
        if self._watcher is not None:
            self._actions = actions
            for number in actions:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before = signal.signal(number, lambda *_: None)     # what counts is the pipe
                    self._before.setdefault(number, before)

    @property
    def error(self):
        """What the run ends with: Interrupted."""
        return Interrupted('Interrupted by %s.' % signal.Signals(self.number).name)

    def _received(self, number, frame):
        if self.number is None:
            self.number = number
            run = self._run
            if self._is_ready and (run is None or run.connecting):
                raise self.error

    # ------------------------------------------------------------ the watcher

    def _watch(self):
        if self._next() is None:
            return
        self._wake_main_thread()
        if self.number is None:
            return      # it came when nobody was to hear of it any more
        if (run := self._run) is not None:
            run.stop(self.error)
            if not run.connecting and getattr(run, 'busy', True):
                log.warning('%s: the file in hand is finished first, if that takes no longer than '
                            '%g s. The next signal drops it.',
                            signal.Signals(self.number).name, self._grace)
        try:
            if self._next(self._grace) is None:
                return
        except TimeoutError:
            pass        # the file in hand takes too long
        if (run := self._run) is not None:
            run.abort()
        while self._next() is not None:
            pass        # further signals change nothing

    def _next(self, seconds=None):
        """The number of the next signal; None at the end. Raises TimeoutError."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        while True:
            if not poll.poll(None if seconds is None else seconds * 1000):
                raise TimeoutError
            number = os.read(self._reading, 1)
            if not number:
                return None
            if (act := self._actions.get(number[0])) is not None:
                act()
            elif number[0] in self._before and number[0] != NUDGE:
                return number[0]

    def _wake_main_thread(self):
        """See to it that the handler is called."""
        main = threading.main_thread().ident
        poll = select.poll()
        while self.number is None and not self._over:
            poll.poll(NUDGE_AFTER * 1000)       # nothing is registered: a pause
            if self.number is None:
                signal.pthread_kill(main, NUDGE)
