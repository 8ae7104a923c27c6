"""What tests of exports have in common, on top of what tests of imports have."""
import os

from zeit.cds.lock.directory import MUTEX
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.journal import JOURNAL, RECORD
from zeit.cds.spool.outbox import FileSource, LOCK, Outbox
from zeit.cds.tests.importing import connected, Importing, put, recorded
from zeit.cds.transfer.exporting import Export


class HookedSource(FileSource):
    """Calls `hook` with a file's name, in the thread that sends, before the last of its data go
    out.
    """

    def __init__(self, hook):
        self.hook = hook

    def open(self, feed):
        outbox = super().open(feed)
        create = outbox.create

        def hooked(name):
            outgoing = create(name)
            pieces = outgoing.pieces

            def hooked_pieces(offset=0):
                for piece in pieces(offset):
                    if outgoing.size == outgoing.length:
                        self.hook(name)
                    yield piece
            outgoing.pieces = hooked_pieces
            return outgoing

        outbox.create = hooked
        return outbox


class Exporting(Importing):
    """A mixin for a TestCase with a `server`."""

    def run_export(self, connection=None, lock=None, source=None, **settings):
        """Export once; its IOutcome. What was logged is in `self.log`."""
        with recorded() as self.log:
            return Export(*connected(self.feed(**{'direction': 'export', **settings}), connection),
                          lock or LockFile(), source or FileSource())()

    def offer(self, name, data=b''):
        """Put a file into the spool's new, as a CMS does."""
        return put(os.path.join(self.store_dir, 'new'), name, data)

    @property
    def waiting(self):
        return self.spool('new')

    @property
    def exported(self):
        return self.spool('cur')

    def assert_nothing_left(self):
        """No lock, no mutex, no temporary name on the server; no note in the spool, which can be
        opened again.
        """
        self.assertEqual(set(), set(self.there) & {b'read', b'write', MUTEX.encode()})
        self.assertEqual([], [name for name in self.there if name.startswith(b'.')])
        self.assertLessEqual(set(os.listdir(self.store_dir)),
                             {'tmp', 'new', 'cur', LOCK, JOURNAL, RECORD})
        self.assertEqual(b'', self.journal)
        Outbox(self.store_dir, '').close()

    @property
    def journal(self):
        try:
            with open(os.path.join(self.store_dir, JOURNAL), 'rb') as f:
                return f.read()
        except FileNotFoundError:
            return b''
