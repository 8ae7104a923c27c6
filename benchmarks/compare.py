#!/usr/bin/env python3
"""Measure cds-import beside lftp and rclone: all move the files of one FTP directory into a local
one.

Each program in turn, as a whole process, in interleaved rounds; what it did is checked (every file
whole, nothing left on the server). cds-import makes every file durable before it removes it on the
server, and publishes in order; the others don't. The table shows medians (least to most) and the
ratio to the best other program of the same round.

    bin/py benchmarks/compare.py --files 2000 --rounds 5 --plot small.svg
    bin/py benchmarks/compare.py --files 4 --size 268435456 --servers vsftpd
"""
import argparse
import functools
import hashlib
import importlib.util
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from zeit.cds.testing.servers import ProFTPD, PureFTPD, PyFTPD, VsFTPD


SERVERS = {server.name: server for server in (PyFTPD, VsFTPD, ProFTPD, PureFTPD)}
LFTP = ('net:max-retries 5', 'net:reconnect-interval-base 1', 'ftp:ssl-allow off',
        'mirror:set-permissions off', 'cmd:fail-exit yes')
LFTP_FAST = ('ftp:sync-mode off', 'ftp:use-mdtm off')


# ---------------------------------------------------------------- the programs

class Program:
    """Something that moves a directory.

    `name` is for the table, `binary` is what has to be installed.
    """

    def __init__(self, name, binary, command):
        self.name, self.binary, self.command = name, binary, command

    @property
    def missing(self):
        return None if shutil.which(self.binary) else '%s is not installed: left out' % self.binary

    def run(self, server, target):
        """Returns (seconds, CPU seconds)."""
        argv, environment = self.command(server, target)
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(argv, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit('%s failed with status %d:\n%s' % (self.name, done.returncode,
                                                                done.stdout[-2000:]))
        return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cds(verb, connections):
    """cds-import or cds-export."""
    def command(server, store):
        return [sys.executable, '-c',
                'import sys; from zeit.cds.cli import exchange; exchange.cds_%s()' % verb,
                store,
                'ftp://%s@%s:%d/' % (server.user, server.host, server.port), '--connections',
                str(connections), '-q',
                ], {'CDS_PASSWORD': server.password, 'PYTHONPATH': os.pathsep.join(sys.path)}
    return command


def lftp(mirror, parallel, *settings):
    """mirror -- the command, with %s for the spool"""
    def command(server, store):
        return ['lftp', '--norc', '-c', '; '.join([
            *('set ' + setting for setting in (*LFTP, *settings)),
            'open -u %s,%s -p %d %s' % (server.user, server.password, server.port, server.host),
            'mirror --parallel=%d --Remove-source-files --no-perms ' % parallel + mirror
            % store])], {}
    return command


def rclone(source, target, transfers, program='rclone'):
    """source, target -- with %s for the spool, if it's there"""
    def command(server, store):
        hidden = subprocess.run([program, 'obscure', server.password], check=True, text=True,
                                stdout=subprocess.PIPE)
        return [program, 'move', source.replace('%s', store), target.replace('%s', store),
                '--config', os.devnull,
                '--ftp-host', server.host, '--ftp-port', str(server.port), '--ftp-user',
                server.user,
                '--ftp-pass', hidden.stdout.strip(), '--transfers', str(transfers), '-q'], {}
    return command


def all_programs(ours, verb, mirror, source, target, connections):
    return [Program('%s (1)' % ours, sys.executable, cds(verb, 1)),
            Program('%s (%d)' % (ours, connections), sys.executable, cds(verb, connections)),
            Program('lftp (1)', 'lftp', lftp(mirror, 1)),
            Program('lftp (8, tuned)', 'lftp', lftp(mirror, 8, *LFTP_FAST)),
            Program('lftp (16, tuned)', 'lftp', lftp(mirror, 16, *LFTP_FAST)),
            Program('rclone (8)', 'rclone', rclone(source, target, 8))]


# ---------------------------------------------------------------- the files

def make_files(number, size):
    """Names and contents: {name: bytes}; the large ones share one block."""
    chance = random.Random(7)
    block = chance.randbytes(min(size, 2**20))
    body = (block * (size // len(block) + 1))[:size] if size else b''
    return {'article-%06d.xml' % n: body for n in range(number)}


def fill(directory, files):
    for name, body in files.items():
        with open(os.path.join(directory, name), 'wb') as f:
            f.write(body)


def new_spool():
    store = tempfile.mkdtemp(prefix='cds-benchmark-')
    for name in ('tmp', 'new', 'cur'):
        os.mkdir(os.path.join(store, name))
    return store


def check(program, files, there, left):
    """Raises SystemExit unless all files were moved, whole, and nothing else.

    there -- {name: path} of what has arrived; left -- names of what is still where it was
    """
    wrong = [name for name, body in files.items() if name not in there
             or not same(there[name], body)]
    if wrong or left or len(there) != len(files):
        raise SystemExit(
            '%s did not do its job: %d files wrong or missing, %d left, %d have arrived, not %d' % (
            program.name, len(wrong), len(left), len(there), len(files)))


def below(directory):
    """{name: path} of all files below a directory but our lock files."""
    return {name: os.path.join(path, name) for path, _, names in os.walk(directory)
            for name in names
            if not name.endswith('.lock')}


def same(path, body):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').digest() == hashlib.sha256(body).digest()


# ---------------------------------------------------------------- measuring and telling

class Import:
    """From the FTP directory into the spool."""

    text = __doc__
    programs = staticmethod(functools.partial(all_programs, 'cds-import', 'import', '/ %s',
                                              ':ftp:/', '%s'))

    @staticmethod
    def prepare(server, files):
        """Put the files where they come from; returns the spool."""
        server.clear()
        fill(server.directory, files)
        return new_spool()

    @staticmethod
    def remove(store):
        shutil.rmtree(store)

    @staticmethod
    def check(program, server, store, files):
        check(program, files, below(store),
              [name for name in os.listdir(server.directory) if name in files])


def measure(task, args, kind, contenders):
    """{program's name: [(seconds, CPU seconds) of each round]}"""
    files = make_files(args.files, args.size)
    results = {program.name: [] for program in contenders}
    with SERVERS[kind]() as server:
        for n in range(args.rounds):
            for program in contenders:
                store = task.prepare(server, files)
                try:
                    results[program.name].append(program.run(server, store))
                    task.check(program, server, store, files)
                finally:
                    task.remove(store)
                print('%s, round %d, %s: %.2f s' % (kind, n + 1, program.name,
                                                    results[program.name][-1][0]),
                      file=sys.stderr)
    return results


def spread(values, form):
    return '%s (%s to %s)' % tuple(form % v
                                   for v in (statistics.median(values), min(values), max(values)))


def table(args, results):
    """Lines of the table of one server's results."""
    unit, amount = ('MB/s', args.files * args.size / 1e6) if args.size >= 2**20 else ('files/s',
                                                                                      args.files)
    rates = {name: [amount / seconds for seconds, _ in rounds] for name, rounds in results.items()}
    others = [name for name in rates if not name.startswith('cds-')]
    best = max(others, key=lambda name: statistics.median(rates[name])) if others else None
    yield '%-24s %-28s %-22s %s' % ('program', unit, 'CPU s', 'ratio to ' + best if best else '')
    for name, values in rates.items():
        ratio = spread([a / b for a, b in zip(values, rates[best])],
                       '%.2f') if best and name not in others else ''
        yield '%-24s %-28s %-22s %s' % (
            name, spread(values, '%.0f'), spread([cpu for _, cpu in results[name]], '%.2f'), ratio)


def plot(args, everything, path):
    import matplotlib
    matplotlib.use('svg' if path.endswith('.svg') else 'agg')
    from matplotlib import pyplot
    amount = args.files * args.size / 1e6 if args.size >= 2**20 else args.files
    names = list(next(iter(everything.values())))
    figure, axes = pyplot.subplots(figsize=(9, 4.5))
    width = 0.8 / len(names)
    for n, name in enumerate(names):
        medians = [statistics.median(amount / s for s, _ in results[name])
                   for results in everything.values()]
        axes.bar([x + n * width for x in range(len(everything))], medians, width, label=name)
    axes.set_xticks([x + 0.4 - width / 2 for x in range(len(everything))], list(everything))
    axes.set_ylabel('MB/s' if args.size >= 2**20 else 'files/s')
    axes.set_title('%d files of %d bytes, median of %d rounds' % (args.files, args.size,
                                                                  args.rounds))
    axes.legend(fontsize='small')
    figure.tight_layout()
    figure.savefig(path)


def main(task):
    parser = argparse.ArgumentParser(description=task.text,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--size', type=int, default=4096, help='bytes of a file (default: 4096)')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--connections', type=int, default=4)
    parser.add_argument('--servers', default=','.join(SERVERS), help='(default: %(default)s)')
    parser.add_argument('--plot', metavar='FILE',
                        help='draw the medians, as SVG or PNG (needs matplotlib)')
    args = parser.parse_args()
    if args.plot and importlib.util.find_spec('matplotlib') is None:
        parser.error('--plot needs matplotlib, which zeit.cds[bench] brings')
    contenders = []
    for program in task.programs(args.connections):
        print(program.missing, file=sys.stderr) if program.missing else contenders.append(program)
    everything = {}
    for kind in args.servers.split(','):
        if missing := SERVERS[kind].missing():
            print('%s is left out: %s' % (kind, missing), file=sys.stderr)
        else:
            everything[kind] = measure(task, args, kind, contenders)
    print('%s, Python %s, %d CPUs, %d files of %d bytes, %d rounds' % (
        time.strftime('%Y-%m-%d'), sys.version.split()[0], os.cpu_count(), args.files, args.size,
        args.rounds))
    for kind, results in everything.items():
        print('\n%s' % kind, *table(args, results), sep='\n')
    if args.plot:
        plot(args, everything, args.plot)


if __name__ == '__main__':
    main(Import)
