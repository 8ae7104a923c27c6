"""Which files a run exchanges, and what becomes of the others."""
import fnmatch
import logging

from zeit.cds.events import FileSkipped, notify
from zeit.cds.text import phrase, printable


log = logging.getLogger('zeit.cds')


class Selection:
    """Chooses files, and tells of those that are left."""

    def __init__(self, feed, outcome, objection, told):
        """
        feed, outcome -- IFeed, IOutcome
        objection -- function of an Entry: (why the file is left, or None; is something wrong?)
        told -- so many are told of one by one
        """
        self._feed, self._outcome = feed, outcome
        self._objection = objection
        self._told = told
        self._settled = set()       # names skipped in this run, for a reason that was given
        self._no_files = set()      # those of directories and the like, for which nobody waits
        self.files = self.bytes = 0     # chosen so far
        self.quarantine = None          # Quarantine, if the feed has one

    def choose(self, found):
        """The entries to exchange, in sorted order."""
        chosen, last = [], None
        if self.quarantine is not None:
            found = self.quarantine.without(found, self._outcome)
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.name != last and self._wanted(entry):
                chosen.append(entry)
            last = entry.name
        outcome, limit = self._outcome, self._feed.limit
        outcome.waiting = len(chosen) + len(self._settled - self._no_files)
        if limit is not None:
            del chosen[max(0, limit - outcome.files - len(outcome.failed)):]
        self.files += len(chosen)
        self.bytes += sum(entry.size or 0 for entry in chosen)
        return chosen

    def _wanted(self, entry):
        name, feed = entry.name, self._feed
        if name in self._settled:
            return False
        if name.startswith('.'):
            log.debug('No part of the exchange: %s', printable(name))
            return False
        if feed.include and not matches(name, feed.include) or matches(name, feed.exclude):
            log.debug('Excluded: %s', printable(name))
            return False
        reason, failed = self._objection(entry)
        if reason:
            self.skip(name, reason, failed)
            self.settle(name)
            if entry.kind not in ('file', None):
                self._no_files.add(name)
        return not reason

    def begin_anew(self):
        """What was chosen so far was exchanged, or is to be chosen again."""
        self.files, self.bytes = self._outcome.files, 0

    def settle(self, name):
        """Choose it no more."""
        self._settled.add(name)

    def is_no_file(self, name):
        """Nobody waits for this one, which was chosen."""
        self._no_files.add(name)
        self._outcome.waiting -= 1

    def skip(self, name, reason, failed=False):
        """Leave a file, say why, go on with the others."""
        outcome = self._outcome
        (outcome.failed if failed else outcome.skipped).append((name, reason))
        few = len(outcome.failed) + len(outcome.skipped) <= self._told
        log.log(logging.WARNING if few else logging.DEBUG,
                'Not exchanged: %s: %s.', printable(name), phrase(reason))
        notify(FileSkipped(self._feed, name, reason, failed), outcome)


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
