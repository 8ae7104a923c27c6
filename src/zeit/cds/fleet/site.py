"""What a process of the fleet works with: the feeds, and the database that all workers share."""
import os

import zope.component

from zeit.cds.fleet.owners import Owners
from zeit.cds.interfaces import ConfigurationError, IFeed, IJournal, ILockOwners
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.registry import registered_journal


ZCML, JOURNAL = 'CDS_ZCML', 'CDS_JOURNAL'       # in the environment


def load():
    """Load the ZCML file that the environment names, and the journal. Raises ConfigurationError."""
    path = os.environ.get(ZCML)
    if not path:
        raise ConfigurationError(
            'The environment variable %s is missing: the path of the ZCML file with the feeds.' %
            ZCML)
    from zeit.cds.cli import site
    site.load(path)
    prepare()


def load_or_exit():
    """Load them, or end the process: of another exception, Celery tells in the log, and goes on."""
    try:
        load()
    except ConfigurationError as e:
        raise SystemExit(str(e))


def prepare():
    """See to it that there is the journal that the environment names, and that locks of dead
    workers are known as such. May be called twice.
    """
    registry = zope.component.getGlobalSiteManager()
    if os.environ.get(JOURNAL) and registered_journal() is None:
        registry.registerUtility(SQLJournal(os.environ[JOURNAL]), IJournal)
    if registry.queryUtility(ILockOwners) is None:
        registry.registerUtility(Owners(database), ILockOwners)


def feeds():
    """The registered feeds, in the order of their names: a list of IFeed."""
    return [feed for _, feed in sorted(zope.component.getUtilitiesFor(IFeed))]


def database():
    """The Database that all workers share; None: they know nothing of each other."""
    return getattr(registered_journal(), 'database', None)
