"""What a watch over many feeds costs, beside servers that hang, and how fast files get through.

bin/py tools/watch-load --help
"""
import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from zeit.cds.testing.process import free_port
from zeit.cds.tests.commands import arguments, environment, hear_signals, SITE
from zeit.cds.tests.importing import new_spool, put
from zeit.cds.watch.tests.latency import DATA, KINDS, MEMORY, percentile


TICKS = os.sysconf('SC_CLK_TCK')
SETTLED = 10.0          # seconds after which all have logged in, and made their first runs


class Silent:
    """A server that accepts connections, and says nothing."""

    def __init__(self):
        self._listener = socket.create_server(('127.0.0.1', 0), backlog=100)
        self.port = self._listener.getsockname()[1]
        self._accepted = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self._accepted.append(self._listener.accept())

    def close(self):
        self._listener.close()


class Consumers:
    """Take files out of many spools; `seen` as in Arrivals."""

    def __init__(self, spools):
        import inotify_simple
        self.seen = {}
        self._inotify = inotify_simple.INotify()
        flags = inotify_simple.flags
        self._directories = {self._inotify.add_watch(os.path.join(spool, 'new'), flags.MOVED_TO |
                                                     flags.CREATE): spool for spool in spools}
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._over:
            for event in self._inotify.read(timeout=100):
                if event.name not in self.seen:
                    self.seen[event.name] = time.monotonic()
                    os.unlink(os.path.join(self._directories[event.wd], 'new', event.name))

    def close(self):
        self._over = True
        self._thread.join()
        self._inotify.close()


def directive(name, spool, directory, server, port, options):
    return ('<cds:feed name="%s" store_dir="%s" hostname="127.0.0.1" port="%d" user="%s" '
            'password_file="%s" ftp_dir="%s" every="%g" timeout="%g" connections="1" />' % (
                name, spool, port, server.user, 'secret', directory, options.every,
                options.timeout))


@contextlib.contextmanager
def site(server, options):
    """A home with the ZCML of all feeds; gives it, and {directory: spool} of those that work."""
    home = tempfile.mkdtemp(prefix='zeit.cds-home-', dir=MEMORY)
    silent, closed = Silent(), free_port()
    spools, feeds = {}, []
    for number in range(options.feeds):
        spool, name = new_spool(), 'feed-%03d' % number
        directory = os.path.join(server.directory, name)
        os.mkdir(directory)
        os.chmod(directory, 0o777)
        port = server.port
        if number < options.hanging:
            port = silent.port
        elif number < options.hanging + options.closed:
            port = closed
        else:
            spools[directory] = spool
        feeds.append(directive(name, spool, '/' + name, server, port, options))
    with open(os.path.join(home, 'secret'), 'w') as f:
        f.write(server.password)
    os.chmod(os.path.join(home, 'secret'), 0o600)
    with open(os.path.join(home, 'site.zcml'), 'w') as f:
        f.write(SITE % '\n'.join(feeds))
    try:
        yield home, spools
    finally:
        silent.close()
        shutil.rmtree(home)
        for spool in spools.values():
            shutil.rmtree(spool)


@contextlib.contextmanager
def watching(home):
    with open(os.path.join(home, 'log'), 'w') as output:
        process = subprocess.Popen(
            arguments('cds-watch', '--zcml', 'site.zcml'), cwd=home, stdin=subprocess.DEVNULL,
            stderr=output, env=environment(home), preexec_fn=hear_signals)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            print('Its exit status: %s' % process.wait(60))


def seconds_of_processor(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """MiB that are resident."""
    with open('/proc/%d/status' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS')) / 1024


def idle(process, seconds):
    begun, used = time.monotonic(), seconds_of_processor(process.pid)
    time.sleep(seconds)
    share = (seconds_of_processor(process.pid) - used) / (time.monotonic() - begun)
    print('Nothing arrives: %.1f %% of one core, %.0f MiB, %d threads, %d open files' % (
        100 * share, memory(process.pid), len(os.listdir('/proc/%d/task' % process.pid)),
        len(os.listdir('/proc/%d/fd' % process.pid))), flush=True)


def busy(process, spools, options):
    consumers = Consumers(spools.values())
    directories, put_at, begun = list(spools), {}, time.monotonic()
    used = seconds_of_processor(process.pid)
    number = int(options.rate * options.seconds / 60)
    for n in range(number):
        name = 'article-%06d.xml' % n
        put_at[name] = time.monotonic()
        put(random.choice(directories), name, DATA, time.time())
        time.sleep(max(0.0, begun + (n + 1) * options.seconds / number - time.monotonic()))
    end = time.monotonic() + 30
    while len(consumers.seen) < number and time.monotonic() < end:
        time.sleep(0.05)
    share = (seconds_of_processor(process.pid) - used) / (time.monotonic() - begun)
    consumers.close()
    seconds = sorted(consumers.seen[name] - when for name, when in put_at.items()
                     if name in consumers.seen)
    print('%d files a minute: %d of %d arrived, median %.3f s, 99 %% %.3f s, %.1f %% of one core, '
          '%.0f MiB' % (options.rate, len(seconds), number, statistics.median(seconds),
                        percentile(seconds, 0.99), 100 * share, memory(process.pid)), flush=True)
    return len(seconds) < number


def measure(kind, options):
    directory = tempfile.mkdtemp(prefix='zeit.cds-', dir=MEMORY)
    os.chmod(directory, 0o777)
    with kind(directory) as server, site(server, options) as (home, spools):
        with watching(home) as process:
            time.sleep(SETTLED)
            idle(process, options.seconds)
            failed = options.rate and busy(process, spools, options)
        if options.log:
            with open(os.path.join(home, 'log')) as f:
                print(f.read())
    shutil.rmtree(directory, ignore_errors=True)
    return failed


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('servers', nargs='*', metavar='SERVER', default=['Pure-FTPd'],
                        help=', '.join(KINDS))
    parser.add_argument('--feeds', type=int, default=200)
    parser.add_argument('--hanging', type=int, default=0, help='so many of them on a silent server')
    parser.add_argument('--closed', type=int, default=0, help='so many of them on a closed port')
    parser.add_argument('--every', type=float, default=2.0)
    parser.add_argument('--timeout', type=float, default=60.0)
    parser.add_argument('--rate', type=int, default=1000, help='files a minute, over all feeds')
    parser.add_argument('--seconds', type=float, default=60.0, help='of each measurement')
    parser.add_argument('--log', action='store_true', help='print the log of the watch as well')
    options = parser.parse_args(argv)
    return any([measure(KINDS[name], options) for name in options.servers])


if __name__ == '__main__':
    sys.exit(main())
