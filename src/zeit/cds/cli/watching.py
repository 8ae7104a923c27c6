"""What cds-watch does."""
import contextlib

import zope.component

from zeit.cds.cli.command import BY_SIGNAL, Command, FAILED, OK, status_of
from zeit.cds.interfaces import ConfigurationError, Interrupted
from zeit.cds.watch.watcher import Watch


class Watching(Command):
    """cds-watch."""

    positional = ('store_dir',)
    _site = _registry = _server = None

    def _check_options(self):
        if self.options.zcml is not None and 'direction' in vars(self.options):
            self._parser.error('--direction is for a feed that is given by its URL')
        if self.options.once and self.options.http:
            self._parser.error('with --once nobody could look at it')

    def _names(self):
        return self.options.arguments or None

    def run(self):
        if self.options.http is not None:       # what is in the way is told before it begins
            from zeit.cds.cli import service
            self._server = service.server(self.options.http)
        if self.options.journal:
            from zeit.cds.interfaces import IJournal
            from zeit.cds.journal.sql import SQLJournal
            zope.component.provideUtility(SQLJournal(self.options.journal), IJournal)
        return super().run()

    def _statuses(self, feeds):
        if self.options.zcml is not None:
            self._site.use(self._registry)
            self.handler.name_feeds()
        watch = Watch(feeds, self.ask if len(feeds) == 1 else None, self.options.once)
        with self._attended(watch) as stopped, self.signals.watch(stopped):
            watch.run()
        return [self._status(watched.outcome) for watched in watch.feeds]

    def _attended(self, watch):
        """A context manager around the watch, which gives what signals are to stop."""
        if self.options.once:
            return contextlib.nullcontext(watch)
        from zeit.cds.cli.service import Service  # a single look is nobody's service
        return Service(self, watch, self._server)

    def _declared(self, names):
        if self._site is None:
            from zeit.cds.cli.site import Site  # a single feed may do without
            self._site = Site(self.options.zcml, names)
        self._registry, feeds = self._site.read()
        return feeds

    def feeds_anew(self):
        """The feeds as they are declared now: list of IFeed, and what else the file registers.

        Raises ConfigurationError; then nothing has changed.
        """
        if self.options.zcml is None:
            raise ConfigurationError('There is no ZCML file that could be read anew.')
        feeds = self._feeds()
        self._site.use(self._registry)
        return feeds

    def _status(self, outcome):
        """Of a feed, by the IOutcome of its last run, which may be None."""
        error = None if outcome is None else outcome.error
        if isinstance(error, Interrupted) or self.options.once and outcome is None:
            return BY_SIGNAL + self.signals.number
        if not self.options.once:
            return OK
        return status_of(error, self.signals) or (
            FAILED if outcome.failed or outcome.unheard else OK)
