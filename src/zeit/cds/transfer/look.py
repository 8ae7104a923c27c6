"""A look, without a lock, a change, or a line in the log: is there anything to exchange?

It decides as a run does, so that a file which a run would leave where it is does not begin one.
"""
from typing import NamedTuple

from zeit.cds.events import Outcome
from zeit.cds.interfaces import Entry
from zeit.cds.pipelined import pipelined
from zeit.cds.text import LOCKS
from zeit.cds.transfer.exporting import Export
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.selection import Selection


class Found(NamedTuple):
    """What a look has found."""

    entries: list[Entry]        # of each file that a run would exchange
    left: frozenset[str]        # names of files that it would not
    waiting: int                # files that are there
    locks: tuple[str, ...] = ()     # names of the lock files that are there


class Silent(Selection):
    """Which files a run would exchange; nobody is told of the others."""

    def __init__(self, *args):
        super().__init__(*args)
        self.left = set()

    def skip(self, name, reason, failed=False):
        self.left.add(name)


class Look:
    """Mixed into a Run, it makes a look of it, which can be repeated."""

    def _found(self, listed, locks=()):
        outcome = Outcome()
        selection = Silent(self.feed, outcome, self._objection, 0)
        selection.quarantine = self._quarantine
        chosen = selection.choose(listed)
        return Found(chosen, frozenset(selection.left), outcome.waiting, locks)


class ImportLook(Look, Import):
    """Is there anything to import?"""

    def here(self):
        """What can be told without the server: a Found; None: nothing."""

    def __call__(self, session, listed):
        """A Found. Raises what a session does, and SpoolError.

        session -- ICDSSession, not in use otherwise
        listed -- function of it that gives the entries of the directory
        """
        listed = listed(session)
        names = {entry.name for entry in listed}
        with self._sink.look(self.feed) as self._spool:
            return self._found(
                self._afterwards.new(self._articles(listed), self._spool),
                tuple(lock for lock in self._afterwards.locks if lock in names))


    def notice(self):
        """Tell the journal, if one is kept, which files were taken from new. Raises CDSError."""
        if self._journal is not None:
            with self._sink.look(self.feed) as spool:
                self._journal.notice(self.feed, spool)


class ExportLook(Look, Export):
    """Is there anything to export?"""

    def here(self):
        """See ImportLook."""
        with self._sink.look(self.feed) as spool:
            return self._found(spool.waiting())

    def notice(self):
        """There is nothing to be told: an export moves its files itself."""

    def __call__(self, session, listed):
        """See ImportLook."""
        return self.here()._replace(locks=locks(session))


def locks(session):
    """The names of the lock files that are there: a tuple. It takes one round trip on most servers.
    """
    with pipelined(session).batch() as batch:
        pendings = [(name, batch.stat(name, time=False)) for name in LOCKS]
    return tuple(name for name, pending in pendings if pending.get() is not None)
