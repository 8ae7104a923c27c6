"""Three watches share directories; they, servers, connections and consumers are killed meanwhile.

Files come to a directory `in` of each server. All three watches import from there, each into a
spool of its own, from which a consumer takes them. Two of them are killed again and again. Files
also come to a spool that the first exports into a directory `out`, from which the third imports.
In the end each file must have come through once, whole, and no lock may be left; and the third
watch, which lived all the time, must have no more threads, files and memory than in the beginning.

bin/py tools/watch-soak --help
"""
import argparse
import collections
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from zeit.cds.testing.process import tree
from zeit.cds.tests.commands import arguments, environment, hear_signals, SITE
from zeit.cds.tests.importing import MEMORY, new_spool, put
from zeit.cds.watch.tests.load import memory


MORTAL, IMMORTAL = ('a', 'b'), 'c'
SETTLING = 120.0        # seconds in which the last files must have come through


class Place:
    """A server, with its directories `in` and `out`, and the spools of the feeds."""

    def __init__(self, kind):
        self.top = tempfile.mkdtemp(prefix='zeit.cds-', dir=MEMORY)
        self.incoming, self.outgoing = (os.path.join(self.top, name) for name in ('in', 'out'))
        for path in self.top, self.incoming, self.outgoing:
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o777)
        self.server = kind(self.top)
        self.server.start()
        self.spools = {name: new_spool() for name in (*MORTAL, IMMORTAL)}
        self.source, self.arrived = new_spool(), new_spool()

    def feeds(self, watch):
        """The directives of the feeds of one watch: a list."""
        found = [self._feed('in', watch, self.spools[watch], '/in', 'import')]
        if watch == MORTAL[0]:
            found.append(self._feed('export', watch, self.source, '/out', 'export'))
        if watch == IMMORTAL:
            found.append(self._feed('out', watch, self.arrived, '/out', 'import'))
        return found

    def _feed(self, what, watch, spool, directory, direction):
        server = self.server
        return ('<cds:feed name="%s-%s-%s" store_dir="%s" hostname="127.0.0.1" port="%d" '
                'user="%s" password_file="secret" ftp_dir="%s" direction="%s" every="0.3" '
                'timeout="10" />' % (server.name, what, watch, spool, server.port, server.user,
                                     directory, direction))

    def cut(self):
        """Kill one of the server's sessions, where it is a process, or all of them."""
        pid = self.server.pid       # None if it is dead: one that is killed may take it along
        sessions = tree(pid)[1:] if pid else []
        if sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(sessions), signal.SIGKILL)
        else:
            self.restart()

    def restart(self):
        port = self.server.port
        self.server.stop()
        time.sleep(random.uniform(0, 1))
        self.server.start(port)

    def left(self):
        """What is on the server: a list of str."""
        return [name for path in (self.incoming, self.outgoing) for name in os.listdir(path)]

    def in_tmp(self):
        return [name for spool in (*self.spools.values(), self.source, self.arrived)
                for name in os.listdir(os.path.join(spool, 'tmp')) if not name.startswith('.')]

    def close(self):
        self.server.stop()
        for path in self.top, *self.spools.values(), self.source, self.arrived:
            shutil.rmtree(path, ignore_errors=True)


class Watch:
    """A process of cds-watch."""

    def __init__(self, name, home):
        self.name, self._home = name, home
        self.process = self._log = None
        self._begins = 0        # where its lines begin in the log

    def start(self):
        self._log = open(os.path.join(self._home, self.name + '.log'), 'a')
        self._begins = self._log.tell()
        self.process = subprocess.Popen(
            arguments('cds-watch', '-v', '--zcml', self.name + '.zcml'), cwd=self._home,
            stdin=subprocess.DEVNULL, stderr=self._log, env=environment(self._home),
            preexec_fn=hear_signals)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._log.close()

    def end(self):
        """Its status. It may have been started a moment ago, and hears no signal yet.

        A run that is cut short gives 143, and the log tells of it; that is as good as 0.
        """
        limit = time.monotonic() + 30
        while 'Watching' not in self._said() and time.monotonic() < limit:
            time.sleep(0.05)
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
            was_cut_short = 'Interrupted by SIGTERM. Exiting' in self._said()
            return 0 if status == 128 + signal.SIGTERM and was_cut_short else status
        except subprocess.TimeoutExpired:
            return 'it did not end'
        finally:
            self.kill()

    def _said(self):
        with open(self._log.name) as f:
            f.seek(self._begins)
            return f.read()

    def resources(self):
        """Threads, open files, and MiB."""
        pid = self.process.pid
        return (len(os.listdir('/proc/%d/task' % pid)), len(os.listdir('/proc/%d/fd' % pid)),
                memory(pid))


class Soak:
    """See above."""

    def __init__(self, kinds, seconds, rate):
        self._seconds, self._rate = seconds, rate
        self.places = [Place(kind) for kind in kinds]
        self.home = tempfile.mkdtemp(prefix='zeit.cds-home-', dir=MEMORY)
        self._sent, self._seen = {}, {}     # {name: digest}, {name: [digest]}
        self._over = threading.Event()
        self.faults = []
        self._before = self._after = None       # resources
        self._killed = collections.Counter()
        self.watches = {}
        for name in (*MORTAL, IMMORTAL):
            self.watches[name] = Watch(name, self.home)
            self._write(name + '.zcml', SITE % '\n'.join(
                feed for place in self.places for feed in place.feeds(name)))
        self._write('secret', self.places[0].server.password)

    def _write(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, 0o600)

    def run(self):
        """Returns what went wrong: a list of str."""
        threads = [threading.Thread(target=verb, daemon=True)
                   for verb in (self._produce, self._consume)]
        try:
            for watch in self.watches.values():
                watch.start()
            for thread in threads:
                thread.start()
            self._disturb()
            self._settle()
            self._after = self.watches[IMMORTAL].resources()
            statuses = {name: watch.end() for name, watch in self.watches.items()}
            self._over.set()
            for thread in threads:
                thread.join()
            self._take_all()
            self._judge(statuses)
        finally:
            self._over.set()
            for watch in self.watches.values():
                if watch.process.poll() is None:
                    watch.kill()
        return self.faults

    def close(self):
        for place in self.places:
            place.close()
        shutil.rmtree(self.home)

    # ------------------------------------------------------------ files

    def _produce(self):
        end, number = time.monotonic() + self._seconds, 0
        while time.monotonic() < end and not self._over.is_set():
            place, data = random.choice(self.places), os.urandom(random.choice((10, 3000, 200_000)))
            name = '%06d.xml' % number
            self._sent[name] = hashlib.sha256(data).hexdigest()
            put(random.choice((place.incoming, os.path.join(place.source, 'new'))), name, data,
                time.time())
            number += 1
            time.sleep(random.expovariate(self._rate))

    def _consume(self):
        while not self._over.wait(0.02):
            self._take_all()
            if random.random() < 0.01:
                self._over.wait(2)      # it has died, and is started again

    def _take_all(self):
        for place in self.places:
            for spool in (*place.spools.values(), place.arrived):
                new = os.path.join(spool, 'new')
                for name in os.listdir(new):
                    path = os.path.join(new, name)
                    with open(path, 'rb') as f:
                        digest = hashlib.sha256(f.read()).hexdigest()
                    os.unlink(path)
                    self._seen.setdefault(name, []).append(digest)

    # ------------------------------------------------------------ what is done to them

    def _disturb(self):
        end = time.monotonic() + self._seconds
        first = time.monotonic() + max(0.2 * self._seconds, min(60.0, 0.5 * self._seconds))
        while time.monotonic() < end:
            time.sleep(random.uniform(0.5, 3))
            if self._before is None and time.monotonic() > first:
                self._before = self.watches[IMMORTAL].resources()
            what = random.choice(('watch', 'watch', 'session', 'server'))
            self._killed[what] += 1
            if what == 'watch':
                watch = self.watches[random.choice(MORTAL)]
                watch.kill()
                watch.start()
            elif what == 'session':
                random.choice(self.places).cut()
            else:
                random.choice(self.places).restart()

    def _settle(self):
        end = time.monotonic() + SETTLING
        while time.monotonic() < end and (
                self._sent.keys() != self._seen.keys()
                or any(place.left() or place.in_tmp() for place in self.places)):
            time.sleep(0.1)

    # ------------------------------------------------------------ what came of it

    def _judge(self, statuses):
        missing = sorted(self._sent.keys() - self._seen.keys())
        if missing:
            self.faults.append('lost: %s' % missing[:20])
        doubled = sorted(name for name, seen in self._seen.items() if len(seen) > 1)
        if doubled:
            self.faults.append('doubled: %s' % doubled[:20])
        broken = sorted(name for name, seen in self._seen.items()
                        if set(seen) != {self._sent.get(name)})
        if broken:
            self.faults.append('not what was sent: %s' % broken[:20])
        for place in self.places:
            if left := place.left() + place.in_tmp():
                self.faults.append('%s: left: %s' % (place.server.name, left))
        if set(statuses.values()) != {0}:
            self.faults.append('statuses: %s' % statuses)
        if found := grown(self._before, self._after, 10 if self._seconds > 200 else 30):
            self.faults.append(found)

    @property
    def told(self):
        """What was done, in words."""
        return ('%d files; killed %s; threads, files, MiB of the watch that lived: %s, then %s' % (
            len(self._sent), self._killed, self._before, self._after))


def grown(before, after, allowed):
    """Has it more threads, files, or memory than before? str, or None

    allowed -- so many MiB more: in the beginning, not everything was done once
    """
    threads, files, mebibytes = (now - then for then, now in zip(before, after))
    if threads > 2 or files > 4 or mebibytes > allowed:
        return 'resources have grown: %s, then %s' % (before, after)
    return None


def main(argv=None):
    from zeit.cds.watch.tests.latency import KINDS
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('servers', nargs='*', metavar='SERVER',
                        default=['pyftpdlib', 'vsftpd', 'ProFTPD', 'Pure-FTPd'],
                        help=', '.join(KINDS))
    parser.add_argument('--minutes', type=float, default=30.0)
    parser.add_argument('--rate', type=float, default=5.0, help='files a second')
    parser.add_argument('--seed', type=int)
    parser.add_argument('--keep', action='store_true', help='keep the logs, and tell where')
    options = parser.parse_args(argv)
    random.seed(options.seed)
    soak = Soak([KINDS[name] for name in options.servers], 60 * options.minutes, options.rate)
    faults = soak.run()
    print(soak.told)
    print('\n'.join(faults) or 'Nothing was lost, doubled, or left.')
    if options.keep:
        print(soak.home)
        for place in soak.places:
            place.server.stop()
    else:
        soak.close()
    return bool(faults)


if __name__ == '__main__':
    sys.exit(main())
