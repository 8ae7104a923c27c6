"""A dry run: what a run would take, without a lock or a change."""
import logging

from zeit.cds.events import Outcome
from zeit.cds.text import printable
from zeit.cds.transfer.exporting import Export
from zeit.cds.transfer.importing import Import


log = logging.getLogger('zeit.cds')


class Seen(Outcome):
    """What a run would exchange: `entries`, a list of Entry."""

    def __init__(self):
        super().__init__()
        self.entries = []


class Preview:
    """Mixed into a Run, it makes a dry run of it."""

    def __call__(self):
        """Look; returns the Seen. What goes wrong is logged, and kept there."""
        self.outcome = Seen()
        try:
            self._look()
        except Exception as e:
            self.outcome.error = e
            log.error('Exiting with exception:', exc_info=e)
        return self.outcome

    def _skip(self, name, reason, failed=False):
        # No event: nothing has happened.
        (self.outcome.failed if failed else self.outcome.skipped).append((name, reason))
        log.warning('Would not be exchanged: %s: %s.', printable(name), reason)


class ImportPreview(Preview, Import):
    """What an import would take."""

    def _look(self):
        self._spool = self._sink.look(self.feed)
        self._session = self._connect()
        with self._spool, self._session:
            self.outcome.entries = self._select()


class ExportPreview(Preview, Export):
    """What an export would take. It does not ask the server, which may have files of these names."""

    def _look(self):
        with self._sink.look(self.feed) as self._spool:
            self.outcome.entries = self._choose(self._spool.waiting())
