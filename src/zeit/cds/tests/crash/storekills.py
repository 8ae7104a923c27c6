"""Imports into an object store killed at every step, see `zeit.cds.tests.crash.kills`.

A step is, besides those of the server, each request to the store: killed before it, and killed when
it is done and nothing else is. The consumer moves what is published to cur, as a
gocept.filestore's does.

The process that asks what became of the files forks for it: obstore works in none that was forked
after it was used.
"""
import argparse
import base64
import contextlib
import json
import logging
import os
import sys
import time

from zeit.cds.feed import Feed
from zeit.cds.interfaces import IFileSink
from zeit.cds.lock import directory
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.own import configured
from zeit.cds.registry import utility
from zeit.cds.spool.objectstore import incoming, objects
from zeit.cds.spool.objectstore.utilities import ObjectSink
from zeit.cds.testing.servers import SERVERS
from zeit.cds.testing.stores import STORES
from zeit.cds.tests.crash.kills import in_child, kill_everywhere, Matrix, NEVER, Steps
from zeit.cds.tests.importing import connected, WHEN
from zeit.cds.transfer.importing import Import


REQUESTS = 'put', 'copy', 'get', 'list', 'delete'
SMALL, PART = 500, 5 * 2**20    # bytes; S3 takes no smaller parts, but for the last one


class Counted:
    """Obstore, with its requests counted."""

    def __init__(self, library, steps):
        self.exceptions = library.exceptions
        for name in REQUESTS:
            setattr(self, name, steps.around(getattr(library, name)))


class StoreMatrix(Matrix):
    """A server, a store, and what is done at each kill point."""

    def __init__(self, server, store, *args, **kw):
        self.store = store
        super().__init__(server, *args, **kw)

    def new_spool(self):
        return self.store.url()

    def close(self):
        self.ask(lambda found: found.delete(key for key, *_ in list(found.list(None))))

    def prepare(self):
        super().prepare()
        self.offer('large', b'large' * (PART // 5 + 1000), WHEN)

    # ------------------------------------------------------------ in processes of their own

    def feed(self, **settings):
        return configured(Feed(
            store_dir=self.store_dir, timeout=20, retries=1, **self.server.feed,
            **self.store.settings, **settings), {'sink': ObjectSink()})

    def run(self, last=NEVER):
        def child():
            logging.getLogger('zeit.cds').setLevel(logging.CRITICAL)
            incoming.SMALL, incoming.PART = SMALL, PART
            steps = Steps(last)
            steps.watch()
            counted = Counted(objects._library(), steps)
            objects._library = lambda: counted
            feed, connection = connected(self.feed(connections=self.connections))
            outcome = Import(
                feed, connection, LockFile(directory.Tuning(mutex_grace=1.0)),
                utility(IFileSink, 'objectstore'))()
            return '%d %s' % (steps.count, 'success' if outcome.successful else repr(outcome))
        return in_child(child)

    def ask(self, function):
        """What a function of an Objects returns, by way of JSON."""
        def child():
            with objects.Objects(self.store_dir, self.feed().of('sink'), 20.0, 1) as found:
                return json.dumps(function(found))
        text = in_child(child)
        try:
            return json.loads(text)
        except ValueError:
            raise RuntimeError(text) from None

    # ------------------------------------------------------------ the spool

    def published(self):
        def contents(found):
            keys = [key for key, *_ in found.list('new')]
            return [(key.removeprefix('new/'), base64.b64encode(
                b''.join(found.pieces(key, 2**20))).decode()) for key in keys]
        return {os.fsencode(name): base64.b64decode(data) for name, data in self.ask(contents)}

    def consume(self, name):
        name = os.fsdecode(name)

        def move(found):
            found.delete(['cur/' + name])       # a gocept.filestore overwrites there
            found.copy('new/' + name, 'cur/' + name, None)
            found.delete(['new/' + name])
        self.ask(move)

    def in_tmp(self):
        return {os.fsencode(key.removeprefix('tmp/')) for key in self.ask(
            lambda found: [key for key, *_ in found.list('tmp')])
            if not key.startswith(objects.CONDITIONS)}


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog='kill-matrix --store', description='Kill an import into an object store at each of '
        'its steps, run it again, and look what became of the files.')
    parser.add_argument('--store', required=True, choices=[kind.name for kind in STORES])
    parser.add_argument('--port', type=int, help='of one that runs already')
    parser.add_argument('--files', type=int, default=20)
    parser.add_argument('--points', type=int,
                        help='so many steps of each kind of run, evenly spread (default: all)')
    parser.add_argument('--servers', nargs='+', default=['pyftpdlib'],
                        help='of %s' % ', '.join(kind.name for kind in SERVERS))
    options = parser.parse_args(argv)
    [store] = [kind() for kind in STORES if kind.name == options.store]
    store.port = options.port
    total = bad = 0
    with contextlib.nullcontext() if options.port else store:
        for kind in [kind for kind in SERVERS if kind.name in options.servers]:
            for connections, renew in (1, False), (1, True), (4, False), (4, True):
                count, wrong = one(kind, store, options, connections, renew)
                total, bad = total + count, bad + len(wrong)
    print('%d kill points, %d faults: %s' % (
        total, bad, 'FAILED' if bad else 'nothing lost, nothing twice'))
    return 1 if bad else 0


def one(kind, store, options, connections, renew):
    """Returns (number of kills, what was wrong)."""
    with kind() as server, contextlib.closing(StoreMatrix(
            server, store, options.files, connections, True, renew)) as matrix:
        begun = time.monotonic()
        count, steps = kill_everywhere(matrix, options.points)
    print('%-10s %s, %d session%s, %s: %d steps, killed at %d, %d faults, %.0f s' % (
        kind.name, store.name, connections, ' s'[connections > 1],
        'new version between the runs' if renew else 'same files', steps, count,
        len(matrix.wrong), time.monotonic() - begun), flush=True)
    for text in matrix.wrong[:10]:
        print('    ', text[:300])
    return count, matrix.wrong


if __name__ == '__main__':
    sys.exit(main())
