"""What else may become of the server's copies of files that are ours than that they are removed:
they are moved into a directory there, or they are kept. See `zeit.cds.transfer.importing.Removed`.
"""
import zope.interface

from zeit.cds.interfaces import ILock, IPending, JournalError, Locked, PermanentError
from zeit.cds.text import phrase
from zeit.cds.transfer.importing import Removed


MOVE, KEEP = 'move:', 'keep'
UNKNOWN = ('What was taken before is not known, so nothing is imported, lest a file comes twice: '
           '%s. The next run tries again; see to the journal')
WRITERS = 'write',       # the lock of those who put files in


def of(feed, journal):
    """What the feed wants. journal -- IJournal, or None"""
    return Kept(feed, journal) if feed.afterwards == KEEP else Moved(
        feed.afterwards.removeprefix(MOVE))


class Numbered:
    """A directory on the server, below the feed's, and names there that are not taken.

    Most servers overwrite a file when another one is given its name. So the directory is listed
    once, in a run that has anything to move there; it is ours alone as long as the feed's is.
    """

    def __init__(self, directory):
        self.directory = directory
        self._names = None      # those that are taken; None: not known yet
        self._targets = {}      # {name: where it goes}: the same if it has to be asked again

    def prepare(self, persist):
        """Find out what is there. persist -- see Directory. Raises FTPError."""
        if self._names is None:
            self._names = set(persist(self._listed))

    def _listed(self, session):
        try:
            names = session.names(self.directory)
        except PermanentError:
            names = ()
        if not names:       # to many a server, what is empty is the same as what is not there
            self._make(session)
        return names

    def _make(self, session):
        try:
            session.make_directory(self.directory)
        except PermanentError as e:
            if not session.exists(self.directory):
                e.add_note('Make the directory %r there by hand, or allow the user to.' %
                           self.directory)
                raise

    def target(self, name):
        """Where a file is to go: DIRECTORY/NAME, if need be with a number after it."""
        if name not in self._targets:
            free, number = name, 0
            while free in self._names:
                number += 1
                free = '%s.%d' % (name, number)
            self._names.add(free)
            self._targets[name] = '%s/%s' % (self.directory, free)
        return self._targets[name]

    def forget(self, name):
        """The next file of this name is another one."""
        self._targets.pop(name, None)


class Moved(Removed):
    """They are moved, before anything is published, as they would be removed."""

    done = 'File moved on server: %s'
    refused = 'the server refuses to move it: %s'
    uncertain = 'it could not be moved on the server: %s. It is kept in tmp for the next run'

    def __init__(self, directory):
        self._place = Numbered(directory)

    def prepare(self, persist):
        self._place.prepare(persist)

    def articles(self, entries):
        return [entry for entry in entries if entry.name != self._place.directory]

    def finalize(self, batch, name):
        return batch.rename(name, self._place.target(name))

    def now(self, session, name):
        session.rename(name, self._place.target(name))

    def finalized(self, name):
        self._place.forget(name)


class Kept(Removed):
    """They stay. The journal knows which were taken.

    Nothing is locked; but nothing is taken while somebody holds the lock to put files in.
    """

    keeps = True
    locks = WRITERS
    done = 'File kept on server: %s'

    def __init__(self, feed, journal):
        self._feed, self._journal = feed, journal
        self._known = frozenset()       # entries that were, when the journal was asked last
        self._listed = None             # {name: Entry}

    def check(self, entries):
        for entry in entries:
            if entry.name in self.locks:
                error = Locked('Lock file already exists: %s' % entry.name)
                error.add_note('Somebody puts files there.')
                raise error

    def new(self, entries, spool):
        """Those of the entries (a list) that were not taken. Raises JournalError."""
        if all(entry in self._known for entry in entries):
            return []
        try:
            known = self._journal.known(self._feed, spool, entries)
        except JournalError as e:
            raise JournalError(UNKNOWN % phrase(e)) from e
        self._known = frozenset(entry for entry in entries if entry.name in known)
        return [entry for entry in entries if entry.name not in known]

    def as_listed(self, entry, listed):
        """The Entry that the directory's listing has of a file. listed -- function that gives it"""
        if self._listed is None:
            self._listed = {each.name: each for each in listed()}
        return self._listed.get(entry.name, entry)

    def finalize(self, batch, name):
        return NOTHING

    def now(self, session, name):
        """It stays."""


@zope.interface.implementer(IPending)
class Nothing:
    """There is nothing to be done."""

    done = True

    def get(self):
        """It is done."""


@zope.interface.implementer(ILock)
class NoLock:
    """Nobody needs one: see ILock."""

    name = None

    def refresh(self, session):
        """There is nothing to renew."""

    def look(self, batch):
        """There is nothing to look for."""


NOTHING, NO_LOCK = Nothing(), NoLock()
