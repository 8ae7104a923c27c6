"""Exports killed at every step, and run again: is anything lost, sent twice, seen in part, or left
behind?

Run by tools/kill-exports, and in short by the tests. What a step is tells
zeit.cds.tests.crash.kills.
"""
import argparse
import contextlib
import logging
import os
import shutil
import sys
import time

from zeit.cds.feed import Feed
from zeit.cds.ftp.control import Control
from zeit.cds.lock.directory import Tuning
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.sftp.channel import Channel
from zeit.cds.spool import filesystem
from zeit.cds.spool.journal import JOURNAL
from zeit.cds.spool.outbox import FileSource
from zeit.cds.spool.tests.recorder import MODULES
from zeit.cds.tests.crash import journals
from zeit.cds.tests.crash.kills import (
    ALL,
    CountedOs,
    in_child,
    kill_everywhere,
    NEVER,
    Steps,
    wait_for_sessions_to_end,
)
from zeit.cds.tests.importing import connected, contents, new_spool, put
from zeit.cds.transfer.exporting import Export


CALLS = ('open', 'write', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'unlink')


class ExportSteps(Steps):

    def watch(self):
        Control.transmit = self.around(Control.transmit)
        Channel.flush = self.around(Channel.flush)
        counted = CountedOs(self)
        for name in CALLS:
            setattr(counted, name, self.before(getattr(os, name)))
        for module in MODULES:
            module.os = counted
        filesystem.move = self.around(filesystem.move)


def run_export(server, store_dir, last=NEVER, kept=None, **settings):
    """An export in a process of its own that is killed at step `last`: 'STEPS OUTCOME', or None if
    it was killed.
    """
    def child():
        journal = kept and kept.journal
        logging.getLogger('zeit.cds').setLevel(logging.CRITICAL)
        steps = ExportSteps(last)
        steps.watch()
        if journal is not None:
            journals.watch(steps)
            if last < NEVER:
                kept.spoil()
        feed = Feed(store_dir=store_dir, timeout=20, retries=1, direction='export',
                    **server.feed, **settings)
        outcome = Export(*connected(feed), LockFile(Tuning(mutex_grace=1.0)), FileSource(),
                         journal=journal)()
        return '%d %s' % (steps.count, 'success' if outcome.successful else repr(outcome))
    return in_child(child)


class ExportMatrix:
    """A server, and what is done at each kill point. (Six of its attributes are the arguments.)"""

    def __init__(self, server, files, connections=1, consume=False, renew=False, atomic=True,
                 journal=None):
        """
        files -- how many
        consume -- does a consumer that heeds no lock take all files from the server between the
        killed run and the next?
        renew -- has the CMS put a new version of one of the files into new by then?
        atomic -- does the server allow to rename, so that nobody may ever see a part of a file?
        journal -- see `journals.kept`
        """
        self.server, self.files, self.connections = server, files, connections
        self.consume, self.renew, self.atomic = consume, renew, atomic
        self.store_dir = new_spool()
        self.versions, self.withdrawn, self.taken = set(), set(), []    # of (name, data)
        self.wrong, self.kept = [], journals.kept(journal)

    def close(self):
        self.kept.close()
        shutil.rmtree(self.store_dir)

    def run(self, last=NEVER):
        return run_export(self.server, self.store_dir, last, self.kept,
                          connections=self.connections)

    def steps(self):
        """How many steps there are in a run that nobody kills."""
        self.prepare()
        count, _, outcome = self.run().partition(' ')
        if outcome != 'success':
            raise RuntimeError(outcome)
        self.look(0)
        return int(count)

    def kill_at(self, step):
        """Returns whether the run got that far. What is wrong afterwards is added to `wrong`."""
        self.prepare()
        text = self.run(step)
        if text is None:
            self.between(step)
        for run in 1, 2:        # a new version waits until somebody has taken the old one
            text = self.run()
            if not text or not text.endswith(' success'):
                self.wrong.append('step %d, run %d: %s' % (step, run, text))
            self.check_nothing_left(step)
            self.take(step)
            self.wrong += ['step %d, run %d: %s' % (step, run, text)
                           for text in self.kept.wrong(self.taken)]
        self.look(step)
        return text is None

    def prepare(self):
        self.server.clear()
        self.kept.begin()
        for name in ('new', 'cur'):
            for entry in os.scandir(os.path.join(self.store_dir, name)):
                os.unlink(entry.path)
        self.versions, self.withdrawn, self.taken = set(), set(), []
        for n in range(self.files):
            self.offer('file-%d' % n, b'%d.' % n * (10 ** (n % 4)))

    def offer(self, name, data):
        put(os.path.join(self.store_dir, 'new'), name, data)
        self.versions.add((name.encode(), data))

    def between(self, step):
        """After a kill: not before the server has done all that the killed run sent."""
        wait_for_sessions_to_end(self.server)
        if self.consume:
            self.take(step)
        if self.renew:
            if b'file-1' in contents(os.path.join(self.store_dir, 'new')):
                self.withdrawn = {version for version in self.versions if version[0] == b'file-1'}
                self.versions -= self.withdrawn
            self.offer('file-1', b'a new version' + b'.' * 5000)

    def take(self, step):
        """Be the consumer."""
        for name, data in contents(self.server.directory).items():
            if name.startswith(b'.') or name in (b'read', b'write'):
                continue
            if (name, data) not in self.versions | self.withdrawn:
                self.wrong.append('step %d: partial: %r, %d bytes' % (step, name, len(data)))
            self.taken.append((name, data))
            os.unlink(os.path.join(os.fsencode(self.server.directory), name))

    def check_nothing_left(self, step):
        """After the run that follows the killed one."""
        there = contents(self.server.directory)
        left = [name for name in there if name.startswith(b'.') or name in (b'read', b'write')]
        notes = os.path.getsize(os.path.join(self.store_dir, JOURNAL))
        if left or notes:
            self.wrong.append('step %d: left behind: %r, %d bytes of notes' % (step, left, notes))

    def look(self, step):
        """Did each version that waited arrive once, and is nothing left?"""
        self.take(step)
        if rest := contents(os.path.join(self.store_dir, 'new')).keys():
            self.wrong.append('step %d: never sent: %r' % (step, rest))
        for version in set(self.taken):
            if self.taken.count(version) > 1:
                self.wrong.append('step %d: sent twice: %r' % (step, version[0]))
        for name, _ in self.versions - set(self.taken):
            self.wrong.append('step %d: lost: %r' % (step, name))


# (sessions, whether a consumer takes the files meanwhile, whether there are new versions then)
KINDS = [(1, False, False), (1, True, False), (1, True, True), (1, False, True),
         (4, False, False), (4, True, True)]


def main():
    parser = argparse.ArgumentParser(
        prog='kill-exports',
        description='Kill an export at each of its steps, run it again, and look what became of '
                    'the files. Prints how many kill points there were.')
    parser.add_argument('--files', type=int, default=8)
    parser.add_argument('--points', type=int,
                        help='so many steps of each kind of run, evenly spread (default: all)')
    parser.add_argument('--servers', nargs='+', default=['pyftpdlib', 'vsftpd'],
                        help='of %s' % ', '.join(kind.name for kind in ALL))
    parser.add_argument('--journal', metavar='URL',
                        help='keep one, and see what it says; sqlite: in a file of its own; '
                             'sqlite:locked, :full, :read-only: of the run that is killed')
    options = parser.parse_args()
    total, bad = 0, 0
    for kind in ALL:
        if kind.name not in options.servers:
            continue
        for connections, consume, renew in KINDS:
            with kind() as server, contextlib.closing(
                    ExportMatrix(server, options.files, connections, consume, renew,
                                 journal=options.journal)) as matrix:
                begun = time.monotonic()
                count, steps = kill_everywhere(matrix, options.points)
            total, bad = total + count, bad + len(matrix.wrong)
            print('%-10s %d session%s%s%s: %d steps, killed at %d, %d faults, %.0f s' % (
                kind.name, connections, ' s'[connections > 1], ', taken' if consume else '',
                ', renewed' if renew else '',
                steps, count, len(matrix.wrong), time.monotonic() - begun), flush=True)
            for text in matrix.wrong[:10]:
                print('    ', text[:300])
    print('%d kill points, %d faults: %s' % (total, bad,
                                             'nothing lost, nothing twice' if not bad
                                             else 'FAILED'))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
