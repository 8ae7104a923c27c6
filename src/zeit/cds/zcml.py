"""The directive <cds:feed>: it registers an IFeed under its name.

Within it, <cds:connection>, <cds:lock> and <cds:sink> give these the settings of their own. Its
attributes are the settings of IFeed. Here they only get the types of zope.configuration: a
path is relative to the ZCML file, and may begin with ~ or contain $VARIABLES. Whether a value is
right is up to Feed, and whether a file is there, up to the run: one feed with a mistake of that
kind does not keep the others from being declared.
"""

import zope.component.zcml
import zope.configuration.fields
import zope.interface.interface
import zope.schema

from zeit.cds.feed import Feed, SETTINGS
from zeit.cds.interfaces import ConfigurationError, IFeed, Path
from zeit.cds.own import Written


class PathOrURL(zope.configuration.fields.Path):
    """A path; a URL, such as some sinks have, stays as it is."""

    def fromUnicode(self, value):
        return value.strip() if '://' in value else super().fromUnicode(value)


def attribute(field):
    """The attribute of the directive for a field of IFeed."""
    required = field.__name__ == 'name' or (field.required and field.default is None)
    kw = dict(title=field.title, description=field.description, required=required)
    if isinstance(field, Path):
        return PathOrURL(**kw)
    if isinstance(field, zope.schema.Tuple):
        return zope.configuration.fields.Tokens(value_type=zope.schema.TextLine(), **kw)
    if isinstance(field, zope.schema.Bool):
        return zope.configuration.fields.Bool(**kw)
    if isinstance(field, zope.schema.Int):
        return zope.schema.Int(**kw)
    if isinstance(field, zope.schema.Float):
        return zope.schema.Float(**kw)
    # A password that isn't right would be shown by the field that refuses it. Feed doesn't.
    return zope.schema.Text(**kw)


def directive():
    """The schema of the directive, an interface."""
    attributes = {name: attribute(field) for name, field in SETTINGS.items()}
    for order, field in enumerate(attributes.values()):
        field.order = order
    return zope.interface.interface.InterfaceClass(
        'IFeedDirective', (zope.interface.Interface,), attributes, IFeed.__doc__, __name__)


IFeedDirective = directive()


class IOwnDirective(zope.interface.Interface):
    """Settings of a utility's own: which there are is known once the feed is exchanged."""


IOwnDirective.setTaggedValue('keyword_arguments', True)


class IJournalDirective(zope.interface.Interface):
    """Keeps a journal of all feeds of this process."""

    url = zope.schema.TextLine(
        title='Where it is',
        description='sqlite:////DIRECTORY/FILE, or postgresql://USER@HOST/DATABASE')
    keep_days = zope.schema.Float(
        title='Files that came to their end so many days ago are forgotten', min=0.0,
        default=400.0, required=False)


def journal_directive(_context, url, keep_days=400.0):
    """Registers an IJournal."""
    from zeit.cds.interfaces import IJournal
    from zeit.cds.journal.sql import SQLJournal
    zope.component.zcml.utility(
        _context, provides=IJournal, component=SQLJournal(url, keep_days))


class FeedDirective:
    """Registers a feed. Raises ConfigurationError; zope.configuration adds file and line."""

    def __init__(self, _context, **settings):
        self._context = _context
        self._own = {}
        self._feed = Feed(**{name: value for name, value in settings.items() if value is not None})
        if not self._feed.name:
            raise ConfigurationError('A feed in ZCML needs a name.')

    def __call__(self):
        feed = self._feed.replaced(**self._own) if self._own else self._feed
        zope.component.zcml.utility(
            self._context, provides=IFeed, component=feed, name=feed.name)

    def connection(self, _context, /, **settings):
        self._add('connection', _context, settings)

    def lock(self, _context, /, **settings):
        self._add('lock', _context, settings)

    def sink(self, _context, /, **settings):
        self._add('sink', _context, settings)

    def _add(self, owner, _context, settings):
        path = PathOrURL().bind(_context)
        for name, text in settings.items():
            name = '%s.%s' % (owner, name)
            if name in self._own:
                raise ConfigurationError('The setting %s is given twice.' % name)
            self._own[name] = Written(text, path.fromUnicode(text))
