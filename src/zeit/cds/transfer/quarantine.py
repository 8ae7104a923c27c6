"""Files that failed so often that they are given up: set aside until a person wants them tried.

The journal counts the tries, and remembers who is set aside. While it can't be asked, nothing is
set aside that was not, and what was known of the others counts for as long as this process lives.
"""
import logging
import time

from zeit.cds.interfaces import CDSError, FTPError
from zeit.cds.text import lock_named, phrase, printable
from zeit.cds.transfer.afterwards import Numbered


log = logging.getLogger('zeit.cds')

AGAIN = 10.0        # seconds after which the journal is asked again, by who looks often
STAYS = 'It stays where it is'


class Quarantine:
    """Of one feed."""

    def __init__(self, feed, journal, again=AGAIN):
        """
        feed -- IFeed with `give_up_after`
        journal -- IJournal
        """
        self._feed, self._journal, self._again = feed, journal, again
        self._place = Numbered(feed.quarantine) if feed.quarantine else None
        self._asked = None      # value of time.monotonic()
        self._tries = None      # {name: int} of files that failed; None: not known
        self._aside = {}        # {name: FileRow}
        self._entries = {}      # {name: Entry} of what there is

    def without(self, entries, outcome):
        """The entries, a list, but for those that are set aside, which the outcome counts."""
        if self._asked is None or time.monotonic() - self._asked >= self._again:
            self._ask()
        self._entries = {entry.name: entry for entry in entries}
        left = [entry for entry in entries if not self._is_aside(entry)]
        outcome.aside = len(entries) - len(left)
        if self._place is None:
            return left
        return [entry for entry in left if entry.name != self._place.directory]

    def _ask(self):
        self._asked = time.monotonic()
        try:
            rows = self._journal.failures(self._feed)
        except CDSError as e:
            self._tries = None
            log.debug('It is not known which files are set aside: %s', phrase(e))
        else:
            self._tries = {row.name: row.tries for row in rows if row.state != 'aside'}
            self._aside = {row.name: row for row in rows if row.state == 'aside'}

    def _is_aside(self, entry):
        """Is it the very version that was? bool"""
        row = self._aside.get(entry.name)
        return row is not None and all(
            None in (now, then) or now == then
            for now, then in ((entry.size, row.size), (entry.modified, row.modified)))

    # ------------------------------------------------------------ the end of a run

    def give_up(self, outcome, record, persist=None):
        """Set aside what has failed once too often.

        record -- IRecord
        persist -- see Directory; None: nothing can be moved
        """
        if self._tries is None:
            return
        for name, reason in outcome.failed:
            tries = self._tries.get(name, 0) + 1
            if tries >= self._feed.give_up_after and name in self._entries:
                self._set_aside(self._entries[name], tries, reason, record, persist)
                outcome.aside += 1
                outcome.waiting -= 1
        if self._place is None:
            for name in self._aside.keys() - self._entries.keys():
                record.gone(name)

    def _set_aside(self, entry, tries, reason, record, persist):
        where = STAYS
        if self._place is not None and persist is not None and not lock_named(entry.name):
            where = self._moved(entry.name, persist)
        log.warning('Given up after %d tries: %s: %s. %s, and is not tried again before '
                    'cds-log --retry.', tries, printable(entry.name), phrase(reason), where)
        record.set_aside(entry, tries, reason)

    def _moved(self, name, persist):
        place = self._place
        try:
            place.prepare(persist)
            target = place.target(name)
            persist(lambda session: session.rename(name, target))
        except (FTPError, ValueError) as e:
            return '%s, as it could not be moved: %s' % (STAYS, phrase(e))
        finally:
            place.forget(name)
        return 'It is now %s there' % printable(target)
