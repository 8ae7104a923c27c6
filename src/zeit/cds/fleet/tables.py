"""What workers know among themselves: two tables in the journal's database.

Times are seconds since 1970 by the database's clock, which is one for all hosts.
"""
import weakref

import sqlalchemy
from sqlalchemy import Boolean, Column, Float, MetaData, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


metadata = MetaData()
_prepared = weakref.WeakSet()        # Databases that have the tables

# Processes that work, or have worked, on feeds.
workers = Table(
    'fleet_workers', metadata,
    Column('worker', Text, primary_key=True),       # see crew.identity
    Column('host', Text, nullable=False),
    Column('seen', Float(53), nullable=False, index=True))     # its last heartbeat

# Feeds that are worked on.
claims = Table(
    'fleet_claims', metadata,
    Column('feed', Text, primary_key=True),
    Column('run', Text, nullable=False),            # what tells this claim from others
    Column('worker', Text, nullable=False),
    Column('since', Float(53), nullable=False),
    Column('again', Boolean, nullable=False))       # is one more look wanted afterwards?


class now(FunctionElement):
    """The time by the database's clock, also in the middle of a transaction."""

    type = Float(53)
    inherit_cache = True
    name = 'now'


@compiles(now, 'sqlite')
def _now_of_sqlite(element, compiler, **_):
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, 'postgresql')
def _now_of_postgresql(element, compiler, **_):
    return 'extract(epoch from clock_timestamp())'


def there(database):
    """See to it that the tables are in a Database. Returns it. Raises JournalError."""
    if database not in _prepared:
        with database.writing() as connection:
            if connection.dialect.name == 'postgresql':     # others may be about to do the same
                connection.execute(
                    sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtext('zeit.cds'))"))
            metadata.create_all(connection)
        _prepared.add(database)
    return database
