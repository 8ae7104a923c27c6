"""What tests of the watch have in common: one that runs in a thread, with figures that are fast."""
import os
import threading
import time

import zope.component

from zeit.cds.feed import Feed
from zeit.cds.interfaces import Interrupted
from zeit.cds.testing.faulty import FaultyServer
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.importing import Importing
from zeit.cds.watch.tuning import Tuning
from zeit.cds.watch.watcher import Watch


FAST = Tuning(first_pause=0.05, longest_pause=0.2, first_locked=0.01, longest_locked=0.02,
              patient=0.3, first_left=0.1, longest_left=1000.0, start=0.0, farewell=0.1,
              least_late=0.0)
LIMIT = 20          # seconds in which what is waited for has to happen
HANDS_OFF = 0.5     # in so many, what must not happen would happen several times


class Watches(Importing):
    """A mixin for a TestCase. What a watch logs is in `self.log`."""

    def setUp(self):
        super().setUp()
        recording = recorded()
        self.log = recording.__enter__()
        self.addCleanup(recording.__exit__, None, None, None)

    def serve(self, *args, **kw):
        """Another FaultyServer, which has started."""
        server = FaultyServer(*args, **kw)
        server.start()
        self.addCleanup(server.stop)
        return server

    def feed_of(self, server, **settings):
        """The Feed of a FaultyServer."""
        return Feed(**{'store_dir': self.store_dir, 'hostname': server.host, 'port': server.port,
                       'user': server.user, 'password': server.password, 'ftp_dir': '/',
                       'timeout': 20.0, 'retries': 0, 'every': 0.2, **settings})

    def use(self, component, interface, name=''):
        """Register a utility, for this test."""
        zope.component.provideUtility(component, interface, name)
        self.addCleanup(zope.component.getGlobalSiteManager().unregisterUtility, component,
                        interface, name)

    def watch(self, *feeds, **tuning):
        """A Watch that has begun; at the end of the test it is stopped."""
        watch = Watch(feeds, tuning=FAST._replace(**tuning))
        thread = threading.Thread(target=watch.run)
        thread.parent = threading.current_thread()
        thread.start()
        self.addCleanup(self.end, watch, thread)
        watch.thread = thread
        return watch

    def end(self, watch, thread=None):
        watch.stop(Interrupted('The test is over.'))
        (thread or watch.thread).join(LIMIT)
        self.assertFalse((thread or watch.thread).is_alive())

    def wait_until(self, condition, seconds=LIMIT):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, 'It did not happen. ' + self.log.text)
            time.sleep(0.005)

    def wait_for(self, *names, taken=True):
        """Until these are published, and then take all."""
        wanted = {os.fsencode(name) for name in names}
        self.wait_until(lambda: wanted <= self.published.keys())
        return self.consume() if taken else self.published

    def wait_for_looks(self, watched, number=2):
        for _ in range(number):
            before = watched.last_look
            self.wait_until(lambda before=before: watched.last_look != before)

    def runs(self):
        """How many runs have begun."""
        return sum(text in ('Starting import.', 'Starting export.')
                   for _, text in list(self.log.lines))
