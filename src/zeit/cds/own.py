"""Settings that a connection, a lock or a sink has of its own.

A feed carries them under the word for whose they are and a dot, such as `sink.bucket`. What they
mean is known once the utility is: its attribute `settings` is an interface, with fields as IFeed
has them.
"""
import zope.interface
import zope.schema

from zeit.cds.feed import check, default, Feed, Own, replaced
from zeit.cds.interfaces import ConfigurationError, Path


YES, NO = ('yes', 'true', 'on', '1'), ('no', 'false', 'off', '0')


class Written(str):
    """A value as it was written in ZCML or on a command line: its field is to read it."""

    def __new__(cls, text, path=None, public=False):
        """
        path -- what it is if it is a path, str; by default the text itself
        public -- can others see it? Then it can't be a password
        """
        made = super().__new__(cls, text)
        made.path, made.public = text if path is None else path, public
        return made


def configured(feed, utilities):
    """The Feed whose `of` gives the settings of these utilities.

    utilities -- {what it is to the feed ('connection', 'lock' or 'sink'): utility}
    Raises ConfigurationError for an unknown, missing or wrong setting.
    """
    feed = feed if type(feed) is Feed else replaced(feed)
    return feed.with_own({owner: settings_of(feed, owner, getattr(utility, 'settings', None))
                          for owner, utility in utilities.items()})


def settings_of(feed, owner, interface):
    """The Own of one utility; None if it has no settings, and is given none."""
    prefix = owner + '.'
    given = {name: value for name, value in feed.own.items() if name.startswith(prefix)}
    fields = {} if interface is None else {
        prefix + name: field for name, field in zope.schema.getFieldsInOrder(interface)}
    for name in sorted(given.keys() - fields.keys()):
        raise ConfigurationError('There is no setting %r: %s.' % (
            name, 'possible are ' + ', '.join(fields) if fields
            else 'the %s of this feed has none of its own' % owner))
    if interface is None:
        return None
    own = Own(interface, {
        field.__name__: checked(field, given[name], name) if name in given
        else default(field, name) for name, field in fields.items()})
    try:
        interface.validateInvariants(own)
    except zope.interface.Invalid as e:
        raise ConfigurationError('The settings of the %s contradict each other: %s' % (
            owner, e)) from None
    return own


def checked(field, value, name):
    """The value as the field wants it. Raises ConfigurationError, which never shows a password."""
    if isinstance(value, Written):
        if value.public and isinstance(field, zope.schema.Password):
            raise ConfigurationError(
                'No %s on a command line, please: others can see it. Write it into ZCML, as an '
                'attribute of <cds:%s>.' % (name, name.partition('.')[0]))
        try:
            value = read(field, value)
        except (ValueError, zope.interface.Invalid):
            pass        # `check` tells what is wrong with the text
    return check(field, value, name)


def read(field, text):
    """The value that a Written means. Raises ValueError or Invalid."""
    if isinstance(field, Path):
        return text.path
    if isinstance(field, zope.schema.Bool):
        return True if text.lower() in YES else False if text.lower() in NO else text
    if isinstance(field, zope.schema.Tuple):
        return tuple(map(field.value_type.fromUnicode, text.split()))
    return getattr(field, 'fromUnicode', str)(str(text))     # not every field reads text
