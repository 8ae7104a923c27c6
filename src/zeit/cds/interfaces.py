"""The contracts of zeit.cds.

Three utilities do the work, each with one verb and without any state::

    ICDSConnection.open(feed)     -> ICDSSession   an open, logged-in connection with the FTP directory
    ILockFile.hold(session, name) -> a context manager that holds the lock file while its block runs
    IFileSink.open(feed)          -> ISpool        where files go to (an export has an IFileSource instead)

``zeit.cds.main.import_`` and ``export`` make an IFeed of their arguments, look the utilities up and hand them to the
procedures in ``zeit.cds.transfer`` and ``zeit.cds.outgoing``, which decide what happens in which order, and know
nothing but these interfaces. An application replaces one utility by one line of ZCML.

The life of a file in an import::

    on the server --fetch--> tmp/.parts-*/NAME --commit--> tmp/NAME --removed on the server--> new/NAME
                             never trusted              whole, durable                      published, once

Names of files are ``str``, decoded with ``os.fsdecode``: ``os.fsencode`` gives back the very bytes that the server
sent, whatever encoding they are in. Times are ``int``, nanoseconds since 1970 (UTC). Sizes are in bytes.
"""
from typing import NamedTuple

import zope.interface
import zope.schema


# ---------------------------------------------------------------- what goes wrong

class CDSError(Exception):
    """Whatever goes wrong in a run; its text (and notes) tell a person what to do next."""


class ConfigurationError(CDSError, ValueError):
    """A setting is wrong or contradicts another. Raised at once, never merely logged."""


class Locked(CDSError):
    """Somebody else works in the directory or in the spool. A normal outcome: the next run tries again."""


class SpoolError(CDSError):
    """The spool can't be used: missing, read-only, full, or broken."""


class FileRefused(SpoolError):
    """The file system does not take this one file, since its name or its size does not suit it; others may follow."""


class FTPError(CDSError):
    """The server or the network failed."""


class ConnectionLost(FTPError):
    """The control connection is gone or no longer of use: reset, closed, silent for too long. A new session may work."""


class ProtocolError(ConnectionLost):
    """The server sent what RFC 959 does not allow, so that nothing more can be believed on this connection."""


class ReplyError(FTPError):
    """The server answered with an error; `reply` is an `IReply` or None."""

    reply = None

    @classmethod
    def of(cls, reply):
        """The fitting exception for a reply: TemporaryError (4yz), PermanentError (5yz), else ProtocolError."""
        kind = {4: TemporaryError, 5: PermanentError}.get(reply.code // 100, ProtocolError)
        error = kind(str(reply))
        error.reply = reply
        return error


class TemporaryError(ReplyError):
    """Transient negative reply, 4yz (RFC 959, 4.2.1), or a data connection that failed: trying again may help."""


class TooEarly(ConnectionLost):
    """The server did not bear that commands were sent before it was their turn, and the session is out of step."""


class Unreachable(ConnectionLost):
    """No connection could be made at all: name unknown, port closed, no route."""


class PermanentError(ReplyError):
    """Permanent negative reply, 5yz (RFC 959, 4.2.1): trying the same again won't help."""


class LoginRefused(PermanentError):
    """The server did not accept user and password (530)."""


class UntrustedServer(FTPError):
    """TLS is demanded but not to be had, or the certificate can't be verified. Never tried again, never downgraded."""


class RunLimitReached(CDSError):
    """The run took longer than the feed's `run_limit`."""


class Interrupted(CDSError):
    """The run was asked to stop (SIGTERM, SIGINT)."""


# ---------------------------------------------------------------- settings

class Path(zope.schema.TextLine):
    """A path on this machine."""


class Seconds(zope.schema.Float):
    """A duration in seconds."""


class Days(zope.schema.Float):
    """A duration in days."""


def _one_line(value):
    return not set(value) & {'\r', '\n', '\0'}


class IFeed(zope.interface.Interface):
    """All settings of one exchange. This is the only place where a setting is named, typed, explained and defaulted.

    Keyword arguments, ZCML attributes, command-line options and the table in the documentation come from here: the
    title is what --help shows, the description tells more.
    """

    name = zope.schema.TextLine(
        title='Name of the feed',
        description='For the log, reports and metrics, and for choosing it on a command line.',
        default='', required=False, constraint=_one_line)
    direction = zope.schema.Choice(
        title='Which way the files go',
        description='import: from the server into the spool; export: from the spool to the server.',
        values=('import', 'export'), default='import')
    store_dir = Path(
        title='Directory of the spool',
        description='A gocept.filestore with tmp, new and cur. The directory must exist.')
    hostname = zope.schema.TextLine(
        title='Host name or address of the FTP server',
        description='With TLS, the name that its certificate must have.', constraint=_one_line)
    port = zope.schema.Int(
        title='TCP port of the server',
        description='That of the control connection. With implicit TLS it is 990 unless given.',
        min=1, max=65535, default=21)
    user = zope.schema.TextLine(title='User to log in as', constraint=_one_line)
    password = zope.schema.Password(
        title='Password of the user',
        description='Better not written down here. Without it, the password file, the environment variable '
                    'CDS_PASSWORD and ~/.netrc are asked, in this order.',
        default='', required=False, constraint=_one_line)
    password_file = Path(
        title='File with the password',
        description='Its first line is the password. Others should not be able to read it (chmod 600).',
        default=None, required=False)
    ftp_dir = zope.schema.TextLine(title='Directory on the server', default='/', constraint=_one_line)
    security = zope.schema.Choice(
        title='Whether the connection is protected by TLS',
        description='none: plain FTP; explicit: AUTH TLS (RFC 4217); implicit: TLS from the first byte. What is '
                    'demanded is never given up silently.',
        values=('none', 'explicit', 'implicit'), default='none')
    ca_file = Path(
        title="Certificate authorities to trust, not the system's",
        description="A PEM file.", default=None, required=False)
    logfile = Path(
        title='File that the log goes to as well',
        description='A new one begins every week, five are kept.', default=None, required=False)
    connections = zope.schema.Int(
        title='Sessions at most', description='More than one is opened only when enough files wait.',
        min=1, max=64, default=4)
    active = zope.schema.Bool(
        title='Let the server open the data connections',
        description='Active mode. On a long line a file costs two round trips instead of three, if the server says how '
                    'large its files are. No firewall must be in the way: they come to a port of ours.',
        default=False)
    timeout = Seconds(title='Limit of a connect, a read or a write', min=0.1, default=60.0)
    run_limit = Seconds(
        title='Limit of the whole run', description='It must be less than `stale_after`.', min=1.0, default=3600.0)
    retries = zope.schema.Int(
        title='Further tries of what can pass by itself',
        description='A lost connection, or a reply that says "try later" (4yz).', min=0, max=100, default=3)
    stale_after = Seconds(
        title='Age of a lock file of ours that is broken',
        description="One from another host, by the server's clock. A foreign lock file is never broken by itself. It must "
                    'be more than the `run_limit` of all who share the directory, for a run may need that long for a file.',
        min=60.0, default=7200.0)
    include = zope.schema.Tuple(
        title='Only files that match this shell pattern',
        description='Several patterns: files that match one of them.',
        value_type=zope.schema.TextLine(), default=(), required=False)
    exclude = zope.schema.Tuple(
        title='No files that match this shell pattern',
        description='Several patterns: no files that match any of them. It outweighs `include`.',
        value_type=zope.schema.TextLine(), default=(), required=False)
    limit = zope.schema.Int(
        title='Files a run at most', description='The rest is for the next run.', min=1, default=None, required=False)
    replace = zope.schema.Bool(
        title='Replace files of the same name on the server',
        description='For an export only. Without it, a newer file waits until somebody took the older one.',
        default=False)
    keep = Days(
        title='Age of exported files to remove from cur',
        description='For an export only. By default, none is ever removed.', min=0.0, default=None, required=False)
    connection = zope.schema.TextLine(title='Name of the ICDSConnection utility', default='', required=False)
    lock = zope.schema.TextLine(title='Name of the ILockFile utility', default='', required=False)
    sink = zope.schema.TextLine(
        title='Name of the IFileSink utility', description='For an export, of the IFileSource utility.',
        default='', required=False)

    @zope.interface.invariant
    def no_lock_is_stale_before_its_run_ends(feed):
        if feed.stale_after <= feed.run_limit:
            raise zope.interface.Invalid(
                'stale_after (%g s) must be more than run_limit (%g s), lest another host breaks the lock of a run that '
                'still works. Raise stale_after, or lower run_limit.' % (feed.stale_after, feed.run_limit))


# ---------------------------------------------------------------- the FTP directory

class Entry(NamedTuple):
    """One line of a directory listing."""

    name: str
    size: int | None = None         # None: the listing does not tell
    modified: int | None = None     # None: the listing does not tell
    kind: str | None = None         # 'file', 'dir', 'other'; None: the listing does not tell


class ICDSConnection(zope.interface.Interface):
    """Utility: opens sessions. Keeps no state.

    All sessions of a run work in one thread, in tasks of a zeit.cds.hub.Hub. Whoever waits for the network does so with
    the verbs of that module, or by a Wire of zeit.cds.wire, lest all others have to wait as well.
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


# ---------------------------------------------------------------- the spool

class IFileSink(zope.interface.Interface):
    """Utility: opens spools. Keeps no state."""

    def look(feed):
        """The feed's spool for a look at it: an ISpool of which `impossible` and `unread` are used. Changes nothing.

        It is asked in a dry run only. Raises SpoolError.
        """

    def open(feed):
        """Open the feed's spool for this process alone. Returns an ISpool.

        Raises SpoolError, and Locked if another process uses the spool.
        """


class ISpool(zope.interface.Interface):
    """An open spool; a context manager that closes it. It is used by several tasks of a zeit.cds.hub.Hub.

    Every verb raises SpoolError when the file system refuses.
    """

    path = zope.interface.Attribute('Where the spool is, for the log. str')

    def impossible(name):
        """Why no file of the spool can have this name: a sentence (str); None if it can."""

    def leftovers():
        """Entry of each whole file in tmp, in sorted order: what a killed run left. Other remains are removed."""

    def unread(name):
        """Does a file of this name wait in new, or in tmp for its publication? bool"""

    def create(name):
        """Begin a file: an IIncoming. This verb, and those that take its data, raise FileRefused, too."""

    def commit(incomings):
        """Make files whole and durable as tmp/NAME: data, name and time are on the disk when this returns."""

    def same(name, incoming):
        """Is tmp/NAME byte for byte what `incoming` has received? bool"""

    def secure(name):
        """Make sure that tmp/NAME, found by `leftovers`, is durable."""

    def publish(name):
        """Move tmp/NAME to new/NAME in one atomic step that cannot overwrite. Returns its path (str).

        Raises FileExistsError if an unread file has that name.
        """

    def sync():
        """Make all publications so far durable."""

    def close():
        """Close; may be called twice."""


class IIncoming(zope.interface.Interface):
    """A file being received."""

    name = zope.interface.Attribute('The name that it will have. str')
    size = zope.interface.Attribute('Bytes received so far. int')

    def write(data):
        """Append data, a bytes-like object."""

    def pour(receive):
        """Append data of a large file, which is written while more comes.

        receive -- callable that puts bytes into a buffer, and returns their number, 0 at the end
        Returns that number. What was received, but could not be written, a later call complains of, or `commit`.
        """

    def restart():
        """Throw away what was received, and begin anew."""

    def complete(modified):
        """All of it has come. It is given the server's modification time (int), unless that is None."""

    def discard():
        """Remove it from the disk; may be called twice."""


# ---------------------------------------------------------------- what happened

class IFileImported(zope.interface.Interface):
    """A file was published in the spool's new directory."""

    feed = zope.interface.Attribute('The IFeed')
    name = zope.interface.Attribute('Name of the file. str')
    path = zope.interface.Attribute('Where it is now. str')
    size = zope.interface.Attribute('Its size in bytes. int')


class IFileExported(IFileImported):
    """A file is on the server, whole; its copy in the spool was moved to cur.

    `path` is None if that copy was gone: somebody removed it, or put a newer one in its place, while it was sent.
    """


class IFileSkipped(zope.interface.Interface):
    """A file was not exchanged in this run."""

    feed = zope.interface.Attribute('The IFeed')
    name = zope.interface.Attribute('Name of the file. str')
    reason = zope.interface.Attribute('Why, in words. str')
    failed = zope.interface.Attribute('True: something is wrong; False: it is merely not its turn. bool')


class IRunFinished(zope.interface.Interface):
    """An import or export came to its end, whatever the end was."""

    feed = zope.interface.Attribute('The IFeed')
    outcome = zope.interface.Attribute('An IOutcome')


class IOutcome(zope.interface.Interface):
    """What a run did."""

    files = zope.interface.Attribute('Number of files exchanged. int')
    bytes = zope.interface.Attribute('Their size in all. int')
    skipped = zope.interface.Attribute('List of (name, reason): left for a later run, nothing wrong')
    failed = zope.interface.Attribute('List of (name, reason): not exchanged because something is wrong')
    error = zope.interface.Attribute('The exception that ended the run before its time, or None')
    seconds = zope.interface.Attribute('How long it took. float')
    waiting = zope.interface.Attribute(
        'Number of files left for later, for whatever reason. int, or None if the run did not get that far')


class Progress(NamedTuple):
    """How far a run is."""

    files_done: int = 0
    files: int = 0              # 0: not known yet, or none
    bytes_done: int = 0
    bytes: int | None = None    # None: the server does not tell
