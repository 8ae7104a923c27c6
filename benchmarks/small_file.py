#!/usr/bin/env python3
"""Show where the time of a small file goes: a profile of an import, but for what the disk is made
to do in other threads.

    bin/py benchmarks/small_file.py --server Pure-FTPd --files 2000 --connections 1
"""
import argparse
import cProfile
import os
import pstats
import shutil
import sys
import time

from zeit.cds.feed import Feed
from zeit.cds.main import run_import


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))      # a buildout's bin/py does not

from compare import Import, make_files, SERVERS


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--server', choices=SERVERS, default='pyftpdlib')
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--connections', type=int, default=1)
    parser.add_argument('--lines', type=int, default=25)
    args = parser.parse_args()
    files = make_files(args.files, 4096)
    with SERVERS[args.server]() as server:
        for profiled in (False, True):
            target = Import.prepare(server, files)
            feed = Feed(store_dir=target, hostname=server.host, port=server.port, user=server.user,
                        password=server.password, connections=args.connections)
            begun, cpu = time.perf_counter(), time.process_time()
            if not profiled:
                outcome = run_import(feed)
                seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
                print('without the profiler: %d files, %.0f µs a file, '
                      'of which %.0f µs are CPU time of ours' % (
                    outcome.files, seconds / args.files * 1e6, cpu / args.files * 1e6))
            else:
                with cProfile.Profile() as profile:
                    run_import(feed)
                pstats.Stats(profile).sort_stats('tottime').print_stats(args.lines)
            shutil.rmtree(target)


if __name__ == '__main__':
    sys.exit(main())
