"""The entry points."""
import contextlib
import importlib
import logging
import sys

from zeit.cds import credentials
from zeit.cds.feed import Feed
from zeit.cds.interfaces import (
    ConfigurationError,
    ICDSConnection,
    IFeed,
    IFileSink,
    IFileSource,
    ILockFile,
)
from zeit.cds.text import printable


DEFAULTS = {        # what configure.zcml registers, for an interpreter that loaded no ZCML
    ICDSConnection: 'zeit.cds.ftp.session:FTPConnection',
    ILockFile: 'zeit.cds.lock.lockfile:LockFile',
    IFileSink: 'zeit.cds.spool.inbox:FileSink',
    IFileSource: 'zeit.cds.spool.outbox:FileSource',
}

def import_(store_dir, hostname, port, user, password, ftp_dir, logfile=None, **settings):
    """Import the files of a CDS directory into the `new` of a spool.

    The arguments, and whatever else is given by keyword, are the settings that IFeed describes. Raises
    ConfigurationError for a wrong one, at once. What goes wrong while importing (server, network, lock, disk) is
    logged to the logger 'zeit.cds', and never raised. Returns None; `run_import` tells what was done.
    """
    run_import(Feed(store_dir=store_dir, hostname=hostname, port=port, user=user, password=password, ftp_dir=ftp_dir,
                    logfile=logfile, **settings))


def import_feed(name):
    """Import by the settings of the feed that is registered under this name, as <cds:feed> does it.

    Returns an IOutcome; raises ConfigurationError.
    """
    return run_import(registered_feed(name, 'import'))


def run_import(feed, watch=contextlib.nullcontext):
    """Import by the settings of an IFeed. Returns an IOutcome; raises ConfigurationError.

    watch -- called with the run, a zeit.cds.transfer.run.Run, before it begins; gives a context manager around it
    """
    from zeit.cds.transfer.importing import Import  # what a run doesn't need, it doesn't load
    return _run(Import, feed, watch)


def preview(feed, watch=contextlib.nullcontext):
    """See what a run would exchange, without a lock or a change. Returns an IOutcome with `entries`, a list of Entry.

    Raises ConfigurationError.
    """
    from zeit.cds.transfer.dryrun import ExportPreview, ImportPreview  # for a person, not for cron
    return _run(ImportPreview if feed.direction == 'import' else ExportPreview, feed, watch)


def inspect_locks(feed):
    """Which locks there are in the feed's directory: a list of LockInfo. Raises FTPError, ConfigurationError."""
    with _session(feed) as session:
        return utility(ILockFile, feed.lock).inspect(session)


def break_lock(feed, lock):
    """Remove a lock, whoever holds it.

    lock -- LockInfo, as `inspect_locks` gave it and a person was shown it
    Raises Locked if another one is there now, FTPError, ConfigurationError.
    """
    with _session(feed) as session:
        utility(ILockFile, feed.lock).break_(session, lock)
    logging.getLogger('zeit.cds').warning('The lock %s was removed by request.',
                                          printable(lock.name))


def _session(feed):
    feed = credentials.complete(feed)
    credentials.expect(feed)
    return utility(ICDSConnection, feed.connection).open(feed)


def export(store_dir, hostname, port, user, password, ftp_dir, logfile=None, **settings):
    """Export the files in the `new` of a spool to a CDS directory; each is moved to `cur` when the server has it.

    Arguments, errors and the log are those of `import_`. Returns None; `run_export` tells what was done.
    """
    run_export(Feed(store_dir=store_dir, hostname=hostname, port=port, user=user, password=password, ftp_dir=ftp_dir,
                    logfile=logfile, direction='export', **settings))


def export_feed(name):
    """Export by the settings of the feed that is registered under this name. Returns an IOutcome; raises
    ConfigurationError."""
    return run_export(registered_feed(name, 'export'))


def run_export(feed, watch=contextlib.nullcontext):
    """Export by the settings of an IFeed, see `run_import`."""
    from zeit.cds.transfer.exporting import Export
    return _run(Export, feed, watch)


def _run(procedure, feed, watch):
    with log_to(feed.logfile):
        feed = credentials.complete(feed)
        credentials.expect(feed)
        run = procedure(feed, utility(ICDSConnection, feed.connection), utility(ILockFile, feed.lock),
                        utility(procedure.spools, feed.sink))
        with watch(run):
            return run()


def registered_feed(name, direction=None):
    """The registered IFeed of that name. Raises ConfigurationError if there is none, or it has the other direction."""
    feed = _registered(IFeed, name)
    if feed is None:
        raise ConfigurationError('No feed is registered under the name %r.' % name)
    if direction not in (None, feed.direction):
        raise ConfigurationError('The feed %r is for the direction %s, not %s.' % (name, feed.direction, direction))
    return feed


def _registered(interface, name):
    # Where nobody has imported it, nobody has registered anything, and cron's runs start the sooner.
    component = sys.modules.get('zope.component')
    return component and component.queryUtility(interface, name)


def utility(interface, name=''):
    """The registered utility; without a registered one, and without a name, a default of our own.

    The application's registry is not touched. Raises ConfigurationError if there is none of that name.
    """
    found = _registered(interface, name)
    if found is not None:
        return found
    if name:
        raise ConfigurationError('No %s utility is registered under the name %r.' % (interface.__name__, name))
    module, _, kind = DEFAULTS[interface].partition(':')
    return getattr(importlib.import_module(module), kind)()


@contextlib.contextmanager
def log_to(path):
    """Everything from INFO on that 'zeit.cds' logs goes to that file as well; a new one each week, five are kept.

    path -- str, or None for no file. Raises ConfigurationError if it can't be written.
    """
    if path is None:
        yield
        return
    from zeit.cds.logfile import LogFile  # what it needs takes long to import
    try:
        handler = LogFile(path)
    except OSError as e:
        raise ConfigurationError('The log file cannot be written: %s' % e) from e
    log = logging.getLogger('zeit.cds')
    level = log.level
    log.addHandler(handler)
    if not log.isEnabledFor(logging.INFO):
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        handler.close()
