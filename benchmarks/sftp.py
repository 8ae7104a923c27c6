#!/usr/bin/env python3
"""Measure cds-import over SFTP beside lftp, rclone and OpenSSH's sftp, all from one sshd.

As compare.py does it. With --delay, all connections go through a relay that lets each byte arrive
so much later, and back.

    bin/py benchmarks/sftp.py --files 2000 --rounds 3
    bin/py benchmarks/sftp.py --files 200 --delay 0.02 --connections 8
    bin/py benchmarks/sftp.py --files 4 --size 268435456
"""
import argparse
import asyncio
import multiprocessing
import os
import socket
import sys
import time

from zeit.cds.testing.sshd import SSHD


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))      # a buildout's bin/py does not

import compare  # noqa: E402


CIPHERS = 'Ciphers=^aes128-gcm@openssh.com'     # what rclone has first; ssh by itself takes longer
OPTIONS = ['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', '-o', CIPHERS,
           '-F', os.devnull]


# ---------------------------------------------------------------- the programs

def ssh(server):
    """Options of ssh, and of sftp, for the server."""
    return [*OPTIONS, '-o', 'UserKnownHostsFile=' + server.known_hosts,
            '-i', server.identity]


def cds(connections):
    def command(server, store):
        config = os.path.join(os.path.dirname(server.identity), 'ssh_config')
        with open(config, 'w') as f:
            f.write(CIPHERS + '\n')
        return [sys.executable, '-c',
                'import sys; from zeit.cds.cli import exchange; exchange.cds_import()',
                store, 'sftp://%s@%s:%d%s' % (server.user, server.host, server.port,
                                              server.directory),
                '--connections', str(connections), '-q', '--set', 'connection.ssh_config=' + config,
                '--set', 'connection.identity=' + server.identity,
                '--set', 'connection.known_hosts=' + server.known_hosts,
                ], {'PYTHONPATH': os.pathsep.join(sys.path)}
    return command


def lftp(parallel):
    def command(server, store):
        program = ' '.join(['ssh -a -x', *ssh(server)])
        return ['lftp', '--norc', '-c', '; '.join([
            'set sftp:connect-program "%s"' % program, 'set mirror:set-permissions off',
            'set cmd:fail-exit yes', 'set sftp:max-packets-in-flight 64',
            'open -u %s, -p %d sftp://%s' % (server.user, server.port, server.host),
            'mirror --parallel=%d --Remove-source-files --no-perms %s %s' % (
                parallel, server.directory, store)])], {}
    return command


def rclone(transfers):
    def command(server, store):
        return ['rclone', 'move', ':sftp:' + server.directory, store, '--config', os.devnull,
                '--sftp-host', server.host, '--sftp-port', str(server.port),
                '--sftp-user', server.user, '--sftp-key-file', server.identity,
                '--sftp-known-hosts-file', server.known_hosts, '--sftp-disable-hashcheck',
                '--ignore-checksum', '--transfers', str(transfers), '--checkers', '8', '-q'], {}
    return command


def sftp_batch(server, store):
    path = os.path.join(store, '.lock')
    with open(path, 'w') as f:
        f.write('get %s/* %s\nrm %s/*\n' % (server.directory, store, server.directory))
    return ['sftp', '-q', '-b', path, *ssh(server), '-P', str(server.port),
            '%s@%s' % (server.user, server.host)], {}


def programs(connections):
    return [compare.Program('cds-import (1)', 'ssh', cds(1)),
            compare.Program('cds-import (%d)' % connections, 'ssh', cds(connections)),
            compare.Program('lftp (1)', 'lftp', lftp(1)),
            compare.Program('lftp (8)', 'lftp', lftp(8)),
            compare.Program('rclone (4)', 'rclone', rclone(4)),
            compare.Program('rclone (16)', 'rclone', rclone(16)),
            compare.Program('sftp -b', 'sftp', sftp_batch)]


# ---------------------------------------------------------------- a long line

class Far(SSHD):
    """An sshd that is so many seconds away, there and back."""

    delay = 0.0

    def start(self, port=None):
        super().start(port)
        self.near = self.port
        if self.delay:
            ours, theirs = multiprocessing.Pipe()
            self._relay = multiprocessing.Process(
                target=relay, args=(theirs, self.port, self.delay), daemon=True)
            self._relay.start()
            self.port = ours.recv()

    def stop(self):
        if self.delay:
            self._relay.kill()
        self.port = self.near
        super().stop()


def relay(pipe, port, delay):
    async def connected(reader, writer):
        there = await asyncio.open_connection('127.0.0.1', port, limit=2**24)
        await asyncio.gather(forward(reader, there[1], delay / 2),
                             forward(there[0], writer, delay / 2))

    async def serve():
        server = await asyncio.start_server(connected, '127.0.0.1', limit=2**24)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def forward(reader, writer, delay):
    writer.get_extra_info('socket').setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    queue, loop = asyncio.Queue(), asyncio.get_running_loop()

    async def send():
        while (item := await queue.get()) is not None:
            when, data = item
            await asyncio.sleep(max(0, when - loop.time()))
            writer.write(data)
        writer.close()

    sending = loop.create_task(send())
    try:
        while data := await reader.read(2**18):
            queue.put_nowait((loop.time() + delay, data))
    except OSError:
        pass
    queue.put_nowait(None)
    await sending


class Import(compare.Import):
    text = __doc__


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--size', type=int, default=4096, help='bytes of a file (default: 4096)')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--connections', type=int, default=4)
    parser.add_argument('--delay', type=float, default=0.0, help='seconds there and back')
    args = parser.parse_args()
    Far.delay = args.delay
    compare.SERVERS['sshd'] = Far
    contenders = []
    for program in programs(args.connections):
        print(program.missing, file=sys.stderr) if program.missing else contenders.append(program)
    results = compare.measure(Import, args, 'sshd', contenders)
    print('%s, %d CPUs, %d files of %d bytes, %d rounds, delay %g s' % (
        time.strftime('%Y-%m-%d'), os.cpu_count(), args.files, args.size, args.rounds, args.delay))
    print(*compare.table(args, results), sep='\n')


if __name__ == '__main__':
    main()
