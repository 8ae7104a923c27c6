"""What workers know among themselves: who lives, and who works on which feed.

::

    nobody's ──claim──▶ a worker's ──release──▶ nobody's
                           │  ▲
                           ▼  │ claim, by another, once the worker is known to be dead
                     one more look wanted (by who would have claimed it)

A claim is no lock: it spares the server connections, and tells workers of each other. Who may work
in a directory is decided by its lock file, and there alone.

Each process beats while it has a claim, every `beat` seconds. One that could not for `fence`
seconds ends its run (see `pulse`), long before others, after `dead` seconds, take it for dead: so
nobody has to tell a dead worker from one that is cut off from the database.
"""
import contextlib
import functools
import os
import uuid
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from zeit.cds.fleet import tables
from zeit.cds.fleet.pulse import clock, Pulse
from zeit.cds.fleet.tables import claims, now, workers
from zeit.cds.interfaces import JournalError
from zeit.cds.lock.token import Owner


class Tuning(NamedTuple):
    """Seconds, float."""

    beat: float = 7.5       # between two heartbeats of a worker that has a claim
    fence: float = 22.5     # after so long without one that succeeded, it ends its run
    dead: float = 45.0      # after so long, others take it for dead
    forget: float = 30 * 86400.0        # after so long, nobody asks for it any more


TUNING = Tuning()


def identity(owner):
    """What tells a process from all others, str. owner -- ILockOwner"""
    return ' '.join((owner.host, owner.machine, owner.boot, owner.pid, owner.start))


@functools.lru_cache(1)
def _owner(pid):
    return Owner.me()


def me():
    """This process, an ILockOwner."""
    return _owner(os.getpid())


class Crew:
    """The workers that share a database. All verbs raise JournalError."""

    def __init__(self, database, tuning=None):
        """
        database -- zeit.cds.journal.database.Database
        tuning -- Tuning
        """
        self._database = database
        self.tuning = tuning or TUNING

    def claim(self, feed):
        """Claim a feed for this process: a Claim. None if another process works on it, or another
        thread of this one; then that one knows that one more look is wanted.

        feed -- its name, str
        """
        begun = clock()
        with self.writing() as connection:
            beat(connection, me())
            run = uuid.uuid4().hex
            if not (self._insert(connection, feed, run) or self._take_over(connection, feed, run)):
                connection.execute(
                    update(claims).where(claims.c.feed == feed).values(again=True))
                return None
        return Claim(self, feed, run, begun)

    def release(self, feed, run):
        """It is nobody's any more. Is one more look wanted? bool"""
        with self.writing() as connection:
            mine = (claims.c.feed == feed) & (claims.c.run == run)
            again = connection.scalar(select(claims.c.again).where(mine).with_for_update())
            connection.execute(delete(claims).where(mine))
            return bool(again)

    def beat(self, feed, run):
        """Show that this process lives. Is the claim still its own? bool"""
        with self.writing() as connection:
            beat(connection, me())
            return run == connection.scalar(select(claims.c.run).where(claims.c.feed == feed))

    def silence(self, owner):
        """Seconds since the last heartbeat of a process that is dead (float); None: it lives, or it
        is not known.

        owner -- ILockOwner
        """
        with self.reading() as connection:
            silent = connection.scalar(
                select(now() - workers.c.seen).where(workers.c.worker == identity(owner)))
        return silent if silent is not None and silent > self.tuning.dead else None

    def working(self):
        """Who works on what: a list of (feed, host, seconds, is one more look wanted)."""
        with self.reading() as connection:
            return [tuple(row) for row in connection.execute(
                select(claims.c.feed, workers.c.host, now() - claims.c.since, claims.c.again)
                .join(workers, workers.c.worker == claims.c.worker).order_by(claims.c.feed))]

    @contextlib.contextmanager
    def writing(self):
        """See Database. What a failure of the database itself undoes, the locks make up for: so
        nobody waits for its disk.
        """
        with tables.there(self._database).writing() as connection:
            if connection.dialect.name == 'postgresql':
                connection.exec_driver_sql('SET LOCAL synchronous_commit TO off')
            yield connection

    def reading(self):
        return tables.there(self._database).reading()

    # ------------------------------------------------------------ claiming

    @staticmethod
    def _values(run):
        return dict(run=run, worker=identity(me()), since=now(), again=False)

    def _insert(self, connection, feed, run):
        try:
            with connection.begin_nested():
                connection.execute(insert(claims).values(feed=feed, **self._values(run)))
        except IntegrityError:
            return False
        return True

    def _take_over(self, connection, feed, run):
        """From a process that is dead. Could it be done? bool"""
        held = connection.execute(
            select(claims.c.run, claims.c.worker, now() - workers.c.seen)
            .outerjoin(workers, workers.c.worker == claims.c.worker)
            .where(claims.c.feed == feed)).one_or_none()
        if held is None:
            return self._insert(connection, feed, run)
        other, worker, silent = held
        if not (silent is None or silent > self.tuning.dead or ended(worker)):
            return False
        done = connection.execute(update(claims).where(
            (claims.c.feed == feed) & (claims.c.run == other)).values(**self._values(run)))
        return done.rowcount == 1


class Claim:
    """A feed that this process works on."""

    def __init__(self, crew, feed, run, begun):
        self._crew, self._feed, self._run, self._begun = crew, feed, run, begun

    def watch(self, run):
        """A context manager in whose block the process beats, and the run is ended if it can't.

        run -- zeit.cds.transfer.run.Run
        """
        return Pulse(run, lambda: self._crew.beat(self._feed, self._run), self._begun,
                     self._crew.tuning)

    def release(self):
        """The run is over. Is one more look wanted? bool. Raises nothing: what was not released is
        taken over, or released by the next run.
        """
        try:
            return self._crew.release(self._feed, self._run)
        except JournalError:
            return False


class NoClaim:
    """In place of one where workers know nothing of each other."""

    watch = contextlib.nullcontext

    @staticmethod
    def release():
        return False


def ended(worker):
    """Has the process with this `identity` certainly ended, as far as this host can tell? bool"""
    fields = dict(zip(('host', 'machine', 'boot', 'pid', 'start'), worker.split(' ')))
    return me()._replace(**fields).gone


def beat(connection, owner):
    """A heartbeat."""
    worker = identity(owner)
    done = connection.execute(
        update(workers).where(workers.c.worker == worker).values(seen=now()))
    if not done.rowcount:
        connection.execute(insert(workers).values(worker=worker, host=owner.host, seen=now()))
        # once for each process is often enough
        connection.execute(delete(workers).where(workers.c.seen < now() - TUNING.forget))
