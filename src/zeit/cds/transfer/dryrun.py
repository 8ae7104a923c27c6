"""A dry run: what a run would take, without a lock or a change."""
import logging

from zeit.cds.events import Outcome
from zeit.cds.text import phrase, printable
from zeit.cds.transfer.exporting import Export
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.selection import Selection


log = logging.getLogger('zeit.cds')


class Seen(Outcome):
    """What a run would exchange: `entries`, a list of Entry."""

    def __init__(self):
        super().__init__()
        self.entries = []


class Listed(Selection):
    """Which files a run would exchange."""

    def skip(self, name, reason, failed=False):
        # No event: nothing has happened.
        (self._outcome.failed if failed else self._outcome.skipped).append((name, reason))
        log.warning('Would not be exchanged: %s: %s.', printable(name), phrase(reason))


class Preview:
    """Mixed into a Run, it makes a dry run of it."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.outcome = Seen()
        self._selection = Listed(self.feed, self.outcome, self._objection, self.tuning.told)

    def __call__(self):
        """Look; returns the Seen. What goes wrong is logged, and kept there."""
        try:
            self._begin()
            self._see()
        except Exception as e:
            self.outcome.error = e
            log.error('Exiting with exception:', exc_info=e)
        return self.outcome


class ImportPreview(Preview, Import):
    """What an import would take."""

    def _see(self):
        self._spool = self._sink.look(self.feed)
        with self._spool:
            self._directory.connect()
            try:
                self.outcome.entries = self._select()
            finally:
                self._directory.disconnect()


class ExportPreview(Preview, Export):
    """What an export would take.

    It does not ask the server, which may have files of these names.
    """

    def _see(self):
        with self._sink.look(self.feed) as self._spool:
            self.outcome.entries = self._selection.choose(self._spool.waiting())
