"""What happened in a run: events, and its outcome."""
from typing import NamedTuple

import zope.interface


class IFileExchanged(zope.interface.Interface):
    """A file was exchanged. What is told is an IFileImported or an IFileExported."""

    feed = zope.interface.Attribute('The IFeed, without its password')
    name = zope.interface.Attribute('Name of the file. str')
    path = zope.interface.Attribute('Where it is now. str')
    size = zope.interface.Attribute('Its size in bytes. int')


class IFileImported(IFileExchanged):
    """A file was published in the spool's new directory."""


class IFileExported(IFileExchanged):
    """A file is on the server, whole; its copy in the spool was moved to cur.

    `path` is None if that copy was gone: somebody removed it, or put a newer one in its place,
    while it was sent.
    """


class IFileSkipped(zope.interface.Interface):
    """A file was not exchanged in this run."""

    feed = zope.interface.Attribute('The IFeed')
    name = zope.interface.Attribute('Name of the file. str')
    reason = zope.interface.Attribute('Why, in words. str')
    failed = zope.interface.Attribute(
        'True: something is wrong; False: it is merely not its turn. bool')


class IFeedSilent(zope.interface.Interface):
    """A feed brought no file for longer than its `expect_within` allows. Told once each time."""

    feed = zope.interface.Attribute('The IFeed, without its password')
    last = zope.interface.Attribute(
        'When its last file came, nanoseconds since 1970. int, or None: none ever did')


class IFeedSpeaksAgain(zope.interface.Interface):
    """A feed that was told of as silent brought a file."""

    feed = zope.interface.Attribute('The IFeed, without its password')
    last = zope.interface.Attribute('When its last file came, nanoseconds since 1970. int')


class IRunFinished(zope.interface.Interface):
    """An import or export came to its end, whatever the end was."""

    feed = zope.interface.Attribute('The IFeed')
    outcome = zope.interface.Attribute('An IOutcome')


class IOutcome(zope.interface.Interface):
    """What a run did."""

    files = zope.interface.Attribute('Number of files exchanged. int')
    bytes = zope.interface.Attribute('Their size in all. int')
    skipped = zope.interface.Attribute(
        'List of (name, reason): left for a later run, nothing wrong')
    failed = zope.interface.Attribute(
        'List of (name, reason): not exchanged because something is wrong')
    unheard = zope.interface.Attribute(
        'List of (name, reason): exchanged, but a subscriber to the event raised an exception. '
        'The name is None for the event of a whole run')
    aside = zope.interface.Attribute(
        'Number of files that are given up: not tried, and not waited for. int')
    error = zope.interface.Attribute('The exception that ended the run before its time, or None')
    seconds = zope.interface.Attribute('How long it took. float')
    waiting = zope.interface.Attribute(
        'Number of files left for later, for whatever reason. int, or None if the run did '
        'not get that far')


class Progress(NamedTuple):
    """How far a run is."""

    files_done: int = 0
    files: int = 0              # 0: not known yet, or none
    bytes_done: int = 0
    bytes: int | None = None    # None: the server does not tell
