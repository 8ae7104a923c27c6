"""The journal of runs that are killed: is there one row for each file that was published, and none
for another?
"""
import collections
import contextlib
import hashlib
import os
import tempfile

from zeit.cds.journal import sql


PUBLISHED = 'published', 'taken'


class Kept:
    """A journal for each kill point, in a directory of its own."""

    def __init__(self, url=None):
        """
        url -- of a journal that is emptied each time; None: a file of SQLite
        """
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
    """wanted -- '' or None: no journal; 'sqlite': one in a file; else the URL of one"""
    if not wanted:
        return NoneKept()
    return Kept(None if wanted == 'sqlite' else wanted)


def watch(steps):
    """Count what a run does with its journal. steps -- zeit.cds.tests.crash.kills.Steps"""
    from zeit.cds.journal import loading
    sql.SQLJournal.load = steps.around(sql.SQLJournal.load)
    loading.load = steps.around(loading.load)       # in a transaction, which is to be committed
