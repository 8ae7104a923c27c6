"""Sessions with an SFTP directory: see ICDSSession."""
import logging
import time

import zope.interface

from zeit.cds.interfaces import (
    ConnectionLost,
    FTPError,
    ICDSConnection,
    ICDSSession,
    IChangeDetection,
    IPipelined,
    IProbedConnection,
    PermanentError,
    ReplyError,
    RunLimitReached,
)
from zeit.cds.net.stream import Stream
from zeit.cds.sftp import packets, settings
from zeit.cds.sftp.batch import attributes_of, Place
from zeit.cds.sftp.channel import Channel
from zeit.cds.sftp.listing import Listing
from zeit.cds.sftp.pipelined import Pipelined
from zeit.cds.sftp.process import SSH
from zeit.cds.sftp.transfers import Transfers
from zeit.cds.sftp.tuning import TUNING
from zeit.cds.text import printable


log = logging.getLogger(__name__)

PROBE = '.cds-clock'    # always the same, so that what a kill leaves is there once at most
LOGIN = 5.0             # seconds that ssh gets to tell why it could not connect in time


@zope.interface.implementer(ICDSConnection)
class SFTPConnection:
    """SFTP, carried by the system's ssh; see ISFTPSettings."""

    needs_password = False      # there are keys
    takes_password = True
    settings = settings.ISFTPSettings

    def __init__(self, tuning=TUNING):
        """
        tuning -- Tuning
        """
        self._tuning = tuning

    def __conform__(self, interface):
        # (Not implemented: a utility of two interfaces needs to say which one in ZCML.)
        return self if interface is IProbedConnection else None

    def open(self, feed, deadline, like=None):
        own = feed.of('connection')
        settings.check(feed, own)
        deadline.check()
        carrier = SSH(feed, own)
        stream = Stream(carrier.socket, feed.timeout + LOGIN, deadline)
        session = SFTPSession(
            Channel(stream, carrier), Place(feed.ftp_dir), self._tuning,
            'no-pipelining' not in feed.quirks)
        try:
            session.begin()
            carrier.logged_in()
        except BaseException as e:
            session.end()
            if isinstance(e, PermanentError) and e.__class__ is PermanentError:
                e.add_note('Check the directory %s: is it there, may %s read it? %s' % (
                    printable(feed.ftp_dir), printable(feed.user),
                    'With /~/ at its beginning it is below the home directory.'))
            raise
        stream.timeout = feed.timeout
        return session

    def describe(self, session):
        """See IProbedConnection."""
        from zeit.cds.sftp.probe import Probe  # no plain run needs it
        return Probe(session)()


@zope.interface.implementer(ICDSSession)
class SFTPSession:
    """See ICDSSession."""

    blocking = False

    def __init__(self, channel, place, tuning, shares=True):
        """
        channel -- Channel
        place -- Place
        tuning -- Tuning
        shares -- may several things share a round trip? bool
        """
        self.channel, self.place, self.shares = channel, place, shares
        self.version, self.extensions = None, {}     # what the server says of itself
        self.transfers = Transfers(channel, place, tuning)
        self._pipelined = None

    def __conform__(self, interface):
        if interface is IPipelined and self.shares:
            if self._pipelined is None:
                self._pipelined = Pipelined(self)
            return self._pipelined
        if interface is IChangeDetection:
            from zeit.cds.sftp.changes import ChangeDetection  # for the watch
            return ChangeDetection(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def alive(self):
        return self.channel.alive

    @property
    def latency(self):
        return self.transfers.latency

    def begin(self):
        """Say hello, look for the directory."""
        hello = self.channel.hello()
        self.version, self.extensions = hello.number(), packets.extensions(hello)
        log.debug('SFTP version %d, extensions: %s', self.version, printable(', '.join(
            name.decode('ascii', 'replace') for name in sorted(self.extensions))))
        self.transfers.syncs = packets.FSYNC in self.extensions
        begun = time.monotonic()
        limits = None
        if packets.LIMITS in self.extensions:
            limits = self.channel.ask(
                packets.EXTENDED, packets.text(packets.LIMITS), limits_told)
        where = self.channel.ask(
            packets.STAT, packets.text(self.place.path), attributes_of(None)).get()
        if where is None or where.kind not in ('dir', None):
            raise PermanentError('There is no such directory.')
        if limits is not None:
            self.transfers.limits = limits.get()
        self.transfers.latency = time.monotonic() - begun

    def close(self):
        if self.alive:
            try:
                self.channel.settle()
            except (FTPError, RunLimitReached) as e:
                log.debug('At the end of the session: %s', e)
        self.end()

    def end(self):
        self.channel.end(ConnectionLost('The session was closed.'))

    def abort(self):
        self.channel.abort()

    # ------------------------------------------------------------ requests without data

    def _now(self, ask):
        self.channel.check()
        return ask(self.transfers.batch()).get()

    def stat(self, name):
        return self._now(lambda batch: batch.stat(name))

    def remove(self, name):
        self._now(lambda batch: batch.remove(name))

    def rename(self, source, target):
        self._now(lambda batch: batch.rename(source, target))

    def make_directory(self, name):
        self._now(lambda batch: batch.make_directory(name))

    def remove_directory(self, name):
        self._now(lambda batch: batch.remove_directory(name))

    def stored_name(self, name):
        return None     # there is no such question

    def exists(self, name):
        return self._now(lambda batch: batch.attributes(name, follow=False)) is not None

    def kind(self, name):
        found = self._now(lambda batch: batch.attributes(name))
        return found and found.kind

    def clock(self):
        try:
            self.write(PROBE, b'?')
            entry = self.stat(PROBE)
        except ReplyError as e:
            log.debug('The server does not let us look at its clock: %s', e)
            return None
        try:
            self.remove(PROBE)
        except ReplyError as e:
            log.debug('The server keeps %s: %s', PROBE, e)
        return entry and entry.modified

    # ------------------------------------------------------------ listings, transfers

    def entries(self):
        yield from self._listing.entries()

    def names(self, directory):
        return self._listing.names(directory)

    @property
    def _listing(self):
        return Listing(self.channel, self.place, self.transfers.lingering)

    def read(self, name, sink, offset=0):
        self.channel.check()
        return self.transfers.read(name, sink, offset)

    def write(self, name, source, offset=0):
        return self.transfers.write(name, source, offset)


def limits_told(kind, reader):
    """For limits@openssh.com."""
    return (packets.Limits.told(reader) if kind == packets.EXTENDED_REPLY else packets.Limits())


