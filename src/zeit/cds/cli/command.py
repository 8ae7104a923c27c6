"""What the commands have in common.

A command makes feeds of its arguments, works on them one after the other, and tells what came of
it: the log and the progress on standard error, results on standard output, and an exit status as
sysexits.h has them.
"""
import contextlib
import logging
import os
import sys
import threading

from zeit.cds import credentials
from zeit.cds.cli.console import silence
from zeit.cds.cli.signals import Signals
from zeit.cds.feed import address, Feed, label, replaced, SETTINGS
from zeit.cds.interfaces import (
    ConfigurationError,
    ConnectionLost,
    Interrupted,
    Locked,
    LoginRefused,
    TemporaryError,
)
from zeit.cds.logfile import Formatter
from zeit.cds.text import in_words


log = logging.getLogger('zeit.cds')

OK, FAILED, UNREACHABLE, LOCKED, REFUSED, MISCONFIGURED = 0, 1, 69, 75, 77, 78
# argparse ends with 2: wrong usage
BY_SIGNAL = 128         # and the signal's number
STATUS_OF_ERROR = (
    (Locked, LOCKED), (LoginRefused, REFUSED), ((ConnectionLost, TemporaryError), UNREACHABLE),
    (ConfigurationError, MISCONFIGURED))
MOST_SERIOUS_FIRST = (FAILED, MISCONFIGURED, REFUSED, UNREACHABLE, LOCKED, OK)
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def command(prog, body):
    """The exit status of a command whose work is body(prog, signals)."""
    signals = Signals()
    try:
        with signals:
            try:
                return body(prog, signals)
            except ConfigurationError as e:
                complain(prog, e)
                return MISCONFIGURED
    except Interrupted:
        return BY_SIGNAL + signals.number


def complain(prog, error):
    """Print what went wrong, and what to do about it."""
    try:
        print('%s: %s' % (prog, in_words(error)), file=sys.stderr)
    except OSError:
        silence(2)


def unwritten(prog, error):
    """Print that standard output could not be written. error -- OSError"""
    silence(1)
    complain(prog, OSError('Standard output cannot be written: %s' % error))


def status_of(error, signals):
    """The exit status for what ended a run, which may be None."""
    if signals.number and error is not None:
        return BY_SIGNAL + signals.number       # whatever it says: it was cut short
    for kinds, status in STATUS_OF_ERROR:
        if isinstance(error, kinds):
            return status
    return OK if error is None else FAILED


def most_serious(statuses):
    """The one that stands for all: that of an interruption, else by MOST_SERIOUS_FIRST."""
    return min(statuses, key=lambda status: (
        MOST_SERIOUS_FIRST.index(status) if status <= BY_SIGNAL else -1))


# ---------------------------------------------------------------- the log on standard error

class Handler(logging.StreamHandler):
    """Writes to standard error, beside a progress bar."""

    make_room = staticmethod(contextlib.nullcontext)

    def __init__(self, prog):
        super().__init__(sys.stderr)
        self._prog = prog
        self.name_feed('')

    def name_feed(self, name):
        """What follows is of the feed of that name; '': there is but one."""
        prefix = '%s: %s: ' % (self._prog, name) if name else '%s: ' % self._prog
        self.setFormatter(Formatter(prefix.replace('%', '%%') + '%(levelname)s: '))

    def name_feeds(self):
        """Several are at work at once: each line names the one that its thread works for.

        A thread that does so has an attribute `label`, str, or an attribute `parent`, the thread
        that started it.
        """
        def note(record):
            name = name_of_feed()
            record.feed = '%s: ' % name if name else ''
            return True

        self.addFilter(note)
        self.setFormatter(Formatter('%s: %%(feed)s%%(levelname)s: ' % self._prog))

    def emit(self, record):
        with self.make_room():
            super().emit(record)

    def handleError(self, record):
        if isinstance(sys.exc_info()[1], OSError):
            silence(2)      # nobody listens any more, or the disk is full; the run goes on
        else:
            super().handleError(record)


def name_of_feed():
    """The feed that the present thread works for, str; None if it works for all of them."""
    thread = threading.current_thread()
    while thread is not None and not hasattr(thread, 'label'):
        thread = getattr(thread, 'parent', None)
    return thread and thread.label


@contextlib.contextmanager
def logged(prog, level):
    """What zeit.cds logs in the block goes to standard error. Gives the Handler."""
    handler = Handler(prog)
    handler.setLevel(level)
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
    """A command line, and the feeds that it speaks of.

    A subclass has `work(feed)`, which does what is to be done for one feed and returns its status;
    or does it for all of them at once, in `_statuses`.
    """

    direction = None        # of the feeds; None: any
    positional = ()         # what precedes the URL: names of settings

    def __init__(self, prog, signals, arguments, feed=None):
        """
        arguments -- of the command line, list of str
        feed -- what a script made of its own settings; then the arguments are options only
        Ends the process with status 2 if the arguments are wrong.
        """
        self.prog, self.signals = prog, signals
        self.unprinted = False      # is something missing on standard output?
        self._feed = feed
        self._typed = {}            # the address of a feed: its password
        self._asking = threading.Lock()
        if feed is not None and not arguments:      # cron's runs start sooner
            self.options = NothingAsked()
            return
        from zeit.cds.cli import options
        self._parser = options.parser(prog)
        if feed is not None:
            self._parser.usage = '%s [OPTION...]' % os.path.basename(sys.argv[0])
        self.options = self._parser.parse(arguments)
        self._check_options()

    def _check_options(self):
        """Complain about options that contradict each other."""

    def run(self):
        """Do it; returns the exit status. Raises ConfigurationError."""
        if text := self._manual():
            self.put(text + '\n')
            return FAILED if self.unprinted else OK
        level = logging.ERROR if self.options.quiet else LEVELS[
            min(self.options.verbose, len(LEVELS) - 1)]
        with logged(self.prog, level) as self.handler:
            statuses = self._statuses(self._feeds())
            if self.unprinted:
                statuses.append(FAILED)
            return most_serious(statuses)

    def _statuses(self, feeds):
        """Do what is to be done for these feeds; returns the status of each, at least one."""
        work = self._probe if self.options.probe else self.work
        statuses = [work(feed) for feed in self._each(feeds)]
        if len(statuses) < len(feeds):
            statuses.append(BY_SIGNAL + self.signals.number)
        return statuses

    def _probe(self, feed):
        from zeit.cds.cli import probe
        return probe.work(self, feed)

    def _each(self, feeds):
        """The feeds, until a signal comes; each line on standard error names its one of several."""
        for feed in feeds:
            if self.signals.number:
                return
            self.handler.name_feed(label(feed) if len(feeds) > 1 else '')
            yield feed

    def put(self, text):
        """Print it on standard output. That nobody reads it (any more), changes nothing."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            silence(1)
        except OSError as e:
            log.error('Standard output cannot be written: %s', e)
            silence(1)
            self.unprinted = True

    def _manual(self):
        """What the options ask to print, str, or None."""
        asked = self.options
        if asked.version or asked.man or asked.completion:
            from zeit.cds.cli import manual
            return (manual.version(self.prog) if asked.version
                    else manual.man_page(self._parser) if asked.man
                    else manual.completion(self._parser, asked.completion))

    # ------------------------------------------------------------ feeds

    def _feeds(self):
        given = {name: value for name, value in vars(self.options).items() if name in SETTINGS}
        given.update(self.options.set or ())
        if self._feed is not None:
            return [self._feed_of_script(given)]
        if self.options.zcml is None:
            return [self._feed_of_line(given)]
        if 'name' in given:
            self._parser.error('--name is for a feed that is given by its URL')
        feeds = [replaced(feed, **given) for feed in self._declared(self._names())]
        if len(feeds) > 1 and os.environ.pop(credentials.VARIABLE, None):
            log.warning('%s is ignored: one password for several feeds may be told to the wrong '
                        'server.', credentials.VARIABLE)
        return feeds

    def _declared(self, names):
        """The feeds of the ZCML file: those of these names, a list; None: all."""
        from zeit.cds.cli import site
        return site.feeds(self.options.zcml, names, self.direction)

    def _names(self):
        """Of the feeds in the ZCML file that are wanted: a list; None: all."""
        if bool(self.options.all) == bool(self.options.arguments):
            self._parser.error('after --zcml give either names of feeds, or --all')
        return None if self.options.all else self.options.arguments

    def _feed_of_script(self, given):
        if self.options.arguments or self.options.zcml or self.options.all:
            self._parser.error('this script has its feed: only options are possible')
        return replaced(self._feed, **given)

    def _feed_of_line(self, given):
        positional = () if vars(self.options).get('probe') else self.positional
        arguments = self.options.arguments
        if len(arguments) != len(positional) + 1 or vars(self.options).get('all'):
            self._parser.error('%s wanted, or --zcml FILE and names of feeds' % ' and '.join(
                [*(name.upper() for name in positional), 'URL']))
        from zeit.cds.cli.options import url_settings
        try:
            return Feed(**{'store_dir': '', 'direction': self.direction or 'import',
                           **dict(zip(positional, arguments)), **url_settings(arguments[-1]),
                           **given})
        except ConfigurationError as e:
            self._parser.error(str(e))

    def ask(self, feed):
        """The password that the person at the terminal types, once for each place; '' if none."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return ''
        with self._asking:
            if address(feed) not in self._typed:
                with contextlib.suppress(EOFError):
                    self._typed[address(feed)] = credentials.from_terminal(feed)
            return self._typed.get(address(feed), '')
