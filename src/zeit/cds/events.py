"""What happened, told with zope.event: implementations of the event interfaces.

An event shows its feed without the password, whoever made the event.
"""
import logging
import sys
from typing import NamedTuple

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


class Discreet:
    """Mixed into an event: nobody learns a password from it."""

    __slots__ = ()

    def __new__(cls, feed, *args, **kw):
        return super().__new__(cls, without_password(feed), *args, **kw)


class _Exchanged(NamedTuple):
    feed: object
    name: str
    path: str | None
    size: int


@zope.interface.implementer(IFileImported)
class FileImported(Discreet, _Exchanged):
    """See IFileImported."""

    __slots__ = ()


@zope.interface.implementer(IFileExported)
class FileExported(Discreet, _Exchanged):
    """See IFileExported."""

    __slots__ = ()


class _Skipped(NamedTuple):
    feed: object
    name: str
    reason: str
    failed: bool


@zope.interface.implementer(IFileSkipped)
class FileSkipped(Discreet, _Skipped):
    """See IFileSkipped."""

    __slots__ = ()


class _Finished(NamedTuple):
    feed: object
    outcome: Outcome


@zope.interface.implementer(IRunFinished)
class RunFinished(Discreet, _Finished):
    """See IRunFinished."""

    __slots__ = ()


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
