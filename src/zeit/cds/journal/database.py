"""The tables of the journal, in SQLite or PostgreSQL."""
import contextlib
import os
import threading

import sqlalchemy
import sqlalchemy.event
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from zeit.cds.interfaces import ConfigurationError, JournalError
from zeit.cds.journal import embedded
from zeit.cds.journal.columns import later_version, read, VERSION, written
from zeit.cds.journal.url import WANTED
from zeit.cds.text import phrase


class Words(sqlalchemy.types.TypeDecorator):
    """Names, and what others say, any bytes, as text: see `written`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else written(value)

    def process_result_value(self, value, dialect):
        return None if value is None else read(value)


LONGEST = 60        # seconds that a statement may take

metadata = MetaData()
Id = BigInteger().with_variant(Integer, 'sqlite')       # only an INTEGER counts up there

about = Table('about', metadata, Column('version', Integer, primary_key=True))

runs = Table(
    'runs', metadata,
    Column('run', Text, primary_key=True),
    Column('feed', Words, nullable=False), Column('direction', Text, nullable=False),
    Column('host', Text, nullable=False), Column('pid', Integer, nullable=False),
    Column('begun', BigInteger, nullable=False), Column('ended', BigInteger),
    Column('files', Integer, nullable=False, default=0),
    Column('bytes', BigInteger, nullable=False, default=0),
    Column('skipped', Integer, nullable=False, default=0),
    Column('failed', Integer, nullable=False, default=0),
    Column('waiting', Integer), Column('error', Words),
    Column('noted', Integer, nullable=False),       # so many of its lines are in the journal
    Index('runs_feed', 'feed', 'begun'), Index('runs_begun', 'begun'),
    Index('runs_direction', 'feed', 'direction', 'begun'))

kept = Table(           # files that were taken, and left on the server
    'kept', metadata,
    Column('feed', Words, primary_key=True), Column('name', Words, primary_key=True),
    Column('size', BigInteger), Column('modified', BigInteger),
    Column('gone', BigInteger))     # since then it is not there any more

silences = Table(       # feeds that were told of as silent
    'silences', metadata,
    Column('feed', Words, primary_key=True), Column('direction', Text, primary_key=True))

files = Table(
    'files', metadata,
    Column('id', Id, primary_key=True, autoincrement=True),
    Column('key', Text, nullable=False, unique=True),
    Column('feed', Words, nullable=False), Column('direction', Text, nullable=False),
    Column('name', Words, nullable=False), Column('state', Text, nullable=False),
    # the state, if it is one of PENDING, or published and waited for: few files, with an index of
    # their own
    Column('pending', Text),
    Column('size', BigInteger), Column('digest', LargeBinary(32)),
    Column('modified', BigInteger), Column('seen', BigInteger), Column('whole', BigInteger),
    Column('published', BigInteger), Column('taken', BigInteger),
    Column('changed', BigInteger, nullable=False),
    Column('tries', Integer, nullable=False, default=0), Column('reason', Words),
    Column('run', Text), Column('host', Text), Column('spool', Words))

# Files for which an application wants a task: see zeit.cds.fleet.telling.
outbox = Table(
    'outbox', metadata,
    Column('key', Text, primary_key=True),          # of the file
    Column('task', Text, nullable=False), Column('added', BigInteger, nullable=False),
    Column('due', BigInteger, nullable=False),      # when it is sent, again
    Column('tries', Integer, nullable=False), Column('told', BigInteger))
_untold = outbox.c.told.is_(None)
Index('outbox_due', outbox.c.due, sqlite_where=_untold, postgresql_where=_untold)

for _name, _columns, _where in (
        ('files_name', ('name', 'changed'), None),
        ('files_digest', ('digest',), None),
        ('files_changed', ('changed',), None),
        ('files_feed', ('feed', 'direction', 'changed'), None),
        ('files_names', ('feed', 'direction', 'name'), None),
        ('files_published', ('feed', 'direction', 'published', 'size', 'modified'), None),
        ('files_open', ('feed', 'direction', 'pending', 'name'), files.c.pending.is_not(None)),
        ('files_pending', ('pending', 'feed', 'direction', 'seen'), files.c.pending.is_not(None))):
    Index(_name, *(files.c[column] for column in _columns),
          sqlite_where=_where, postgresql_where=_where,
          # in the order of bytes, whatever that of the locale: to find the beginnings of names
          postgresql_ops={'name': 'text_pattern_ops'} if _name == 'files_names' else {})


def engine_of(url):
    """The Engine of a journal, without any connection yet. Raises ConfigurationError."""
    try:
        parsed = sqlalchemy.make_url(url if '://' in url else 'sqlite:///' + os.path.abspath(url))
        kind = parsed.get_backend_name()
        if kind == 'postgresql':
            engine = sqlalchemy.create_engine(
                parsed.set(drivername='postgresql+psycopg'), pool_size=1, pool_pre_ping=True,
                connect_args={'connect_timeout': 5, 'application_name': 'zeit.cds',
                              'keepalives_idle': 10, 'keepalives_interval': 5,
                              'keepalives_count': 2, 'tcp_user_timeout': 20_000},
                hide_parameters=True)
            _prepare_postgresql(engine)
        elif kind == 'sqlite':
            engine = sqlalchemy.create_engine(
                parsed, poolclass=sqlalchemy.pool.NullPool, connect_args={'timeout': embedded.BUSY},
                hide_parameters=True)
            _prepare_sqlite(engine)
        else:
            raise sqlalchemy.exc.ArgumentError(kind)
    except (sqlalchemy.exc.ArgumentError, ValueError):      # the latter of a port
        raise ConfigurationError(WANTED) from None
    return engine


def _prepare_postgresql(engine):

    @sqlalchemy.event.listens_for(engine, 'begin')
    def begun(connection):
        # Of this transaction, for a pool between us and the server may give the next one another
        # session: who waits for somebody's lock waits as long as with SQLite, and nobody for ever.
        connection.exec_driver_sql(
            "SELECT set_config('lock_timeout', '%d', true), "
            "set_config('statement_timeout', '%d', true)" % (1000 * embedded.BUSY, 1000 * LONGEST))


def _prepare_sqlite(engine):

    @sqlalchemy.event.listens_for(engine, 'connect')
    def connected(connection, _):
        connection.isolation_level = None       # `begun` says how a transaction begins
        cursor = connection.cursor()
        for pragma in embedded.PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @sqlalchemy.event.listens_for(engine, 'begin')
    def begun(connection):
        writes = connection.get_execution_options().get('writes')
        # Who reads first and writes then would be refused if somebody else wrote in between.
        connection.exec_driver_sql('BEGIN IMMEDIATE' if writes else 'BEGIN')


class Database:
    """A journal's database. Any thread may use it. Its verbs raise JournalError."""

    def __init__(self, url):
        """Raises ConfigurationError."""
        self._engine = engine_of(url)
        self.name = self._engine.url.render_as_string(hide_password=True)
        self._is_there = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def writing(self):
        """A Connection in a transaction, which is committed at the end of the block."""
        with self._errors():
            self._create()
            with self._engine.connect().execution_options(writes=True) as connection:
                with connection.begin():
                    yield connection

    @contextlib.contextmanager
    def reading(self):
        """A Connection in a transaction that sees one state of the journal."""
        with self._errors():
            self._create()
            with self._engine.connect() as connection, connection.begin():
                yield connection

    def close(self):
        self._engine.dispose()

    def _create(self):
        """Make the tables, unless they are there."""
        with self._lock:
            if self._is_there:
                return
            with self._engine.connect() as connection, connection.begin():
                there = sqlalchemy.inspect(connection).has_table('about')
                version = there and connection.scalar(sqlalchemy.select(about.c.version))
            if not version:
                with self._engine.connect().execution_options(writes=True) as connection:
                    with connection.begin():
                        self._make(connection)
            elif version > VERSION:
                raise JournalError(later_version(self.name, version))
            self._is_there = True

    @staticmethod
    def _make(connection):
        if connection.dialect.name == 'postgresql':     # others may be about to do the same
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('zeit.cds'))")
        metadata.create_all(connection)
        if connection.scalar(sqlalchemy.select(about.c.version)) is None:
            connection.execute(about.insert(), dict(version=VERSION))

    @contextlib.contextmanager
    def _errors(self):
        try:
            yield
        except sqlalchemy.exc.SQLAlchemyError as e:
            cause = getattr(e, 'orig', None) or e
            raise JournalError('The journal %s cannot be used: %s' % (
                self.name, phrase(str(cause).strip().partition('\n')[0]))) from e
