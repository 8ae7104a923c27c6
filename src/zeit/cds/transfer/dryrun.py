"""A dry run: what a run would take, without a lock or a change."""
import logging

from zeit.cds.events import Outcome
from zeit.cds.interfaces import Entry, ReplyError
from zeit.cds.pipelined import pipelined
from zeit.cds.text import phrase, printable
from zeit.cds.transfer.download import told
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
        self._selection.quarantine = self._quarantine

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
                self.outcome.entries = self._files(self._choose(self._listed()))
            finally:
                self._directory.disconnect()

    def _files(self, entries):
        """Those that are files, as far as that can be told without fetching them: a list."""
        odd = [entry.name for entry in entries if not told(entry)]
        if not odd:
            return entries
        seen = self._persist(lambda session: looked_at(session, odd))
        self._tell_of_no_files(name for name in odd if seen[name] is None)
        return [entry for entry in (seen.get(entry.name, entry) for entry in entries) if entry]


def looked_at(session, names):
    """{name: Entry, or None if it is no file} of names of which the listing does not tell it."""
    session.stat(names[0])      # some servers take directories for files: this one, too?
    with pipelined(session).batch() as batch:
        pendings = {name: batch.stat(name, time=False) for name in names}
    seen = {}
    for name, pending in pendings.items():
        try:
            seen[name] = pending.get()
        except ReplyError:
            seen[name] = Entry(name, kind='file')   # what is wrong with it, a run will tell
    for name, entry in seen.items():
        if entry is not None and entry.kind is None and session.kind(name) == 'dir':
            seen[name] = None
    return seen


class ExportPreview(Preview, Export):
    """What an export would take.

    It does not ask the server, which may have files of these names.
    """

    def _see(self):
        with self._sink.look(self.feed) as self._spool:
            self.outcome.entries = self._selection.choose(self._spool.waiting())
