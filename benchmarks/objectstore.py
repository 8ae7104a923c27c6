#!/usr/bin/env python3
"""Measure cds-import into an object store beside rclone, from one FTP server to one store.

As compare.py does it. The store runs on this machine, too, and takes a part of it: SeaweedFS with
its S3.

    bin/py benchmarks/objectstore.py --files 2000 --rounds 3 --servers vsftpd
"""
import os
import sys
import urllib.parse

from zeit.cds.feed import Feed
from zeit.cds.own import configured
from zeit.cds.spool.objectstore.objects import Objects
from zeit.cds.spool.objectstore.utilities import ObjectSink
from zeit.cds.testing.stores import place, SeaweedFS


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))      # a buildout's bin/py does not

import compare  # noqa: E402


RCLONE = os.path.join(place(), 'venv', 'bin', 'rclone')


class Stored(compare.Import):
    """From the FTP directory into a spool in a store."""

    text = __doc__

    def __init__(self, store):
        self._store = store
        os.environ.update(AWS_ACCESS_KEY_ID=store.account, AWS_SECRET_ACCESS_KEY=store.secret,
                          AWS_ENDPOINT_URL=store.endpoint, AWS_REGION='us-east-1')

    def programs(self, connections):
        return [
            compare.Program('cds-import (1)', sys.executable, self._cds(1)),
            compare.Program('cds-import (%d)' % connections, sys.executable,
                            self._cds(connections)),
            *(compare.Program('rclone (%d)' % number, RCLONE, self._rclone(number))
              for number in (4, 8, 16, 32))]

    @staticmethod
    def _cds(connections):
        return lambda server, store: compare.cds('import', connections)(server, store.url)

    def _rclone(self, transfers):
        make = compare.rclone(':ftp:/', '%s', transfers, RCLONE)
        target = [
            '--s3-provider', 'SeaweedFS', '--s3-endpoint', self._store.endpoint,
            '--s3-access-key-id', self._store.account, '--s3-secret-access-key',
            self._store.secret, '--s3-region', 'us-east-1', '--s3-no-check-bucket']

        def command(server, store):
            argv, environment = make(server, ':s3:' + urllib.parse.urlsplit(
                store.url).netloc + urllib.parse.urlsplit(store.url).path)
            return [*argv, *target], environment
        return command

    def prepare(self, server, files):
        server.clear()
        compare.fill(server.directory, files)
        return Spool(self._store)

    @staticmethod
    def remove(store):
        store.remove()

    @staticmethod
    def check(program, server, store, files):
        there = store.contents()
        wrong = [name for name, body in files.items() if there.get(name) != body]
        left = [name for name in os.listdir(server.directory) if name in files]
        if wrong or left or len(there) != len(files):
            raise SystemExit('%s did not do its job: %d files wrong or missing, %d left' % (
                program.name, len(wrong), len(left)))


class Spool:
    """A place in the store."""

    def __init__(self, store):
        self.url = store.url()
        feed = configured(Feed(store_dir=self.url, hostname='h', user='u', **store.settings),
                          {'sink': ObjectSink()})
        self._objects = Objects(self.url, feed.of('sink'), 60.0, 1)

    def contents(self):
        found = [key for key, *_ in self._objects.list(None) if not key.startswith('tmp/')]
        bodies = self._objects.each(
            lambda key: b''.join(self._objects.pieces(key, 2**20)), found)
        return {key.rpartition('/')[2]: body for key, body in zip(found, bodies)}

    def remove(self):
        self._objects.delete(key for key, *_ in list(self._objects.list(None)))
        self._objects.close()


if __name__ == '__main__':
    with SeaweedFS() as running:
        compare.main(Stored(running))
