"""The directory on the server: sessions with it, and its lock."""
from typing import NamedTuple

import zope.interface


class Entry(NamedTuple):
    """One line of a directory listing."""

    name: str
    size: int | None = None         # None: the listing does not tell
    modified: int | None = None     # None: the listing does not tell
    kind: str | None = None         # 'file', 'dir', 'other'; None: the listing does not tell


class ICDSConnection(zope.interface.Interface):
    """Utility: opens sessions. Keeps no state.

    All sessions of a run work in one thread, in tasks of a zeit.cds.net.scheduler.Hub. Whoever waits for the network does so with
    the verbs of that module, or by a Wire of zeit.cds.net.stream, lest all others have to wait as well.
    """

    def open(feed):
        """Connect, log in, change into the feed's directory. Returns an ICDSSession.

        Raises LoginRefused, UntrustedServer, PermanentError, TemporaryError, ConnectionLost.
        """


class IPending(zope.interface.Interface):
    """The outcome of a command that goes out with the session's next step, or when somebody asks for it."""

    def get():
        """The outcome: what the verb's description says. Sends what is queued if need be.

        Raises ReplyError, or ConnectionLost if the session ended before the answer came.
        """


class ICDSSession(zope.interface.Interface):
    """An open, logged-in connection with the FTP directory; a context manager that closes it.

    Used by one task at a time. Verbs that return an IPending only queue their command, so that it shares a
    round trip with others; the server runs them in the order of the calls. Everything else runs at once, after
    what is queued. A file name that the protocol can't carry (CR, LF, NUL) raises ValueError before anything is sent.

    Any verb raises ConnectionLost when the control connection fails; the session is of no use afterwards.
    """

    alive = zope.interface.Attribute('False once the control connection is closed or broken. bool')
    round_trip = zope.interface.Attribute('How long it takes to the server and back, in seconds. float')

    def another():
        """A further ICDSSession like this one, which begins to connect at once, and can be used after its `start`."""

    def start():
        """Log in, in fewer round trips than ICDSConnection.open takes. For what `another` returns.

        Raises what that raises. A server that wants each step of a login by itself may refuse it.
        """

    def announce_list(heard):
        """`list` follows: a `rest` before it may be used to ask for the listing in advance.

        heard -- called with the number of entries so far (int), as they come
        """

    def rest(seconds, ride):
        """Let that time (float) pass at least; then send what `ride` queues, read all answers, prepare the way of a
        listing or file. Errors stay with the IPending.

        ride -- function without arguments
        """

    def list():
        """Iterate over the directory's entries (Entry, in the server's order; RFC 3659 MLSD, else RFC 959 NLST).

        Also what is no file, and dotfiles as far as the server shows them. Raises ReplyError.
        """

    def fetch(name, write, ride=None, offset=0, pour=None, together=False):
        """RETR: call `write` with each piece of the file (a memoryview that is valid during the call only).

        name -- str
        write -- what it raises ends the transfer and comes through
        ride -- called when all data are here and before the final reply was read; whatever it queues shares
            that round trip. If it returns True, another fetch follows at once, and its way is prepared; if it returns
            a name, it's of this small regular file, which may be asked for already.
        offset -- bytes to skip (REST); raises PermanentError where the server can't
        pour -- is called rather than `write`, again and again, as IIncoming.pour
        together -- may `ride` be called, and what it queues go out, before all data are here? That saves the way there, and
            is done where the server is known to bear it, for small files. Should it not, after all, the session is lost,
            mostly with TooEarly: then try again without.
        Returns the number of bytes received. Raises ReplyError, TemporaryError for a broken data connection.
        A positive answer does not prove that the file is whole: compare its size.
        """

    def facts(name, regular=False):
        """IPending of an Entry with the file's present size (and time, if the listing gave times too).

        regular -- it is known to be a regular file, not a pipe or a link: this may spare a command
        Its outcome is None where there is no such regular file. `kind` is None where the server can't tell.
        """

    def remove(name):
        """IPending of None: DELE. Raises PermanentError where the server refuses or there is no such file."""

    def modified(name):
        """IPending of the file's modification time (MDTM), None where there is none or the server can't tell."""

    def exists(name):
        """IPending of bool: is there anything of this name, a directory too? Without MLST, the server must allow RNFR."""

    def has_directory(name):
        """Is there a directory of this name below this one, which the user may enter? bool"""

    def make_directory(name):
        """IPending of None: MKD. Raises PermanentError if there is something of this name, or it isn't allowed."""

    def remove_directory(name):
        """IPending of None: RMD."""

    def load(name, limit=65536):
        """The contents of a small file, bytes; at most `limit` bytes of it."""

    def store(name, data, ride=None, offset=0, together=False):
        """STOR: write `data` to a file, which is made anew, unless there is an offset.

        data -- bytes, or an iterable of bytes-like objects; what it raises ends the session and comes through
        ride -- as for `fetch`, but called when the server has acknowledged the file
        offset -- bytes that the file keeps (REST); raises PermanentError where the server can't
        together -- as for `fetch`: before the server has acknowledged anything, when all data are underway
        Returns the number of bytes sent. Raises ReplyError, TemporaryError for a broken data connection.
        A positive answer does not prove that the file is whole: compare its size.
        """

    def size(name):
        """IPending of an Entry with the file's size, like `facts`, but in one command, and never with a time."""

    def called(name):
        """IPending of the name (str) that the server shows to others for this one; None if it can't tell."""

    def rename(source, target):
        """IPending of None: RNFR and RNTO. Overwrites an existing target on most servers.

        Raises TemporaryError, PermanentError where the server refuses or there is no source.
        """

    def names(directory):
        """Names in a directory below this one (NLST), as a list of str without path."""

    def clock():
        """The server's time, int, by a probe file that is removed again. None where the server can't tell."""

    def flush(ahead=False):
        """Send what is queued and read all answers. Errors stay with their IPending.

        ahead -- a listing or a file follows at once, and its way is prepared
        """

    def close():
        """Say QUIT and close; never raises; may be called twice."""

    def abort():
        """End whatever goes on in this session at once: it raises ConnectionLost. May be called by any thread."""


class ILockFile(zope.interface.Interface):
    """Utility: the lock protocol of the Content-Drehscheibe. Keeps no state."""

    def hold(session, name, feed, reopen):
        """A context manager: the directory is ours, under the lock file `name` ('read' or 'write'), in its block.

        session -- ICDSSession
        feed -- IFeed; `stale_after` is of interest here
        reopen -- callable that gives another ICDSSession, for removing the lock if the session has died; it is closed
            afterwards, and asked for once more if it died meanwhile
        The value of the with statement is an ILock. Raises Locked if either lock file is there, ReplyError.
        At the end the lock file is removed, after any failure too, unless it isn't ours any more.
        Logs at INFO: 'Creating lock file: NAME', 'Lock file successfully created: NAME', 'Removing lock file: NAME',
        'Lock file successfully removed: NAME'.
        """

    def inspect(session):
        """What locks are there: a list of LockInfo."""

    def break_(session, name):
        """Remove the lock file (or mutex) `name`, whoever holds it. For a person who knows what they do."""


class LockInfo(NamedTuple):
    """Who holds a lock, as far as it can be told."""

    name: str                       # 'read', 'write', or the mutex' name
    owner: str                      # in words; 'unknown' for a foreign lock
    ours: bool                      # made by zeit.cds
    since: int | None = None        # nanoseconds since 1970, by the server's clock
    age: int | None = None          # nanoseconds, by the server's clock


class ILock(zope.interface.Interface):
    """A lock that is held."""

    name = zope.interface.Attribute('Name of the lock file. str')

    def refresh(session):
        """Show that we still work, if it is time to: renews the lock file's date. Raises Locked if it isn't ours."""

    def look(session):
        """With the session's next step, see whether the lock file is still ours, since it is soon to be removed."""
