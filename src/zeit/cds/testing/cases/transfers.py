"""Transfers that end in an odd way, or under another name."""
import contextlib
import os
import ssl
import tempfile
import time

import trustme

from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import MANY, Server, Session


class LateReply(Session):
    """226 comes later than `timeout`: a virus scanner."""

    def do_RETR(self, argument):
        if not argument.endswith('.xml'):
            return super().do_RETR(argument)
        self.say('150 here')
        with self.connection() as connection:
            connection.sendall(self.store.files[argument])
        time.sleep(2)
        self.say('226 scanned, no virus')


@case
def last_reply_later_than_timeout(case):
    """The size is known from the listing: the file arrives, or the message names the setting."""
    result = case.run(Server(LateReply, {'a.xml': b'a' * 1000}), retries=2, timeout=1)
    case.claim('the file arrives, or the message names the setting',
               sorted(result.new) == ['a.xml'] or 'timeout' in result.log)


class OneTime(Session):
    """A mailbox: a file is gone once it was fetched."""

    def do_RETR(self, argument):
        super().do_RETR(argument)
        if argument.endswith('.xml'):
            self.store.files.pop(argument, None)


@case
def file_is_gone_once_it_was_fetched(case):
    case.arrives(Server(OneTime, {'a.xml': b'a' * 1000, 'b.xml': b'b'}), 'a.xml', 'b.xml')


class NoDotNames(Session):

    def do_MKD(self, argument):
        if argument.startswith('.'):
            return self.say('553 Prohibited directory name.')
        super().do_MKD(argument)

    def do_STOR(self, argument):
        if argument.startswith('.'):
            return self.say('553 Prohibited file name: %s' % argument)
        super().do_STOR(argument)


@case
def names_with_a_dot_are_refused(case):
    server = Server(NoDotNames, {'a.xml': b'a' * 100})
    case.arrives(server, 'a.xml')
    files = {'x.xml': b'x' * 500, 'y.xml': b'y'}
    result = case.export(server, files)
    case.claim('both files are there', server.store.files == files)
    case.claim('the status is 0', result.status == 0)


class Replaces(Session):
    """STOR keeps a file under another name, and says so at best."""

    def keep(self, path, data):
        super().keep(path.replace(' ', '_'), data)


@case
def stored_under_another_name(case):
    server = Server(Replaces)
    result = case.export(server, {'a b.xml': b'x' * 500})
    case.claim('the status is not 0', result.status != 0)
    case.claim('the file waits in new', sorted(result.new) == ['a b.xml'])
    case.emptied(server)


class Secure(Session):
    """AUTH TLS; the client's close_notify is answered with nothing."""

    greeting = '220 Microsoft FTP Service'

    def do_AUTH(self, argument):
        self.say('234 go on')
        self.request = self.server.context.wrap_socket(self.request, server_side=True)

    def do_PBSZ(self, argument):
        self.say('200 ok')

    do_PROT = do_PBSZ

    def receive(self):
        self.say('150 go on')
        with self.connection() as raw:
            data = OneSided(self.server.context, raw).receive()
            begun = time.monotonic()
            with contextlib.suppress(OSError):
                raw.settimeout(30)
                while raw.recv(MANY):       # until the end of the TCP connection
                    pass
            self.server.waits.append(time.monotonic() - begun)
        return data


class OneSided:
    """TLS that never says goodbye."""

    def __init__(self, context, raw):
        self.incoming, self.outgoing, self.raw = ssl.MemoryBIO(), ssl.MemoryBIO(), raw
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def receive(self):
        """All data until the other side's goodbye, bytes."""
        self._persist(self.tls.do_handshake)
        pieces = []
        with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError):
            while piece := self._persist(self.tls.read):
                pieces.append(piece)
        return b''.join(pieces)

    def _persist(self, verb):
        while True:
            try:
                return verb()
            except ssl.SSLWantReadError:
                self._exchange()
            finally:
                if self.outgoing.pending:
                    self.raw.sendall(self.outgoing.read())

    def _exchange(self):
        if self.outgoing.pending:
            self.raw.sendall(self.outgoing.read())
        if data := self.raw.recv(MANY):
            self.incoming.write(data)
        else:
            self.incoming.write_eof()


@case
def tls_upload_without_close_notify(case):
    """IIS: each file took as long as we waited for its goodbye."""
    authority = trustme.CA()
    server, files = Server(Secure), {'a.xml': b'x' * 1000}
    server.waits, server.context = [], ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert('127.0.0.1').configure_cert(server.context)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'ca.pem')
        authority.cert_pem.write_to_path(path)
        result = case.run(server, '--ca-file', path, '--connections', '1', timeout=20,
                          files=files, verb='export', scheme='ftpes')
    case.claim('all are there', server.store.files == files)
    case.claim('the status is 0', result.status == 0)
    case.claim('nobody waits for a goodbye: %s' % server.waits, max(server.waits, default=9) < 2)
