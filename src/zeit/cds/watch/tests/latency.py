"""How long it takes a file from its arrival on the server to the spool's new, seen from outside.

bin/py tools/watch-latency --help
"""
import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import inotify_simple

from zeit.cds.testing.layers import ALL_LAYERS
from zeit.cds.tests.commands import arguments, environment, hear_signals
from zeit.cds.tests.importing import MEMORY, new_spool, put


KINDS = {layer.kind.name: layer.kind for layer in ALL_LAYERS}
DATA = b'x' * 4000
CRON = 60.0             # seconds
EXTRA = 15.0            # seconds that the last file gets


class Arrivals:
    """When files came to a directory: {name: value of time.monotonic()}, in a thread."""

    def __init__(self, directory, taken=os.unlink):
        """
        taken -- what a consumer does with the path of a file
        """
        self.seen = {}
        self._directory, self._taken = directory, taken
        self._inotify = inotify_simple.INotify()
        flags = inotify_simple.flags
        self._inotify.add_watch(directory, flags.MOVED_TO | flags.CLOSE_WRITE | flags.CREATE)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._over = False
        self._thread.start()

    def _run(self):
        while not self._over:
            for event in self._inotify.read(timeout=100):
                if event.name.startswith('.') or event.name in self.seen or event.name in (
                        'read', 'write'):
                    continue
                self.seen[event.name] = time.monotonic()
                if self._taken is not None:
                    self._taken(os.path.join(self._directory, event.name))

    def close(self):
        self._over = True
        self._thread.join()
        self._inotify.close()


@contextlib.contextmanager
def watching(server, spool, *options):
    """A process of cds-watch; gives the Popen."""
    home = tempfile.mkdtemp(prefix='zeit.cds-home-')
    url = '%s://%s@%s:%d%s' % ('sftp' if 'connection' in server.feed else 'ftp', server.user,
                               server.host, server.port, server.feed['ftp_dir'])
    own = ['--set=%s=%s' % item for item in server.feed.items() if '.' in item[0]]
    with open(os.path.join(home, 'log'), 'w+') as output:
        process = subprocess.Popen(
            arguments('cds-watch', *options, *own, spool, url), cwd=home, stdin=subprocess.DEVNULL,
            stderr=output, env=environment(home, CDS_PASSWORD=server.password),
            preexec_fn=hear_signals)
        try:
            process.home = home
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            output.seek(0)
            process.output = output.read()
            shutil.rmtree(home)


def figures(put_at, seen):
    """The seconds of each file, sorted. Raises SystemExit if one has not arrived."""
    if missing := put_at.keys() - seen.keys():
        raise SystemExit('These have not arrived: %s' % ', '.join(sorted(missing)))
    return sorted(seen[name] - when for name, when in put_at.items())


def percentile(seconds, part):
    return seconds[min(len(seconds) - 1, int(part * len(seconds)))]


def put_files(directory, seconds, every, arrivals):
    """Put a file every so often; {name: when}."""
    put_at, begun = {}, time.monotonic()
    number = 0
    while (now := time.monotonic()) - begun < seconds:
        name = 'article-%05d.xml' % number
        put_at[name] = now
        put(directory, name, DATA, time.time())
        number += 1
        time.sleep(max(0.0, begun + number * every - time.monotonic()))
    end = time.monotonic() + EXTRA
    while put_at.keys() - arrivals.seen.keys() and time.monotonic() < end:
        time.sleep(0.01)
    return put_at


def watched(server, spool, options):
    """The seconds of each file with cds-watch, sorted."""
    arrivals = Arrivals(os.path.join(spool, 'new'))
    try:
        with watching(server, spool, '--every', options.every):
            time.sleep(2)
            put_at = put_files(server.directory, options.seconds, options.interval, arrivals)
    finally:
        arrivals.close()
    return figures(put_at, arrivals.seen)


def exported(server, spool, options):
    """The same for an export, from the spool to the server."""
    arrivals = Arrivals(server.directory)
    try:
        with watching(server, spool, '--direction', 'export', '--replace'):
            time.sleep(2)
            put_at = put_files(os.path.join(spool, 'new'), options.seconds / 4, options.interval,
                               arrivals)
    finally:
        arrivals.close()
    return figures(put_at, arrivals.seen)


LFTP = '''set cmd:fail-exit no; set net:max-retries 1; set xfer:clobber yes; set ftp:ssl-allow no
open -u %s,%s -p %d %s; lcd %s
'''


def mirrored(server, spool, options):
    """The same with a loop of lftp, which stays logged in and mirrors each second."""
    arrivals = Arrivals(os.path.join(spool, 'new'), None)
    lftp = subprocess.Popen(['lftp'], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, text=True)
    over = threading.Event()

    def loop():
        lftp.stdin.write(LFTP % (server.user, server.password, server.port, server.host,
                                 os.path.join(spool, 'new')))
        while not over.wait(1.0):
            lftp.stdin.write('mirror --Remove-source-files\ncache flush\n')
            lftp.stdin.flush()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        time.sleep(2)
        put_at = put_files(server.directory, options.seconds, options.interval, arrivals)
    finally:
        over.set()
        thread.join()
        lftp.kill()
        lftp.wait()
        arrivals.close()
    return figures(put_at, arrivals.seen)


def by_cron():
    """What is to be expected of a run each minute, whose own time is neglected."""
    return [float(second) for second in range(int(CRON))]


def told(what, seconds):
    print('%-44s median %6.3f s   99 %% %6.3f s   %d files' % (
        what, statistics.median(seconds), percentile(seconds, 0.99), len(seconds)), flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('servers', nargs='*', metavar='SERVER', help=', '.join(KINDS))
    parser.add_argument('--seconds', type=float, default=120.0, help='how long files are put')
    parser.add_argument('--interval', type=float, default=0.7, help='seconds between two files')
    parser.add_argument('--every', type=float, default=1.0, help='of cds-watch')
    options = parser.parse_args(argv)
    for name in options.servers or KINDS:
        if missing := KINDS[name].missing():
            print('Skipped: %s' % missing)
            continue
        for what, verb in (('cds-watch --every %g' % options.every, watched),
                           ('cds-watch, export', exported),
                           ('lftp, mirror each second', mirrored)):
            if verb is mirrored and (not shutil.which('lftp') or name not in (
                    'pyftpdlib', 'vsftpd', 'ProFTPD', 'Pure-FTPd')):
                continue
            directory = tempfile.mkdtemp(
                prefix='zeit.cds-', dir=MEMORY if os.path.isdir(MEMORY) else None)
            os.chmod(directory, 0o777)
            spool = new_spool()
            with KINDS[name](directory) as server:
                told('%s: %s' % (name, what), verb(server, spool, options))
            shutil.rmtree(spool)
            shutil.rmtree(directory, ignore_errors=True)
    told('cron, each minute (computed)', by_cron())
    if not shutil.which('lftp'):
        print('lftp is missing: apt-get install lftp')


if __name__ == '__main__':
    sys.exit(main())
