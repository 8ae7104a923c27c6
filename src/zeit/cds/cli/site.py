"""Feeds that a ZCML file declares."""
import os
import re

import zope.component
import zope.interface.registry

from zeit.cds.interfaces import ConfigurationError, IFeed
from zeit.cds.registry import registered_feed


def load(path):
    """Execute a ZCML file. Raises ConfigurationError, with the file and line that are wrong."""
    try:
        from zope.configuration import xmlconfig
        from zope.configuration.exceptions import ConfigurationError as Wrong
    except ImportError:
        raise ConfigurationError(
            '--zcml needs zope.configuration: pip install "zeit.cds[zcml]"'
        ) from None
    try:
        xmlconfig.file(os.path.abspath(path))
    except UnicodeError as e:
        raise ConfigurationError(
            'The ZCML file %s, or one that it includes, is not in UTF-8, whatever its first line '
            'says. Save it as UTF-8.' % path) from e
    except (Wrong, OSError) as e:
        # What is no XML is told with the file's name and line, behind the repr of the open file.
        raise ConfigurationError('The ZCML file %s cannot be used: %s' % (
            path, re.sub(r'<_io\.[^\n]*>\n\s+xml\.\S+: ', '', str(e)))) from e


def feeds(path, names=None, direction=None):
    """The feeds of a ZCML file: those of these names, or all of a direction.

    direction -- 'import', 'export', or None for both
    Returns a list of IFeed. Raises ConfigurationError.
    """
    load(path)
    known = dict(zope.component.getUtilitiesFor(IFeed))
    if names is None:
        found = [
            known[name] for name in sorted(known) if direction in (None, known[name].direction)
        ]
        if not found:
            raise ConfigurationError('%s declares no feed%s.' % (
                path, ' for the direction ' + direction if direction else ''))
        return found
    return [registered_feed(name, direction) for name in names]


class Site:
    """A ZCML file that can be read anew while feeds which it declares are at work.

    What it registers is in a registry of its own, on which the application's builds: another one
    takes its place at once, so that nothing is registered twice, nothing is left over, and a file
    that is wrong changes nothing.
    """

    def __init__(self, path, names=None):
        """
        names -- of the feeds that matter, list of str; None: all
        """
        self._path, self._names = path, names

    def read(self):
        """(registry, list of IFeed) as the file is now. Raises ConfigurationError."""
        from zope.component import hooks  # one-off runs need no registry of the file's own
        registry = zope.interface.registry.Components(self._path)
        self.getSiteManager = lambda: registry
        hooks.setHooks()
        with hooks.site(self):          # for this thread only
            return registry, feeds(self._path, self._names)

    @staticmethod
    def use(registry):
        """From now on, for all threads, what the registry has is registered."""
        zope.component.getGlobalSiteManager().__bases__ = (registry,)
