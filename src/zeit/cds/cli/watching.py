"""What cds-watch does."""
import threading

from zeit.cds.cli.command import BY_SIGNAL, Command, FAILED, OK, status_of
from zeit.cds.interfaces import Interrupted
from zeit.cds.logfile import Formatter
from zeit.cds.watch.watcher import Watch


class Watching(Command):
    """cds-watch."""

    positional = ('store_dir',)

    def _check_options(self):
        if self.options.zcml is not None and 'direction' in vars(self.options):
            self._parser.error('--direction is for a feed that is given by its URL')

    def _names(self):
        return self.options.arguments or None

    def _statuses(self, feeds):
        if self.options.zcml is not None:
            name_feeds(self.prog, self.handler)
        watch = Watch(feeds, self.ask if len(feeds) == 1 else None, self.options.once)
        with self.signals.watch(watch):
            watch.run()
        return [self._status(watched.outcome) for watched in watch.feeds]

    def _status(self, outcome):
        """Of a feed, by the IOutcome of its last run, which may be None."""
        error = None if outcome is None else outcome.error
        if isinstance(error, Interrupted) or self.options.once and outcome is None:
            return BY_SIGNAL + self.signals.number
        if not self.options.once:
            return OK
        return status_of(error, self.signals) or (
            FAILED if outcome.failed or outcome.unheard else OK)


def name_feeds(prog, handler):
    """Each line of a logging handler begins with the name of the feed that it is about."""
    def note(record):
        name = name_of_feed()
        record.feed = '%s: ' % name if name else ''
        return True

    handler.addFilter(note)
    handler.setFormatter(Formatter('%s: %%(feed)s%%(levelname)s: ' % prog))


def name_of_feed():
    """The feed that the present thread works for, str; None if it works for all of them."""
    thread = threading.current_thread()
    while thread is not None and not hasattr(thread, 'label'):
        thread = getattr(thread, 'parent', None)
    return thread and thread.label
