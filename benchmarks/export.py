#!/usr/bin/env python3
"""Measure cds-export beside lftp and rclone: all move the files of a local directory into one FTP directory.

As in compare.py: each program as a whole process, in interleaved rounds; what it did is checked (every file whole on the
server, none left in the directory). cds-export gives files their names when they are whole, never overwrites one that is
there, and keeps notes on the disk, so that a kill neither loses nor doubles a file; the others don't.

    bin/py benchmarks/export.py --files 2000 --rounds 5
    bin/py benchmarks/export.py --files 200 --connections 8 --rtt 20    # as root; needs unshare, ip and tc with netem
"""
import argparse
import os
import shlex
import shutil
import sys
import tempfile
import time

from compare import LFTP, LFTP_FAST, Program, SERVERS, make_files, plot, same, table


DIRECTORIES = 'tmp', 'new', 'cur'


def cds_export(connections):
    def command(server, store):
        return [sys.executable, '-c', 'import sys; from zeit.cds.cli import export; sys.exit(export())', store,
                'ftp://%s@%s:%d/' % (server.user, server.host, server.port), '--connections', str(connections), '-q',
                ], {'CDS_PASSWORD': server.password, 'PYTHONPATH': os.pathsep.join(sys.path)}
    return command


def lftp(parallel, *settings):
    def command(server, store):
        return ['lftp', '--norc', '-c', '; '.join([
            *('set ' + setting for setting in (*LFTP, *settings)),
            'open -u %s,%s -p %d %s' % (server.user, server.password, server.port, server.host),
            'mirror -R --parallel=%d --Remove-source-files --no-perms %s/new /' % (parallel, store)])], {}
    return command


def rclone(transfers):
    def command(server, store):
        from subprocess import check_output
        hidden = check_output(['rclone', 'obscure', server.password], text=True).strip()
        return ['rclone', 'move', store + '/new', ':ftp:/', '--config', os.devnull, '--ftp-host', server.host,
                '--ftp-port', str(server.port), '--ftp-user', server.user, '--ftp-pass', hidden,
                '--transfers', str(transfers), '-q'], {}
    return command


def programs(connections):
    found = {1, connections}
    return [*(Program('cds-export (%d)' % n, sys.executable, cds_export(n)) for n in sorted(found)),
            Program('lftp (1)', 'lftp', lftp(1)),
            Program('lftp (%d)' % connections, 'lftp', lftp(connections)),
            Program('lftp (%d, tuned)' % connections, 'lftp', lftp(connections, *LFTP_FAST)),
            Program('lftp (8, tuned)', 'lftp', lftp(8, *LFTP_FAST)),
            Program('rclone (%d)' % connections, 'rclone', rclone(connections))]


def fill(files):
    """A spool with the files in new; its path."""
    store = tempfile.mkdtemp(prefix='cds-benchmark-')
    for name in DIRECTORIES:
        os.mkdir(os.path.join(store, name))
    for name, body in files.items():
        with open(os.path.join(store, 'new', name), 'wb') as f:
            f.write(body)
    return store


def check(program, server, store, files):
    """Raises SystemExit unless all files were moved, whole, and nothing else."""
    there = os.listdir(server.directory)
    wrong = [name for name, body in files.items()
             if name not in there or not same(os.path.join(server.directory, name), body)]
    new = os.path.join(store, 'new')
    left = os.listdir(new) if os.path.isdir(new) else []
    if wrong or left or len(there) != len(files):
        raise SystemExit('%s did not do its job: %d files wrong or missing, %d left, %d instead of %d on the server' % (
            program.name, len(wrong), len(left), len(there), len(files)))


def measure(args, kind, contenders):
    """{program's name: [(seconds, CPU seconds) of each round]}"""
    files = make_files(args.files, args.size)
    results = {program.name: [] for program in contenders}
    with SERVERS[kind]() as server:
        for n in range(args.rounds):
            for program in contenders:
                server.clear()
                store = fill(files)
                try:
                    results[program.name].append(program.run(server, store))
                    check(program, server, store, files)
                finally:
                    shutil.rmtree(store)
                print('%s, round %d, %s: %.2f s' % (kind, n + 1, program.name, results[program.name][-1][0]),
                      file=sys.stderr)
    return results


def delayed(rtt):
    """Run this again where each packet takes rtt/2 milliseconds; does not return."""
    again = [sys.executable, *sys.argv, '--delayed']
    os.execvp('unshare', ['unshare', '--net', 'sh', '-ec', 'ip link set lo up; tc qdisc add dev lo root netem delay '
                          '%gms limit 100000; exec %s' % (rtt / 2, shlex.join(again))])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--size', type=int, default=4096, help='bytes of a file (default: 4096)')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--connections', type=int, default=4)
    parser.add_argument('--servers', default=','.join(SERVERS), help='(default: %(default)s)')
    parser.add_argument('--rtt', type=float, metavar='MS', help='delay each packet, for so long a round trip')
    parser.add_argument('--only', default='', help='only programs whose names begin with one of these, by commas')
    parser.add_argument('--plot', metavar='FILE', help='draw the medians, as SVG or PNG (needs matplotlib)')
    parser.add_argument('--delayed', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rtt and not args.delayed:
        delayed(args.rtt)
    contenders = []
    for program in programs(args.connections):
        if program.name.startswith(tuple(args.only.split(','))):
            print(program.missing, file=sys.stderr) if program.missing else contenders.append(program)
    everything = {}
    for kind in args.servers.split(','):
        if missing := SERVERS[kind].missing():
            print('%s is left out: %s' % (kind, missing), file=sys.stderr)
        else:
            everything[kind] = measure(args, kind, contenders)
    print('%s, Python %s, %d CPUs, %d files of %d bytes, %d rounds, round trip %g ms' % (
        time.strftime('%Y-%m-%d'), sys.version.split()[0], os.cpu_count(), args.files, args.size, args.rounds,
        args.rtt or 0))
    for kind, results in everything.items():
        print('\n%s' % kind, *table(args, results), sep='\n')
    if args.plot:
        plot(args, everything, args.plot)


if __name__ == '__main__':
    main()
