"""Sessions with an FTP directory: see ICDSSession.

Why not ftplib: it waits for the reply of each command before it sends the next, repeats TYPE for
each file, and decodes names with one codec. What matters here, two or three round trips for a
small file, needs commands to share them; `zeit.cds.ftp.pipelining` has that.
"""
import logging

import zope.interface

from zeit.cds.ftp import protocol
from zeit.cds.ftp.batch import done, FTPBatch, modified, NOT_IMPLEMENTED
from zeit.cds.ftp.listing import Listing, says_empty
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
    IPipelined,
    PermanentError,
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

    @staticmethod
    def _open(feed, deadline, findings, at_once):
        login = Login(feed, deadline, findings)
        login(at_once)
        return FTPSession(login, findings)


@zope.interface.implementer(ICDSSession)
class FTPSession:
    """See ICDSSession."""

    blocking = False

    def __init__(self, login, findings):
        """
        login -- Login, done
        findings -- Findings, of all sessions of the run
        """
        self.control, self.data, self.quirks = login.control, login.data, login.quirks
        self.findings = findings
        self.transfers = Transfers(self.control, self.data)
        self._features = login.features
        self._pipelined = None

    def __conform__(self, interface):
        if interface is IPipelined:
            if self._pipelined is None:
                self._pipelined = Pipelined(self)
            return self._pipelined

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
    def knows_mlst(self):
        return 'MLST' in self._features and 'MLST' not in self.findings.lacks

    @property
    def knows_mlsd(self):
        return 'MLST' in self._features and 'MLSD' not in self.findings.lacks

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
        return self._now(lambda batch: batch.stat(name))

    def search(self, name, there):
        """What `stat` gives where the server knows neither SIZE nor MLST.

        there -- has RNFR found anything? It may be refused for other reasons, so that only the
            listing shows that there is nothing. The listing hides some.
        """
        return Entry(name) if there or name in self._listed_names() else None

    def remove(self, name):
        self._ask('DELE', name)

    def rename(self, source, target):
        self._now(lambda batch: batch.rename(source, target))

    def make_directory(self, name):
        self._ask('MKD', name)

    def remove_directory(self, name):
        self._ask('RMD', name)

    def stored_name(self, name):
        return self._now(lambda batch: batch.stored_name(name))

    def exists(self, name):
        if self.knows_mlst:
            described, = self.control.ask(('MLST', name))
            if not self.came_by_data(described):
                if described.code == 501 or described.code not in NOT_IMPLEMENTED:
                    return described.code == 250
                self.lacks('MLST')
        # Where there is MLST, RNFR would not do: ProFTPD demands RNTO then before it takes
        # another EPSV.
        renamed, entered = self.control.ask(('RNFR', name), ('CWD', name))
        if entered.positive:
            self._leave(name)
            return True
        if renamed.code in NOT_IMPLEMENTED:
            directory, _, last = name.rpartition('/')
            return last in (self.names(directory) if directory else self._listed_names())
        return renamed.code == 350

    def _leave(self, name):
        *_, left = self.control.ask(*[('CDUP',)] * (1 + name.count('/')))
        if not left.positive:
            raise self.control.lost(ConnectionLost(
                'The server does not let us leave %s: %s' % (name, left)))

    def clock(self):
        try:
            self.write(PROBE, b'?')
        except ReplyError as e:
            log.debug('The server does not let us look at its clock: %s', e)
            return None
        time = self.control.later(modified, 'MDTM', PROBE)
        try:
            self.remove(PROBE)
        except ReplyError as e:
            log.debug('The server keeps %s: %s', PROBE, e)
        return time.get()

    # ------------------------------------------------------------ transfers

    def read(self, name, sink, offset=0):
        count = self.transfers.receive(self.transfers.begin('RETR', name, offset), sink)
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
        return source.count

    # ------------------------------------------------------------ listings

    def entries(self):
        yield from self.listing(self._list)

    def listing(self, transfer, heard=None):
        """The directory's entries, by MLSD (RFC 3659) or NLST: a list.

        transfer -- function of a verb and a Listing
        heard -- see Listing
        """
        if self.knows_mlsd:
            try:
                return transfer('MLSD', Listing(protocol.mlsx_entry, heard))
            except PermanentError as e:
                log.debug('The server announces MLSD, but refuses it: %s', e)
                self.lacks('MLSD')
        return transfer('NLST', Listing(protocol.nlst_entry, heard))

    def _list(self, verb, listing, argument=None):
        try:
            data = self.transfers.begin(verb, argument)
        except ReplyError as e:
            if verb == 'NLST' and says_empty(e):
                return []
            raise
        self.transfers.receive(data, listing)
        return listing.finish(self.transfers.end())

    def _listed_names(self):
        return {entry.name for entry in self._list('NLST', Listing(protocol.nlst_entry))}

    def names(self, directory):
        names = [entry.name.rpartition('/')[2] for entry in self._list(
            'NLST', Listing(protocol.nlst_entry), directory)]
        return [name for name in names if name not in ('', '.', '..')]
