"""What tests of imports have in common: a spool, a log, files on a server, and looks at what became
of them.
"""
import os
import shutil
import tempfile

import gocept.filestore.filestore

from zeit.cds.feed import Feed
from zeit.cds.ftp.pipelining import TUNING
from zeit.cds.interfaces import ICDSConnection
from zeit.cds.lock.directory import MUTEX
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.own import configured
from zeit.cds.registry import utility
from zeit.cds.spool.inbox import FileSink, LOCK, Spool
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.importing import Import


MEMORY = '/dev/shm'
NOT_SMALL = TUNING.small + 1       # bytes of a file after which nothing is sent ahead of time
WHEN = 1_700_000_000        # seconds since 1970: when files of the tests were last changed


def new_spool():
    """The path of a new, empty spool; in memory where possible, so that a busy disk doesn't slow
    the tests down.
    """
    path = tempfile.mkdtemp(prefix='zeit.cds-spool-',
                            dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    gocept.filestore.filestore.FileStore(path).prepare()
    return path


def contents(directory):
    """{name: data} of the files in a directory, both bytes; of what is no file the data is None."""
    result = {}
    for entry in os.scandir(os.fsencode(directory)):
        result[entry.name] = None
        if entry.is_file(follow_symlinks=False):
            with open(entry.path, 'rb') as f:
                result[entry.name] = f.read()
    return result


def put(directory, name, data=b'', modified=WHEN):
    """Make a file (name: str or bytes) that appears whole, with its time (seconds).

    Returns its path, bytes.
    """
    directory = os.fsencode(directory)
    path, hidden = os.path.join(directory, os.fsencode(name)), os.path.join(directory,
                                                                            b'.being-made')
    with open(hidden, 'wb') as f:
        f.write(data)
    os.utime(hidden, (modified, modified))
    os.rename(hidden, path)
    return path


def connected(feed, connection=None):
    """The feed, with its settings checked, and its ICDSConnection."""
    connection = connection or utility(ICDSConnection, feed.connection)
    if getattr(connection, 'settings', None):
        feed = configured(feed, {'connection': connection})
    return feed, connection


class Importing:
    """A mixin for a TestCase with a `server`."""

    def setUp(self):
        super().setUp()
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir, ignore_errors=True)

    def feed(self, **settings):
        return Feed(**{'store_dir': self.store_dir, 'timeout': 20, 'retries': 0,
                       **self.server.feed, **settings})

    def run_import(self, connection=None, lock=None, sink=None, **settings):
        """Import once; its IOutcome. What was logged is in `self.log`."""
        with recorded() as self.log:
            return Import(*connected(self.feed(**settings), connection), lock or LockFile(),
                          sink or FileSink())()

    def put(self, name, data=b'', modified=WHEN):
        return put(self.server.directory, name, data, modified)

    @property
    def there(self):
        """What the server's directory holds."""
        return contents(self.server.directory)

    def spool(self, name):
        """What the spool's tmp, new or cur holds."""
        return contents(os.path.join(self.store_dir, name))

    @property
    def published(self):
        return self.spool('new')

    def consume(self):
        """Take all files out of new, as a consumer does; what they held."""
        taken = self.published
        for name in taken:
            os.unlink(os.path.join(os.fsencode(self.store_dir), b'new', name))
        return taken

    def assert_nothing_left(self):
        """No lock, no mutex on the server; no file in tmp; the spool can be opened again."""
        self.assertLessEqual(set(self.there) & {b'read', b'write', MUTEX.encode()}, set())
        self.assertEqual({}, self.spool('tmp'))
        self.assertLessEqual(set(os.listdir(self.store_dir)), {'tmp', 'new', 'cur', LOCK})
        Spool(self.store_dir).close()

    def assert_warned(self, *texts):
        """One warning holds all these texts."""
        found = [line for line in self.log.warnings if all(text in line for text in texts)]
        self.assertEqual(1, len(found), '%r in: %r' % (texts, self.log.lines))
