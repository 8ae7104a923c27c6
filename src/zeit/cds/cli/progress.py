"""How far a run is: a bar on a terminal."""
import contextlib
import logging
import sys
import threading


INTERVAL = 0.1      # seconds


@contextlib.contextmanager
def shown(run, handler):
    """While the block runs, a bar on standard error shows how far `run`, a zeit.cds.transfer.run.Run, is.

    handler -- the logging.Handler that writes to the same terminal; the bar makes room for its lines
    Without tqdm (the extra `progress`) there is no bar.
    """
    try:
        from tqdm import tqdm  # cron has no terminal, and need not wait for it
    except ImportError:
        logging.getLogger('zeit.cds').debug('No progress bar without tqdm: pip install "zeit.cds[progress]"')
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


class Bar(threading.Thread):
    """Looks at the run again and again, so that the run need not know of it."""

    def __init__(self, tqdm, run):
        super().__init__(daemon=True, name='zeit.cds-progress')
        self._tqdm, self._run = tqdm, run
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
        if not now.files:
            return
        # Bytes tell more, if the server told the sizes.
        total, done, unit = (now.bytes, now.bytes_done, 'B') if now.bytes else (now.files, now.files_done, ' files')
        if self._bar is None:
            self._bar = self._tqdm(total=total, unit=unit, unit_scale=unit == 'B', dynamic_ncols=True,
                                   file=sys.stderr, mininterval=0, miniters=0)
        self._bar.total = max(total, done)
        self._bar.n = done
        self._bar.set_description('%d of %d files' % (now.files_done, now.files), refresh=False)
        if unit != 'B':
            self._bar.set_postfix_str(self._tqdm.format_sizeof(now.bytes_done, 'B'), refresh=False)
        self._bar.refresh()
