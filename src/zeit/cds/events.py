"""What happened, told with zope.event: implementations of the event interfaces."""
import logging
from typing import NamedTuple

import zope.event
import zope.interface

from zeit.cds.interfaces import IFileExported, IFileImported, IFileSkipped, IOutcome, IRunFinished


log = logging.getLogger(__name__)


@zope.interface.implementer(IOutcome)
class Outcome:
    """See IOutcome."""

    def __init__(self, error=None):
        self.files = self.bytes = 0
        self.skipped, self.failed = [], []
        self.error = error
        self.seconds = 0.0
        self.waiting = None

    def __repr__(self):
        return 'Outcome(%s)' % ', '.join('%s=%r' % item for item in vars(self).items())

    @property
    def successful(self):
        return self.error is None and not self.failed


@zope.interface.implementer(IFileImported)
class FileImported(NamedTuple):
    """See IFileImported."""

    feed: object
    name: str
    path: str | None
    size: int


@zope.interface.implementer(IFileExported)
class FileExported(FileImported):
    """See IFileExported."""


@zope.interface.implementer(IFileSkipped)
class FileSkipped(NamedTuple):
    """See IFileSkipped."""

    feed: object
    name: str
    reason: str
    failed: bool


@zope.interface.implementer(IRunFinished)
class RunFinished(NamedTuple):
    """See IRunFinished."""

    feed: object
    outcome: Outcome


def notify(event):
    """Tell the subscribers. What they raise is logged, and changes nothing for the files."""
    for subscriber in list(zope.event.subscribers):
        try:
            subscriber(event)
        except Exception:
            log.exception('A subscriber to %s failed. The file exchange goes on.', type(event).__name__)
