"""Transfers that end in an odd way."""
import contextlib
import os
import ssl
import tempfile
import time

import trustme

from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import MANY, Server, Session


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
