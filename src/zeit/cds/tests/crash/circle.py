"""Exporters and importers, each a process with a spool of its own, exchange files through one
directory, all at once.

Run by tools/circle, and in short by the tests. A CMS puts files into each exporter's spool while
that works. Whoever has the lock makes a directory of ours; if it is there already, two hold the
lock at the same time.
"""
import argparse
import contextlib
import dataclasses
import logging
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time

from zeit.cds.feed import Feed
from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import CDSError, Locked
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.outbox import FileSource
from zeit.cds.testing.servers import SERVERS
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.transfer.exporting import Export
from zeit.cds.transfer.importing import Import


PROCESSES = multiprocessing.get_context('fork')
PAUSE = 0.05        # seconds, at most, between two runs of one process


@dataclasses.dataclass
class Figures:
    """What happened; figures of several processes can be added."""

    files: int = 0          # exchanged
    runs: int = 0
    locked: int = 0         # runs that found the directory locked
    overlaps: int = 0       # times that two had the lock
    errors: list = dataclasses.field(default_factory=list)      # in words

    def __add__(self, other):
        return Figures(*(getattr(self, field.name) + getattr(other, field.name)
                         for field in dataclasses.fields(self)))


class WatchedLock(LockFile):
    """Counts how often somebody else has the lock that we have."""

    def __init__(self, place):
        super().__init__()
        self.place, self.overlaps = place, 0

    @contextlib.contextmanager
    def hold(self, *args):
        with super().hold(*args) as held:
            try:
                os.mkdir(self.place)
            except FileExistsError:
                self.overlaps += 1
                yield held
            else:
                try:
                    yield held
                finally:
                    os.rmdir(self.place)


def body(name):
    """The contents of a file, which follow from its name."""
    chance = random.Random(name)
    return chance.randbytes(int(2 ** chance.uniform(0, 15)))


class Partner:
    """One process: runs again and again."""

    def __init__(self, server, store_dir, place, connections, results):
        self.store_dir, self.results = store_dir, results
        self.settings = dict(
            store_dir=store_dir, hostname=server.host, port=server.port, user=server.user,
            password=server.password, connections=connections, timeout=60)
        self.lock, self.figures = WatchedLock(place), Figures()
        self.process = PROCESSES.Process(target=self.work)

    def work(self):
        logging.getLogger('zeit.cds').setLevel(logging.CRITICAL)
        try:
            self.loop()
        except BaseException as e:
            self.figures.errors.append(repr(e))
        self.figures.overlaps = self.lock.overlaps
        self.results.put(self.figures)

    def once(self, procedure, direction, spools):
        """Run once; the Outcome."""
        feed = Feed(direction=direction, **self.settings)
        outcome = procedure(feed, FTPConnection(), self.lock, spools)()
        self.figures.runs += 1
        self.figures.files += outcome.files
        if isinstance(outcome.error, Locked):
            self.figures.locked += 1
        elif outcome.error is not None and not isinstance(outcome.error, CDSError):
            raise outcome.error     # a defect: it would happen again and again
        elif not outcome.successful:
            self.figures.errors.append('%r %r' % (outcome.error, outcome.failed))
        time.sleep(random.uniform(0, PAUSE))
        return outcome


class Exporter(Partner):

    def __init__(self, names, *args):
        self.names = names
        super().__init__(*args)

    def loop(self):
        names, new = list(self.names), os.path.join(self.store_dir, 'new')
        while names or os.listdir(new):
            some = random.randint(1, 100)
            for name in names[:some]:
                put(new, name, body(name))
            del names[:some]
            self.once(Export, 'export', FileSource())


class Importer(Partner):

    def __init__(self, ended, *args):
        self.ended = ended
        super().__init__(*args)

    def loop(self):
        while True:
            last = self.ended.is_set()
            outcome = self.once(Import, 'import', FileSink())
            if last and outcome.error is None and not outcome.files:
                return


def run(server, files, exporters, importers, connections=2):
    """Returns the Figures of the exporters and of the importers, and the list of names that
    importers published.
    """
    results, ended = [PROCESSES.Queue(), PROCESSES.Queue()], PROCESSES.Event()
    work = tempfile.mkdtemp(prefix='zeit.cds-circle-')
    place = os.path.join(work, 'locked')
    names = ['file-%06d.xml' % n for n in range(files)]
    spools = [new_spool() for _ in range(exporters + importers)]
    try:
        first = [Exporter(names[n::exporters], server, spools[n], place, connections, results[0])
                 for n in range(exporters)]
        second = [Importer(ended, server, spool, place, connections, results[1])
                  for spool in spools[exporters:]]
        for partner in first + second:
            partner.process.start()
        exported = sum((results[0].get() for _ in first), Figures())
        ended.set()
        imported = sum((results[1].get() for _ in second), Figures())
        for partner in first + second:
            partner.process.join()
        return exported, imported, [published for spool in spools[exporters:]
                                    for published in arrived(spool)]
    finally:
        for path in [work, *spools]:
            shutil.rmtree(path, ignore_errors=True)


def arrived(spool):
    """Names of what was published; one that is not whole is marked."""
    for name, data in contents(os.path.join(spool, 'new')).items():
        name = name.decode()
        yield name if data == body(name) else name + ' (damaged)'


def main():
    parser = argparse.ArgumentParser(
        prog='circle',
        description='Exporters and importers exchange files through one FTP directory, all at '
                    'once. Prints what was lost or doubled, and whether locks overlapped.')
    parser.add_argument('--files', type=int, default=10000)
    parser.add_argument('--exporters', type=int, default=4)
    parser.add_argument('--importers', type=int, default=4)
    parser.add_argument('--connections', type=int, default=2,
                        help='of each of them (default: %(default)s)')
    parser.add_argument('--server', default='vsftpd', choices=[kind.name for kind in SERVERS])
    args = parser.parse_args()
    kind, = [kind for kind in SERVERS if kind.name == args.server]
    begun = time.monotonic()
    with kind() as server:
        exported, imported, published = run(server, args.files, args.exporters, args.importers,
                                            args.connections)
        left = sorted(os.listdir(server.directory))
    seconds = time.monotonic() - begun
    lost = args.files - len(set(published))
    doubled = len(published) - len(set(published))
    damaged = sum(name.endswith(' (damaged)') for name in published)
    overlaps = exported.overlaps + imported.overlaps
    errors = exported.errors + imported.errors
    print('%s, %d exporters, %d importers, %d files, %.0f s' % (
        args.server, args.exporters, args.importers, args.files, seconds))
    print('exported: %d files in %d runs, %d times locked' % (exported.files, exported.runs,
                                                              exported.locked))
    print('imported: %d files in %d runs, %d times locked' % (imported.files, imported.runs,
                                                              imported.locked))
    print('lost: %d, doubled: %d, damaged: %d, overlaps of locks: %d, left on the server: %d' % (
        lost, doubled, damaged, overlaps, len(left)))
    for name in left[:10]:
        print('left:', name)
    for error in errors[:10]:
        print('error:', error[:300])
    return 1 if lost or doubled or damaged or overlaps or left or errors else 0


if __name__ == '__main__':
    sys.exit(main())
