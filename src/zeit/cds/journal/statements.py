"""What is asked of the tables, and changed in them, when runs tell: SQL, by names.

To load SQLAlchemy takes longer than many a run. So a run whose journal is in SQLite takes them from
`compiled`, where they stand as SQLAlchemy writes them for SQLite. After a change, here or in the
tables::

    bin/py -m zeit.cds.journal.statements
"""
import contextlib
import os
import pprint

from sqlalchemy import bindparam, delete, func, literal_column, null, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from zeit.cds.journal.columns import VERSION
from zeit.cds.journal.database import (
    about,
    files,
    kept,
    metadata,
    outbox,
    runs,
    silences,
    Words,
)
from zeit.cds.journal.loading import END


TOP = '''"""The statements as SQLite wants them. Written by zeit.cds.journal.statements."""
'''
COLUMNS = [column.name for column in files.columns if column.name != 'id']


def _any(name):
    """One of several values that a parameter has."""
    return bindparam(name, expanding=True)


def _values(table, names):
    return {name: bindparam(name, type_=table.c[name].type) for name in names}


def _of_feed(table):
    return table.c.feed == bindparam('of_feed'), table.c.direction == bindparam('of_direction')


def _forget(*ours):
    """What was left earlier, and is not told of any more, is gone."""
    return files.update().where(
        *_of_feed(files), *ours, files.c.pending.in_(_any('states')),
        files.c.run != bindparam('of_run'), files.c.changed < bindparam('begun')).values(
            state=literal_column("'gone'"), pending=null(),
            **_values(files, ('reason', 'changed')))


def _retry(*ours):
    return files.update().where(
        files.c.name == bindparam('of_name'), files.c.pending == literal_column("'aside'"),
        *ours).values(state=literal_column("'failed'"), pending=literal_column("'failed'"),
                      tries=literal_column('0'), **_values(files, ['changed']))


_of_kept = kept.c.feed == bindparam('of_feed')
_aside = *_of_feed(files), files.c.pending == literal_column("'aside'")
_run = runs.c.run == bindparam('of_run')
_others = runs.alias()
_old = select(files.c.id).where(
    files.c.changed < bindparam('before'), files.c.state.in_(_any('states'))).limit(
        bindparam('some'))

STATEMENTS = {
    'noted': select(runs.c.noted).where(_run),
    'begin': runs.insert().values(_values(
        runs, [column.name for column in runs.columns if column.name not in END[:1] + END[-2:]])),
    'go on': runs.update().where(_run).values(_values(runs, ['noted'])),
    'end': runs.update().where(_run).values(_values(runs, ('noted', *END))),
    'open': select(files).where(*_of_feed(files), files.c.pending.in_(_any('states')),
                                files.c.name.in_(_any('names'))),
    'of keys': select(files).where(files.c.key.in_(_any('keys'))),
    'new': files.insert().values(_values(files, COLUMNS)),
    'change': files.update().where(files.c.id == bindparam('of_id')).values(
        _values(files, COLUMNS)),
    'forget': _forget(),
    'forget of host': _forget(files.c.host == bindparam('of_host')),
    'untaken': select(files.c.id, files.c.name).where(
        files.c.feed == bindparam('of_feed'), files.c.direction == literal_column("'import'"),
        files.c.pending == literal_column("'published'"), files.c.host == bindparam('of_host'),
        files.c.spool == bindparam('of_spool')).order_by(files.c.id.desc()),
    'take': files.update().where(files.c.id == bindparam('of_id')).values(
        state=literal_column("'taken'"), pending=null(), **_values(files, ('taken', 'changed'))),
    'kept': select(kept.c.name, kept.c.size, kept.c.modified, kept.c.gone).where(
        _of_kept, kept.c.name > bindparam('beyond')).order_by(kept.c.name).limit(
            bindparam('some')),
    'forget kept': kept.delete().where(_of_kept, kept.c.name.in_(_any('names'))),
    'keep': kept.insert().values(_values(kept, ('feed', 'name', 'size', 'modified'))),
    'kept are gone': kept.update().where(_of_kept, kept.c.name.in_(_any('names'))).values(
        _values(kept, ['gone'])),
    'failures': select(files).where(*_of_feed(files), files.c.pending.in_(_any('states'))).limit(
        bindparam('some')),
    'is aside': select(files.c.id).where(*_aside).limit(literal_column('1')),
    'end asides': files.update().where(*_aside, files.c.name.in_(_any('names'))).values(
        state=literal_column("'gone'"), pending=null(), **_values(files, ('reason', 'changed'))),
    'retry': _retry(),
    'retry of feed': _retry(files.c.feed == bindparam('of_feed')),
    'silent': select(func.count().label('number')).select_from(silences).where(
        *_of_feed(silences)),
    'be silent': silences.insert().values(_values(silences, ('feed', 'direction'))),
    'speak': silences.delete().where(*_of_feed(silences)),
    'tasks of keys': select(outbox.c.key).where(outbox.c.key.in_(_any('keys'))),
    'want a task': outbox.insert().values(_values(
        outbox, ('key', 'task', 'added', 'due', 'tries'))),
    'expire files': delete(files).where(files.c.id.in_(_old)),
    'expire runs': delete(runs).where(runs.c.begun < bindparam('before')),
    'expire kept': delete(kept).where(kept.c.gone < bindparam('before')),
    'expire tasks': delete(outbox).where(outbox.c.told < bindparam('before')),
    'expire empty runs': delete(runs).where(
        runs.c.begun > bindparam('after'), runs.c.begun < bindparam('before'),
        runs.c.files == literal_column('0'), runs.c.failed == literal_column('0'),
        runs.c.error.is_(None),
        # Since the first one, a feed is known that never had a file.
        runs.c.begun > select(func.min(_others.c.begun)).where(
            _others.c.feed == runs.c.feed, _others.c.direction == runs.c.direction
        ).scalar_subquery()),
}


class Writing:
    """Does them, in a transaction."""

    def __init__(self, connection):
        """
        connection -- of SQLAlchemy
        """
        self._connection = connection

    def run(self, name, parameters):
        """
        name -- of a statement
        parameters -- dict; or a list of some, to do it for each
        Returns rows, a list of dicts; of a change, how many rows it changed.
        """
        result = self._connection.execute(STATEMENTS[name], parameters)
        return list(map(dict, result.mappings())) if result.returns_rows else result.rowcount

    def take_turns(self, feeds):
        """Hosts that tell of one of these feeds do so one after the other."""
        if self._connection.dialect.name == 'postgresql':   # in SQLite all writers do
            for feed in sorted(feeds):
                self._connection.execute(select(func.pg_advisory_xact_lock(
                    func.hashtext(bindparam('feed', feed, type_=Words)))))


class Writer:
    """A journal's database, for what runs tell. Any thread may use it."""

    def __init__(self, database):
        """
        database -- Database
        """
        self._database = database

    @contextlib.contextmanager
    def reading(self):
        """A Writing in a transaction that only reads. Raises JournalError."""
        with self._database.reading() as connection:
            yield Writing(connection)

    @contextlib.contextmanager
    def writing(self):
        """A Writing in a transaction, which is committed at the end. Raises JournalError."""
        with self._database.writing() as connection:
            yield Writing(connection)


def compiled():
    """The source of the module `compiled`."""
    dialect = sqlite.dialect(paramstyle='named')
    made = {name: statement.compile(dialect=dialect) for name, statement in STATEMENTS.items()}
    found = dict(COLUMNS=COLUMNS, TABLES=_tables(dialect), WORDS=_words(made.values()),
                 STATEMENTS={name: _text(statement) for name, statement in made.items()})
    return TOP + ''.join(
        '\n\n%s = %s' % (name, pprint.pformat(value, width=92)) for name, value in found.items()
    ) + '\n'


def _tables(dialect):
    """The statements that make them."""
    found = []
    for table in metadata.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: index.name)
        found += [str(made.compile(dialect=dialect)).strip()
                  for made in (CreateTable(table), *map(CreateIndex, indexes))]
    return [*found, 'INSERT INTO %s VALUES (%d)' % (about.name, VERSION)]


def _words(statements):
    """The names of parameters and columns that are Words."""
    found = [(column.name, column.type) for table in metadata.sorted_tables
             for column in table.columns]
    for statement in statements:
        found += [(name, bind.type) for name, bind in statement.binds.items()]
    return sorted({name for name, kind in found if isinstance(kind, Words)})


def _text(statement):
    """With the values of parameters that SQLAlchemy has added: SQLite gets an offset with a limit.
    """
    text = str(statement)
    for name, value in statement.params.items():
        if value is not None:
            text = text.replace(':' + name, '%d' % value)
    return text


if __name__ == '__main__':
    with open(os.path.join(os.path.dirname(__file__), 'compiled.py'), 'w') as f:
        f.write(compiled())
