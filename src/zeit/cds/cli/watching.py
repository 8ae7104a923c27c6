"""What cds-watch does."""
from zeit.cds.cli.command import BY_SIGNAL, Command, FAILED, OK, status_of
from zeit.cds.interfaces import Interrupted
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
            self.handler.name_feeds()
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
