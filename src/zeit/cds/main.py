"""The entry points."""
import contextlib
import logging
import os

from zeit.cds import credentials
from zeit.cds.feed import Feed
from zeit.cds.interfaces import (
    ConfigurationError,
    ICDSConnection,
    IFileSink,
    IFileSource,
    ILockFile,
    IProbedConnection,
)
from zeit.cds.logfile import log_to
from zeit.cds.registry import registered_feed, registered_journal, spools, utility
from zeit.cds.text import printable


__all__ = [
    'break_lock',
    'export',
    'export_feed',
    'import_',
    'import_feed',
    'inspect_locks',
    'log_to',
    'look',
    'preview',
    'probe',
    'registered_feed',
    'run_export',
    'run_import',
    'utility',
]


NEEDED_BY_KEEP = 'afterwards=keep needs a journal, which remembers the files that were taken'
NEEDED_TO_GIVE_UP = 'give_up_after needs a journal, which counts the tries'


def import_(store_dir, hostname, port, user, password, ftp_dir, logfile=None, **settings):
    """Import the files of a CDS directory into the `new` of a spool.

    The arguments, and whatever else is given by keyword, are the settings that IFeed describes.
    Raises ConfigurationError for a wrong one, at once. What goes wrong while importing (server,
    network, lock, disk) is logged to the logger 'zeit.cds', and never raised. Returns None;
    `run_import` tells what was done.
    """
    run_import(Feed(
        store_dir=store_dir, hostname=hostname, port=port, user=user, password=password,
        ftp_dir=ftp_dir, logfile=logfile, **settings))


def import_feed(name):
    """Import by the settings of the feed that is registered under this name, as <cds:feed> does it.

    Returns an IOutcome; raises ConfigurationError.
    """
    return run_import(registered_feed(name, 'import'))


def run_import(feed, watch=contextlib.nullcontext, ask=None, connection=None, journal=None):
    """Import by the settings of an IFeed. Returns an IOutcome; raises ConfigurationError.

    watch -- called with the run, a zeit.cds.transfer.run.Run, before it begins; gives a context
        manager around it
    ask -- called with the feed if no password can be found; returns one (str), or ''
    connection -- IKeptConnection instead of the utility that the feed names
    journal -- IJournal; by default the registered one, if there is one
    """
    from zeit.cds.transfer.importing import Import  # what a run doesn't need, it doesn't load
    return _run(Import, feed, watch, ask, connection, _journal(feed, journal))


def preview(feed, watch=contextlib.nullcontext, ask=None, journal=None):
    """See what a run would exchange, without a lock or a change; see `run_import`.

    Returns an IOutcome with `entries`, a list of Entry. Raises ConfigurationError.
    """
    from zeit.cds.transfer.dryrun import ExportPreview, ImportPreview  # for a person, not for cron
    return _run(ImportPreview if feed.direction == 'import' else ExportPreview, feed, watch, ask,
                journal=journal)


def look(feed, ask=None, connection=None):
    """What looks whether there is anything to exchange: a zeit.cds.transfer.look.Look.

    See `run_import` for the arguments. Raises ConfigurationError.
    """
    from zeit.cds.transfer.look import ExportLook, ImportLook  # for the watch
    return _prepared(ImportLook if feed.direction == 'import' else ExportLook, feed, ask,
                     connection, _journal(feed, None))


def inspect_locks(feed, ask=None):
    """Which locks there are in the feed's directory: a list of LockInfo; `ask`: see `run_import`.

    Raises FTPError, ConfigurationError, RunLimitReached.
    """
    locks = utility(ILockFile, feed.lock)
    with _session(feed, ask, lock=locks) as session:
        return locks.inspect(session)


def break_lock(feed, lock, ask=None):
    """Remove a lock, whoever holds it; `ask`: see `run_import`.

    lock -- the LockInfo that a person has seen. Raises Locked if another one is there now;
    FTPError, ConfigurationError, RunLimitReached.
    """
    locks = utility(ILockFile, feed.lock)
    with _session(feed, ask, lock=locks) as session:
        locks.break_(session, lock)
    logging.getLogger('zeit.cds').warning('The lock %s was removed by request.',
                                          printable(lock.name))


def probe(feed, ask=None):
    """What the feed's server is, bears and lacks: see IProbedConnection.describe.

    `ask`: see `run_import`. Raises FTPError, ConfigurationError, RunLimitReached.
    """
    connection = utility(ICDSConnection, feed.connection)
    probed = IProbedConnection(connection, None)
    if probed is None:
        raise ConfigurationError(
            'The connection %r cannot tell about its server. For a bug report, send what a dry run '
            'prints with -vv.' % feed.connection)
    with _session(feed, ask) as session:
        return probed.describe(session)


def export(store_dir, hostname, port, user, password, ftp_dir, logfile=None, **settings):
    """Export the files in the `new` of a spool to a CDS directory.

    Each is moved to `cur` when the server has it. Arguments, errors and the log are those of
    `import_`. Returns None; `run_export` tells what was done.
    """
    run_export(Feed(
        store_dir=store_dir, hostname=hostname, port=port, user=user, password=password,
        ftp_dir=ftp_dir, logfile=logfile, direction='export', **settings))


def export_feed(name):
    """Export by the settings of the feed that is registered under this name.

    Returns an IOutcome; raises ConfigurationError.
    """
    return run_export(registered_feed(name, 'export'))


def run_export(feed, watch=contextlib.nullcontext, ask=None, connection=None, journal=None):
    """Export by the settings of an IFeed, see `run_import`."""
    from zeit.cds.transfer.exporting import Export
    return _run(Export, feed, watch, ask, connection, _journal(feed, journal))


def _journal(feed, journal):
    """The journal that is kept of the feed, or None. Raises ConfigurationError."""
    if journal is None:
        journal = registered_journal()
        if journal is not None and not getattr(
                spools(IFileSink if feed.direction == 'import' else IFileSource, feed),
                'keeps_notes', True):
            journal = None      # that of all feeds is for those of which one can be kept
    if journal is None and getattr(feed, 'tell', ''):
        raise ConfigurationError(
            'The feed %s wants a task for each file (tell), which takes a journal: --journal, '
            '<cds:journal>, or CDS_JOURNAL for the fleet; and a sink that keeps notes for it.' %
            printable(feed.name or feed.store_dir))
    return journal


def _run(procedure, feed, watch, ask, connection=None, journal=None):
    with log_to(feed.logfile, feed.name):
        run = _prepared(procedure, feed, ask, connection, journal)
        with watch(run):
            return run()


def _memory(feed, journal):
    """The journal that a feed cannot do without, or None. Raises ConfigurationError."""
    keeps, gives_up = feed.afterwards == 'keep', feed.give_up_after is not None
    if not keeps and not gives_up:
        return journal
    journal = _journal(feed, journal)
    if journal is None:
        raise ConfigurationError('%s, and a sink that keeps notes for it: add --journal '
                                 'sqlite:////DIRECTORY/FILE, or <cds:journal url="..."/> to the '
                                 'ZCML file.' % (NEEDED_BY_KEEP if keeps else NEEDED_TO_GIVE_UP))
    return journal


def _prepared(procedure, feed, ask, connection=None, journal=None):
    """A Run of that kind, with all that it needs."""
    journal = _memory(feed, journal)
    sink = spools(procedure.spools, feed)
    _check_spool(feed, sink)
    connection = connection or utility(ICDSConnection, feed.connection)
    lock = utility(ILockFile, feed.lock)
    return procedure(_ready(feed, ask, connection=connection, lock=lock, sink=sink),
                     connection, lock, sink, journal=journal)


def _session(feed, ask, **utilities):
    from zeit.cds.transfer.retry import Deadline
    connection = utility(ICDSConnection, feed.connection)
    return connection.open(_ready(feed, ask, connection=connection, **utilities),
                           Deadline(feed.run_limit))


# ---------------------------------------------------------------- before anything begins

def _ready(feed, ask, **utilities):
    """The feed with all that its session, and these utilities, need. Raises ConfigurationError."""
    if getattr(feed, 'own', None) or any(
            getattr(utility, 'settings', None) for utility in utilities.values()):
        from zeit.cds.own import configured  # few have settings of their own
        feed = configured(feed, utilities)
    if feed.ca_file is not None:
        _check_readable('ca_file', feed.ca_file)
    connection = utilities['connection']
    if connection.needs_password:
        return credentials.complete(feed, ask)
    if getattr(connection, 'takes_password', False):
        return credentials.completed(feed)
    return feed


def _check_readable(setting, path):
    try:
        open(path, 'rb').close()
    except OSError as e:
        raise ConfigurationError('The file %s, which is given as %s, cannot be read: %s' % (
            path, setting, e.strerror)) from e


def _check_spool(feed, sink):
    """Is there such a spool, as far as we can know?

    sink -- the utility that opens them, IFileSink or IFileSource
    """
    scheme, is_url, _ = feed.store_dir.partition('://')
    schemes = getattr(sink, 'schemes', ())
    if is_url and scheme not in schemes:
        raise ConfigurationError(
            'No %s that the feed uses knows a spool like %s. Is the setting sink missing?' % (
                'sink' if feed.direction == 'import' else 'source', feed.store_dir))
    if not schemes and not os.path.isdir(feed.store_dir):
        error = ConfigurationError('The spool %s is no directory.' % feed.store_dir)
        error.add_note('Create the directory first, or mount its file system.')
        raise error
