"""What happened, told with zope.event: implementations of the event interfaces."""
import logging
import sys

import zope.event
import zope.interface

from zeit.cds.feed import without_password
from zeit.cds.interfaces import (
    IFileExported,
    IFileImported,
    IFileSkipped,
    IOutcome,
    IRunFinished,
)
from zeit.cds.text import printable


log = logging.getLogger(__name__)


@zope.interface.implementer(IOutcome)
class Outcome:
    """See IOutcome."""

    def __init__(self, error=None):
        self.files = self.bytes = 0
        self.skipped, self.failed, self.unheard = [], [], []
        self.error = error
        self.seconds = 0.0
        self.waiting, self.aside = None, 0

    def __repr__(self):
        return 'Outcome(%s)' % ', '.join('%s=%r' % item for item in vars(self).items())

    @property
    def successful(self):
        return self.error is None and not self.failed and not self.unheard


class Event:
    """What happened to a feed, which it shows without the password, whoever made the event."""

    __slots__ = ('feed',)

    def __init__(self, feed):
        self.feed = without_password(feed)

    def __repr__(self):
        names = [name for kind in reversed(type(self).__mro__)
                 for name in getattr(kind, '__slots__', ())]
        return '%s(%s)' % (type(self).__name__, ', '.join(
            '%s=%r' % (name, getattr(self, name)) for name in names))


class FileExchanged(Event):
    """What FileImported and FileExported have in common."""

    __slots__ = 'name', 'path', 'size'

    def __init__(self, feed, name, path, size):
        super().__init__(feed)
        self.name, self.path, self.size = name, path, size


@zope.interface.implementer(IFileImported)
class FileImported(FileExchanged):
    """See IFileImported."""

    __slots__ = ()


@zope.interface.implementer(IFileExported)
class FileExported(FileExchanged):
    """See IFileExported."""

    __slots__ = ()


@zope.interface.implementer(IFileSkipped)
class FileSkipped(Event):
    """See IFileSkipped."""

    __slots__ = 'name', 'reason', 'failed'

    def __init__(self, feed, name, reason, failed):
        super().__init__(feed)
        self.name, self.reason, self.failed = name, reason, failed


@zope.interface.implementer(IRunFinished)
class RunFinished(Event):
    """See IRunFinished."""

    __slots__ = ('outcome',)

    def __init__(self, feed, outcome):
        super().__init__(feed)
        self.outcome = outcome


def notify(event, outcome=None):
    """Tell the subscribers, each of them, whatever the others do.

    What they raise is logged, and noted in the Outcome, if there is one. It changes nothing for
    the files.
    """
    for subscriber in subscribers(event):
        try:
            subscriber(event)
        except Exception as e:
            name = getattr(event, 'name', None)
            log.exception('A subscriber to %s failed%s. The file exchange goes on.',
                          type(event).__name__, '' if name is None else ' at %s' % printable(name))
            if outcome is not None:
                outcome.unheard.append((name, '%s: %s' % (type(e).__name__, e)))


def subscribers(event):
    """All who want to hear of it, one by one: those of zope.event, and those of ZCML.

    zope.component subscribes to zope.event, and hands an event on to its own subscribers: all at
    once, so that one that raises would hide it from the later ones.
    """
    component = sys.modules.get('zope.component.event')
    for subscriber in list(zope.event.subscribers):
        if component is not None and subscriber is component.dispatch:
            yield from handlers(event)
        else:
            yield subscriber


def handlers(event):
    """The subscribers that zope.component has for it, a list."""
    from zope.component import getSiteManager
    return getSiteManager().adapters.subscriptions([zope.interface.providedBy(event)], None)
