"""A fleet in simulation: how long files wait, and what is at its limit. tools/fleet-simulation.

Looks are sent by beat into one queue, which worker processes take them from. One that was sent
before the feed was last looked at is merged, and one at a feed that is claimed leaves a note.

Files come at random. How long things take is measured by benchmarks/fleet.py; the defaults are what
it said on a machine of two cores.
"""
import argparse
import collections
import dataclasses
import heapq
import random
import sys


SETTINGS = [
    # name, default, what it is
    ('feeds', 10_000, 'feeds'),
    ('hosts', 100, 'hosts'),
    ('cores', 4, 'cores of each host'),
    ('processes', 8, 'worker processes on each host'),
    ('every', 60.0, 'seconds between two looks at a feed'),
    ('files', 20.0, 'files an hour of each feed'),
    ('latency', 0.02, 'seconds to a server and back'),
    ('round_trips', 12.0, 'of a run that finds nothing: connect, log in, lock, list'),
    ('trips_a_file', 1.0, 'round trips more for each file'),
    ('cpu_run', 0.0065, 'seconds of CPU time of a run that finds nothing, with its claim'),
    ('cpu_file', 0.002, 'seconds of CPU time more for each file, with the task for it'),
    ('cpu_task', 0.001, 'seconds of CPU time for a task that does nothing'),
    ('hanging', 0.01, 'part of the runs that meet a server which hangs'),
    ('timeout', 60.0, 'seconds until such a run ends'),
    ('minutes', 20.0, 'minutes to simulate; the first fifth does not count'),
    ('beat_rate', 800.0, 'tasks a second that one beat can send'),
    ('broker_rate', 5000.0, 'messages a second that the broker can take and give'),
    ('claim_rate', 250.0, 'claims and releases a second that the database can do'),
]


@dataclasses.dataclass
class Figures:
    """What came out."""

    waited: list            # seconds of each file from its arrival to the end of the run
    starts: list            # seconds from beat's sending to the beginning of the run
    runs: int = 0
    merged: int = 0         # tasks that came to nothing
    busy: float = 0.0       # seconds of worker processes
    cpu: float = 0.0        # seconds of CPU time of the workers


class Simulation:

    def __init__(self, settings, chance=None):
        """
        settings -- argparse.Namespace of SETTINGS
        chance -- random.Random
        """
        self.settings, self.chance = settings, chance or random.Random(1)
        self.figures = Figures([], [])
        self._events, self._number = [], 0
        self._queue = collections.deque()
        self._free = int(settings.hosts * settings.processes)
        self._seen = [0.0] * int(settings.feeds)        # when a run last listed the feed's files
        self._claimed = {}                              # {feed: is one more look wanted?}
        self._counted_from = settings.minutes * 60 / 5

    def run(self):
        """Returns the Figures."""
        every, end = self.settings.every, self.settings.minutes * 60
        for feed in range(int(self.settings.feeds)):
            self._at(self.chance.random() * every, self._tick, feed)
        while self._events and self._events[0][0] <= end:
            now, _, verb, feed = heapq.heappop(self._events)
            verb(now, feed)
        return self.figures

    def _at(self, when, verb, feed):
        self._number += 1
        heapq.heappush(self._events, (when, self._number, verb, feed))

    # ------------------------------------------------------------ what happens

    def _tick(self, now, feed):
        self._at(now + self.settings.every, self._tick, feed)
        self._send(now, feed)

    def _send(self, now, feed):
        self._queue.append((now, feed))
        self._work(now)

    def _work(self, now):
        while self._queue and self._free:
            sent, feed = self._queue.popleft()
            if sent < self._seen[feed]:
                self.figures.merged += 1
            elif feed in self._claimed:
                self.figures.merged += 1
                self._claimed[feed] = True
            else:
                self._begin(now, sent, feed)

    def _begin(self, now, sent, feed):
        self._free -= 1
        self._claimed[feed] = False
        count = self._arrived(now - self._seen[feed])
        seconds, cpu = self._takes(count)
        if now > self._counted_from:
            self._count(now, sent, self._seen[feed], count, seconds, cpu)
        self._seen[feed] = now
        self._at(now + seconds, self._end, feed)

    def _end(self, now, feed):
        self._free += 1
        if self._claimed.pop(feed):
            self._send(now, feed)
        self._work(now)

    # ------------------------------------------------------------ how long it takes

    def _arrived(self, seconds):
        """How many files have come in so many seconds: at random, one after the other."""
        count, rate = 0, self.settings.files / 3600
        left = seconds
        while rate and (left := left - self.chance.expovariate(rate)) > 0:
            count += 1
        return count

    def _takes(self, count):
        """Seconds of a run that finds so many files, and of its CPU time."""
        settings = self.settings
        cpu = settings.cpu_run + count * settings.cpu_file
        if self.chance.random() < settings.hanging:
            return settings.timeout, cpu
        trips = settings.round_trips + count * settings.trips_a_file
        # whoever shares a core waits for the others
        crowd = min(self._working() / (settings.hosts * settings.cores), 1.0)
        return trips * settings.latency + cpu * (1 + crowd), cpu

    def _working(self):
        return self.settings.hosts * self.settings.processes - self._free

    def _count(self, now, sent, since, count, seconds, cpu):
        figures = self.figures
        figures.runs += 1
        figures.busy += seconds
        figures.cpu += cpu
        figures.starts.append(now - sent)
        figures.waited += [self.chance.uniform(0, now - since) + seconds for _ in range(count)]


# ---------------------------------------------------------------- what comes out

def report(settings, figures):
    """Lines for a person."""
    counted = settings.minutes * 60 * 4 / 5
    ticks = settings.feeds / settings.every
    runs, files = figures.runs / counted, len(figures.waited) / counted
    yield '%d feeds, %d hosts with %d worker processes each, a look every %g s' % (
        settings.feeds, settings.hosts, settings.processes, settings.every)
    yield 'looks        %.0f a second; merged %d' % (runs, figures.merged)
    for title, values in (('queue', figures.starts), ('file', figures.waited)):
        if values:
            yield '%-12s median %.2f s, 99th percentile %.2f s, longest %.1f s' % (
                title, *(part(values, p) for p in (.5, .99, 1)))
    yield 'processes    %.0f %% busy' % (
        100 * figures.busy / counted / settings.hosts / settings.processes)
    yield 'cores        %.0f %% busy' % (
        100 * figures.cpu / counted / settings.hosts / settings.cores)
    # a look is one message; a file is one for its task
    yield 'beat         %.0f of %.0f tasks a second' % (ticks, settings.beat_rate)
    yield 'broker       %.0f of %.0f messages a second' % (ticks + files, settings.broker_rate)
    # a run with files hands its notes over; a task for a file is noted before, and after
    yield 'database     %.0f of %.0f transactions a second' % (
        2 * runs + 3 * files, 2 * settings.claim_rate)
    yield 'sessions     %.0f at once' % (figures.busy / counted)


def part(values, fraction):
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))]


def parser():
    found = argparse.ArgumentParser(
        prog='fleet-simulation', description=__doc__.partition('\n\n')[0])
    for name, default, text in SETTINGS:
        found.add_argument('--' + name.replace('_', '-'), type=type(default), default=default,
                           help='%s (default: %%(default)s)' % text)
    return found


def main(arguments=None):
    settings = parser().parse_args(arguments)
    print('\n'.join(report(settings, Simulation(settings).run())))
    return 0


if __name__ == '__main__':
    sys.exit(main())
