"""What workers know among themselves: two tables in the journal's database.

Times are seconds since 1970. It is told whose clock it is: the database's is one for all hosts.
"""
import weakref

import sqlalchemy
from sqlalchemy import Boolean, Column, Float, MetaData, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


metadata = MetaData()
_prepared = weakref.WeakSet()        # Databases that have the tables

# All feeds that were ever worked on, and who does.
claims = Table(
    'fleet_claims', metadata,
    Column('feed', Text, primary_key=True),
    Column('run', Text),                            # which of `runs`; NULL: nobody does
    Column('again', Boolean, nullable=False),       # is one more look wanted afterwards?
    Column('looked', Float(53)))        # when the last run began, by the worker's own clock

# Runs that go on, and those that did not come to a good end. By these, the locks are judged that
# they may have left.
runs = Table(
    'fleet_runs', metadata,
    Column('run', Text, primary_key=True),
    Column('feed', Text, nullable=False),
    Column('worker', Text, nullable=False, index=True),     # see crew.identity
    Column('host', Text, nullable=False),
    Column('begun', Float(53), nullable=False),     # by the worker's own clock
    Column('beaten', Float(53), nullable=False),    # its last heartbeat, by the same
    Column('seen', Float(53), nullable=False, index=True),  # and by the database's clock
    Column('over', Boolean, nullable=False))        # it has ended


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
