"""Imports killed at every step, and run again: is anything lost, published twice, or left behind?

Run by tools/kill-matrix, and in short by the tests.

A step is what others can see: a command that is sent (killed before it, and killed right after it,
when its answer is underway), a piece of data that is received, and each call that changes the
spool: open, write, utime, sync, rename, link, unlink.
"""
import argparse
import contextlib
import logging
import os
import shutil
import signal
import sys
import threading
import time
import traceback

from zeit.cds.feed import Feed
from zeit.cds.ftp.control import Control
from zeit.cds.lock import directory
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.sftp.channel import Channel
from zeit.cds.spool import filesystem, incoming
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.tests.recorder import MODULES
from zeit.cds.testing.modsftp import ModSFTP
from zeit.cds.testing.servers import SERVERS
from zeit.cds.testing.sshd import SSHD
from zeit.cds.tests.crash import journals
from zeit.cds.tests.importing import connected, contents, new_spool, put, WHEN
from zeit.cds.transfer.importing import Import


ALL = [*SERVERS, SSHD, ModSFTP]
CALLS = (
    'open', 'write', 'pwrite', 'utime', 'fsync', 'ftruncate', 'link', 'unlink', 'close', 'mkdir',
    'rmdir')
NEVER = 10**9
LARGE = 1000        # bytes; a quarter of the files are


class Steps:
    """Counts the steps of this process, and kills it at one of them."""

    def __init__(self, last):
        self.count, self.last = 0, last
        self._lock = threading.Lock()

    def step(self):
        with self._lock:
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(self, function):
        def counted(*args, **kw):
            self.step()
            return function(*args, **kw)
        return counted

    def around(self, function):
        def counted(*args, **kw):
            self.step()
            result = function(*args, **kw)
            self.step()
            return result
        return counted

    def watch(self):
        """From now on, for the rest of this process."""
        Control.transmit = self.around(Control.transmit)
        Channel.flush = self.around(Channel.flush)
        counted = CountedOs(self)
        for module in MODULES:
            module.os = counted
        filesystem.move = self.before(filesystem.move)
        if (syncfs := filesystem.syncfs()) is not None:
            filesystem.syncfs = lambda: self.before(syncfs)


class CountedOs:
    """The os module, with some of its functions counted."""

    def __init__(self, steps):
        for name in CALLS:
            setattr(self, name, steps.before(getattr(os, name)))

    def __getattr__(self, name):
        return getattr(os, name)


def in_child(function):
    """Call it in a process of its own; the text that it returned, or None if it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reader)
            os.write(writer, function().encode())
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, 'rb') as f:
        text = f.read().decode()
    _, status = os.waitpid(pid, 0)
    return None if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else text


def run_import(server, store_dir, last=NEVER, kept=None, **settings):
    """An import in a process of its own that is killed at step `last`: 'STEPS OUTCOME', or None if
    it was killed.
    """
    def child():
        journal = kept and kept.journal
        logging.getLogger('zeit.cds').setLevel(logging.CRITICAL)
        steps = Steps(last)
        steps.watch()
        if journal is not None:
            journals.watch(steps)
            if last < NEVER:
                kept.spoil()
        feed = Feed(store_dir=store_dir, timeout=20, retries=1, **server.feed, **settings)
        outcome = Import(*connected(feed), LockFile(directory.Tuning(mutex_grace=1.0)), FileSink(
            incoming.Tuning(large=LARGE)), journal=journal)()
        return '%d %s' % (steps.count, 'success' if outcome.successful else repr(outcome))
    return in_child(child)


def wait_for_sessions_to_end(server):
    """Until the server has closed all control connections."""
    port, end = '%04X' % server.port, time.monotonic() + 20
    while time.monotonic() < end:
        with open('/proc/net/tcp') as f:
            lines = [line.split() for line in f]
        if not any(line[1].endswith(':' + port) and line[3] in ('01', '08') for line in lines):
            return
        time.sleep(0.001)
    raise RuntimeError('%s does not end the sessions of killed processes.' % server.name)


class Matrix:
    """A server, and what is done at each kill point."""

    def __init__(self, server, files, connections=1, consume=False, renew=False, journal=None,
                 afterwards='remove'):
        """
        files -- how many
        consume -- does the consumer take all of new between the killed run and the next?
        renew -- is there a new version of one of the files by then?
        journal -- see `journals.kept`
        afterwards -- the setting; files are moved to `done`, if they are
        """
        self.server, self.files, self.connections = server, files, connections
        self.takes, self.renew, self.afterwards = consume, renew, afterwards
        self.store_dir = self.new_spool()
        self.versions, self.replaced, self.taken = set(), set(), []     # of (name, data)
        self.wrong, self.kept = [], journals.kept(journal)

    # ------------------------------------------------------------ the spool

    @staticmethod
    def new_spool():
        return new_spool()

    def close(self):
        self.kept.close()
        shutil.rmtree(self.store_dir)

    def run(self, last=NEVER):
        """See run_import."""
        return run_import(self.server, self.store_dir, last, self.kept,
                          connections=self.connections, afterwards=self.afterwards)

    def published(self):
        """What waits in new: {name: data}, both bytes."""
        return contents(os.path.join(self.store_dir, 'new'))

    def consume(self, name):
        os.unlink(os.path.join(os.fsencode(self.store_dir), b'new', name))

    def in_tmp(self):
        """Names of what is in tmp, bytes."""
        return contents(os.path.join(self.store_dir, 'tmp')).keys()

    # ------------------------------------------------------------ what is done

    def steps(self):
        """How many steps there are in a run that nobody kills."""
        self.prepare()
        text = self.run()
        count, _, outcome = text.partition(' ')
        if outcome != 'success':
            raise RuntimeError(text)
        self.look(0)
        return int(count)

    def kill_at(self, step):
        """Returns whether the run got that far. What is wrong afterwards is added to `wrong`."""
        self.prepare()
        text = self.run(step)
        if text is None:
            self.check_nothing_partial(step)
            if self.takes:
                self.take()
            if self.renew:
                self.offer_new_version()
        for run in 1, 2, 3:     # what waits for the consumer comes with the run after
            text = self.run()
            if not text or not text.endswith(' success'):
                self.wrong.append('step %d, run %d: %s' % (step, run, text))
            self.check_nothing_partial(step)
            if run == 1:
                self.check_nothing_left(step)
            self.take()
            self.wrong += ['step %d, run %d: %s' % (step, run, text)
                           for text in self.kept.wrong(self.taken)]
        self.look(step)
        return text is None

    def prepare(self):
        self.server.clear()
        self.kept.begin()
        self.versions, self.replaced, self.taken = set(), set(), []
        for n in range(self.files):
            self.offer('file-%d' % n, b'%d.' % n * (10 ** (n % 4)), WHEN + n)

    def offer(self, name, data, modified):
        put(self.server.directory, name, data, modified)
        self.versions.add((name.encode(), data))

    def offer_new_version(self):
        """As an exporter would: not before the server has done all that the killed run sent."""
        wait_for_sessions_to_end(self.server)
        if b'file-1' in contents(self.server.directory):
            self.replaced = {version for version in self.versions if version[0] == b'file-1'}
            self.versions -= self.replaced      # published or not: its maker has withdrawn it
        self.offer('file-1', b'a new version' + b'.' * 5000, WHEN + 100)

    def take(self):
        """Be the consumer."""
        for name, data in self.published().items():
            self.taken.append((name, data))
            self.consume(name)

    def check_nothing_partial(self, step):
        for name, data in self.published().items():
            if (name, data) not in self.versions | self.replaced:
                self.wrong.append('step %d: partial: %r, %d bytes' % (step, name, len(data)))

    def check_nothing_left(self, step):
        """After the run that follows the killed one."""
        locks = {b'read', b'write', directory.MUTEX.encode()}
        left = contents(self.server.directory).keys() & locks
        parts = [name for name in self.in_tmp() if name.startswith(b'.')]
        if left or parts:
            self.wrong.append('step %d: left behind: %r %r' % (step, left, parts))

    def look(self, step):
        """Was each version that the server offered published once, and is nothing left?"""
        self.take()
        self.check_nothing_left(step)
        rest = set(self.in_tmp())
        there = contents(self.server.directory).keys() - {b'done'}
        if self.afterwards != 'keep':
            rest |= there
        elif there != {name for name, _ in self.versions}:
            self.wrong.append('step %d: not kept: %r' % (step, there))
        if self.afterwards.startswith('move:'):
            done = sorted(contents(os.path.join(self.server.directory, 'done')).values())
            there = {data for _, data in self.versions}
            if len(set(done)) < len(done) or not there <= set(done) <= {
                    data for _, data in self.taken}:
                self.wrong.append('step %d: not moved, or lost there: %d' % (step, len(done)))
        if rest:
            self.wrong.append('step %d: never finished: %r' % (step, rest))
        for version in set(self.taken):
            if self.taken.count(version) > 1:
                self.wrong.append('step %d: published twice: %r' % (step, version[0]))
        for name, _ in self.versions - set(self.taken):
            self.wrong.append('step %d: lost: %r' % (step, name))


def kill_everywhere(matrix, points=None):
    """Kill at each step, or at so many of them, evenly spread.

    Returns (number of kills, number of steps).
    """
    steps = matrix.steps()
    chosen = range(1, steps + 1)
    if points is not None and points < steps:
        chosen = sorted({1 + n * (steps - 1) // (points - 1) for n in range(points)})
    for step in chosen:
        matrix.kill_at(step)
    return len(chosen), steps


def main():
    parser = argparse.ArgumentParser(
        prog='kill-matrix',
        description='Kill an import at each of its steps, run it again, and look what became of '
                                        'the files. Prints how many kill points there were.')
    parser.add_argument('--files', type=int, default=20)
    parser.add_argument('--points', type=int,
                        help='so many steps of each kind of run, evenly spread (default: all)')
    parser.add_argument('--servers', nargs='+', default=['pyftpdlib', 'vsftpd'],
                        help='of %s' % ', '.join(kind.name for kind in ALL))
    parser.add_argument('--afterwards', default='remove', metavar='WHAT',
                        help='the setting: remove, keep (with --journal sqlite), move:done')
    parser.add_argument('--journal', metavar='URL',
                        help='keep one, and see what it says; sqlite: in a file of its own; '
                             'sqlite:locked, :full, :read-only: of the run that is killed')
    options = parser.parse_args()
    total, bad = 0, 0
    for kind in [kind for kind in ALL if kind.name in options.servers]:
        if missing := kind.missing():
            parser.error(missing)
        for connections, renew in (1, False), (1, True), (4, False), (4, True):
            with kind() as server, contextlib.closing(Matrix(
                    server, options.files, connections, renew, renew, options.journal,
                    options.afterwards)) as matrix:
                begun = time.monotonic()
                count, steps = kill_everywhere(matrix, options.points)
            total, bad = total + count, bad + len(matrix.wrong)
            print('%-10s %d session%s, %s: %d steps, killed at %d, %d faults, %.0f s' % (
                kind.name, connections, ' s'[connections > 1],
                'new version between the runs' if renew else 'same files',
                steps, count, len(matrix.wrong), time.monotonic() - begun), flush=True)
            for text in matrix.wrong[:10]:
                print('    ', text[:300])
    print('%d kill points, %d faults: %s' % (total, bad,
                                             'nothing lost, nothing twice' if not bad
                                             else 'FAILED'))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
