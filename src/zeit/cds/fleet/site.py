"""What a process of the fleet works with: the feeds, and the database that all workers share."""
import logging
import os
import threading

import zope.component

from zeit.cds.fleet.owners import Owners
from zeit.cds.interfaces import ConfigurationError, IFeed, ILockOwners
from zeit.cds.journal.database import Database


log = logging.getLogger('zeit.cds')

ZCML, JOURNAL = 'CDS_ZCML', 'CDS_JOURNAL'       # in the environment
_lock = threading.Lock()
_databases = {}         # (process id, URL): Database. A connection does not survive a fork.


def load():
    """Load the ZCML file that the environment names. Raises ConfigurationError."""
    path = os.environ.get(ZCML)
    if not path:
        raise ConfigurationError(
            'The environment variable %s is missing: the path of the ZCML file with the feeds.' %
            ZCML)
    from zope.configuration import xmlconfig
    from zope.configuration.exceptions import ConfigurationError as Wrong
    try:
        xmlconfig.file(os.path.abspath(path))
    except (Wrong, OSError) as e:
        raise ConfigurationError('The ZCML file %s cannot be used: %s' % (path, e)) from e
    prepare()


def prepare():
    """See to it that locks of dead workers are known as such. May be called twice."""
    if database() is not None and zope.component.queryUtility(ILockOwners) is None:
        zope.component.getGlobalSiteManager().registerUtility(Owners(database), ILockOwners)


def feeds():
    """The registered feeds, in the order of their names: a list of IFeed."""
    return [feed for _, feed in sorted(zope.component.getUtilitiesFor(IFeed))]


def database():
    """The Database that all workers share; None: they know nothing of each other."""
    url = os.environ.get(JOURNAL)
    if not url:
        return None
    with _lock:
        key = os.getpid(), url
        if key not in _databases:
            _databases.clear()
            _databases[key] = Database(url)
        return _databases[key]
