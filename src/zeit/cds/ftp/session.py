"""Sessions with an FTP directory.

Why not ftplib: it waits for the reply of each command before it sends the next, repeats TYPE for each file, and
decodes names with one codec. What matters here, three round trips for a small file, needs commands to share them.

The steps of one file in a session::

    us                                    server
    -- connect to the port of EPSV -->                            1st round trip
    -- RETR x ------------------------>
    <------------------- 150, the data and their end              2nd
    -- EPSV, SIZE x, DELE w ---------->                           (w: an earlier file, durable by now)
    <-------------------- 226, 229, 213, 250                      3rd

The third begins before the 226 was read, since vsftpd and ProFTPD hold it back until we close the data connection;
but a DELE goes out only after the 226 of its own file was read.

A small file needs fewer. Pure-FTPd does not look at commands that it has read together with RETR before that is done, so
EPSV, SIZE and DELE go out in the same write: two round trips. (So it goes with vsftpd and ProFTPD as well, but these
still wait for the data connection's end.) pyftpdlib has handed over all of a small file soon after it read RETR, so they
go out half a round trip after it; on a short line the data are here by then. An EPSV that comes too soon breaks the
transfer off, which its 229 in place of the 226 shows.

With the setting `active` the server opens the data connection, which takes two round trips, too::

    -- SIZE v, DELE u, EPRT, RETR x -->
    <------ 226, 213, 250, 200; the server connects               1st
    -- the kernel accepts ------------>
    <------------------- 150, the data and their end              2nd

"""
import contextlib
import logging
import socket
import time

import zope.interface

from zeit.cds.ftp import protocol
from zeit.cds.ftp.control import Control, Facts
from zeit.cds.ftp.data import DataConnections
from zeit.cds.ftp.listing import Listing, says_empty
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    FTPError,
    ICDSConnection,
    ICDSSession,
    LoginRefused,
    PermanentError,
    ReplyError,
    TemporaryError,
    Unreachable,
    UntrustedServer,
)
from zeit.cds.net.scheduler import sleep
from zeit.cds.net.stream import connect, connected, connecting, Stream


log = logging.getLogger(__name__)

NOT_IMPLEMENTED = (500, 501, 502, 504, 522)

# What a server bears to be sent early, by what its greeting says; see DataConnections. pyftpdlib would wait for ever,
# should data overtake their STOR, or a RETR the connection that EPRT asks for; the others answer STOR and RETR only when
# they have a data connection, and do not look at another command before the end if they have read it together with those.
EARLY = {'vsFTPd': {'data', 'next', 'RETR'}, 'ProFTPD': {'data', 'next', 'RETR'}, 'Pure-FTPd': {'data', 'next', 'RETR'},
         'pyftpdlib': {'STOR', 'soon'}}


@zope.interface.implementer(ICDSConnection)
class FTPConnection:
    """FTP, and FTP over TLS, as the feed's `security` says."""

    def open(self, feed):
        session = FTPSession(feed)
        try:
            session.start()
        except BaseException:
            session.close()
            raise
        return session


def done(reply):
    """What most commands want: 2yz, and nothing more."""
    if reply.code // 100 != 2:
        raise ReplyError.of(reply)


@zope.interface.implementer(ICDSSession)
class FTPSession:
    """See ICDSSession."""

    def __init__(self, feed):
        self._feed = feed
        self._like = None               # the FTPSession that this one was made by, which is logged in
        self._connecting = None         # the socket of the control connection, as long as there is no more
        self._control = None
        self._tunnel = None
        self._wants_password = False
        self._refuses_late = False
        self._address = None            # family of the control connection, address of the server, and ours
        self._data = None               # DataConnections
        self._queues = False            # may commands go out before the server acknowledged an upload?
        self._heard = None              # what to call with the number of entries of a listing in advance
        self._listed = None             # entries that were listed in advance, or the ReplyError instead
        self._features = {}
        self._deadline = time.monotonic() + feed.run_limit

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def alive(self):
        return self._control is not None and self._control.alive

    @property
    def round_trip(self):
        return self._data.round_trip

    # ------------------------------------------------------------ the session's beginning and end

    def start(self):
        """Connect, log in, ask for the features, change the directory, ask for a data connection.

        Where the server has taken name and password before, everything goes out at once.
        """
        feed, like = self._feed, self._like
        if feed.security != 'none':
            from zeit.cds.net.tls import Tunnel  # a plain session shall not pay for it
            self._tunnel = Tunnel(feed)
        self._control = Control(self._connect(), self._deadline)
        self._data = DataConnections(feed, self._control, self._address, self._tunnel, self._deadline,
                                     like and like._data.way)
        if feed.security == 'implicit':
            self._control.secure(self._tunnel)
        greeting = self._control.final()
        if not greeting.positive:
            raise ReplyError.of(greeting)
        self._control.telnet = 'ProFTPD' in greeting.text   # no other is known to
        self._queues = 'vsFTPd' in greeting.text            # it reads no command while data come
        if feed.active and like is None and 'pyftpdlib' in greeting.text:
            self._data.be_passive('pyftpdlib loses them if there are several.')
        self._data.early = next((early for name, early in EARLY.items() if name in greeting.text), ())
        if feed.security == 'explicit':
            self._secure()
        self._refuses_late = 'pyftpdlib' in greeting.text   # a login, when it has answered what came with the password
        if like is None:
            self._log_in()
        else:
            self._wants_password, self._data.round_trip = like._wants_password, like._data.round_trip
            self._data.cautious = like._data.cautious
            self._set_up(('USER', feed.user), *([('PASS', feed.password)] if self._wants_password else ()))

    def _log_in(self):
        """The name alone, since the server may refuse it on an unprotected line; the password together with what has to be
        said once, if it is known how the server refuses that."""
        feed, control = self._feed, self._control
        begun = time.monotonic()
        reply, = control.ask(('USER', feed.user))
        self._data.round_trip = time.monotonic() - begun
        self._wants_password = reply.code == 331
        if self._wants_password and self._data.early:
            return self._set_up(('PASS', feed.password))
        if self._wants_password:
            control.secret = feed.password
            reply, = control.ask(('PASS', feed.password))
            control.secret = ''
        self._check_login(reply)
        self._set_up()

    def _set_up(self, *login):
        """Send all that has to be said once in one write, perhaps with the login."""
        feed, control = self._feed, self._control
        protection = (('PBSZ', '0'), ('PROT', 'P')) if self._tunnel else ()
        command = None if self._data.cautious else self._data.command_ahead()
        way = (command,) if command else ()
        once = (*protection, ('TYPE', 'I'), ('FEAT',), ('CWD', feed.ftp_dir), *way)
        control.send(*login, *once)
        if login:
            control.secret = feed.password
            *_, reply = [control.final() for _ in login]
            if self._refuses_late and not reply.positive:
                *_, reply = [control.final() for _ in once]
            control.secret = ''
            self._check_login(reply)
        for _ in protection:
            if not (reply := control.final()).positive:
                raise UntrustedServer('The server does not protect data connections: %s' % (reply,))
        binary, feat, cwd, *arranged = [control.final() for _ in once[len(protection):]]
        self._features = protocol.features(feat)
        if not cwd.positive:
            raise self._hint(ReplyError.of(cwd), 'Check the directory %r on %s:%d, and that user %r may enter it.' % (
                feed.ftp_dir, feed.hostname, feed.port, feed.user))
        done(binary)
        for reply in arranged:
            self._data.connect_ahead(reply)

    def another(self):
        session = FTPSession(self._feed)
        session._like = self
        with contextlib.suppress(OSError):      # `start` will tell
            session._connecting = connecting(*self._address[:2])
        return session

    def _connect(self):
        feed = self._feed
        begun, self._connecting = self._connecting, None
        sock = None
        try:
            sock = connected(begun, feed.timeout) if begun else connect(feed.hostname, feed.port, feed.timeout)
            self._address = sock.family, sock.getpeername(), sock.getsockname()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, UnicodeError) as e:
            if sock is not None:
                sock.close()
            if sock is not None or isinstance(e, ConnectionResetError):     # there is somebody, after all
                raise ConnectionLost('The connection was lost: %s' % e) from e
            raise self._hint(Unreachable('No connection to %s:%d: %s' % (feed.hostname, feed.port, e)),
                             'Check host name and port, and that the server runs.') from e
        return Stream(sock, feed.timeout)

    def _secure(self):
        reply, = self._control.ask(('AUTH', 'TLS'))
        if not reply.positive:
            raise self._hint(UntrustedServer('The server refuses TLS: %s' % (reply,)),
                             'No password was sent. Have TLS (RFC 4217) switched on there, or set security="none" '
                             'if the line itself is safe.')
        self._control.secure(self._tunnel)

    def _check_login(self, reply):
        feed = self._feed
        if reply.code not in (230, 202):
            if reply.code // 100 == 4:
                raise ReplyError.of(reply)
            raise self._hint(LoginRefused(str(reply)), 'Check user %r and the password on %s:%d.' % (
                feed.user, feed.hostname, feed.port))

    @staticmethod
    def _hint(error, note):
        error.add_note(note)
        return error

    def close(self):
        if self._connecting is not None:
            self._connecting.close()
        if self._control is None:
            return
        if self.alive:
            try:
                self._control.send(('QUIT',))       # nobody needs to wait for the answer
            except FTPError as e:
                log.debug('While saying QUIT: %s', e)
        self._control.close()
        if self._data is not None:      # a signal may have come before
            self._data.close()

    def abort(self):
        if self._control is not None:
            self._control.abort()
        if (data := self._data) is not None:
            data.abort()

    # ------------------------------------------------------------ commands without data

    def flush(self, ahead=False):
        command = None
        if ahead and not self._data.is_ahead and not self._data.cautious:
            command = self._data.command_ahead()
        if command is None:
            self._control.flush()
        else:
            reply, = self._control.ask(command)
            self._data.connect_ahead(reply)

    def rest(self, seconds, ride):
        end = time.monotonic() + seconds

        def ride_in_time():
            if not riding:      # it rode already if the server refused the listing at its end only
                sleep(max(0.0, end - time.monotonic()))
                riding.append(ride())
            return True

        riding = []
        if self._heard is not None:
            heard, self._heard = self._heard, None
            try:
                self._listed = list(self._list(ride_in_time, heard))
            except ReplyError as e:
                self._listed = e        # `list` raises it
        if not riding:
            self.flush(ahead=ride_in_time())

    def remove(self, name):
        return self._control.later(done, 'DELE', name)

    def make_directory(self, name):
        return self._control.later(done, 'MKD', name)

    def remove_directory(self, name):
        return self._control.later(done, 'RMD', name)

    def rename(self, source, target):
        source_replies = []
        self._control.later(source_replies.append, 'RNFR', source)
        return self._control.later(lambda reply: self._renamed(source_replies[0], reply), 'RNTO', target)

    @staticmethod
    def _renamed(source_reply, reply):
        """If RNFR was refused, its reply tells why, that of RNTO only that it came out of turn."""
        if source_reply.code // 100 in (4, 5):
            raise ReplyError.of(source_reply)
        done(reply)

    def size(self, name):
        return self._control.later(lambda reply: self._size(name, reply), 'SIZE', name)

    def modified(self, name):
        return self._control.later(lambda reply: protocol.time(reply.text) if reply.code == 213 else None, 'MDTM', name)

    def exists(self, name):
        if 'MLST' in self._features:
            return self._control.later(lambda reply: reply.code == 250, 'MLST', name)
        # Where there is MLST, this would not do: ProFTPD demands RNTO then before it takes another EPSV.
        return self._control.later(lambda reply: reply.code == 350, 'RNFR', name)

    def has_directory(self, name):
        if 'MLST' in self._features:
            return self.exists(name).get()
        entered, = self._control.ask(('CWD', name))
        if not entered.positive:
            return False
        *_, left = self._control.ask(*[('CDUP',)] * (1 + name.count('/')))
        if not left.positive:
            raise self._control.lost(ConnectionLost('The server does not let us leave %s: %s' % (name, left)))
        return True

    def clock(self):
        probe = '.cds-clock'    # always the same, so that what a kill leaves is there once at most
        try:
            self.store(probe, b'?')
        except ReplyError as e:
            log.debug('The server does not let us look at its clock: %s', e)
            return None
        modified, removed = self.modified(probe), self.remove(probe)
        try:
            removed.get()
        except ReplyError as e:
            log.debug('The server keeps %s: %s', probe, e)
        return modified.get()

    def facts(self, name, regular=False):
        if 'MLST' in self._features:
            if regular:
                return self._control.later(lambda reply: self._mlst(name, reply), 'MLST', name)
            return Facts(self.size(name),
                         self._control.later(lambda reply: self._mlst(name, reply), 'MLST', name))
        return self.size(name)

    def called(self, name):
        if 'MLST' not in self._features:
            return self._control.later(lambda reply: None, 'NOOP')
        return self._control.later(self._name, 'MLST', name)

    @staticmethod
    def _name(reply):
        entry = protocol.mlst_entry(reply) if reply.code == 250 else None
        return entry and entry.name.rpartition('/')[2]

    def _mlst(self, name, reply):
        if reply.code == 250:
            entry = protocol.mlst_entry(reply)
            if entry is None or entry.kind in ('file', None):
                return Entry(name, entry and entry.size, entry and entry.modified, 'file')
            return entry
        if reply.code in NOT_IMPLEMENTED and reply.code != 501:     # 501 is pyftpdlib's answer for a missing file
            self._features.pop('MLST', None)
            return Entry(name)
        return self._missing(reply)

    def _size(self, name, reply):
        if reply.code == 213:
            return Entry(name, protocol.size(reply), None, 'file')
        if reply.code in NOT_IMPLEMENTED:
            return Entry(name)
        return self._missing(reply)

    @staticmethod
    def _missing(reply):
        if reply.code // 100 == 5:
            return None
        raise ReplyError.of(reply)

    # ------------------------------------------------------------ transfers

    def fetch(self, name, write, ride=None, offset=0, pour=None, together=False):
        count = self._data.fetch(name, write, offset, pour, ride if together else None)
        self._data.end(ahead=None if self._data.is_hasty else ride and ride())
        if self._data.ragged:
            self._confirm(name, offset + count)
        return count

    def _confirm(self, name, count):
        """TLS ended without a farewell, which an attacker can bring about: only the size shows that all is here."""
        entry = self.facts(name).get()
        if entry is None or entry.size != count:
            raise TemporaryError('The data connection ended without a TLS close_notify after %d bytes.' % count)

    def load(self, name, limit=65536):
        pieces = bytearray()
        self.fetch(name, lambda piece: pieces.extend(piece[:max(0, limit - len(pieces))]))
        return bytes(pieces)

    def store(self, name, data, ride=None, offset=0, together=False):
        count = self._data.upload(name, data, offset, together)
        if self._queues or self._data.is_due:
            # Worth a round trip: it acknowledges only when it knows that we know that it has closed the connection.
            self._data.end(ahead=bool(ride and ride()))
        else:
            # What comes while the data still do, Pure-FTPd throws away, and pyftpdlib breaks the transfer for.
            self._data.check(self._control.final())
            if ride is not None:
                self.flush(ahead=bool(ride()))
        return count

    # ------------------------------------------------------------ listings

    def announce_list(self, heard):
        self._heard = heard

    def list(self):
        self._heard, listed, self._listed = None, self._listed, None
        if isinstance(listed, ReplyError):
            raise listed
        yield from self._list() if listed is None else listed

    def _list(self, *early):
        if 'MLST' in self._features:
            try:
                yield from self._listing('MLSD', protocol.mlsx_entry, None, *early)
                return
            except PermanentError as e:
                log.debug('The server announces MLSD, but refuses it: %s', e)
                self._features.pop('MLST', None)
        yield from self._listing('NLST', protocol.nlst_entry, None, *early)

    def names(self, directory):
        names = [entry.name.rpartition('/')[2] for entry in self._listing('NLST', protocol.nlst_entry, directory)]
        return [name for name in names if name not in ('', '.', '..')]

    def _listing(self, verb, parse, argument=None, ride=None, heard=None):
        try:
            data = self._data.begin(verb, argument)
        except ReplyError as e:
            if verb == 'NLST' and says_empty(e):
                return
            raise
        listing = Listing(parse)

        def receive(piece):
            listing.receive(piece)
            if heard:
                heard(len(listing.entries))

        self._data.transfer(data, receive)
        final = self._data.end(ahead=bool(ride and ride()))
        listing.finish()
        if 'truncated' in final.text.lower():
            log.debug('The server cut the listing off: %s', final)
        yield from listing.entries
