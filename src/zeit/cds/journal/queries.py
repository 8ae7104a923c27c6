"""Answers from the journal."""
import contextlib
import math

import zope.interface
from sqlalchemy import func, literal, literal_column, select, tuple_

from zeit.cds.interfaces import FileRow, Hour, IQueries, RunRow
from zeit.cds.journal.columns import PENDING
from zeit.cds.journal.database import files, runs


HOUR = 3600 * 10**9         # nanoseconds
MOST = 100_000              # files of which delays are looked at
DIRECTIONS = 'export', 'import'
LAST = '\U0010ffff'         # no name goes on with that


@zope.interface.implementer(IQueries)
class Queries:
    """See IQueries."""

    def __init__(self, database):
        """
        database -- Database
        """
        self._stack = contextlib.ExitStack()
        self._connection = self._stack.enter_context(database.reading())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def _rows(self, query):
        return self._connection.execute(query)

    def feeds(self):
        return sorted(self._feeds())

    def files(self, name=None, feed=None, since=None, states=(), digest=None, limit=1000,
              direction=None):
        # Of each direction of a feed there is an index in this order.
        ways = DIRECTIONS if feed is not None and direction is None else (direction,)
        found = [row for way in ways
                 for row in self._files(name, feed, since, states, digest, limit, way)]
        return list(map(file_row, sorted(
            found, key=lambda row: row.changed, reverse=True)[:limit]))

    def _files(self, name, feed, since, states, digest, limit, direction):
        query, order = select(files).limit(limit), files.c.changed.desc()
        if states and set(states) <= set(PENDING):
            # These are few: no index of all files in this order is of use.
            query, order = query.where(files.c.pending.in_(states)), (files.c.changed + 0).desc()
        elif states:
            query = query.where(files.c.state.in_(states))
        if name is not None:
            query = query.where(files.c.name == name)
        if digest is not None:
            query = query.where(files.c.digest == bytes.fromhex(digest))
        if feed is not None:
            query = query.where(files.c.feed == feed)
        if direction is not None:
            query = query.where(files.c.direction == direction)
        if since is not None:
            query = query.where(files.c.changed >= since)
        return self._rows(query.order_by(order))

    def files_like(self, beginning, feed, direction, limit=1000):
        name, beyond = files.c.name, beginning + LAST
        if self._connection.dialect.name == 'postgresql':   # as the index has it: by bytes
            begins = name.op('~>=~')(beginning), name.op('~<~')(beyond)
            order = literal_column('files.name USING ~<~')
        else:
            begins, order = (name >= beginning, name < beyond), name
        return [file_row(row) for row in self._rows(
            select(files).where(*of(feed, direction), *begins).order_by(
                order, files.c.changed.desc()).limit(limit))]

    def runs(self, feed=None, limit=100, direction=None):
        query = select(runs).order_by(runs.c.begun.desc()).limit(limit)
        if feed is not None:
            query = query.where(runs.c.feed == feed)
        if direction is not None:
            query = query.where(runs.c.direction == direction)
        return [RunRow(**{name: row[name] for name in RunRow._fields})
                for row in self._rows(query).mappings()]

    def last(self, feed=None):
        found = {}
        for name, direction in self._feeds() if feed is None else [
                (feed, direction) for direction in DIRECTIONS]:
            last = self._rows(select(files).where(
                *of(name, direction), files.c.published.is_not(None)).order_by(
                    files.c.published.desc()).limit(1)).first()
            if last is not None:
                found[name, direction] = file_row(last)
        return found

    def _feeds(self):
        """Each (feed, direction). There are many runs of each, so each is looked for by itself."""
        columns = runs.c.feed, runs.c.direction
        query = select(*columns).order_by(*columns).limit(1)
        row = self._rows(query).first()
        while row is not None:
            yield tuple(row)
            row = self._rows(query.where(tuple_(*columns) > tuple_(*(
                literal(value, column.type) for value, column in zip(row, columns))))).first()

    def known_since(self, feed, direction):
        return self._connection.scalar(select(func.min(runs.c.begun)).where(
            runs.c.feed == feed, runs.c.direction == direction))

    def counts(self, feed=None):
        columns = files.c.feed, files.c.direction, files.c.pending
        query = select(*columns, func.count(), func.min(files.c.seen)).where(
            files.c.pending.is_not(None))
        if feed is not None:
            query = query.where(files.c.feed == feed)
        return {tuple(key): (number, oldest)
                for *key, number, oldest in self._rows(query.group_by(*columns))}

    def hours(self, feed, direction, since, until):
        hour = files.c.published - files.c.published % HOUR
        query = select(hour, func.count(), func.coalesce(func.sum(files.c.size), 0)).where(
            *of(feed, direction), files.c.published >= since, files.c.published < until)
        return [Hour(int(begun), number, int(size))
                for begun, number, size in self._rows(query.group_by(hour).order_by(hour))]

    def delays(self, feed, direction, since, fractions=(0.5, 0.9, 0.99), until=None,
               to='published'):
        query = select(files.c[to] - files.c.modified).where(
            *of(feed, direction), files.c.published >= since, files.c.modified.is_not(None),
            files.c[to].is_not(None)
        ).order_by(files.c.published.desc()).limit(MOST)
        if until is not None:
            query = query.where(files.c.published < until)
        found = sorted(value for value, in self._rows(query))
        return [found[max(0, math.ceil(fraction * len(found)) - 1)] / 10**9 if found else None
                for fraction in fractions]


def of(feed, direction):
    return files.c.feed == feed, files.c.direction == direction


def file_row(row):
    """The FileRow of a row."""
    found = row._mapping
    values = {name: found[name] for name in FileRow._fields}
    if values['digest'] is not None:
        values['digest'] = values['digest'].hex()
    return FileRow(**values)
