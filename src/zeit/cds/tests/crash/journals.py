"""The journal of runs that are killed: is there one row for each file that was published, and none
for another?
"""
import collections
import contextlib
import hashlib
import os
import sqlite3
import tempfile
import time

from zeit.cds.journal import embedded, sql


PUBLISHED = 'published', 'taken'
# What may be wrong with one while a run goes on, and what SQLite is told for that
TROUBLES = {'locked': (), 'full': ('PRAGMA max_page_count=1',),
            'read-only': ('PRAGMA query_only=1',)}


class Kept:
    """A journal for each kill point, in a directory of its own."""

    def __init__(self, url=None, trouble=None):
        """
        url -- of a journal that is emptied each time; None: a file of SQLite
        trouble -- one of TROUBLES, for SQLite, or None
        """
        self._trouble = trouble
        self._directory = tempfile.TemporaryDirectory(prefix='zeit.cds-journal-', dir='/dev/shm')
        self._url = url
        self.journal = None

    def close(self):
        self._directory.cleanup()

    def begin(self):
        """Have an empty one."""
        path = os.path.join(self._directory.name, 'journal')
        for end in '', '-wal', '-shm':
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + end)
        self.journal = sql.SQLJournal(self._url or path)
        from zeit.cds.journal import database, loading  # noqa: F401  (once for all children)
        if self._url:
            with self.journal.database.writing() as connection:
                for table in database.files, database.runs, database.kept:
                    connection.execute(table.delete())
            self.journal.database.close()       # no connection is shared with children
        elif self._trouble:     # it was well before; and its first page has no room for much more
            now = time.time_ns()
            self.journal.load([[('run', 'earlier', 'other', 'import', '/s', 'host', 1, now, 0),
                                ('end', now, 0, 0, 0, 0, 0, 3980 * 'x')]])

    def spoil(self):
        """From now on, and for the rest of this process, the journal is in trouble, if it is to be.
        """
        if self._trouble:
            embedded.BUSY = 0.01
            embedded.PRAGMAS += TROUBLES[self._trouble]
        if self._trouble == 'locked':
            self._held = sqlite3.connect(
                embedded.path_of(self.journal.url), isolation_level=None)
            self._held.execute('BEGIN IMMEDIATE')

    def wrong(self, published):
        """What it says that is not so: a list of str.

        published -- list of (name, data), bytes
        """
        expected = collections.Counter(
            (os.fsdecode(name), hashlib.sha256(data).hexdigest()) for name, data in published)
        with self.journal.ask() as queries:
            rows = queries.files()
        self.journal.database.close()
        said = collections.Counter(
            (row.name, row.digest) for row in rows if row.state in PUBLISHED)
        return [*('the journal has no row of %s' % name for name, _ in expected - said),
                *('the journal has a false row of %s' % name for name, _ in said - expected),
                *('the journal has a row of %s, which is %s' % (row.name, row.state)
                  for row in rows if row.state in ('whole', 'failed'))]


class NoneKept:
    """Without a journal, nothing is wrong with it."""

    journal = None

    def close(self):
        """There is nothing."""

    def begin(self):
        """There is nothing."""

    def wrong(self, published):
        return []


def kept(wanted):
    """wanted -- '' or None: no journal; 'sqlite', or 'sqlite:' and one of TROUBLES: one in a file;
    else the URL of one
    """
    if not wanted:
        return NoneKept()
    kind, _, trouble = wanted.partition(':')
    if kind == 'sqlite' and trouble in ('', *TROUBLES):
        return Kept(trouble=trouble)
    return Kept(wanted)


def watch(steps):
    """Count what a run does with its journal. steps -- zeit.cds.tests.crash.kills.Steps"""
    from zeit.cds.journal import loading
    sql.SQLJournal.load = steps.around(sql.SQLJournal.load)
    loading.load = steps.around(loading.load)       # in a transaction, which is to be committed
