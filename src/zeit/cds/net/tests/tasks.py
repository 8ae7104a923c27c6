"""What tests of tasks have in common."""
import gc
import os
import socket
import threading
import time
from unittest import mock

from zeit.cds.net.scheduler import Scheduler


LIMIT = 10      # seconds; what takes longer will never happen


def descriptors():
    """What files are open."""
    gc.collect()
    return sorted(os.listdir('/proc/self/fd'))


class InScheduler:
    """A mixin for a TestCase with a `scheduler`, and a `log` of what tasks did.

    No thread may end with an exception.
    """

    def setUp(self):
        super().setUp()
        self.log, self.strays, self.threads = [], [], set(threading.enumerate())
        self.enterContext(mock.patch.object(threading, 'excepthook', self.strays.append))
        self.addCleanup(self.join)
        self.scheduler = Scheduler()
        self.addCleanup(self.scheduler.end)

    def join(self):
        """Wait for the end of all threads that the test began."""
        for thread in set(threading.enumerate()) - self.threads:
            thread.join(LIMIT)
            self.assertFalse(thread.is_alive(), 'a thread does not end')
        self.assertEqual([], self.strays)

    def pair(self):
        """Two connected, non-blocking sockets."""
        pair = socket.socketpair()
        for sock in pair:
            self.enterContext(sock).setblocking(False)
        return pair

    def turn_until(self, condition):
        limit = time.monotonic() + LIMIT
        while not condition():
            self.scheduler.turn(LIMIT)
            self.assertLess(time.monotonic(), limit, 'nothing goes on')

    def work(self, *functions):
        """Run functions as tasks until all have returned; a list of what they returned."""
        results = {}
        for n, function in enumerate(functions):
            self.scheduler.spawn(lambda n=n, function=function: results.__setitem__(n, function()))
        self.turn_until(lambda: len(results) == len(functions))
        return [results[n] for n in range(len(functions))]

    def spawn(self, name, verb):
        """Have a task call a verb and log how that ends."""
        def run():
            try:
                self.log.append((name, verb()))
            except BaseException as e:
                self.log.append((name, type(e)))

        self.scheduler.spawn(run)
