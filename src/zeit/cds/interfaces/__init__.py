"""The contracts of zeit.cds, and its architecture.

Three utilities do the work, each with one verb and without any state::

    ICDSConnection.open(feed, deadline)  ->  ICDSSession, a session with the directory
    ILockFile.hold(session, name, ...)   ->  a context manager that holds the lock file
    IFileSink.open(feed)                 ->  ISpool, where files go to
    (an export has IFileSource.open(feed)  ->  IOutbox, where files come from)

``zeit.cds.main.import_`` and ``export`` make an IFeed of their arguments, look the utilities up
and hand them to the procedures in ``zeit.cds.transfer``, which decide what happens in which
order, and know nothing but these interfaces. An application replaces one utility by one line of
ZCML; ``zeit.cds.testing`` has the tests that each replacement has to pass.

The life of a file in an import::

    on the server ──read──▶ tmp/.parts-*/NAME ──commit──▶ tmp/NAME ──removed there──▶ new/NAME
                            never trusted             whole, durable             published, once

Names of files are ``str``, decoded with ``os.fsdecode``: ``os.fsencode`` gives back the very
bytes that the server sent, whatever encoding they are in. Times are ``int``, nanoseconds since
1970 (UTC). Sizes are in bytes.
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
    NotSupported,
    PermanentError,
    ProtocolError,
    ReplyError,
    RunLimitReached,
    SpoolError,
    TemporaryError,
    Unreachable,
    Unreadable,
    UntrustedServer,
)
from zeit.cds.interfaces.events import (
    IFileExchanged,
    IFileExported,
    IFileImported,
    IFileSkipped,
    IOutcome,
    IRunFinished,
    Progress,
)
from zeit.cds.interfaces.remote import (
    Entry,
    IBatch,
    IByteSink,
    ICDSConnection,
    ICDSSession,
    IDeadline,
    ILock,
    ILockFile,
    ILockOwner,
    ILockOwners,
    IPending,
    IPipelined,
    IProbedConnection,
    LockInfo,
)
from zeit.cds.interfaces.settings import (
    Days,
    IFeed,
    Path,
    Seconds,
)
from zeit.cds.interfaces.spool import (
    IComparison,
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
    'FileRefused',
    'FTPError',
    'IBatch',
    'IByteSink',
    'ICDSConnection',
    'ICDSSession',
    'IComparison',
    'IDeadline',
    'IFeed',
    'IFileExchanged',
    'IFileExported',
    'IFileImported',
    'IFileSink',
    'IFileSkipped',
    'IFileSource',
    'IIncoming',
    'ILock',
    'ILockFile',
    'ILockOwner',
    'ILockOwners',
    'Interrupted',
    'IOutbox',
    'IOutcome',
    'IOutgoing',
    'IPending',
    'IPipelined',
    'IProbedConnection',
    'IRunFinished',
    'ISpool',
    'Locked',
    'LockInfo',
    'LoginRefused',
    'Note',
    'NotSupported',
    'Path',
    'PermanentError',
    'Progress',
    'ProtocolError',
    'ReplyError',
    'RunLimitReached',
    'Seconds',
    'SpoolError',
    'TemporaryError',
    'Unreachable',
    'Unreadable',
    'UntrustedServer',
]


for _name in __all__:       # tracebacks, pickles and ZCML know them by the names above
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
