"""The contracts of zeit.cds.

Three utilities do the work, each with one verb and without any state::

    ICDSConnection.open(feed)     -> ICDSSession   an open, logged-in connection with the FTP directory
    ILockFile.hold(session, name) -> a context manager that holds the lock file while its block runs
    IFileSink.open(feed)          -> ISpool        where files go to (an export has an IFileSource instead)

``zeit.cds.main.import_`` and ``export`` make an IFeed of their arguments, look the utilities up and hand them to the
procedures in ``zeit.cds.transfer.run`` and ``zeit.cds.transfer.exporting``, which decide what happens in which order, and know
nothing but these interfaces. An application replaces one utility by one line of ZCML.

The life of a file in an import::

    on the server --fetch--> tmp/.parts-*/NAME --commit--> tmp/NAME --removed on the server--> new/NAME
                             never trusted              whole, durable                      published, once

Names of files are ``str``, decoded with ``os.fsdecode``: ``os.fsencode`` gives back the very bytes that the server
sent, whatever encoding they are in. Times are ``int``, nanoseconds since 1970 (UTC). Sizes are in bytes.
"""
from zeit.cds.interfaces.errors import (
    CDSError,
    ConfigurationError,
    ConnectionLost,
    FileRefused,
    FTPError,
    Interrupted,
    Locked,
    LoginRefused,
    PermanentError,
    ProtocolError,
    ReplyError,
    RunLimitReached,
    SpoolError,
    TemporaryError,
    TooEarly,
    Unreachable,
    Unreadable,
    UntrustedServer,
)
from zeit.cds.interfaces.events import (
    IFileExported,
    IFileImported,
    IFileSkipped,
    IOutcome,
    IRunFinished,
    Progress,
)
from zeit.cds.interfaces.remote import (
    Entry,
    ICDSConnection,
    ICDSSession,
    ILock,
    ILockFile,
    IPending,
    LockInfo,
)
from zeit.cds.interfaces.settings import (
    Days,
    IFeed,
    Path,
    Seconds,
)
from zeit.cds.interfaces.spool import (
    IFileSink,
    IFileSource,
    IIncoming,
    IOutbox,
    IOutgoing,
    ISpool,
    Note,
)


__all__ = [
    'CDSError',
    'ConfigurationError',
    'ConnectionLost',
    'Days',
    'Entry',
    'FTPError',
    'FileRefused',
    'ICDSConnection',
    'ICDSSession',
    'IFeed',
    'IFileExported',
    'IFileImported',
    'IFileSink',
    'IFileSkipped',
    'IFileSource',
    'IIncoming',
    'ILock',
    'ILockFile',
    'IOutbox',
    'IOutcome',
    'IOutgoing',
    'IPending',
    'IRunFinished',
    'ISpool',
    'Interrupted',
    'LockInfo',
    'Locked',
    'LoginRefused',
    'Note',
    'Path',
    'PermanentError',
    'Progress',
    'ProtocolError',
    'ReplyError',
    'RunLimitReached',
    'Seconds',
    'SpoolError',
    'TemporaryError',
    'TooEarly',
    'Unreachable',
    'Unreadable',
    'UntrustedServer',
]


for _name in __all__:       # tracebacks, pickles and ZCML know them by the names above
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
