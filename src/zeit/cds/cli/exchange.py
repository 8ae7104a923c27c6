"""The commands cds-import and cds-export, and what they share with cds-lock.

A command makes feeds of its arguments, works on them one after the other, and tells what came of it: the log and the
progress on standard error, results on standard output, and an exit status in the manner of sysexits.h.
"""
import gc


COLLECTS = gc.isenabled()
gc.disable()    # what is imported now stays: to look through it again and again takes a quarter of the time of all that

import contextlib
import copy
import logging
import os
import sys

from zeit.cds import credentials, main
from zeit.cds.cli.signals import Signals
from zeit.cds.events import Outcome
from zeit.cds.feed import Feed, replaced, SETTINGS
from zeit.cds.interfaces import (
    CDSError,
    ConfigurationError,
    ConnectionLost,
    Interrupted,
    Locked,
    LoginRefused,
    TemporaryError,
)
from zeit.cds.text import printable


gc.freeze()     # what is here now stays: to look through it again and again, and at the end, takes time
if COLLECTS:
    gc.enable()


log = logging.getLogger('zeit.cds')

OK, FAILED, UNREACHABLE, LOCKED, REFUSED, MISCONFIGURED = 0, 1, 69, 75, 77, 78      # argparse ends with 2: wrong usage
BY_SIGNAL = 128         # and the signal's number
STATUS_OF_ERROR = (
    (Locked, LOCKED), (LoginRefused, REFUSED), ((ConnectionLost, TemporaryError), UNREACHABLE),
    (ConfigurationError, MISCONFIGURED))
MOST_SERIOUS_FIRST = (FAILED, MISCONFIGURED, REFUSED, UNREACHABLE, LOCKED, OK)
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)

POSITIONAL = ('store_dir', 'hostname', 'port', 'user', 'password', 'ftp_dir', 'logfile')


def import_(*arguments, **settings):
    """The command cds-import; returns its exit status.

    With arguments, as buildout's scripts pass them: import by these settings. They are those of `main.import_`.
    """
    return command('cds-import', lambda prog, signals: exchange(prog, signals, arguments, settings))


def export(*arguments, **settings):
    """The command cds-export; returns its exit status. Arguments are those of `main.export`."""
    return command('cds-export', lambda prog, signals: exchange(prog, signals, arguments, settings))


def command(prog, body):
    """The exit status of a command whose work is body(prog, signals)."""
    with Signals() as signals:
        try:
            return body(prog, signals)
        except Interrupted:
            return BY_SIGNAL + signals.number
        except ConfigurationError as e:
            complain(prog, e)
            return MISCONFIGURED


def exchange(prog, signals, arguments, settings):
    if not arguments and not settings:
        return Exchange(prog, signals, sys.argv[1:]).run()
    if len(arguments) > len(POSITIONAL):
        raise ConfigurationError('There are %d arguments; these are possible: %s.' % (
            len(arguments), ', '.join(POSITIONAL)))
    this = Exchange(prog, signals, None)
    return this.run([Feed(**{'direction': this.direction, **dict(zip(POSITIONAL, arguments)), **settings})])


def complain(prog, error):
    """Print what went wrong, and what to do about it."""
    print('%s: %s' % (prog, in_words(error)), file=sys.stderr)


def in_words(error):
    return '\n'.join([str(error) or type(error).__name__, *getattr(error, '__notes__', ())])


def status_of(error, signals):
    """The exit status for what ended a run, which may be None."""
    if isinstance(error, Interrupted) and signals.number:
        return BY_SIGNAL + signals.number
    for kinds, status in STATUS_OF_ERROR:
        if isinstance(error, kinds):
            return status
    return OK if error is None else FAILED


def most_serious(statuses):
    """The one that stands for all: that of the interruption, else the first in MOST_SERIOUS_FIRST."""
    return min(statuses, key=lambda status: MOST_SERIOUS_FIRST.index(status) if status <= BY_SIGNAL else -1)


# ---------------------------------------------------------------- the log on standard error

class Handler(logging.StreamHandler):
    """Writes to standard error, beside a progress bar."""

    make_room = staticmethod(contextlib.nullcontext)

    def emit(self, record):
        with self.make_room():
            super().emit(record)


class Formatter(logging.Formatter):
    """Shows what went wrong without a traceback, if it is no defect of ours."""

    def format(self, record):
        record = copy.copy(record)      # the text of the traceback is kept in it, for the log file
        record.exc_text = None
        return super().format(record)

    def formatException(self, info):
        if isinstance(info[1], CDSError) and not log.isEnabledFor(logging.DEBUG):
            return in_words(info[1])
        return super().formatException(info)


@contextlib.contextmanager
def logged(prog, level):
    """What zeit.cds logs in the block goes to standard error. Gives the Handler."""
    handler = Handler(sys.stderr)
    handler.setLevel(level)
    handler.setFormatter(Formatter(prog + ': %(levelname)s: %(message)s'))
    before, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        log.propagate = propagate


# ---------------------------------------------------------------- what the commands have in common

class NothingAsked:
    """The options where there is no command line."""

    verbose = 0

    def __getattr__(self, name):
        return None


class Command:
    """A command line, and the feeds that it speaks of."""

    direction = None        # of the feeds; None: any
    positional = ()         # what precedes the URL: names of settings

    def __init__(self, prog, signals, arguments):
        """Ends the process with status 2 if the arguments (list of str, or None: there is no command line) are wrong."""
        self.prog, self.signals = prog, signals
        if arguments is None:
            self.options = NothingAsked()
            return
        from zeit.cds.cli import options
        self._parser = options.parser(prog)
        self.options = self._parser.parse(arguments)
        self._check_options()

    def _check_options(self):
        """Complain about options that contradict each other."""

    def run(self, feeds=None):
        """Do it; returns the exit status. Raises ConfigurationError."""
        if text := self._manual():
            print(text)
            return OK
        level = logging.ERROR if self.options.quiet else LEVELS[min(self.options.verbose, len(LEVELS) - 1)]
        with logged(self.prog, level) as self.handler:
            return self._work(self._feeds() if feeds is None else feeds)

    def _manual(self):
        """What the options ask to print, str, or None."""
        asked = self.options
        if asked.version or asked.man or asked.completion:
            from zeit.cds.cli import manual
            return (manual.version(self.prog) if asked.version else manual.man_page(self._parser) if asked.man
                    else manual.completion(self._parser, asked.completion))

    # ------------------------------------------------------------ feeds

    def _feeds(self):
        given = {name: value for name, value in vars(self.options).items() if name in SETTINGS}
        if self.options.zcml is None:
            return [self._feed_of_line(given)]
        if bool(self.options.all) == bool(self.options.arguments):
            self._parser.error('after --zcml give either names of feeds, or --all')
        if 'name' in given:
            self._parser.error('--name is for a feed that is given by its URL')
        from zeit.cds.cli import site
        names = None if self.options.all else self.options.arguments
        feeds = [replaced(feed, **given) for feed in site.feeds(self.options.zcml, names, self.direction)]
        if len(feeds) > 1 and os.environ.pop(credentials.VARIABLE, None):
            log.warning('%s is ignored: one password for several feeds may be told to the wrong server.',
                        credentials.VARIABLE)
        return feeds

    def _feed_of_line(self, given):
        arguments, wanted = self.options.arguments, len(self.positional) + 1
        if len(arguments) != wanted or self.options.all:
            self._parser.error('%s wanted, or --zcml FILE and names of feeds' % ' and '.join(
                [*(name.upper() for name in self.positional), 'URL']))
        from zeit.cds.cli.options import url_settings
        try:
            return Feed(**{'store_dir': '', 'direction': self.direction or 'import',
                           **dict(zip(self.positional, arguments)), **url_settings(arguments[-1]), **given})
        except ConfigurationError as e:
            self._parser.error(str(e))

    def _with_password(self, feed):
        """The feed with its password, if there is any; a person at the terminal may type it."""
        feed = credentials.complete(feed)
        if not feed.password and feed.user not in credentials.WITHOUT and sys.stdin.isatty() and sys.stderr.isatty():
            with contextlib.suppress(EOFError):
                feed = replaced(feed, password=credentials.from_terminal(feed))
        return feed


# ---------------------------------------------------------------- import and export

class Exchange(Command):
    """cds-import and cds-export."""

    positional = ('store_dir',)

    @property
    def direction(self):
        return self.prog.removeprefix('cds-')

    def _check_options(self):
        if self.options.dry_run and self.options.metrics:
            self._parser.error('--dry-run has no metrics')

    def _work(self, feeds):
        metrics = self._metrics() if self.options.metrics else None     # what is missing is missed before the run
        results = []
        for feed in feeds:
            results.append((feed, *self._run(feed)))
            if self.signals.number:
                break
        statuses = [status for _, _, status in results]
        if metrics is not None:
            statuses.append(self._write_metrics(metrics, results))
        return most_serious(statuses)

    def _run(self, feed):
        """One run; gives its outcome and its status."""
        try:
            outcome = self._verb()(self._with_password(feed), self._watch)
        except ConfigurationError as e:
            complain(self.prog, e)
            outcome = Outcome(error=e)
        status = status_of(outcome.error, self.signals) or (FAILED if outcome.failed else OK)
        self._report(feed, outcome, status)
        return outcome, status

    def _verb(self):
        if self.options.dry_run:
            return main.preview
        return main.run_import if self.direction == 'import' else main.run_export

    @contextlib.contextmanager
    def _watch(self, run):
        with self.signals.watch(run):
            if self.options.quiet or self.options.dry_run or not sys.stderr.isatty():
                yield
                return
            from zeit.cds.cli import progress
            with progress.shown(run, self.handler):
                yield

    def _report(self, feed, outcome, status):
        entries = getattr(outcome, 'entries', ())
        if self.options.json:
            from zeit.cds.cli import report
            report.write(report.of_preview(feed, entries, outcome, status) if self.options.dry_run
                         else report.of_run(feed, outcome, status), sys.stdout)
        else:
            for entry in entries:
                print('%12s  %s' % ('' if entry.size is None else entry.size, printable(entry.name)))

    @staticmethod
    def _metrics():
        try:
            from zeit.cds.cli import metrics
        except ImportError:
            raise ConfigurationError('--metrics needs prometheus_client: pip install "zeit.cds[metrics]"') from None
        return metrics

    def _write_metrics(self, metrics, results):
        try:
            metrics.write(self.options.metrics, [
                (feed, outcome, status, self._lock_age(feed, outcome)) for feed, outcome, status in results])
        except OSError as e:
            log.error('The metrics cannot be written: %s', e)
            return FAILED
        return OK

    def _lock_age(self, feed, outcome):
        """How old the lock is that kept us out, in seconds; 0 if none did, or it can't be told."""
        if not isinstance(outcome.error, Locked):
            return 0.0
        try:
            locks = main.inspect_locks(self._with_password(feed))
        except CDSError as e:
            log.debug('The age of the lock is not known: %s', e)
            return 0.0
        return max((lock.age or 0 for lock in locks), default=0) / 10**9


if __name__ == '__main__':
    sys.exit(import_())
