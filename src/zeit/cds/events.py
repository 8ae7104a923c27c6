"""What happened, told with zope.event: implementations of the event interfaces."""
import dataclasses
import logging

import zope.event
import zope.interface

from zeit.cds.interfaces import IFileExported, IFileImported, IFileSkipped, IOutcome, IRunFinished


log = logging.getLogger(__name__)


@zope.interface.implementer(IOutcome)
@dataclasses.dataclass
class Outcome:
    """See IOutcome."""

    files: int = 0
    bytes: int = 0
    skipped: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)
    error: BaseException | None = None
    seconds: float = 0.0
    waiting: int | None = None

    @property
    def successful(self):
        return self.error is None and not self.failed


@zope.interface.implementer(IFileImported)
@dataclasses.dataclass
class FileImported:
    """See IFileImported."""

    feed: object
    name: str
    path: str
    size: int


@zope.interface.implementer(IFileExported)
class FileExported(FileImported):
    """See IFileExported."""


@zope.interface.implementer(IFileSkipped)
@dataclasses.dataclass
class FileSkipped:
    """See IFileSkipped."""

    feed: object
    name: str
    reason: str
    failed: bool


@zope.interface.implementer(IRunFinished)
@dataclasses.dataclass
class RunFinished:
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
