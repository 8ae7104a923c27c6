"""The journal in an SQL database: see IJournal."""
import os
import threading
import time

import zope.interface

from zeit.cds.feed import label
from zeit.cds.interfaces import ConfigurationError, IJournal, INoted
from zeit.cds.journal.record import place_of, Record
from zeit.cds.journal.url import checked


DAY = 86400 * 10**9         # nanoseconds
SOME = 5000                 # rows that are removed in one transaction, lest others wait for long


@zope.interface.implementer(IJournal)
class SQLJournal:
    """A journal in SQLite or PostgreSQL.

    What belongs to the database is loaded when it is first needed: at the end of a run, when the
    server's directory is free again. If it is SQLite, a run does without SQLAlchemy.
    """

    def __init__(self, url, keep_days=400.0):
        """
        url -- str, as SQLAlchemy has them; a path stands for a file of SQLite
        keep_days -- files that came to their end so long ago are forgotten; 0: none ever
        Raises ConfigurationError.
        """
        self.url, self.keep_days = checked(url), keep_days
        self._database = self._process = None
        self._lock = threading.Lock()
        self._expired = 0.0         # value of time.monotonic() when that was last done

    def open(self, feed, spool):
        if not INoted.providedBy(spool):
            raise ConfigurationError(
                'No journal can be kept of the feed: its %s keeps no notes for it.' % (
                    'sink' if feed.direction == 'import' else 'source'))
        return Record(feed, spool, self.load)

    @property
    def database(self):
        """Raises ConfigurationError."""
        with self._lock:
            if self._process != os.getpid():        # a connection does not survive a fork
                from zeit.cds.journal.database import Database
                self._database, self._process = Database(self.url), os.getpid()
            return self._database

    @property
    def writer(self):
        """What writes into it, see zeit.cds.journal.statements.Writer. Raises ConfigurationError.
        """
        from zeit.cds.journal.embedded import Embedded, path_of
        if (path := path_of(self.url)) is not None:
            return Embedded(path)
        database = self.database        # told as what it is if SQLAlchemy is missing
        from zeit.cds.journal.statements import Writer
        return Writer(database)

    def load(self, sections, untaken=None):
        """Take what runs have noted. Raises JournalError, ConfigurationError."""
        from zeit.cds.journal.loading import load
        with self.writer.writing() as writing:
            load(writing, sections, untaken)
            if wanted := {event[1]: event[2] for section in sections for event in section
                          if event[0] == 'wanted'}:
                from zeit.cds.journal.outbox import add
                add(writing, wanted)
        now = time.monotonic()
        if self.keep_days and (not self._expired or now - self._expired > 3600):
            self._expired = now
            self.expire(self.keep_days, most=SOME)

    def known(self, feed, spool, entries):
        from zeit.cds.journal.kept import known
        return known(self.writer, feed, spool, entries)

    def ask(self):
        database = self.database
        from zeit.cds.journal.queries import Queries
        return Queries(database)

    def notice(self, feed, spool):
        from zeit.cds.journal.loading import notice
        return notice(self.writer, label(feed), place_of(feed), spool.untaken)

    def failures(self, feed):
        from zeit.cds.journal.loading import failures
        with self.writer.reading() as reading:
            return failures(reading, label(feed), feed.direction)

    def retry(self, name, feed=None):
        from zeit.cds.journal.loading import retry
        with self.writer.writing() as writing:
            return retry(writing, name, feed)

    def heed(self, feed, direction, silent):
        from zeit.cds.journal.loading import heed
        with self.writer.writing() as writing:
            return heed(writing, feed, direction, silent)

    def expire(self, days, most=None):
        """See IJournal. most -- no more files than that, int; None: all"""
        from zeit.cds.journal.expiry import expire
        return expire(self.writer, time.time_ns() - int(days * DAY), SOME, most)


def existing(url):
    """The SQLJournal there, for who asks it. Raises ConfigurationError.

    A path of a file that is not there is mistyped: asked, there would be an empty journal.
    """
    journal = SQLJournal(url)
    from zeit.cds.journal.embedded import path_of
    if (path := path_of(journal.url)) is not None and not os.path.exists(path):
        raise ConfigurationError(
            'There is no journal %s. It comes with the first run that keeps it.' % path)
    return journal
