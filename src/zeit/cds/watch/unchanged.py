"""A listing is spared where the server tells by less that nothing has changed since the last one.

What it tells is the time of the directory, which has whole seconds. So a listing can stand for
later ones only if that time had been seen long enough before it was made: whatever comes
afterwards has a later time. And not every server, or file system, keeps such a time: it is believed
only once it has been seen to change together with a listing, and never more when it has not. At
any rate, the directory is listed now and then.
"""
import time

from zeit.cds.interfaces import IChangeDetection
from zeit.cds.pipelined import pipelined


class Unchanged:
    """What is known of one directory."""

    def __init__(self, tuning):
        self._again = tuning.lists_again
        self._entries, self._listed = None, 0.0     # the last listing, and when it was made
        self._stands = False        # can it stand for others?
        # What the server told before a listing, when it told so first, and the names listed then
        self._version, self._since, self._names = None, 0.0, None
        self._is_proven = False     # has it been seen to change?
        self._lies = False          # is it useless?
        self.quiet = True           # did the last look find nothing to exchange? Else it is not
                                    # worth a round trip

    def has_changed(self):
        """Something has come and gone since the last listing, such as a lock file of ours."""
        self._names, self._stands = SOMETHING, False

    def entries(self, session):
        """What ICDSSession.entries gives: a list."""
        begun, version, detection = time.monotonic(), None, None
        if self.quiet and not self._lies:
            detection = IChangeDetection(session, None)
            version = detection and detection.version()
        if version is not None and version == self._version and self._stands and (
                begun - self._listed < self._again):
            return self._entries
        entries = pipelined(session).entries()
        self._entries, self._listed = entries, begun
        if version is None:
            self._stands = False
        else:
            self._note(version, {entry.name for entry in entries}, begun)
            self._stands = self._is_proven and begun - self._since > 2 * detection.resolution
        return entries

    def _note(self, version, names, now):
        others = self._names is not None and names != self._names
        if version != self._version:
            self._is_proven |= others
            self._since = now
        elif others and self._stands:
            self._lies = True
        self._version, self._names = version, names


SOMETHING = frozenset([None])       # names that no listing has
