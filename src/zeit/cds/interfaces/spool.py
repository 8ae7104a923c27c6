"""The spool: where an import puts files, and where an export takes them from.

The life of a file in an export::

    new/NAME --stored--> .NAME.RANDOM.part --noted in the spool--> NAME on the server --> cur/NAME
                         on the server, never seen                 renamed: it's the consumers'
"""
from typing import NamedTuple

import zope.interface

from zeit.cds.interfaces.remote import IByteSink


class IFileSink(zope.interface.Interface):
    """Utility: opens spools. Keeps no state.

    It may have an attribute `schemes`, a tuple of str: those of the URLs that a `store_dir` of
    its feeds may be. Without it, that is a directory on this machine. An attribute `keeps_notes`,
    False: no journal can be kept of its spools, see INoted. And an attribute `settings`,
    an interface: the fields are settings of its own, which `feed.of('sink')` gives, see IFeed. So
    in IFileSource.
    """

    def look(feed):
        """The feed's spool for a look at it: an ISpool of which `impossible` and `unread` are used.
        Changes nothing.

        It is asked in a dry run only. Raises SpoolError.
        """

    def open(feed):
        """Open the feed's spool for this process alone. Returns an ISpool.

        Raises SpoolError, and Locked if another process uses the spool.
        """


class ISpool(zope.interface.Interface):
    """An open spool; a context manager that closes it. It is used by several tasks of a
    zeit.cds.net.scheduler.Scheduler.

    Every verb raises SpoolError when the file system refuses.
    """

    path = zope.interface.Attribute('Where the spool is, for the log. str')

    def impossible(name):
        """Why no file of the spool can have this name: a sentence (str); None if it can.

        Also what stands in its way in the spool, such as a directory in tmp, as far as that is
        known already: `create` tells of the others.
        """

    def leftovers():
        """Entry of each whole file in tmp, in sorted order: what a killed run left.

        Other remains are removed.
        """

    def unread(name):
        """Does a file of this name wait in new, or in tmp for its publication? bool

        What nobody will ever publish or read, such as a directory, does not count: of that
        `create` tells.
        """

    def create(name, size=None):
        """Begin a file: an IIncoming.

        size -- how many bytes will come, as far as that is known: a hint
        This verb, and those that take its data, raise FileRefused for what concerns this file
        alone: a name or a size that the file system does not take, something else that has its
        name, a large file for which the disk has no room.
        """

    def commit(incomings):
        """Make files whole and durable as tmp/NAME: data, name and time are on the disk when this
        returns.

        incomings -- list of IIncoming that are complete
        Raises FileRefused, with one of them as `incoming`, if that one can't be had: whoever
        calls discards it, and calls again with all the others. Whatever else is raised concerns
        them all.
        """

    def comparison(name):
        """An IComparison with tmp/NAME. It takes no room on the disk."""

    def secure(name):
        """Make sure that tmp/NAME, found by `leftovers`, is durable."""

    def publish(name):
        """Move tmp/NAME to new/NAME in one atomic step that cannot overwrite. Returns its path
        (str).

        Raises FileExistsError if something has that name there: mostly an unread file; its text
        says what.
        """

    def sync():
        """Make all publications so far durable."""

    def close():
        """Close; may be called twice."""


class IShared(zope.interface.Interface):
    """An ISpool that several hosts can use at the same time: only the lock on the server keeps them
    apart. The remains of killed runs are not removed before `claim`.
    """

    def claim(leftovers):
        """The server's directory is locked now: nobody else works on it. Returns what is for this
        run to finish, a list, which may be others than `leftovers` found.
        """


class IBatches(zope.interface.Interface):
    """An ISpool, or an IOutbox, for which each request is a wait, so that it is better told of
    several files at once. One that is quick does not provide it.
    """

    def batch(names):
        """Begin with what `publish`, or `retire`, is about to be called for, in this order.

        names -- list of str, of files that may be published in any order among each other
        A task calls this: others go on meanwhile. What goes wrong with one file is raised by its
        `publish`, or `retire`.
        """


class IComparison(IByteSink):
    """Compares a file of the spool with what is received; closed by `discard`."""

    equal = zope.interface.Attribute(
        'Is it, from its first to its last byte, what was received? bool')

    def discard():
        """Close; may be called twice."""


class IIncoming(IByteSink):
    """A file being received."""

    name = zope.interface.Attribute('The name that it will have. str')
    size = zope.interface.Attribute('Bytes received so far. int')

    def restart():
        """Throw away what was received, and begin anew."""

    def complete(modified):
        """All of it has come; no more data are taken.

        modified -- the server's modification time (int), which it is given; None: it has none
        """

    def discard():
        """Remove it from the disk; may be called twice."""


# ---------------------------------------------------------------- for an export

class IFileSource(zope.interface.Interface):
    """Utility: opens the outgoing side of spools. Keeps no state. Its name is the feed's `sink`."""

    def open(feed):
        """Open the feed's spool, for this process alone, for an export. Returns an IOutbox.

        Raises SpoolError, and Locked if another export uses the spool.
        """

    def look(feed):
        """The feed's spool for a look at it: an IOutbox of which only `waiting` is used. Changes
        nothing.

        It is asked in a dry run only. Raises SpoolError.
        """


class Note(NamedTuple):
    """What the spool remembers of a file that is on its way to the server."""

    name: str
    # Its name on the server until it is renamed; None: it is stored under its own
    temporary: str | None
    complete: bool          # was it on the server as a whole?
    inode: int              # or what else tells it from a newer file of its name
    size: int
    digest: str             # SHA-256 of the contents, hexadecimal


class IOutbox(zope.interface.Interface):
    """The outgoing side of an open spool; a context manager that closes it. It is used by several
    tasks of a zeit.cds.net.scheduler.Scheduler.

    Every verb raises SpoolError when the file system refuses.
    """

    path = zope.interface.Attribute('Where the spool is, for the log. str')

    def waiting():
        """Entry of each thing in new, also of what is no file: a list in no particular order."""

    marked = zope.interface.Attribute('Did an earlier export not come to its end? bool')

    def mark():
        """An export begins: until `finish`, each further one finds the spool marked."""

    def interrupted():
        """What an earlier export to the same place did not finish: three lists.

        First the Notes of files which, as far as we know, are the very ones that still wait in new:
        same inode, size and contents. Second the temporary names (str) of which there may be a file
        on the server, whatever is in it. Third the Notes of files that do not wait there any more,
        while a part of them may be on the server under their own names.
        """

    def begin(temporaries, parts=()):
        """Forget what `interrupted` told, but for these temporary names, and for the parts that
        these Notes tell of; from now on notes are taken. `mark` comes before.
        """

    def create(name):
        """The IOutgoing of a file in new; it isn't opened yet."""

    def storing(outgoing):
        """Note that the server is about to get this file; the note outlives the process.

        If the file gets its own name at once, the note is also on the disk when this returns.
        """

    def commit(outgoings):
        """Note that these files are whole on the server: on the disk when this returns, and before
        they are renamed.
        """

    def settled(temporary):
        """There is no file of this temporary name on the server any more."""

    def withdrawn(name):
        """There is no part of that file under its own name on the server any more."""

    def unfinished():
        """Names of files of which there may be a part under their own names on the server: a list
        of str.
        """

    def adopt(note):
        """Treat the file of a Note like one that `commit` was called with."""

    def retire(name):
        """Move the committed file new/NAME to cur, where nothing is overwritten.

        Returns its path (str), None if that very file is not in new any more.
        """

    def sync():
        """Make all moves so far durable."""

    def finish():
        """All moves are durable, the lock is gone: forget all notes and the mark, unless something
        is left on the server.
        """

    def expire():
        """Remove exported files from cur that are older than the feed's `keep`.

        Returns their names (list of str).
        """

    def close():
        """Close; may be called twice."""


class IOutgoing(zope.interface.Interface):
    """A file being sent."""

    name = zope.interface.Attribute('Its name. str')
    temporary = zope.interface.Attribute(
        'Its name on the server until it is whole; None: it gets its own at once. str')
    size = zope.interface.Attribute('Bytes sent so far. int')
    length = zope.interface.Attribute('Bytes in all, once it is open. int')

    resumable = zope.interface.Attribute(
        'False once the server refused to go on where a transfer had ended. bool')

    def open():
        """Open it. Raises Unreadable."""

    def read():
        """Read it all, to know what it holds before it is sent. Raises Unreadable."""

    def pieces(offset=0):
        """Iterate over the contents from an offset on: memoryviews that are valid until the next.

        Raises Unreadable.
        """

    def unchanged():
        """Is the file in new still the one that was opened, with the same size and time? bool"""

    def discard():
        """Close it; may be called twice."""


# ---------------------------------------------------------------- for a journal

class INoted(zope.interface.Interface):
    """What a spool can do besides, so that a journal can be kept of it.

    Once `hash_files` was called, each file that `commit` is called with has attributes: `digest`,
    SHA-256, str; `inode`, what tells it from others of its name, int; `modified`, int or None.
    """

    notes = zope.interface.Attribute('An INotes, of this spool and direction')

    def hash_files():
        """From now on, files have those attributes."""

    def fate(name, inode, size):
        """What became of a file that was committed, str.

        waiting: it is where it was then; done: it was published, or exported; unknown: it is not
        there, nor where it would be then. Raises SpoolError.
        """

    def untaken():
        """Names (set of str) of what is in new; None if this is no import, or there is no new."""


class INotedImport(INoted):
    """The same of an import's spool, whose tmp may have files that no note tells of."""

    def identify(name):
        """What tells tmp/NAME from others (int), and its SHA-256 (str). Raises SpoolError."""


class INotes(zope.interface.Interface):
    """Bytes that outlive the process, and a power failure. Each verb raises SpoolError."""

    def read():
        """All of them."""

    def append(data, durable):
        """Add some: all or, with an exception, none.

        durable -- are they to be on the disk when this returns? bool
        """

    def replace(data):
        """Have these instead, in one atomic step."""
