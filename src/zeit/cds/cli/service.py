"""What makes the watch a service: it is told to reload, to show itself, and tells how it is.

::

    SIGHUP  ──▶ the ZCML file is read anew      systemd ◀── READY, STATUS, RELOADING, STOPPING
    SIGUSR1 ──▶ the table of the feeds, logged          ◀── WATCHDOG, as long as all feeds' threads
                                                            live, whatever their servers do
    --http  ──▶ the pages of zeit.cds.web

Signals are heard in one thread, and acted upon in another: a ZCML file that takes long keeps nobody
from ending the watch.
"""
import importlib.util
import logging
import math
import queue
import signal
import threading
import time

from zeit.cds.cli.notify import Manager
from zeit.cds.feed import label
from zeit.cds.interfaces import ConfigurationError
from zeit.cds.logfile import run_of_this_thread
from zeit.cds.text import in_words, printable
from zeit.cds.web import table


log = logging.getLogger('zeit.cds')

LOOK = 0.02         # seconds between looks whether all threads have begun
STUCK = 60.0        # seconds that a thread may be late to its own appointment


class Pulse:
    """Whether the threads of the feeds live: they are there, and do something when they said so.

    A server that hangs is no matter of theirs: it is waited for in another state.
    """

    def __init__(self, watch, clock=time.monotonic):
        """
        watch -- IWatch
        clock -- function that gives seconds; none that somebody may set
        """
        self._watch, self._clock = watch, clock
        self._seen = {}         # IWatched: its signs of life, and when they were new

    def stopped(self):
        """Label of a feed whose thread does not live any more, '' if that can't be told, or None.

        To be called again and again.
        """
        if not self._watch.alive:
            return ''
        now, before, self._seen = self._clock(), self._seen, {}
        for watched in self._watch.feeds:
            signs = watched.state, watched.last_try, watched.backing_off_until
            seen, when = before.get(watched, (None, now))
            self._seen[watched] = signs, when = signs, when if seen == signs else now
            if now - when > self._may_sleep(watched) + STUCK:
                return label(watched.feed)

    @staticmethod
    def _may_sleep(watched):
        """For how long its thread may give no sign of life, in seconds."""
        if watched.state in ('waiting', 'locked'):
            return watched.feed.every
        if watched.state == 'backing off' and watched.backing_off_until is not None:
            return max(0.0, watched.backing_off_until - (watched.last_try or 0.0))
        return math.inf


class Service:
    """A context manager around `watch.run()`. For `Signals`, it is what has to be stopped."""

    connecting = False

    def __init__(self, command, watch, server=None):
        """
        command -- zeit.cds.cli.watching.Watching
        watch -- IWatch
        server -- zeit.cds.web.server.Server
        """
        self._command, self._watch, self._server = command, watch, server
        self._manager = Manager()
        self._todo = queue.SimpleQueue()    # functions; None: that's it
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._act, daemon=True, name='zeit.cds-service')]
        if self._manager.watchdog:
            self._threads.append(threading.Thread(
                target=self._tell_lives, daemon=True, name='zeit.cds-watchdog'))

    def __enter__(self):
        self._command.signals.hear({
            signal.SIGHUP: lambda: self._todo.put(self._reload),
            signal.SIGUSR1: lambda: self._todo.put(self._show)})
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._todo.put(None)
        for thread in self._threads:
            thread.join(1)      # a ZCML file that takes long keeps nobody from the end
        if self._server is not None:
            self._server.stop()

    # ------------------------------------------------------------ for Signals

    def stop(self, interruption):
        self._manager.stopping('ending: files in hand are finished')
        self._watch.stop(interruption)

    def abort(self):
        self._watch.abort()

    @property
    def busy(self):
        return self._watch.busy

    # ------------------------------------------------------------ threads

    def _act(self):
        with run_of_this_thread():      # these lines are no concern of a feed's log file
            while not self._watch.alive:
                if self._over.wait(LOOK):
                    return
            if self._server is not None:
                self._serve()
            self._manager.ready(self._status())
            while (act := self._todo.get()) is not None:
                try:
                    act()
                except Exception:
                    log.exception('A defect of the program. The watch goes on.')

    def _serve(self):
        from zeit.cds.cli.gauges import Gauges  # most watches have no such server
        from zeit.cds.registry import registered_journal
        from zeit.cds.web.facts import Sources
        from zeit.cds.web.pages import Pages
        self._server.start(Pages(
            Sources(registered_journal, self._watch), self._watch, Gauges(self._watch)))
        log.info('Answering at %s', self._server.url)

    def _tell_lives(self):
        with run_of_this_thread():
            pulse, told = Pulse(self._watch), False
            while not self._over.wait(self._manager.watchdog / 3):
                if (stopped := pulse.stopped()) is None:
                    self._manager.lives(self._status())
                elif not told:
                    told = True
                    log.error('The thread of %s does not live any more: the service manager is to '
                              'start the watch again.', printable(stopped) or 'a feed')

    def _status(self):
        feeds = self._watch.feeds
        late = [table.row(watched).cells[0] for watched in feeds if watched.late]
        silent = [table.row(watched).cells[0] for watched in feeds if watched.silent]
        return table.counted(self._watch) + (
            ', late: ' + ', '.join(late) if late else '') + (
                ', silent: ' + ', '.join(silent) if silent else '') + (
                    '' if late or silent else ', all well')

    # ------------------------------------------------------------ what is asked by a signal

    def _reload(self):
        self._manager.reloading()
        try:
            self._read_anew()
        finally:
            self._manager.ready(self._status())

    def _read_anew(self):
        before = set(self._watch.feeds)
        try:
            feeds = self._command.feeds_anew()
        except ConfigurationError as e:
            log.error('%s\nThe feeds stay as they were.', in_words(e))
            return
        self._watch.replace(feeds)
        now = set(self._watch.feeds)
        log.info('Read the configuration anew: %d feeds as before, %d begin, %d end.',
                 len(now & before), len(now - before), len(before - now))

    def _show(self):
        """Whatever is logged otherwise: somebody has asked for it."""
        self._command.handler.handle(log.makeRecord(
            log.name, logging.INFO, __file__, 0, '%s', (table.text(self._watch),), None))


def server(text):
    """The Server for what --http is given, which listens already; None if it is not given.

    Raises ConfigurationError.
    """
    if text is None:
        return None
    from zeit.cds.web.server import place, Server
    for name in 'prometheus_client', 'chameleon', 'drawsvg':
        if importlib.util.find_spec(name) is None:
            raise ConfigurationError('--http needs %s: pip install "zeit.cds[http]"' % name)
    return Server(*place(text))
