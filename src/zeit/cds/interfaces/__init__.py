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
    IFeedSilent,
    IFeedSpeaksAgain,
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
    IChangeDetection,
    IDeadline,
    IKeptConnection,
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
    IBatches,
    IComparison,
    IFileSink,
    IFileSource,
    IIncoming,
    INoted,
    INotedImport,
    INotes,
    IOutbox,
    IOutgoing,
    IShared,
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
    'FileRow',
    'FTPError',
    'Hour',
    'IBatch',
    'IBatches',
    'IByteSink',
    'ICDSConnection',
    'ICDSSession',
    'IChangeDetection',
    'IComparison',
    'IDeadline',
    'IFeed',
    'IFeedSilent',
    'IFeedSpeaksAgain',
    'IFileExchanged',
    'IFileExported',
    'IFileImported',
    'IFileSink',
    'IFileSkipped',
    'IFileSource',
    'IIncoming',
    'IJournal',
    'IKeptConnection',
    'ILock',
    'ILockFile',
    'ILockOwner',
    'ILockOwners',
    'INoted',
    'INotedImport',
    'INotes',
    'Interrupted',
    'IOutbox',
    'IOutcome',
    'IOutgoing',
    'IPending',
    'IPipelined',
    'IProbedConnection',
    'IQueries',
    'IRecord',
    'IRunFinished',
    'IShared',
    'ISpool',
    'IWatch',
    'IWatched',
    'JournalError',
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
    'RunRow',
    'Seconds',
    'SpoolError',
    'TemporaryError',
    'Unreachable',
    'Unreadable',
    'UntrustedServer',
]

OF_OUTER_CIRCLES = {    # a plain run does not load them
    'FileRow': 'journal',
    'Hour': 'journal',
    'IJournal': 'journal',
    'IQueries': 'journal',
    'IRecord': 'journal',
    'IWatch': 'watch',
    'IWatched': 'watch',
    'JournalError': 'journal',
    'RunRow': 'journal',
}


def __getattr__(name):
    if name not in OF_OUTER_CIRCLES:
        raise AttributeError('module %r has no attribute %r' % (__name__, name))
    import importlib  # few need these
    module = importlib.import_module('%s.%s' % (__name__, OF_OUTER_CIRCLES[name]))
    value = globals()[name] = getattr(module, name)
    value.__module__ = __name__
    return value


for _name in __all__:       # tracebacks, pickles and ZCML know them by the names above
    if isinstance(globals().get(_name), type):
        globals()[_name].__module__ = __name__
