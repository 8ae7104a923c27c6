"""A journal in SQLite, as runs write it: by Python's own module, which is there at once."""
import contextlib
import os
import re
import sqlite3

from zeit.cds.interfaces import JournalError
from zeit.cds.journal.columns import later_version, read, VERSION, written
from zeit.cds.journal.compiled import STATEMENTS, TABLES, WORDS
from zeit.cds.text import phrase


BUSY = 5.0          # seconds to wait for others who write
# What is committed is on the disk: that alone survives what a file in the spool survives.
PRAGMAS = 'PRAGMA journal_mode=WAL', 'PRAGMA synchronous=FULL'
SEVERAL = re.compile(r'__\[POSTCOMPILE_(\w+)\]')    # a parameter with several values


def path_of(url):
    """The file of a journal, str; None if the URL tells of more than a file."""
    if '://' not in url:
        return os.path.abspath(url)
    path = url.removeprefix('sqlite:///')
    return None if path == url or not path or '?' in path or path.startswith(':') else path


class Embedded:
    """See zeit.cds.journal.statements.Writer."""

    def __init__(self, path):
        self._path, self._name = path, 'sqlite:///' + path

    @contextlib.contextmanager
    def reading(self):
        with self._transaction('BEGIN') as connection:
            if self._has_tables(connection):
                yield Writing(connection)
                return
        with self.writing() as writing:
            yield writing

    @contextlib.contextmanager
    def writing(self):
        # Who reads first and writes then would be refused if somebody wrote in between.
        with self._transaction('BEGIN IMMEDIATE') as connection:
            if not self._has_tables(connection):
                for statement in TABLES:
                    connection.execute(statement)
            yield Writing(connection)

    @contextlib.contextmanager
    def _transaction(self, begin):
        try:
            with contextlib.closing(sqlite3.connect(
                    self._path, timeout=BUSY, isolation_level=None)) as connection:
                for pragma in PRAGMAS:
                    connection.execute(pragma)
                connection.execute(begin)
                yield connection
                connection.execute('COMMIT')
        except sqlite3.Error as e:
            raise JournalError('The journal %s cannot be used: %s' % (
                self._name, phrase(str(e)))) from e

    def _has_tables(self, connection):
        """Raises JournalError."""
        if not connection.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'about'").fetchone():
            return False
        [version] = connection.execute('SELECT version FROM about').fetchone()
        if version > VERSION:
            raise JournalError(later_version(self._name, version))
        return True


class Writing:
    """See zeit.cds.journal.statements.Writing."""

    def __init__(self, connection):
        """
        connection -- of sqlite3
        """
        self._connection = connection

    def run(self, name, parameters):
        statement = STATEMENTS[name]
        if isinstance(parameters, list):
            words = [name for name in parameters[0] if name in WORDS]
            return self._connection.executemany(statement, [
                {**some, **{name: written(some[name]) for name in words if some[name]}}
                for some in parameters]).rowcount
        cursor = self._connection.execute(
            SEVERAL.sub(lambda found: ', '.join(
                ':%s_%d' % (found[1], n) for n in range(len(parameters[found[1]]))), statement),
            _written(parameters))
        if cursor.description is None:
            return cursor.rowcount
        names = [column[0] for column in cursor.description]
        words = [name for name in names if name in WORDS]
        return [_read(dict(zip(names, row)), words) for row in cursor]

    def take_turns(self, feeds):
        """All who write take turns."""


def _written(parameters):
    """The parameters as SQLite has them; of several values, each gets a name of its own."""
    found = {}
    for name, value in parameters.items():
        if isinstance(value, str):
            found[name] = written(value) if name in WORDS else value
        elif isinstance(value, list):
            for n, one in enumerate(value):
                found['%s_%d' % (name, n)] = written(one) if name in WORDS else one
        else:
            found[name] = value
    return found


def _read(row, words):
    for name in words:
        if row[name] is not None:
            row[name] = read(row[name])
    return row
