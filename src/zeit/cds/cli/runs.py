"""What cds-import and cds-export do: a run for each feed."""
import contextlib
import logging
import sys
import threading
import time

import zope.event

from zeit.cds import main
from zeit.cds.cli.command import Command, command, FAILED, OK, status_of
from zeit.cds.events import Outcome
from zeit.cds.feed import Feed
from zeit.cds.interfaces import CDSError, ConfigurationError, IFileExchanged, Locked
from zeit.cds.logfile import logged_as_well, thread_of_run
from zeit.cds.text import duration, in_words, printable


log = logging.getLogger('zeit.cds')

POSITIONAL = ('store_dir', 'hostname', 'port', 'user', 'password', 'ftp_dir', 'logfile')


def exchange(prog, options, arguments, settings):
    """The status of a command.

    options -- its command line, list of str
    arguments, settings -- those of a script, which has its settings inside
    """
    return command(prog, lambda prog, signals: Exchange(
        prog, signals, options, feed_of_script(prog, arguments, settings)).run())


def feed_of_script(prog, arguments, settings):
    """The Feed that a script has inside, if it has one."""
    if not arguments and not settings:
        return None
    if len(arguments) > len(POSITIONAL):
        raise ConfigurationError('There are %d arguments; these are possible: %s.' % (
            len(arguments), ', '.join(POSITIONAL)))
    return Feed(**{'direction': prog.removeprefix('cds-'), **dict(zip(POSITIONAL, arguments)),
                   **settings})


class Exchange(Command):
    """cds-import and cds-export."""

    positional = ('store_dir',)
    _metrics = None         # the module, if it is wanted
    _journal = None         # IJournal, if one is asked for

    @property
    def direction(self):
        return self.prog.removeprefix('cds-')

    def _check_options(self):
        if self.options.dry_run and self.options.metrics:
            self._parser.error('--dry-run has no metrics')

    def run(self):
        if self.options.metrics:        # what is missing is missed before the run
            try:
                from zeit.cds.cli import metrics
            except ImportError:
                raise ConfigurationError('--metrics needs prometheus_client: '
                                         'pip install "zeit.cds[metrics]"') from None
            self._metrics = metrics
        if self.options.journal:
            from zeit.cds.journal.sql import SQLJournal
            self._journal = SQLJournal(self.options.journal)
        return super().run()

    def work(self, feed):
        return self.exchange(feed, self._watch, self.put)

    def _statuses(self, feeds):
        if len(feeds) == 1 or (self.options.jobs or 1) == 1 or self.options.probe:
            return super()._statuses(feeds)
        from zeit.cds.cli import jobs  # mostly one feed comes after the other
        return jobs.statuses(self, feeds, self.options.jobs)

    def exchange(self, feed, watch, put):
        """Exchange one feed; returns its status.

        watch -- see `main.run_import`
        put -- called with the text that goes to standard output
        """
        names = []
        with heard(names) if self.options.json else contextlib.nullcontext():
            outcome = self._outcome(feed, watch)
        return self.tell(feed, outcome, names, put)

    def tell(self, feed, outcome, names, put):
        """Tell what came of a run; returns its status."""
        ended = time.time()
        status = status_of(outcome.error, self.signals) or (
            FAILED if outcome.failed or outcome.unheard else OK)
        self._report(feed, outcome, status, names, put)
        age = self._lock_age(feed, outcome)
        if self.options.quiet and age > feed.stale_after:   # a warning would not be seen
            log.error('Somebody has held the lock for %s, longer than stale_after (%s). '
                      'cds-lock shows who.', duration(age), duration(feed.stale_after))
        if self._metrics is not None and not self._write_metrics(
                feed, outcome, status, age, ended):
            return status or FAILED
        return status

    def _outcome(self, feed, watch):
        verb = main.run_import if self.direction == 'import' else main.run_export
        try:
            if self.options.dry_run:
                return main.preview(feed, watch, self.ask, self._journal)
            return verb(feed, watch, self.ask, journal=self._journal)
        except ConfigurationError as e:
            with logged_as_well(feed.logfile, feed.name):
                log.error('%s', in_words(e))
            return Outcome(error=e)

    @property
    def shows_progress(self):
        return not (self.options.quiet or self.options.dry_run) and sys.stderr.isatty()

    @contextlib.contextmanager
    def _watch(self, run):
        with self.signals.watch(run):
            if not self.shows_progress:
                yield
                return
            from zeit.cds.cli import progress
            with progress.shown(run, self.handler):
                yield

    def _report(self, feed, outcome, status, names, put):
        entries = getattr(outcome, 'entries', ())
        if self.options.json:
            from zeit.cds.cli import report
            put(report.line(
                report.of_preview(feed, entries, outcome, status) if self.options.dry_run
                else report.of_run(feed, outcome, status, names)))
        elif entries:
            put(''.join('%12s  %s\n' % ('' if entry.size is None else entry.size,
                                        printable(entry.name)) for entry in entries))

    def _write_metrics(self, *run):
        """Returns whether they could be written."""
        try:
            self._metrics.write(self.options.metrics, *run)
        except OSError as e:
            log.error('The metrics cannot be written: %s', e)
            return False
        return True

    def _lock_age(self, feed, outcome):
        """How old the lock is that kept us out, in seconds.

        0 if none did, or it can't be told, or nobody wants to know.
        """
        if not isinstance(outcome.error, Locked) or not (self._metrics or self.options.quiet):
            return 0.0
        try:
            locks = main.inspect_locks(feed, self.ask)
        except CDSError as e:
            log.debug('The age of the lock is not known: %s', e)
            return 0.0
        return max((lock.age or 0 for lock in locks), default=0) / 10**9


@contextlib.contextmanager
def heard(names):
    """The names of the files that this thread exchanges in the block are added to the list."""
    from zeit.cds.cli.report import AT_MOST
    me = threading.get_ident()

    def hear(event):
        if len(names) < AT_MOST and IFileExchanged.providedBy(event) and thread_of_run() == me:
            names.append(event.name)

    zope.event.subscribers.append(hear)
    try:
        yield
    finally:
        zope.event.subscribers.remove(hear)
