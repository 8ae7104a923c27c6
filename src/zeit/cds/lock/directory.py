"""What there is in the directory for the sake of the lock, and how to ask for it."""
from typing import NamedTuple

from zeit.cds.interfaces import Locked, ReplyError
from zeit.cds.memory import read
from zeit.cds.pipelined import pipelined
from zeit.cds.text import LOCKS


MUTEX = '.cds-mutex'
RENEWAL = '.cds-renewal'    # a lock file before it takes the old one's place
LONGEST = 4096              # bytes of a lock file that are of interest


class Tuning(NamedTuple):
    """How long things take. All in seconds, float."""

    pause: float = 0.02         # at least until a rival that looked when we looked has stored its
                                # lock file
    longest_pause: float = 1.0  # the same at most
    pause_alone: float = 0.2    # the same without a mutex, when further looks are all there is
    longest_alone: float = 5.0  # the same at most
    visible: float = 5.0        # how long what was stored may take until it shows
    recent: float = 1.0         # for so long it is enough to have seen that the lock file is ours
    mutex_grace: float = 5.0    # after that, a mutex without an owner's name counts as forgotten
    mutex_wait: float = 10.0    # how long to wait for somebody else to leave the mutex


def ask(batch):
    """Ask, in an IBatch, which lock files are there. Returns a callable that gives a list of names.

    They are asked for by name, since listings hide files, and leave some out.
    """
    pendings = [(name, batch.stat(name, time=False)) for name in LOCKS]
    return lambda: [name for name, pending in pendings if pending.get() is not None]


def present(session):
    """Which lock files are there: a list of names."""
    with pipelined(session).batch() as batch:
        names = ask(batch)
    return names()


def contents(session, name):
    """What the lock file of that name holds, bytes; None if it is gone.

    Raises ReplyError if it is there, but can't be read.
    """
    for last in False, True:
        try:
            return read(session, name, LONGEST)
        except ReplyError:
            if name not in present(session):
                return None
            if last:        # before, another may just have stored a new one
                raise


def removed(session, name):
    """Remove a directory, if it is there and empty: could it be done? bool"""
    try:
        session.remove_directory(name)
    except ReplyError:
        return False
    return True


def locked(name, note):
    """The exception for a lock file that is not ours; note -- who holds it, and what to do. str"""
    error = Locked('Lock file already exists: %s' % name)
    error.add_note(note)
    return error


def occupied(seconds):
    """The exception for a mutex that others have been in for so long (float)."""
    return Locked('Another process has been in the mutex %s for more than %d s.' % (
        MUTEX, seconds))
