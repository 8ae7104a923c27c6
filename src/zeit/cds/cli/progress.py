"""How far a run is: a bar on a terminal."""
import collections
import contextlib
import logging
import math
import sys
import threading
import time


INTERVAL = 0.1      # seconds
WINDOW = 10.0       # seconds whose pace counts


@contextlib.contextmanager
def shown(run, handler):
    """While the block runs, a bar on standard error shows how far a run is.

    run -- a zeit.cds.transfer.run.Run
    handler -- the logging.Handler that writes to the same terminal; the bar makes room for it
    Without tqdm (the extra `progress`) there is no bar.
    """
    try:
        from tqdm import tqdm  # cron has no terminal, and need not wait for it
    except ImportError:
        logging.getLogger('zeit.cds').debug(
            'No progress bar without tqdm: pip install "zeit.cds[progress]"')
        yield
        return
    bar = Bar(tqdm, run)
    handler.make_room = bar.make_room
    bar.start()
    try:
        yield
    finally:
        bar.stop()
        del handler.make_room


class Pace:
    """How fast a run is at present, and how long it will take: a stall shows soon."""

    def __init__(self, window=WINDOW):
        self._window = window
        self._seen = collections.deque()    # (time in seconds, zeit.cds.interfaces.Progress)

    def add(self, when, progress):
        self._seen.append((when, progress))
        while when - self._seen[0][0] > self._window and len(self._seen) > 2:
            self._seen.popleft()

    @property
    def bytes_per_second(self):
        return self._speed(lambda progress: progress.bytes_done)

    @property
    def left(self):
        """Seconds; infinite if that can't be told."""
        now = self._seen[-1][1]
        if now.bytes:       # these tell more, if the server told the sizes
            todo, speed = now.bytes - now.bytes_done, self.bytes_per_second
        else:
            todo = now.files - now.files_done
            speed = self._speed(lambda progress: progress.files_done)
        return 0 if todo <= 0 else todo / speed if speed else math.inf

    def _speed(self, count):
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        return (count(last) - count(first)) / (end - begin) if end > begin else 0.0


class Bar(threading.Thread):
    """Looks at the run again and again, so that the run need not know of it."""

    def __init__(self, tqdm, run):
        super().__init__(daemon=True, name='zeit.cds-progress')
        self.parent = threading.current_thread()    # it logs for this thread's run
        pace = Pace()
        pace.add(time.monotonic(), run.progress)
        self._tqdm, self._run = bar_class(tqdm, pace), run
        self._bar = None            # until there is something to do
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(INTERVAL):
            self._show()

    def stop(self):
        """Show the last state, and leave it there."""
        self._over.set()
        self.join()
        self._show()
        if self._bar is not None:
            self._bar.close()

    def make_room(self):
        return self._tqdm.external_write_mode(file=sys.stderr)

    def _show(self):
        now = self._run.progress
        if now.files:
            if self._bar is None:
                self._bar = self._tqdm(
                    unit='B' if now.bytes else ' files', unit_scale=bool(now.bytes),
                    total=now.bytes or now.files, dynamic_ncols=True, file=sys.stderr,
                    mininterval=0, miniters=0)
            self._bar.show(now)


def bar_class(tqdm, pace):
    """A tqdm of ours, which is made only where there is one; `pace` is the Pace of the run."""

    class Shown(tqdm):
        """Shows a Progress."""

        def __init__(self, **kw):
            self._told = {'left': '?', 'speed': '?'}
            super().__init__(bar_format='{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} '
                                        '[{elapsed}<{left}, {speed}]', **kw)

        @property
        def format_dict(self):
            return {**super().format_dict, **self._told}

        def show(self, now):
            pace.add(time.monotonic(), now)
            total, self.n = (now.bytes, now.bytes_done) if now.bytes else (
                now.files, now.files_done)
            self.total = max(total, self.n)
            left, speed = pace.left, pace.bytes_per_second
            self._told['left'] = '?' if left == math.inf else self.format_interval(left)
            self._told['speed'] = self.format_sizeof(speed, 'B/s')
            if not now.bytes:
                self._told['speed'] = '%s, %s' % (
                    self.format_sizeof(now.bytes_done, 'B'), self._told['speed'])
            self.set_description('%d of %d files' % (now.files_done, now.files))

    return Shown
