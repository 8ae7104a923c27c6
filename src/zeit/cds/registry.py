"""Who does the work: utilities, registered ones or our own. And the feeds of an application."""
import importlib
import sys

from zeit.cds.interfaces import (
    ConfigurationError,
    ICDSConnection,
    IFeed,
    IFileSink,
    IFileSource,
    ILockFile,
)


# What configure.zcml registers, for an interpreter that loaded no ZCML: (interface, name): class.
DEFAULTS = {
    (ICDSConnection, ''): 'zeit.cds.ftp.session:FTPConnection',
    (ICDSConnection, 'file'): 'zeit.cds.file.session:FileConnection',
    (ICDSConnection, 'sftp'): 'zeit.cds.sftp.session:SFTPConnection',
    (ILockFile, ''): 'zeit.cds.lock.lockfile:LockFile',
    (IFileSink, ''): 'zeit.cds.spool.inbox:FileSink',
    (IFileSource, ''): 'zeit.cds.spool.outbox:FileSource',
    (IFileSink, 'objectstore'): 'zeit.cds.spool.objectstore.utilities:ObjectSink',
    (IFileSource, 'objectstore'): 'zeit.cds.spool.objectstore.utilities:ObjectSource',
}
# Which sink, or source, a feed has that names none: {scheme of its store_dir: name}
SCHEMES = {'s3': 'objectstore', 'gs': 'objectstore', 'az': 'objectstore'}


def utility(interface, name=''):
    """The registered utility of that name; without a registered one, a default of our own.

    The application's registry is not touched. Raises ConfigurationError if there is none.
    """
    found = registered(interface, name)
    if found is not None:
        return found
    if (interface, name) not in DEFAULTS:
        raise ConfigurationError('No %s utility is registered under the name %r.' % (
            interface.__name__, name))
    module, _, kind = DEFAULTS[interface, name].partition(':')
    return getattr(importlib.import_module(module), kind)()


def spools(interface, feed):
    """The utility that opens a feed's spool: the one that it names, else the one that knows the
    scheme of its `store_dir`.

    interface -- IFileSink or IFileSource
    Raises ConfigurationError if there is none.
    """
    found = utility(interface, feed.sink)
    scheme, is_url, _ = feed.store_dir.partition('://')
    if is_url and not feed.sink and scheme in SCHEMES and scheme not in getattr(
            found, 'schemes', ()):
        return utility(interface, SCHEMES[scheme])
    return found


def registered_feed(name, direction=None):
    """The registered IFeed of that name.

    Raises ConfigurationError if there is none, or it has the other direction.
    """
    feed = registered(IFeed, name)
    if feed is None:
        raise ConfigurationError('No feed is registered under the name %r.' % name)
    if direction not in (None, feed.direction):
        raise ConfigurationError('The feed %r is for the direction %s, not %s.' % (
            name, feed.direction, direction))
    return feed


def registered_journal():
    """The registered IJournal, None if no journal is kept."""
    if 'zeit.cds.interfaces.journal' not in sys.modules:
        return None         # nobody can have registered one
    from zeit.cds.interfaces import IJournal
    return registered(IJournal, '')


def registered(interface, name):
    """What the application registered under that name, or None."""
    # Where nobody has imported it, nobody has registered anything, and cron's runs start sooner.
    component = sys.modules.get('zope.component')
    return component and component.queryUtility(interface, name)
