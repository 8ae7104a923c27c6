"""The directory on the server: sessions with it, and its lock.

A session is what any server can do, one verb after the other. Whoever wants round trips to be
shared asks for `IPipelined`, which some sessions have, and which is made up for the others::

    ICDSConnection.open ──▶ ICDSSession ──▶ zeit.cds.pipelined.pipelined(session) ──▶ IPipelined
                            each verb by itself                    batches, and transfers with
                                                                   something to do at their end

Errors that all verbs share: ConnectionLost when the session is of no use any more (`alive` is
False then), TemporaryError when trying again may help, PermanentError when it won't,
NotSupported (one of these) when the server does not know such a verb at all, RunLimitReached
when the deadline has passed.
"""
from typing import NamedTuple

import zope.interface


class Entry(NamedTuple):
    """What is known of one thing in a directory."""

    name: str
    size: int | None = None         # bytes; None: not known
    modified: int | None = None     # nanoseconds since 1970 (UTC); None: not known
    kind: str | None = None         # 'file', 'dir', 'other'; None: not known


class IDeadline(zope.interface.Interface):
    """The moment at which a run has to end. All who wait in that run share one."""

    left = zope.interface.Attribute('Seconds until then; negative afterwards. float')

    def check():
        """Raises RunLimitReached once it has passed."""

    def limit(seconds):
        """How long somebody may wait who would wait so long: float. Raises RunLimitReached."""

    def extend(seconds):
        """There shall be so many seconds (float) from now at least, for cleaning up."""


class ICDSConnection(zope.interface.Interface):
    """Utility: opens sessions. Keeps no state.

    It may have an attribute `settings`, an interface: the fields are settings of its own, which
    `feed.of('connection')` gives, see IFeed. It may have an attribute `takes_password`, True: its
    login may take a password, or do without. Then one is looked for, and not missed.
    """

    needs_password = zope.interface.Attribute(
        'Does its login take a password? Then one is looked for, and missed. bool')

    def open(feed, deadline, like=None):
        """Connect, log in, change into the feed's directory. Returns an ICDSSession.

        feed -- IFeed
        deadline -- IDeadline: no verb of the session goes on after it
        like -- an ICDSSession that this utility opened for the same run. What was found out
            there need not be found out again. It may be ignored.
        Raises ConfigurationError, LoginRefused, UntrustedServer, Unreachable, PermanentError,
        TemporaryError, ConnectionLost, RunLimitReached.
        """


class IKeptConnection(ICDSConnection):
    """What is given to runs, one after the other, instead of a feed's connection, so that the
    session with which one ends is that with which the next begins.
    """

    def give_back(session):
        """The run has come to its end, and does not need its first session any more.

        session -- ICDSSession that `open` gave, alive and with nothing underway; it is not closed
        """


class IProbedConnection(zope.interface.Interface):
    """What some connections can be adapted to: it tells about their servers."""

    def describe(session):
        """What the server of a session is, bears and lacks, and what the program will do there.

        Returns a list of pairs of a subject and a text (str), in printable words, without a
        password. Nothing changes in the directory but what is removed again.
        """


class IChangeDetection(zope.interface.Interface):
    """What some sessions can be adapted to: they tell in one round trip whether anything has come
    to the directory, or gone, since they were asked before.
    """

    resolution = zope.interface.Attribute(
        'Of two changes in so many seconds, the second one may not show. float')

    def version():
        """An object that is equal to the one before as long as nothing has changed. None if it
        can't be told. Whether it is kept up to date, is up to the server. Raises ReplyError,
        ConnectionLost.
        """


class ICDSSession(zope.interface.Interface):
    """An open, logged-in connection with the directory; a context manager that closes it.

    It is used by one task at a time. Each verb returns when it is done. Names are those of
    things in the directory, without a path, but for what is said of some verbs. A name
    that can't be sent (FTP: CR, LF, NUL) raises ValueError before anything is sent.
    """

    alive = zope.interface.Attribute('False once the session is closed, or broken. bool')
    latency = zope.interface.Attribute(
        'How long it takes to the server and back, in seconds. float; 0.0 if it is not known')
    blocking = zope.interface.Attribute(
        'True: its verbs block the thread that calls them, so whoever has several sessions calls '
        'them in threads. False: they wait with zeit.cds.net.scheduler only. bool')

    def entries():
        """Iterate over the directory's entries (Entry), in the server's order.

        Also what is no file, also names that begin with a dot as far as the server shows them.
        """

    def stat(name):
        """The Entry of a file as it is now; None where there is no regular file of this name.

        What can't be told is None in it: `kind` too, if all that is known is that something of
        this name is there. A link counts as what it leads to.
        """

    def read(name, sink, offset=0):
        """Hand the contents of a file to an IByteSink, from an offset (bytes) on.

        Returns the number of bytes. What the sink raises ends the transfer, and mostly the
        session, and comes through. That it returns does not prove that the file is whole:
        compare its size. Raises PermanentError where there is no such file, or, with an offset,
        where the server can't go on there.
        """

    def write(name, source, offset=0):
        """Make a file of what a source gives, or, with an offset, have it go on there.

        source -- bytes, or an iterable of bytes-like objects, each of which is valid until the
            next is asked for; what it raises ends the session and comes through
        Returns the number of bytes sent. A file of that name is overwritten. That it returns
        does not prove that the file is whole: compare its size.
        """

    def remove(name):
        """Remove a file. Raises PermanentError if there is none, or the server refuses."""

    def rename(source, target):
        """Give a file another name. Overwrites an existing target on most servers.

        target -- also DIRECTORY/NAME: it moves into a directory below this one
        Raises PermanentError, TemporaryError where the server refuses, or there is no source.
        """

    def exists(name):
        """Is there anything of this name, a directory too? bool"""

    def kind(name):
        """What a name stands for, which `stat` may not tell: 'file', 'dir', 'other'; None where
        there is nothing, or it can't be told. It may take several round trips.
        """

    def make_directory(name):
        """Make a directory, atomically: of several who try, one succeeds.

        name -- also DIRECTORY/NAME, for one below a directory in this one; so in the next two
        Raises PermanentError if there is something of this name, or it is not allowed.
        """

    def remove_directory(name):
        """Remove an empty directory. Raises PermanentError."""

    def names(directory):
        """Names of what is in a directory below this one: list of str, without a path."""

    def stored_name(name):
        """How the server calls to others what we call so: str; None if it can't tell."""

    def clock():
        """The server's time, nanoseconds since 1970 (UTC): int; None if it can't be told."""

    def close():
        """Say goodbye and close; never raises; may be called twice."""

    def abort():
        """Have whatever goes on in this session end at once: it raises ConnectionLost.

        Any thread may call it.
        """


class IByteSink(zope.interface.Interface):
    """Where bytes go to: into memory that the sink lends, so that they are copied once."""

    def buffer():
        """A writable memoryview, not empty, to be filled from its beginning."""

    def advance(count):
        """So many bytes of what `buffer` gave last are data now. int, at least 1"""


# ---------------------------------------------------------------- several things to a round trip

class IPending(zope.interface.Interface):
    """The outcome of an operation of a batch.

    It may have an attribute `done` (bool): False while `get` would have to wait for an answer.
    """

    def get():
        """What the session's verb of that name returns, or raises.

        Raises ConnectionLost if the session ended before there was an answer.
        """


class IBatch(zope.interface.Interface):
    """Operations that may share a round trip. The server does them in the order of the calls.

    Each verb returns an IPending, whose `get` may be called after the batch was sent.
    """

    def stat(name, regular=False, time=True):
        """ICDSSession.stat.

        Two hints, which may spare a command:
        regular -- it is known to be a regular file, not a link, a directory, or a pipe
        time -- is `modified` of interest?
        """

    def remove(name):
        """ICDSSession.remove"""

    def rename(source, target):
        """ICDSSession.rename"""

    def make_directory(name):
        """ICDSSession.make_directory"""

    def remove_directory(name):
        """ICDSSession.remove_directory"""

    def stored_name(name):
        """ICDSSession.stored_name"""


class IPipelined(zope.interface.Interface):
    """A session whose round trips are shared where it can be done.

    `also`, an argument of the transfers, is a function of one argument, an IBatch: it puts
    operations there which may share the last round trip of the transfer. It is called once at
    most, and exactly once if the transfer succeeds. It may be called before all data are here
    (or sent); its operations are done after the transfer, or in spite of its failure. It
    returns the Entry of the file that is transferred next, as far as that is known, or None:
    a hint, for what can be prepared. An Entry without a size stands for any transfer.

    `then`, an argument of `read`, is an iterator of Entry: the files that are read after that one,
    a hint for a session that can begin several before their turn. It is drawn from in, or after,
    the call of `also`, as far as that is of use: what was drawn is read in this session and no
    other. With it, what `also` has put into the batch may be done with what this session does
    next, and the `get` of these IPending sees to it that it is.
    """

    session = zope.interface.Attribute('The ICDSSession')

    def batch(later=False, ahead=False):
        """A context manager, whose value is an IBatch.

        At its exit its operations are done; what one of them raises stays with its IPending.
        Only ConnectionLost and RunLimitReached come through.

        later -- they may as well go out with the next thing that this session does, and do so
            before it
        ahead -- a transfer follows at once, and may be prepared meanwhile: a hint
        """

    def entries(heard=None, also=None):
        """ICDSSession.entries, as a list.

        heard -- called with the number of entries so far (int), as they come
        """

    def read(entry, sink, offset=0, also=None, then=None):
        """ICDSSession.read.

        entry -- Entry: what is known of the file
        """

    def write(name, source, offset=0, also=None):
        """ICDSSession.write"""


# ---------------------------------------------------------------- the lock

class ILockFile(zope.interface.Interface):
    """Utility: the lock protocol of the Content-Drehscheibe. Keeps no state.

    Settings of its own are `feed.of('lock')`, see ICDSConnection.
    """

    def hold(session, name, feed, reopen, meanwhile=None):
        """A context manager: in its block the directory is ours, under the lock file `name`.

        session -- ICDSSession
        name -- 'read' or 'write'
        feed -- IFeed; `stale_after` and `quirks` are of interest here, and what messages name
        reopen -- callable that gives another ICDSSession if the session has died. While the lock
            is created, the caller goes on with it, and closes it; for removing the lock, it is
            closed here. It is called once more if that one died meanwhile.
        meanwhile -- called once, when the lock file is stored and it takes a moment until a
            rival would show: it may use the session, such as for a listing. Its argument is an
            `also` for IPipelined.entries, which it may hand on. It raises nothing but
            ConnectionLost and RunLimitReached. If the session dies in it, the lock comes about
            all the same.
        The value of the with statement is an ILock. Raises Locked if either lock file is there,
        PermanentError, TemporaryError.
        At the end the lock file is removed, after any failure too, unless it isn't ours any
        more. Logs at INFO: 'Creating lock file: NAME', 'Lock file successfully created: NAME',
        'Removing lock file: NAME', 'Lock file successfully removed: NAME'.
        """

    def inspect(session):
        """What locks are there: a list of LockInfo."""

    def break_(session, lock):
        """Remove a lock file (or mutex), whoever holds it, for a person who knows what they do.

        lock -- the LockInfo that the person was shown. Raises Locked if another one is there
            now; nothing is removed then. Raises PermanentError if there is none any more.
        """


class LockInfo(NamedTuple):
    """Who holds a lock, as far as it can be told."""

    name: str                       # 'read', 'write', or the mutex' name
    owner: str                      # in words, printable; 'unknown' for a foreign lock, and why
    ours: bool                      # made by zeit.cds
    since: int | None = None        # nanoseconds since 1970, by the server's clock
    age: int | None = None          # nanoseconds, by the server's clock
    contents: bytes = b''           # what the lock file holds; of a mutex, the names in it


class ILockOwner(zope.interface.Interface):
    """A process, as named by a lock of ours. Each attribute is a str, and may be anything: whoever
    can write a lock file can have it say so.
    """

    host = zope.interface.Attribute("The machine's name")
    machine = zope.interface.Attribute('Tells hosts of one name apart, and containers of a host')
    boot = zope.interface.Attribute('Changes with each start of the machine')
    pid = zope.interface.Attribute('The number of the process')
    start = zope.interface.Attribute('When the process began: with `pid`, and `boot`, it is unique')
    since = zope.interface.Attribute(
        "When it began to take the lock, by its machine's clock (UTC): YYYYMMDDTHHMMSSZ")


class ILockOwners(zope.interface.Interface):
    """Utility, optional: knows whether processes of other hosts have ended.

    Without one, whoever holds a lock on another host counts as alive until `stale_after`.
    """

    def over(owner):
        """Why certainly nobody works as this ILockOwner any more: a phrase (str), such as 'its host
        was switched off'; '' if somebody may, or it is not known. Raises nothing.

        It is asked of processes of other machines only, and only where a lock is found.
        """


class ILock(zope.interface.Interface):
    """A lock that is held."""

    name = zope.interface.Attribute('Name of the lock file. str')

    def refresh(session):
        """Show that we still work, if it is time to: renews the lock file's date.

        Raises Locked if it isn't ours any more.
        """

    def look(batch):
        """With this IBatch, see whether the lock file is still ours: it is soon to be removed."""
