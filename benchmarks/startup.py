#!/usr/bin/env python3
"""Measure what a run costs that finds nothing: the CPU time of cds-import, old code beside new.

    bin/py benchmarks/startup.py --old REF --rounds 100

Interleaved, each a process of its own: importing the command, and a whole run on an empty
directory. The table shows medians (least to most) of user and system time.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import gocept.filestore

from zeit.cds.testing.servers import PyFTPD


TOP = Path(__file__).resolve().parents[1]
COUNT = 'print(len(sys.modules))'
IMPORT = 'import sys; from zeit.cds.%s import %s as command'
RUN = IMPORT + '; sys.exit(command())'


class Tree:
    """One state of the code: `source` is the directory to import it from."""

    def __init__(self, name, source):
        self.name = name
        entry = ('cli', 'import_')      # that of the script, in older states of the code
        if (exchange := source / 'zeit/cds/cli/exchange.py').is_file():
            name = 'cds_import' if 'def cds_import' in exchange.read_text() else 'import_'
            entry = ('cli.exchange', name)
        self.imported, self.run = IMPORT % entry, RUN % entry
        paths = [str(source), *(path for path in sys.path[1:]
                                if path and not Path(path, 'zeit', 'cds').is_dir())]
        self.environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}
        # The first process leaves the bytecode for the others, whatever whoever measures has set.
        self.environ.pop('PYTHONDONTWRITEBYTECODE', None)

    def command(self, code, *args):
        return [sys.executable, '-P', '-c', code, *args]

    def modules(self):
        """How many modules are there when the command was imported."""
        return int(subprocess.run(self.command(self.imported + ';' + COUNT), env=self.environ,
                                  check=True, capture_output=True, text=True).stdout)

    def seconds(self, code, *args):
        """The CPU time of a process that has to end well, in seconds."""
        pid = os.posix_spawn(sys.executable, self.command(code, *args), self.environ)
        _, status, usage = os.wait4(pid, 0)
        if status:
            raise SystemExit('%s: status %d' % (self.name, os.waitstatus_to_exitcode(status)))
        return usage.ru_utime + usage.ru_stime


def checked_out(ref, place):
    """The source of a commit, in a directory of its own."""
    archive = subprocess.run(['git', '-C', str(TOP), 'archive', ref, 'src'], check=True,
                             stdout=subprocess.PIPE).stdout
    subprocess.run(['tar', '-x', '-C', place], input=archive, check=True)
    return Path(place, 'src')


def measure(trees, server, rounds):
    """{(what, name of a tree): list of seconds}"""
    store = tempfile.mkdtemp(prefix='zeit.cds-startup-')
    gocept.filestore.FileStore(store).prepare()
    url = 'ftp://%s@%s:%d/' % (server.user, server.host, server.port)
    found = {}
    try:
        for n in range(-1, rounds):         # the first one only makes Python compile the code
            for tree in trees if n % 2 else trees[::-1]:
                tree.environ['CDS_PASSWORD'] = server.password
                for what, code, args in (('import', tree.imported, ()),
                                         ('empty run', tree.run, ('-q', store, url))):
                    seconds = tree.seconds(code, *args)
                    if n >= 0:
                        found.setdefault((what, tree.name), []).append(seconds)
    finally:
        shutil.rmtree(store)
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--old', metavar='REF', help='a commit to compare with')
    parser.add_argument('--rounds', type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, PyFTPD() as server:
        trees = [Tree('new', TOP / 'src')]
        if args.old:
            trees.insert(0, Tree('old', checked_out(args.old, place)))
        found = measure(trees, server, args.rounds)
        print('%d rounds; ms of CPU time, median (least to most)' % args.rounds)
        for (what, name), seconds in sorted(found.items()):
            print('%-10s %-4s %6.1f (%.1f to %.1f)' % (
                what, name, *(1e3 * value for value in (
                    statistics.median(seconds), min(seconds), max(seconds)))))
        for what in ('import', 'empty run') if args.old else ():
            old, new = (statistics.median(found[what, name]) for name in ('old', 'new'))
            print('%-10s new/old: %.3f' % (what, new / old))
        print('modules imported: %s' % ', '.join(
            '%s %d' % (tree.name, tree.modules()) for tree in trees))


if __name__ == '__main__':
    sys.exit(main())
