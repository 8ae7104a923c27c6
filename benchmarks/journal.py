#!/usr/bin/env python3
"""What a journal costs: imports with one and without, in turn, by one process that goes on, or by
one process each.

    bin/py benchmarks/journal.py --files 2000 --rounds 5
    bin/py benchmarks/journal.py --files 2000 --rounds 5 --processes
    bin/py benchmarks/journal.py --files 4 --size 268435456 --server vsftpd
"""
import argparse
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time

from zeit.cds.feed import Feed
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.main import run_import


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))      # a buildout's bin/py does not

from compare import cds, Import, make_files, Program, SERVERS


def used():
    """CPU time of this process, seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run(server, files, journal, connections):
    """(seconds, of them CPU time) of an import."""
    target = Import.prepare(server, files)
    feed = Feed(store_dir=target, hostname=server.host, port=server.port, user=server.user,
                password=server.password, connections=connections)
    os.sync()
    begun, cpu = time.perf_counter(), used()
    outcome = run_import(feed, journal=journal)
    found = time.perf_counter() - begun, used() - cpu
    if outcome.files != len(files):
        raise RuntimeError('%r' % outcome)
    shutil.rmtree(target)
    return found


def run_process(server, files, journal, connections):
    """The same of cds-import. journal -- SQLJournal or None"""
    target = Import.prepare(server, files)
    command = cds('import', connections)

    def with_journal(*args):
        argv, environment = command(*args)
        return argv + (['--journal', journal.url] if journal else []), environment
    os.sync()
    found = Program('cds-import', sys.executable, with_journal).run(server, target)
    if len(os.listdir(os.path.join(target, 'new'))) != len(files):
        raise RuntimeError('files are missing')
    shutil.rmtree(target)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--server', choices=SERVERS, default='pyftpdlib')
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--size', type=int, default=4096)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--connections', type=int, default=4)
    parser.add_argument('--journal', metavar='URL', help='(default: a file of SQLite)')
    parser.add_argument('--processes', action='store_true', help='each run is a process')
    args = parser.parse_args()
    measured_run = run_process if args.processes else run
    files = make_files(args.files, args.size)
    with SERVERS[args.server]() as server, tempfile.TemporaryDirectory() as directory:
        journal = SQLJournal(args.journal or os.path.join(directory, 'journal'))
        begun = time.perf_counter()
        with journal.ask():
            print('loading SQLAlchemy and making the tables: %.0f ms, once in a process' % (
                (time.perf_counter() - begun) * 1000))
        rounds = [[measured_run(server, files, kept, args.connections)
                   for kept in (None, journal)] for _ in range(args.rounds)]
    for name, measured in zip(('without', 'with a journal'), zip(*rounds)):
        seconds = sorted(found[0] for found in measured)
        print('%-15s %.3f s (%.3f-%.3f), CPU time %.3f s' % (
            name, statistics.median(seconds), seconds[0], seconds[-1],
            statistics.median(found[1] for found in measured)))
    for what, index in ('', 0), (' of CPU times', 1):
        ratios = sorted(without[index] / kept[index] for without, kept in rounds)
        print('ratio%s %.2f (%.2f-%.2f)' % (
            what, statistics.median(ratios), ratios[0], ratios[-1]))


if __name__ == '__main__':
    sys.exit(main())
