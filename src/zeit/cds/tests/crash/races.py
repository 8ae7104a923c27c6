"""Several importers at once: does ever more than one hold the lock?

Run by tools/lock-races, and in short by the tests.
"""
import argparse
import collections
import contextlib
import ftplib
import io
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import Locked
from zeit.cds.lock.directory import MUTEX
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink
from zeit.cds.testing.servers import SERVERS
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.transfer.importing import Import


FILES = 3
ROUND = 100         # so many races without a look at the ports,
PORTS = 12000       # of which so many may be taken by connections that have ended
WON, LOCKED = 'won', 'locked'


class WatchedLockFile(LockFile):
    """Whoever holds the lock has a file in `directory`, and leaves a note there if another has it
    too.
    """

    def __init__(self, directory, **kw):
        super().__init__(**kw)
        self.directory = directory

    @contextlib.contextmanager
    def hold(self, *args, **kw):
        with super().hold(*args, **kw) as lock:
            with alone(self.directory):
                yield lock


@contextlib.contextmanager
def alone(directory):
    """In this block, nobody else ought to be in such a block."""
    holder = os.path.join(directory, 'holder')
    try:
        os.close(os.open(holder, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        os.close(os.open(os.path.join(directory, 'overlap-%d' % time.monotonic_ns()), os.O_CREAT))
        yield
        return
    try:
        yield
    finally:
        os.unlink(holder)


def import_once(server, store_dir, directory, **settings):
    """One import; WON, LOCKED, or what else came of it."""
    feed = Feed(store_dir=store_dir, hostname=server.host, port=server.port, user=server.user,
                password=server.password, ftp_dir=getattr(server, 'ftp_dir', '/'), timeout=20,
                retries=0, **settings)
    outcome = Import(feed, FTPConnection(), WatchedLockFile(directory), FileSink())()
    if isinstance(outcome.error, Locked):
        return LOCKED
    return WON if outcome.successful else repr(outcome)


def naive(server, store_dir, directory):
    """Somebody who looks for lock files, then stores one, and knows of no mutex."""
    with contextlib.closing(server.connect()) as ftp:
        ftp.voidcmd('TYPE I')
        if any(there(ftp, name) for name in ('read', 'write')):
            return LOCKED
        store(ftp, 'read', b'naive')
        with alone(directory):
            for name in sorted(name for name in ftp.nlst() if name.startswith('article')):
                ftp.retrbinary('RETR %s' % name, write_to(os.path.join(store_dir, 'new', name)))
                ftp.delete(name)
        ftp.delete('read')
        return WON


def there(ftp, name):
    try:
        ftp.size(name)
    except ftplib.error_perm:
        return False
    return True


def store(ftp, name, data):
    ftp.storbinary('STOR %s' % name, io.BytesIO(data))


def write_to(path):
    def write(data):
        with open(path, 'ab') as f:
            f.write(data)
    return write


# ---------------------------------------------------------------- many races

def races(server, number, clients, one_spool=False, runners=None):
    """Let `clients` processes begin to import at once, `number` times. Returns a list of what was
    wrong, and counts.

    runners -- what the processes do, a list of functions; without it all import as they should
    """
    context = multiprocessing.get_context('fork')
    barrier, results = context.Barrier(clients), context.SimpleQueue()
    directory = tempfile.mkdtemp(prefix='zeit.cds-races-')
    spools = [new_spool() for _ in range(1 if one_spool else clients)]
    runners = runners or [import_once] * clients
    try:
        processes = [context.Process(target=take_part, args=(
            n, runners[n], server, spools, directory, number, barrier, results))
                     for n in range(clients)]
        for process in processes:
            process.start()
        return evaluate([results.get() for _ in range(number)], processes)
    finally:
        for process in processes:
            process.join(30)
            process.kill()
        for path in [directory, *spools]:
            shutil.rmtree(path)


def take_part(n, runner, server, spools, directory, number, barrier, results):
    """What one of the processes does."""
    logging.getLogger('zeit.cds').setLevel(logging.CRITICAL)
    try:
        for race in range(number):
            if n == 0:
                for i in range(FILES):
                    put(server.directory, 'article-%d' % i, b'%d.%d' % (race, i))
            barrier.wait(120)
            try:
                outcome = runner(server, spools[n % len(spools)], directory)
            except Exception:
                outcome = traceback.format_exc()
            with open(os.path.join(directory, 'outcome-%d' % n), 'w') as f:
                f.write(outcome)
            barrier.wait(120)
            if n == 0:
                results.put(look(race, server, spools, directory))
            barrier.wait(120)
    except BaseException:
        traceback.print_exc()
        barrier.abort()
        results.put(([], ['a process failed'], 0))
        raise


def look(race, server, spools, directory):
    """After a race: the outcomes, what is wrong, and how many overlaps there were.

    Tidies up for the next.
    """
    outcomes, wrong, overlaps = [], [], 0
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name.startswith('outcome'):
            with open(path) as f:
                outcomes.append(f.read())
        else:
            overlaps += name.startswith('overlap')
        os.unlink(path)
    wrong += [outcome for outcome in outcomes if outcome not in (WON, LOCKED)]
    left, found = contents(server.directory), {}
    for spool in spools:
        for name, data in contents(os.path.join(spool, 'new')).items():
            if name in found:
                wrong.append('race %d: %r was published twice' % (race, name))
            found[name] = data
            os.unlink(os.path.join(os.fsencode(spool), b'new', name))
        if os.listdir(os.path.join(spool, 'tmp')):
            wrong.append('race %d: left in tmp: %r' % (race,
                                                       os.listdir(os.path.join(spool, 'tmp'))))
    if left.keys() & {b'read', b'write', MUTEX.encode()}:
        wrong.append('race %d: left on the server: %r' % (race, left))
    files = {name: data for name, data in left.items() if name.startswith(b'article')}
    if {**files, **found} != {b'article-%d' % i: b'%d.%d' % (race, i) for i in range(FILES)}:
        wrong.append('race %d: lost files: %r, %r' % (race, files, found))
    return outcomes, wrong, overlaps


def evaluate(rounds, processes):
    wrong = [text for _, texts, _ in rounds for text in texts]
    return wrong, {
        'races': len(rounds),
        'overlaps': sum(overlaps for _, _, overlaps in rounds),
        'nobody': sum(WON not in outcomes for outcomes, _, _ in rounds),
        'refused': sum(outcomes.count(LOCKED) for outcomes, _, _ in rounds),
    }


def many_races(server, number, clients, **kw):
    """`races`, as many as you like: with pauses, since each connection keeps a port taken for a
    minute after its end.
    """
    wrong, figures = [], collections.Counter()
    while number > 0:
        wait_for_ports()
        more, counts = races(server, min(number, ROUND), clients, **kw)
        wrong += more
        figures.update(counts)
        number -= ROUND
    return wrong, figures


def wait_for_ports():
    while True:
        with open('/proc/net/sockstat') as f:
            words = f.read().split()
        if int(words[words.index('tw') + 1]) < PORTS:
            return
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(
        prog='lock-races',
        description='Let several imports race for the lock of one FTP directory, on each server.')
    parser.add_argument('--races', type=int, default=1000,
                        help='how many, for each server and number of processes')
    parser.add_argument('--clients', type=int, nargs='+', default=[2, 5],
                        help='numbers of processes')
    parser.add_argument('--servers', nargs='+', default=[kind.name for kind in SERVERS],
                        help='(default: all)')
    parser.add_argument('--naive', action='store_true',
                        help='one of the processes is a peer that looks, then stores its lock '
                             'file, without a mutex')
    options = parser.parse_args()
    bad = 0
    for kind in [kind for kind in SERVERS if kind.name in options.servers]:
        if missing := kind.missing():
            print('%-10s skipped: %s' % (kind.name, missing))
            continue
        for clients in options.clients:
            runners = [naive if options.naive and n == 1 else import_once for n in range(clients)]
            with kind() as server:
                begun = time.monotonic()
                wrong, figures = many_races(server, options.races, clients, runners=runners)
            bad += len(wrong) + figures['overlaps']
            print('%-10s %d processes: %d races, %d overlaps, %d refused, '
                  '%d without a winner, %d faults, %.0f s' % (
                kind.name, clients, figures['races'], figures['overlaps'], figures['refused'],
                figures['nobody'], len(wrong), time.monotonic() - begun), flush=True)
            for text in wrong[:10]:
                print('    ', text)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
