"""The watch over some feeds: see IWatch."""
import logging
import random
import threading
import time

import zope.interface

from zeit.cds.feed import SETTINGS
from zeit.cds.interfaces import Interrupted, IWatch
from zeit.cds.logfile import log_to
from zeit.cds.watch.arrivals import Arrivals
from zeit.cds.watch.listening import Listening
from zeit.cds.watch.tuning import TUNING
from zeit.cds.watch.watched import Watched


log = logging.getLogger('zeit.cds')

STACK = 512 * 1024      # bytes of address space for a thread; most of them never become memory
TICK = 0.05             # seconds


@zope.interface.implementer(IWatch)
class Watch:
    """See IWatch."""

    connecting = False      # for zeit.cds.cli.signals: there may always be something to clean up

    def __init__(self, feeds, ask=None, once=False, tuning=TUNING):
        """
        feeds -- iterable of IFeed
        ask -- see main.run_import
        once -- one run for each feed, all side by side, and that's it
        tuning -- Tuning
        """
        self._ask, self._once, self._tuning = ask, once, tuning
        self.feeds = tuple(self._watched(feed) for feed in feeds)
        self._ending = []           # Watched that are to end, and were replaced
        self._interruption = None
        self._changed = threading.Condition()
        self._arrivals = Arrivals()
        self._listening = Listening(self, tuning.listens)

    def _watched(self, feed):
        return Watched(feed, self._tuning, self._ask)

    @property
    def alive(self):
        return all(watched.is_alive or watched.state == 'stopped' for watched in self.feeds)

    @property
    def busy(self):
        return any(watched.command.in_hand for watched in (*self.feeds, *self._ending))

    # ------------------------------------------------------------ verbs

    def run(self):
        with log_to(None):
            log.info('Watching %d feed%s.', len(self.feeds), 's'[len(self.feeds) == 1:])
            with self._changed:
                self._begin(self.feeds)
            if not self._once:
                self._listening.begin()
            try:
                self._wait()
            finally:
                self._listening.end()
                self._arrivals.close()
            log.info('The watch has ended.')

    def stop(self, interruption):
        with self._changed:
            self._interruption = interruption
            for watched in self.feeds:
                watched.stop(interruption)
            self._changed.notify_all()

    def abort(self):
        for watched in (*self.feeds, *self._ending):
            watched.abort()

    def look(self, feed=None):
        for watched in self.feeds if feed is None else (feed,):
            watched.command.wake(urgent=True)

    def replace(self, feeds):
        with self._changed:
            if self._interruption is not None:
                return
            left, present = list(self.feeds), []
            for feed in feeds:
                same = next((one for one in left if are_equal(one.feed, feed)), None)
                if same is not None:
                    left.remove(same)
                present.append(same or self._watched(feed))
            for watched in left:
                watched.stop(Interrupted('This feed is not watched any more, or has other '
                                         'settings.'))
            self._ending = [one for one in (*self._ending, *left) if one.is_alive]
            new = [one for one in present if one not in self.feeds]
            self.feeds = tuple(present)
            self._begin(new)
            self._listening.begin()
            self._changed.notify_all()

    # ------------------------------------------------------------ threads

    def _begin(self, some):
        if self._interruption is not None:
            return
        spread = min(5.0, self._tuning.start * len(some))
        before = threading.stack_size(STACK)
        try:
            for watched in some:
                watched.start(
                    random.uniform(0, min(spread, watched.feed.every)),
                    [one for one in self._ending if one.feed.store_dir == watched.feed.store_dir],
                    self._once, self._arrivals)
        finally:
            threading.stack_size(before)

    def _wait(self):
        """Until all have ended; but not for who merely waits for a server when we shall end."""
        stopped = None
        while living := [one for one in (*self.feeds, *self._ending) if one.is_alive]:
            if self._interruption is not None:
                stopped = stopped or time.monotonic()
                if time.monotonic() - stopped > self._tuning.farewell and not self.busy:
                    break
            if self._interruption is not None or self._once:
                living[0].join(TICK)
                continue
            with self._changed:
                if self._interruption is None:
                    self._changed.wait(1.0)


def are_equal(one, other):
    """Have two feeds the same settings? bool"""
    return all(getattr(one, name) == getattr(other, name) for name in SETTINGS) and (
        getattr(one, 'own', None) == getattr(other, 'own', None))
