"""Sessions with an FTP directory: see ICDSSession.

Why not ftplib: it waits for the reply of each command before it sends the next, repeats TYPE for
each file, and decodes names with one codec. What matters here, two or three round trips for a
small file, needs commands to share them; `zeit.cds.ftp.pipelining` has that.
"""
import logging

import zope.interface

from zeit.cds.ftp.batch import done, FTPBatch, outcome
from zeit.cds.ftp.existence import Existence
from zeit.cds.ftp.lister import Lister
from zeit.cds.ftp.listing import BOUNDS, says_empty
from zeit.cds.ftp.login import Login
from zeit.cds.ftp.pipelined import Pipelined
from zeit.cds.ftp.quirks import Findings
from zeit.cds.ftp.transfers import Source, Transfers
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    FTPError,
    ICDSConnection,
    ICDSSession,
    IChangeDetection,
    IPipelined,
    IProbedConnection,
    ReplyError,
    TemporaryError,
    UntrustedServer,
)


log = logging.getLogger(__name__)

PROBE = '.cds-clock'    # always the same, so that what a kill leaves is there once at most


@zope.interface.implementer(ICDSConnection)
class FTPConnection:
    """FTP, and FTP over TLS, as the feed's `security` says."""

    needs_password = True
    _bounds = BOUNDS        # for subclasses with a beginning of their own

    def __init__(self, bounds=BOUNDS):
        """
        bounds -- Bounds of a listing
        """
        self._bounds = bounds

    def __conform__(self, interface):
        return self if interface is IProbedConnection else None

    def open(self, feed, deadline, like=None):
        findings = getattr(like, 'findings', None)
        if findings is not None and not findings.one_at_a_time:
            try:
                return self._open(feed, deadline, findings, at_once=True)
            except UntrustedServer:
                raise       # no other way to log in changes that
            except FTPError as e:
                log.debug('No further session the fast way: %s', e)
        findings = findings or Findings(feed.active, feed.quirks)
        while True:
            try:
                return self._open(feed, deadline, findings, at_once=False)
            except ConnectionLost as e:
                if not e.at_once:
                    raise
                log.debug('%s. Once more.', e)

    def _open(self, feed, deadline, findings, at_once):
        login = Login(feed, deadline, findings)
        login(at_once)
        return FTPSession(login, findings, self._bounds)

    def describe(self, session):
        """See IProbedConnection."""
        from zeit.cds.ftp import probe  # for a person, not for cron
        return probe.describe(session)


@zope.interface.implementer(ICDSSession)
class FTPSession:
    """See ICDSSession."""

    blocking = False

    def __init__(self, login, findings, bounds):
        """
        login -- Login, done
        findings -- Findings, of all sessions of the run
        bounds -- Bounds of a listing
        """
        self.control, self.data, self.quirks = login.control, login.data, login.quirks
        self.findings = findings
        self.transfers = Transfers(self.control, self.data)
        self.lister, self.existence = Lister(self, bounds), Existence(self)
        self.stored = None      # name of a file that we stored, which listings should show
        self.greeting, self.features = login.greeting, login.features
        self._pipelined = None

    def __conform__(self, interface):
        if interface is IPipelined:
            if self._pipelined is None:
                self._pipelined = Pipelined(self)
            return self._pipelined
        if interface is IChangeDetection and 'MLST' in self.features and self.knows_mlst:
            from zeit.cds.ftp.changes import ChangeDetection  # for the watch
            return ChangeDetection(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def alive(self):
        return self.control.alive

    @property
    def latency(self):
        return self.findings.latency

    def close(self):
        self.control.quit()
        self.data.close()
        if self._pipelined is not None:
            self._pipelined.close()

    def abort(self):
        self.control.abort()
        self.data.abort()

    # ------------------------------------------------------------ what the server knows

    @property
    def is_strange(self):
        """Is it none of the servers that are known by their greeting? bool"""
        return not self.quirks.known

    @property
    def knows_mlst(self):
        # What has no FEAT may have it nevertheless, and tells when it is asked.
        return 'MLST' not in self.findings.lacks and (
            'MLST' in self.features or not self.features)

    @property
    def knows_mlsd(self):
        return 'MLSD' not in self.findings.lacks and (
            'MLST' in self.features or 'MLSD' in self.features or not self.features)

    @property
    def knows_size(self):
        return 'SIZE' not in self.findings.lacks

    def lacks(self, verb):
        """The server does not know this verb, after all."""
        self.findings.lack(verb)

    def came_by_data(self, reply):
        """Did the answer to MLST, whose reply this is, come over the data connection that was there
        for something else? Then it is not asked again. bool"""
        if reply.code != 226 or not self.control.was_preliminary:
            return False
        log.debug('The server sends what MLST tells over the data connection.')
        self.lacks('MLST')
        self.data.drop_ahead()
        return True

    # ------------------------------------------------------------ commands without data

    def _ask(self, verb, argument):
        done(self.control.ask((verb, argument))[0])

    def _now(self, ask):
        pending = ask(FTPBatch(self))
        self.control.flush()
        return pending.get()

    def stat(self, name):
        entry = self.asked(name)
        if entry is not None and self.is_strange and not self.knows_mlst and self.knows_size and (
                self.existence.is_no_file(name)):
            return None
        return entry

    def asked(self, name):
        """The same, but a directory may be taken for a file."""
        return self._now(lambda batch: batch.stat(name))

    def both(self, name):
        """What SIZE and MLST tell of a file, each an Entry or None; see FTPBatch."""
        batch = FTPBatch(self)
        size, described = batch.size(name), batch.described(name)
        self.control.flush()
        return outcome(self, size, 'SIZE', name), outcome(self, described, 'MLST', name)

    def described(self, name):
        """What MLST tells: an Entry, or None."""
        return self._now(lambda batch: batch.described(name))

    def search(self, name, there):
        """What `stat` gives where the server knows neither SIZE nor MLST.

        there -- has RNFR found anything? It may be refused for other reasons, so that only the
            listing shows that there is nothing. The listing hides some.
        """
        return Entry(name) if there or name in self.listed_names() else None

    def remove(self, name):
        self.note_removed(name)
        self._ask('DELE', name)

    def rename(self, source, target):
        self._now(lambda batch: batch.rename(source, target))

    def make_directory(self, name):
        self._now(lambda batch: batch.make_directory(name))

    def remove_directory(self, name):
        self._now(lambda batch: batch.remove_directory(name))

    def stored_name(self, name):
        return self._now(lambda batch: batch.stored_name(name))

    def exists(self, name):
        return self.existence.exists(name)

    def kind(self, name):
        return self.existence.kind(name)

    def clock(self):
        try:
            self.write(PROBE, b'?')
        except ReplyError as e:
            log.debug('The server does not let us look at its clock: %s', e)
            return None
        # In the same way as a lock is asked for: MDTM and MLST may tell times of two zones.
        try:
            found = self.stat(PROBE)
        except ReplyError as e:
            log.debug('The server does not tell the time of %s: %s', PROBE, e)
            found = None
        try:
            self.remove(PROBE)
        except ReplyError as e:
            log.debug('The server keeps %s: %s', PROBE, e)
        return found and found.modified

    # ------------------------------------------------------------ transfers

    def read(self, name, sink, offset=0):
        try:
            data = self.transfers.begin('RETR', name, offset)
        except TemporaryError as e:
            raise self.existence.judged('RETR', name, e) from e
        count = self.transfers.receive(data, sink)
        self.transfers.end()
        self.confirm(name, offset + count)
        return count

    def confirm(self, name, count):
        """Where TLS ended without a farewell, which an attacker can bring about, only the size
        shows that all is here. Raises TemporaryError."""
        if not self.transfers.ragged:
            return
        entry = self.stat(name)
        if entry is None or entry.size != count:
            raise TemporaryError(
                'The data connection ended without a TLS close_notify after %d bytes' % count)

    def write(self, name, source, offset=0):
        source = Source(source)
        self.transfers.send(self.transfers.begin('STOR', name, offset), source)
        self.transfers.end()
        self.note_stored(name)
        return source.count

    def note_stored(self, name):
        """This file was stored: see Lister.entries."""
        if not name.startswith('.'):
            self.stored = name

    def note_removed(self, name):
        """This file is about to go: listings need not show it."""
        if name == self.stored:
            self.stored = None

    # ------------------------------------------------------------ listings

    def entries(self):
        yield from self.lister.entries(self._list)

    def _list(self, verb, listing, argument=None, shares=False):
        try:
            data = self.transfers.begin(verb, argument)
        except ReplyError as e:
            if says_empty(e):
                return []
            raise
        self.transfers.receive(data, listing)
        return listing.finish(self.transfers.end())

    def listed_names(self):
        """The names of what there is, as far as the server shows it: a set."""
        return {entry.name for entry in self.lister.entries(self._list)}

    def names(self, directory):
        return self.lister.below(self._list, directory)
