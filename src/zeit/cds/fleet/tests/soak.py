"""A fleet whose workers and broker are killed at random, while files come all the time.

Run by tools/fleet-soak, and in short by the tests. Afterwards: is each file there, whole, and once?
Did ever two hold the lock of one feed? Was the task of each file done? How long did it take until
the feed of a killed worker went on?
"""
import argparse
import contextlib
import dataclasses
import itertools
import os
import random
import sys
import threading
import time

from zeit.cds.fleet.tests.application import noted
from zeit.cds.fleet.tests.house import House, put, wait_until
from zeit.cds.testing.brokers import BROKERS
from zeit.cds.testing.postgres import PostgreSQL
from zeit.cds.testing.servers import SERVERS


GOES_ON_WITHIN = 90     # seconds


@dataclasses.dataclass
class Figures:
    """What happened."""

    files: int = 0
    lost: list = dataclasses.field(default_factory=list)
    doubled: list = dataclasses.field(default_factory=list)
    damaged: list = dataclasses.field(default_factory=list)
    untold: list = dataclasses.field(default_factory=list)
    told_again: int = 0         # tasks that were done once more than once
    overlaps: list = dataclasses.field(default_factory=list)
    locks_left: list = dataclasses.field(default_factory=list)
    runs: int = 0
    kills: dict = dataclasses.field(default_factory=dict)       # {what was killed: how often}
    resumed: list = dataclasses.field(default_factory=list)     # seconds, of each killed run
    latencies: list = dataclasses.field(default_factory=list)   # seconds from server to spool

    @property
    def good(self):
        return not (self.lost or self.doubled or self.damaged or self.untold or self.overlaps
                    or self.locks_left) and max(self.resumed, default=0) <= GOES_ON_WITHIN

    def lines(self):
        for name in 'lost', 'doubled', 'damaged', 'untold', 'overlaps', 'locks_left':
            found = getattr(self, name)
            yield '%-12s %d %s' % (name, len(found), found[:5] or '')
        yield 'files        %d, in %d runs; %d tasks were done again' % (
            self.files, self.runs, self.told_again)
        yield 'kills        %s' % ', '.join('%s %d' % item for item in sorted(self.kills.items()))
        for title, values in ('going on', self.resumed), ('latency', self.latencies):
            if values:
                yield '%-12s %d: median %.1f s, 99th percentile %.1f s, longest %.1f s' % (
                    title, len(values), *(part(values, p) for p in (.5, .99, 1)))


def part(values, fraction):
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))]


def body(name):
    chance = random.Random(name)
    return chance.randbytes(chance.randrange(8192))


class Soak:
    """See above."""

    def __init__(self, house, files, seconds, chance=random):
        """
        house -- House
        files -- how many in all
        seconds -- in which they come, and in which all kinds of things are killed
        chance -- random.Random
        """
        self.house, self.files, self.seconds, self.chance = house, files, seconds, chance
        self.figures = Figures(files)
        self.taken, self.put, self.killed = {}, {}, []
        self.longest_pause = 10.0       # seconds until what was killed is started again, at most
        self._over, self._settled = threading.Event(), threading.Event()
        self._lock, self._hosts = threading.Lock(), threading.Lock()

    def run(self, workers=4, kill_every=10.0, settle=450.0):
        """Returns the Figures."""
        hosts = [self.house.worker('host-%d' % n).start() for n in range(workers)]
        beat = self.house.beat().start()
        consumer = threading.Thread(target=self._consume)
        consumer.start()
        keeper = threading.Thread(target=self._keep, args=(hosts,))
        keeper.start()
        killer = threading.Thread(target=self._kill, args=(hosts, kill_every))
        killer.start()
        self._put()
        self._over.set()
        killer.join()
        self._settle(settle, beat)
        self._settled.set()
        keeper.join()
        consumer.join()
        return self._judge()

    # ------------------------------------------------------------ what goes on

    def _put(self):
        begun, names = time.monotonic(), list(self.house.feeds)
        for number in range(self.files):
            pause = begun + number * self.seconds / self.files - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            feed, name = self.chance.choice(names), 'file-%06d.xml' % number
            self.put[name] = feed, time.monotonic()
            put(self.house.feeds[feed][0], name, body(name))

    def _consume(self):
        """The CMS: takes what is in new."""
        while True:
            self.consume()
            if self._over.wait(0.2):
                return

    def consume(self):
        with self._lock:
            for feed, (_, spool) in self.house.feeds.items():
                new = os.path.join(spool, 'new')
                for name in os.listdir(new):
                    path = os.path.join(new, name)
                    with open(path, 'rb') as f:
                        whole = f.read() == body(name)
                    os.unlink(path)
                    self.taken.setdefault(name, []).append((feed, whole, time.monotonic()))

    def _keep(self, hosts):
        """What systemd does with Restart=always: Celery ends where it can't bear a lost broker."""
        while not self._settled.wait(0.2):
            for host in hosts:
                with self._hosts:
                    if host.ended():
                        self._count('ended by themselves')
                        self.killed.append((time.monotonic(), host.name, None))
                        host.kill()
                        host.start()

    def _kill(self, hosts, every):
        ways = itertools.cycle([self._kill_host, self._kill_one, self._kill_broker])
        while not self._over.wait(self.chance.uniform(0.5, 1.5) * every):
            next(ways)(self._chosen(hosts))

    def _chosen(self, hosts):
        """A host, if possible one that holds a lock at this moment."""
        holding = {host for host, _ in self._locks().holders.values()}
        return self.chance.choice([host for host in hosts if host.name in holding] or hosts)

    def _count(self, what):
        self.figures.kills[what] = self.figures.kills.get(what, 0) + 1

    def _kill_host(self, host):
        self._count('hosts')
        with self._hosts:
            host.kill()
            self.killed.append((time.monotonic(), host.name, None))
        self._over.wait(self.chance.uniform(0, self.longest_pause))
        with self._hosts:
            host.start()

    def _kill_one(self, host):
        """One process of its pool, if possible one that holds a lock."""
        pool = host.pool()
        holding = {pid for name, pid in self._locks().holders.values() if name == host.name}
        if numbers := list(pool.keys() & holding) or list(pool):
            self._count('processes')
            number = self.chance.choice(numbers)
            host.kill_one(pool[number])
            self.killed.append((time.monotonic(), host.name, number))

    def _kill_broker(self, _):
        self._count('broker')
        self.house.broker.crash()
        self._over.wait(self.chance.uniform(0, self.longest_pause))
        self.house.broker.start()

    # ------------------------------------------------------------ the end

    def _settle(self, seconds, beat):
        """Wait until all has come, and is told; then until nobody works any more."""
        def done():
            self.consume()
            told = {name for _, _, name in noted(self.house.observed, 'arrived')}
            return len(self.taken) == len(told) == self.files and not self._locks().waiting
        wait_until(done, seconds, 1.0)
        beat.kill()
        wait_until(lambda: not self._left(), 60.0)
        self.consume()

    def _left(self):
        return [os.path.join(os.path.basename(directory), name)
                for directory, _ in self.house.feeds.values() for name in os.listdir(directory)]

    def _locks(self):
        return Locks(noted(self.house.observed, 'locks'), self.killed)

    def _judge(self):
        figures, told = self.figures, {}
        for key, _, name in noted(self.house.observed, 'arrived'):
            told.setdefault(name, []).append(key)
        figures.lost = sorted(self.put.keys() - self.taken.keys())
        figures.doubled = sorted(name for name, found in self.taken.items() if len(found) > 1)
        figures.damaged = sorted(name for name, found in self.taken.items()
                                 if not all(whole for _, whole, _ in found))
        figures.untold = sorted(self.put.keys() - told.keys())
        figures.told_again = sum(len(keys) - 1 for keys in told.values())
        figures.doubled += sorted(name for name, keys in told.items() if len(set(keys)) > 1)
        figures.latencies = [found[0][2] - self.put[name][1]
                             for name, found in self.taken.items()]
        locks = self._locks()
        figures.runs, figures.overlaps, figures.resumed = locks.runs, locks.overlaps, locks.resumed
        figures.locks_left = self._left() + sorted('killed: ' + feed for feed in locks.waiting)
        return figures


class Locks:
    """Who held which lock when; who was killed meanwhile; and when the feed went on."""

    def __init__(self, events, killed):
        """
        events -- lines of the application's ObservedLock
        killed -- list of (time, host, process; None: all of them)
        """
        self.runs, self.overlaps, self.resumed = 0, [], []
        self.holders = {}       # {feed: (host, process)} of locks, and of claims
        self.claims = {}
        self.waiting = {}       # {feed: time at which its worker was killed}
        events = [tuple(event) for event in events]
        events += [(when, 'killed', None, host, pid) for when, host, pid in killed]
        for when, what, feed, host, pid in sorted(events, key=lambda event: event[0]):
            getattr(self, '_' + what)(when, feed, host, pid)

    def _held(self, when, feed, host, pid):
        self.runs += 1
        if feed in self.holders:
            self.overlaps.append((feed, self.holders[feed], (host, pid)))
        self.holders[feed] = host, pid
        if feed in self.waiting:
            self.resumed.append(when - self.waiting.pop(feed))

    def _free(self, when, feed, host, pid):
        if self.holders.get(feed) == (host, pid):
            del self.holders[feed]

    def _claimed(self, when, feed, host, pid):
        self.claims[feed] = host, pid

    def _released(self, when, feed, host, pid):
        if self.claims.get(feed) == (host, pid):
            del self.claims[feed]

    def _killed(self, when, feed, host, pid):
        for found in self.holders, self.claims:
            for one, holder in list(found.items()):
                if holder[0] == host and pid in (None, holder[1]):
                    self.waiting[one] = when
                    del found[one]


def parser():
    found = argparse.ArgumentParser(
        prog='fleet-soak', description=__doc__.partition('\n\n')[0])
    found.add_argument('--feeds', type=int, default=200)
    found.add_argument('--files', type=int, default=20000)
    found.add_argument('--seconds', type=float, default=600.0, help='in which the files come')
    found.add_argument('--every', type=float, default=10.0, help='seconds between looks at a feed')
    found.add_argument('--kill-every', type=float, default=10.0, help='seconds between two kills')
    found.add_argument('--workers', type=int, default=4)
    found.add_argument('--broker', default='redis', choices=[kind.name for kind in BROKERS])
    found.add_argument('--journal', help='URL; by default, PostgreSQL is started')
    found.add_argument('--settle', type=float, default=450.0, help='seconds to wait at the end')
    found.add_argument('--seed', type=int, default=None)
    found.add_argument('--keep-logs', help='a directory for the logs of all processes')
    return found


def main(arguments=None):
    args = parser().parse_args(arguments)
    broker, = [kind for kind in BROKERS if kind.name == args.broker]
    chance = random.Random(args.seed)
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(kind()) for kind in SERVERS]
        house = stack.enter_context(House(
            servers, stack.enter_context(broker()),
            args.journal or stack.enter_context(PostgreSQL()).url, args.feeds, every=args.every))
        try:
            figures = Soak(house, args.files, args.seconds, chance).run(
                args.workers, args.kill_every, args.settle)
        finally:
            if args.keep_logs:
                keep(house, args.keep_logs)
    print('%d feeds on %d servers, %d workers, %s; %.0f s' % (
        args.feeds, len(servers), args.workers, args.broker, time.monotonic() - begun))
    print('\n'.join(figures.lines()))
    return 0 if figures.good else 1


def keep(house, directory):
    os.makedirs(directory, exist_ok=True)
    for name in os.listdir(house.work):
        if name.endswith('.log'):
            os.replace(os.path.join(house.work, name), os.path.join(directory, name))


if __name__ == '__main__':
    sys.exit(main())
