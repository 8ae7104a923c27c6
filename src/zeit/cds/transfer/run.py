"""What an import and an export have in common: what happens in which order, and what a failure
means.

It knows the interfaces, not the network and not the disk. See ``zeit.cds.interfaces`` for the life
of a file.
"""
import abc
import contextlib
import logging
import time

from zeit.cds.events import notify, Outcome, RunFinished
from zeit.cds.interfaces import FTPError, Interrupted, Locked, Progress
from zeit.cds.text import in_words
from zeit.cds.transfer.directory import Directory, Stop
from zeit.cds.transfer.recording import NO_RECORD, recorded
from zeit.cds.transfer.selection import Selection
from zeit.cds.transfer.tuning import Tuning


log = logging.getLogger('zeit.cds')

TUNING = Tuning()


class Run(abc.ABC):
    """What an import and an export have in common: all but what becomes of a file.

    It has more than ten attributes, since a journal may be kept of it.
    """

    lock_name = None
    beginning = None
    spools = None           # the interface of the utility that opens the spool
    told = None             # a failure (an exception) that was told, and is not told again

    def __init__(self, feed, connection, lock, sink, tuning=TUNING, journal=None):
        """
        feed -- IFeed
        connection, lock, sink -- the utilities: ICDSConnection, ILockFile, and what `spools` says
        tuning -- Tuning
        journal -- IJournal, or None
        """
        self.feed = feed
        self.outcome = Outcome()
        self.tuning = tuning
        self._remote, self._sink = (connection, lock), sink
        self._stop = Stop()
        self._selection = Selection(feed, self.outcome, self._objection, tuning.told)
        self._directory = self._spool = None
        self._exchanges = []
        self._journal, self._record = journal, NO_RECORD
        self._quarantine = None
        if feed.give_up_after is not None:
            from zeit.cds.transfer.quarantine import Quarantine  # few feeds have one
            self._quarantine = self._selection.quarantine = Quarantine(feed, journal)

    def __call__(self):
        """Do it; returns the Outcome. What goes wrong is logged, and kept in the outcome."""
        begun = time.monotonic()
        log.info(self.beginning)
        try:
            self._begin()
            self._run()
        except Exception as e:
            self.outcome.error = e
        except BaseException as e:
            self.outcome.error = Interrupted(str(e) or type(e).__name__)
            raise
        finally:
            self.outcome.seconds = time.monotonic() - begun
            self._tell_end()
            notify(RunFinished(self.feed, self.outcome), self.outcome)
        return self.outcome

    def _begin(self):
        self._directory = Directory(self.feed, *self._remote, self._stop, self.tuning)

    # ------------------------------------------------------------ for other threads

    @property
    def connecting(self):
        """Is it opening its first session, and has nothing to clean up yet? bool"""
        directory = self._directory
        return directory is not None and directory.connecting

    @property
    def progress(self):
        """How far the run is: a Progress."""
        return Progress(self.outcome.files, self._selection.files,
                        sum(exchange.moved for exchange in list(self._exchanges)),
                        self._selection.bytes or None)

    def stop(self, interruption):
        """Finish the file in hand, begin no other, and end with this exception."""
        self._stop.error = interruption
        self._stop.event.set()

    def abort(self):
        """Drop the file in hand as well. Called after `stop`."""
        self._stop.aborted = True
        if (directory := self._directory) is not None:
            directory.abort()

    # ------------------------------------------------------------ the end

    def _tell_end(self):
        error, outcome = self.outcome.error, self.outcome
        if isinstance(error, Locked):
            log.warning('%s', in_words(error))
            log.info('Exiting, the next run tries again.')
        elif isinstance(error, Interrupted):
            log.warning('%s Exiting, the next run takes the rest.', error)
            for note in getattr(error, '__notes__', ()):
                log.warning('%s', note)
        elif error is not None:
            level = logging.DEBUG if in_words(error) == in_words(self.told) else logging.ERROR
            if isinstance(error, FTPError):
                log.log(level, 'Error accessing FTP server.')
            log.log(level, 'Exiting with exception:', exc_info=error)
        elif outcome.failed:
            log.error('Exiting with failure: %d of %d files were not exchanged, see the warnings.',
                      len(outcome.failed), len(outcome.failed) + outcome.files)
        elif outcome.unheard:
            log.error('Exiting with failure: all files were exchanged, but subscribers failed %d '
                      'times, see above.', len(outcome.unheard))
        else:
            log.info('Exiting with success.')

    # ------------------------------------------------------------ the files

    def _persist(self, verb):
        return self._directory.persist(verb)

    @abc.abstractmethod
    def _objection(self, entry):
        """Why a file is left, str, None if it isn't; and is something wrong? bool"""

    @abc.abstractmethod
    def _strategy(self, jobs):
        """What workers do with these Jobs: a Strategy."""

    @abc.abstractmethod
    def _publish(self, name, size):
        """The file has come to its end."""

    @contextlib.contextmanager
    def _opened_spool(self):
        """The spool is open in the block, and so is the record of the run."""
        with self._sink.open(self.feed) as self._spool:
            log.info('Accessed filestore %s', self._spool.path)
            with recorded(self._journal, self.feed, self._spool, self.outcome) as self._record:
                yield

    def _exchange(self, entries):
        from zeit.cds.transfer.exchange import Exchange  # most runs find nothing to exchange
        self._record.seen()
        exchange = Exchange(entries, self._strategy, self._directory, self._spool, self._record,
                            self._stop, self.tuning)
        self._exchanges.append(exchange)
        exchange.run(self._settle)
        self._sync()
        self._exchanged()
        if exchange.jobs.error is not None:
            raise exchange.jobs.error

    def _give_up(self, persist=None):
        """See Quarantine."""
        if self._quarantine is not None:
            self._quarantine.give_up(self.outcome, self._record, persist)

    def _sync(self):
        self._spool.sync()
        self._record.settled()

    def _settle(self, job):
        """It comes to nothing more but publication."""
        if job.dropped is None:
            self.outcome.waiting -= 1
            self._publish(job.name, job.size)
        else:
            self._selection.settle(job.name)
            if job.dropped.reason:
                self._skip(job.name, job.dropped.reason, job.dropped.failed)

    def _exchanged(self):   # noqa: B027  (only an import has something to do then)
        """All files have come to their end."""

    def _skip(self, name, reason, failed=False):
        self._selection.skip(name, reason, failed)
