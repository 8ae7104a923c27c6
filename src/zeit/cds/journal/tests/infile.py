"""A journal in a file of SQLite, for tests."""
import contextlib
import os
import shutil
import sqlite3
import tempfile
from unittest import mock

from zeit.cds.journal import embedded
from zeit.cds.journal.sql import SQLJournal


MEMORY = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


class InFile:
    """A journal in a file of SQLite."""

    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp(dir=MEMORY)
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = os.path.join(self.directory, 'journal')
        self.journal = SQLJournal(self.path)

    @contextlib.contextmanager
    def failing(self):
        with mock.patch.object(embedded, 'BUSY', 0.0):
            self.journal = SQLJournal(self.path)
            with self.journal.ask():
                pass        # the tables are made
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute('BEGIN IMMEDIATE')
            yield
            other.execute('ROLLBACK')
