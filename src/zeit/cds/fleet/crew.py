"""What workers know among themselves: who works on which feed, and who lives.

::

    nobody's ──claim──▶ a run's ──release──▶ nobody's
                         │  ▲
                         ▼  │ claim, by another, once that run is known to be dead
                   one more look wanted (by who would have claimed it)

A claim is no lock: it spares the server connections, and tells workers of each other. Who may work
in a directory is decided by its lock file, and there alone.

A run beats, every `beat` seconds. One that could not for `fence` seconds ends (see `pulse`), long
before others, after `dead` seconds, take it for dead: so nobody has to tell a dead worker from one
that is cut off from the database.

A lock file names a process, and when it took the lock. It was left by a run that is dead or over if
that process had such a run, and no other, at that time.
"""
import calendar
import contextlib
import functools
import logging
import os
import time
import uuid
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from zeit.cds.fleet import tables
from zeit.cds.fleet.pulse import clock, Pulse
from zeit.cds.fleet.tables import claims, now, runs
from zeit.cds.interfaces import JournalError, Locked
from zeit.cds.lock.token import Owner
from zeit.cds.text import printable


log = logging.getLogger('zeit.cds')


class Tuning(NamedTuple):
    """Seconds, float."""

    beat: float = 7.5       # between two heartbeats of a run
    fence: float = 22.5     # after so long without one that succeeded, it ends
    dead: float = 45.0      # after so long, others take it for dead
    recent: float = 600.0   # deaths within that time count
    rest: float = 60.0      # after too many, so long passes until the next run
    forget: float = 30 * 86400.0        # after so long, no lock of it is there any more
    told: float = 300.0     # after so long, a file's task that nobody did is sent again; by then a
                            # broker has given what a dead worker had to another


TUNING = Tuning()
DEATHS = 3      # at one feed, are too many


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

    def claim(self, feed, sent=None):
        """Claim a feed for a run: a Claim. None if another run of it goes on, anywhere; that one
        knows then that one more look is wanted. None as well if one has begun since it was asked
        for: looks that pile up are one look.

        feed -- its name, str
        sent -- when the look was asked for: seconds since 1970; None: it is to be now
        """
        begun, run = clock(), uuid.uuid4().hex
        with self._writing() as connection:
            held = self._held(connection, feed)
            of_feed, begun_since = claims.c.feed == feed, (
                sent is not None and held.looked is not None and held.looked > sent)
            if not self._is_free(connection, feed, held.run):
                if not begun_since:
                    connection.execute(update(claims).where(of_feed).values(again=True))
                return None
            if begun_since and held.run is None:    # else it has died, and has all to be done yet
                return None
            connection.execute(update(claims).where(of_feed).values(
                run=run, again=False, looked=time.time()))
            connection.execute(insert(runs).values(
                run=run, feed=feed, worker=identity(me()), host=me().host, begun=int(time.time()),
                beaten=time.time(), seen=now(), over=False))
        return Claim(self, feed, run, begun)

    def release(self, feed, run, clean):
        """The run is over. Is one more look wanted? bool

        clean -- has it certainly left no lock?
        """
        with self._writing() as connection:
            mine = (claims.c.feed == feed) & (claims.c.run == run)
            again = connection.scalar(select(claims.c.again).where(mine).with_for_update())
            connection.execute(update(claims).where(mine).values(run=None, again=False))
            if clean:
                connection.execute(delete(runs).where(runs.c.run == run))
            else:
                connection.execute(update(runs).where(runs.c.run == run).values(over=True))
                connection.execute(delete(runs).where(runs.c.seen < now() - self.tuning.forget))
            return bool(again)

    def beat(self, feed, run):
        """Show that the run goes on. Is the claim still its own? bool"""
        with self._writing() as connection:
            connection.execute(update(runs).where(runs.c.run == run).values(
                seen=now(), beaten=time.time()))
            return run == connection.scalar(select(claims.c.run).where(claims.c.feed == feed))

    def verdict(self, owner):
        """Why certainly nobody works under this lock any more: a phrase (str); '' if that is not
        known.

        owner -- ILockOwner
        """
        since = seconds(owner.since)
        with self._reading() as connection:
            found = connection.execute(
                select(now() - runs.c.seen, runs.c.over, runs.c.begun, runs.c.beaten)
                .where(runs.c.worker == identity(owner))).all()
        fitting = [(silent, over) for silent, over, begun, beaten in found
                   if since is not None and begun <= since <= beaten + self.tuning.fence]
        if not fitting or any(not over and silent <= self.tuning.dead for silent, over in fitting):
            return ''
        if all(over for _, over in fitting):
            return 'that run is over, and could not remove it'
        return 'that worker has shown no sign of life for %d s' % min(
            silent for silent, over in fitting if not over)

    def working(self):
        """Who works on what: a list of (feed, host, seconds, is one more look wanted)."""
        with self._reading() as connection:
            return [(feed, host, time.time() - begun, again)
                    for feed, host, begun, again in connection.execute(
                        select(claims.c.feed, runs.c.host, runs.c.begun, claims.c.again)
                        .join(runs, runs.c.run == claims.c.run).order_by(claims.c.feed))]

    @contextlib.contextmanager
    def _writing(self):
        """See Database. What a failure of the database itself undoes, the locks make up for: so
        nobody waits for its disk.
        """
        with tables.there(self._database).writing() as connection:
            if connection.dialect.name == 'postgresql':
                connection.exec_driver_sql('SET LOCAL synchronous_commit TO off')
            yield connection

    def _reading(self):
        return tables.there(self._database).reading()

    # ------------------------------------------------------------ claiming

    @staticmethod
    def _held(connection, feed):
        """The feed's row, which nobody else changes until the transaction ends."""
        wanted = select(claims).where(claims.c.feed == feed).with_for_update()
        if (held := connection.execute(wanted).one_or_none()) is None:
            with contextlib.suppress(IntegrityError), connection.begin_nested():
                connection.execute(insert(claims).values(feed=feed, again=False))
            held = connection.execute(wanted).one()
        return held

    def _is_free(self, connection, feed, run):
        """Does certainly nobody work on the feed, which this run has claimed? bool"""
        found = run and connection.execute(select(runs.c.worker, now() - runs.c.seen).where(
            runs.c.run == run)).one_or_none()
        if not found:
            return True
        worker, silent = found
        return (silent > self.tuning.dead or ended(worker)) and (
            silent > self.tuning.rest or not self._kills(connection, feed))

    def _kills(self, connection, feed):
        """Does whoever works on it die, again and again? bool"""
        count = connection.scalar(select(func.count()).where(
            runs.c.feed == feed, ~runs.c.over, runs.c.seen > now() - self.tuning.recent))
        if count < DEATHS:
            return False
        log.error('Workers died %d times within %d s at the feed %s: it is not looked at for a '
                  'while. Does the memory suffice? See what the kernel says.', count,
                  self.tuning.recent, printable(feed))
        return True


class Claim:
    """A feed that a run of this process works on."""

    def __init__(self, crew, feed, run, begun):
        self._crew, self._feed, self._run, self._begun = crew, feed, run, begun

    def watch(self, run):
        """A context manager in whose block the run beats, and is ended if it can't.

        run -- zeit.cds.transfer.run.Run
        """
        return Pulse(run, lambda: self._crew.beat(self._feed, self._run), self._begun,
                     self._crew.tuning)

    def release(self, outcome=None):
        """The run is over. Is one more look wanted? bool. Raises nothing: what was not released is
        taken over in time.

        outcome -- IOutcome; None: it did not get that far
        """
        clean = outcome is not None and (
            outcome.error is None or isinstance(outcome.error, Locked))
        try:
            return self._crew.release(self._feed, self._run, clean)
        except JournalError:
            return False


class NoClaim:
    """In place of one where workers know nothing of each other."""

    watch = contextlib.nullcontext

    @staticmethod
    def release(outcome=None):
        return False


def ended(worker):
    """Has the process with this `identity` certainly ended, as far as this host can tell? bool"""
    fields = dict(zip(('host', 'machine', 'boot', 'pid', 'start'), worker.split(' ')))
    return me()._replace(**fields).gone


def seconds(since):
    """Seconds since 1970, int, of the time in a token; None if it is none."""
    try:
        return calendar.timegm(time.strptime(since, '%Y%m%dT%H%M%SZ'))
    except ValueError:
        return None
