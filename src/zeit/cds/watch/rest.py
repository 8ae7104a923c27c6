"""What runs have left where it was: no reason for another run at once, but for one now and then."""
import time

from zeit.cds.watch.pauses import Pauses


class Rest:
    """Files that were there, and were not exchanged."""

    def __init__(self, tuning):
        self._pauses = Pauses(tuning.first_left, tuning.longest_left)
        self._left = {}             # {name: Entry}, of files that a run has left
        self._is_owed = False       # is there anything that a later run may bring to its end?
        self._again = 0.0           # value of time.monotonic() from which on it may try

    def is_worth_a_run(self, found):
        """Is there anything to do after this Found? bool"""
        if any(self._left.get(entry.name) != entry for entry in found.entries):
            return True
        return self._is_owed and time.monotonic() >= self._again

    def note(self, found, outcome):
        """A run has followed this Found, and has this IOutcome."""
        names = {name for name, _ in (*outcome.skipped, *outcome.failed)}
        self._left = {entry.name: entry for entry in found.entries if entry.name in names}
        # What a look leaves as well has to change before there is anything to do.
        self._is_owed = not names <= found.left
        if self._is_owed:
            self._again = time.monotonic() + self._pauses.next()
        else:
            self._pauses.begin_anew()
