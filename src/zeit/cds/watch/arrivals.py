"""Who is woken when files come to a spool's new: by inotify, where that works.

It works for what this machine moves there; not for what others do on a network file system, which
is found by looking every now and then, as the watch does anyway. (That a file is created there is
no reason to look: it is empty then. Who links a finished file into new has to wait for a look.)
"""
import contextlib
import logging
import os
import select
import threading


log = logging.getLogger('zeit.cds')

NEW = 'new'


class Arrivals:
    """One descriptor and one thread for all spools, once there is any to look out for."""

    def __init__(self):
        self._guard = threading.Lock()
        self._inotify = self._thread = None
        self._closing = None        # a pipe
        self._flags = 0
        self._wakes = {}            # number of a watch, as inotify gives it: {Watched}
        self._is_closed = False

    def look_out(self, watched):
        """Wake a Watched from now on when files come to its spool. To be repeated now and then, in
        case that directory is another one now. Any thread may call it.
        """
        path = os.path.join(watched.feed.store_dir, NEW)
        with self._guard:
            if self._is_closed or self._inotify is None and not self._begin():
                return
            try:
                number = self._inotify.add_watch(path, self._flags)
            except OSError as e:
                log.debug('Files that come to %s are found by looking: %s', path, e)
            else:
                self._wakes.setdefault(number, set()).add(watched)

    def forget(self, watched):
        """It has ended."""
        with self._guard:
            for number, those in list(self._wakes.items()):
                those.discard(watched)
                if not those:
                    del self._wakes[number]
                    with contextlib.suppress(OSError):      # the directory has gone
                        self._inotify.rm_watch(number)

    def close(self):
        with self._guard:
            self._is_closed = True
        if self._thread is not None:
            os.close(self._closing[1])
            self._thread.join()
            os.close(self._closing[0])
            self._inotify.close()

    def _begin(self):
        """Can it be done? bool"""
        try:
            from inotify_simple import flags, INotify
        except ImportError:
            return self._cannot('inotify_simple is missing: pip install "zeit.cds[watch]"')
        try:
            self._inotify = INotify()
        except OSError as e:
            return self._cannot(e)
        self._closing = os.pipe()
        self._flags = flags.MOVED_TO | flags.CLOSE_WRITE | flags.ONLYDIR
        self._thread = threading.Thread(target=self._run, daemon=True, name='zeit.cds-inotify')
        self._thread.parent = threading.current_thread()
        self._thread.start()
        return True

    def _cannot(self, why):
        log.warning('Files that come to a spool are found by looking only: %s', why)
        self._is_closed = True
        return False

    def _run(self):
        poll = select.poll()
        for fd in self._inotify.fileno(), self._closing[0]:
            poll.register(fd, select.POLLIN)
        while not self._is_closed:
            poll.poll()
            for event in self._inotify.read(timeout=0):
                with self._guard:
                    those = tuple(self._wakes.get(event.wd, ()))
                for watched in those:
                    watched.command.wake()
