"""A feed: the settings of one exchange, checked against IFeed."""
import functools
import os

import zope.interface
import zope.schema

from zeit.cds.interfaces import ConfigurationError, IFeed


SETTINGS = dict(zope.schema.getFieldsInOrder(IFeed))
PORT_OF_IMPLICIT_TLS, PORT_OF_SSH = 990, 22
OWNERS = ('connection', 'lock', 'sink')     # utilities that may have settings of their own


@zope.interface.implementer(IFeed)
class Feed:
    """See IFeed. Its attributes don't change once it is made."""

    def __init__(self, **settings):
        """Raises ConfigurationError for an unknown, missing or wrong setting."""
        if settings.get('security') == 'implicit':
            settings.setdefault('port', PORT_OF_IMPLICIT_TLS)
        elif settings.get('connection') == 'sftp':
            settings.setdefault('port', PORT_OF_SSH)
        settings, own = separated(settings)
        checked = checked_settings(settings)
        for name, field in SETTINGS.items():
            self.__dict__[name] = checked[name] if name in checked else default(field)
        self.__dict__.update(own=own, _own={})
        self._check_invariants()

    def replaced(self, **settings):
        """See the function of this name. What has been checked is not checked once more."""
        made = Feed.__new__(Feed)
        made.__dict__.update({name: getattr(self, name) for name in SETTINGS})
        settings, own = separated(settings)
        same = not own and settings.keys().isdisjoint(OWNERS)
        made.__dict__.update(
            checked_settings(settings), own={**self.own, **own}, _own=self._own if same else {})
        made._check_invariants()
        return made

    def with_own(self, own):
        """A Feed with the settings of utilities' own, as `of` gives them: {owner: object}."""
        made = self.replaced()
        made.__dict__['_own'] = {**self._own, **own}
        return made

    def of(self, owner):
        """See IFeed."""
        if owner not in self._own:
            raise ConfigurationError(
                'The settings of the %s have not been looked at: see zeit.cds.own.configured.' %
                owner)
        return self._own[owner]

    @functools.cached_property
    def without_password(self):
        """What others may see of it: a feed without a password."""
        if not self.password and not self.own:
            return self
        made = self.replaced(password='')
        if self.own:        # of what was not looked at, anything may be a password
            made.__dict__.update(own={}, _own={
                owner: own and without_passwords(own) for owner, own in self._own.items()})
        return made

    def _check_invariants(self):
        try:
            IFeed.validateInvariants(self)
        except zope.interface.Invalid as e:
            raise ConfigurationError('The settings contradict each other: %s' % e) from None

    def __setattr__(self, name, value):
        raise AttributeError('A feed cannot be changed. Make another one.')

    def __repr__(self):
        return '<Feed %s: %s %s>' % (
            self.name or '(unnamed)', address(self),
            ('-> %s' if self.direction == 'import' else '<- %s') % self.store_dir)


class Own:
    """Provides the interface of a utility's settings: its attributes are their values."""

    def __init__(self, interface, values):
        zope.interface.directlyProvides(self, interface)
        self.__dict__.update(values)


def address(feed):
    """Where the feed's files are, without the password, str."""
    return '%s@%s:%d%s' % (feed.user, feed.hostname, feed.port, feed.ftp_dir)


def label(feed):
    """What tells this feed from others, str: its name, or where it is."""
    return feed.name or address(feed)


def replaced(feed, **settings):
    """A Feed like `feed`, an IFeed, but for these settings. Raises ConfigurationError."""
    if type(feed) is Feed:
        return feed.replaced(**settings)
    return Feed(**{**{name: getattr(feed, name) for name in SETTINGS}, **getattr(feed, 'own', {}),
                   **settings})


def without_password(feed):
    """The feed as others may see it: without its password."""
    if type(feed) is Feed:
        return feed.without_password
    return replaced(feed).without_password if feed.password or getattr(feed, 'own', None) else feed


def without_passwords(own):
    """An Own as others may see it."""
    [interface] = zope.interface.directlyProvidedBy(own)
    return Own(interface, {
        name: '' if isinstance(field, zope.schema.Password) else getattr(own, name)
        for name, field in zope.schema.getFields(interface).items()})


def separated(settings):
    """The settings of the feed, and those of its utilities, such as `sink.bucket`: two dicts."""
    own = {name: value for name, value in settings.items()
           if '.' in name and name.partition('.')[0] in OWNERS}
    return {name: settings[name] for name in settings.keys() - own.keys()} if own else settings, own


def checked_settings(settings):
    """The values as the fields want them, a dict. Raises ConfigurationError."""
    for name in settings.keys() - SETTINGS.keys():
        raise ConfigurationError('There is no setting %r.' % name)
    return {name: check(SETTINGS[name], value) for name, value in settings.items()}


def default(field, name=None):
    if field.required and field.default is None:
        raise ConfigurationError('The setting %r is missing: %s.' % (
            name or field.__name__, field.title))
    return field.default


def check(field, value, name=None):
    """The value as the field wants it.

    name -- of the setting, str; by default the field's
    Paths become str, lists become tuples, whole numbers floats where these are meant. Raises
    ConfigurationError, which never shows a password.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif isinstance(field, zope.schema.Tuple) and isinstance(value, list):
        value = tuple(value)
    elif isinstance(field, zope.schema.Float) and type(value) is int:
        value = float(value)
    try:
        field.validate(value)
    except zope.interface.Invalid as e:
        shown = '***' if isinstance(field, zope.schema.Password) else repr(value)
        words = possible_words(field)
        raise ConfigurationError('The setting %s is wrong: %s (%s: %s)' % (
            name or field.__name__, shown, field.title,
            'possible are %s' % ', '.join(words) if words else type(e).__name__)) from None
    return value


def possible_words(field):
    """What a value, or each of several, can be, where that is one of some words: list of str."""
    field = getattr(field, 'value_type', None) or field
    return [term.value for term in getattr(field, 'vocabulary', None) or ()]
