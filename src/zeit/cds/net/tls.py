"""FTP over TLS (RFC 4217): verified, protected, with the session reuse that servers demand."""
import socket
import ssl
import time

from zeit.cds.interfaces import UntrustedServer
from zeit.cds.net.scheduler import READ, WRITE
from zeit.cds.net.stream import Stream


# What to do about a certificate, by OpenSSL's X509_V_ERR_...
UNKNOWN = 'If it is right, give the file of its certificate authority as ca_file.'
OTHER_NAME = ('It was made for another name. Give the host by the name that is in the certificate; '
              'ca_file does not help.')
NOT_NOW = ("Ask the server's operator for a new one, unless it is this machine's clock that is "
           'wrong; ca_file does not help.')
UNTRUSTED = {62: OTHER_NAME, 64: OTHER_NAME, 9: NOT_NOW, 10: NOT_NOW}
# What to do where there is no TLS, by the reason that OpenSSL gives
NO_TLS = {'WRONG_VERSION_NUMBER': (
    'What answers there does not speak TLS. If it is to be agreed upon on the usual port, let the '
    'URL begin with ftpes:// (security="explicit").')}
TOO_OLD = 'TLS 1.2 or newer is wanted: ask the operator of the server what it speaks.'


class TLSStream(Stream):
    """A Stream inside TLS."""

    def _persist(self, verb, *args):
        """Call a verb of the SSLSocket, until it needs to wait no more.

        The limit is for all of it: bytes that come now and then, and are no whole record yet, are
        as good as silence.
        """
        end = None
        while True:
            try:
                return verb(*args)
            except ssl.SSLWantReadError:
                event = READ
            except ssl.SSLWantWriteError:
                event = WRITE
            now = time.monotonic()
            end = end or now + self.timeout
            if now > end:
                raise TimeoutError
            self._pause(event, end - now)

    def recv(self, size):
        return self._persist(self.socket.recv, size)

    def recv_into(self, buffer):
        count = self._persist(self.socket.recv_into, buffer)
        self._be_fair(count)
        return count

    def sendall(self, data):
        data = memoryview(data).cast('B')
        while data:
            count = self._persist(self.socket.send, data)
            data = data[count:]
            self._be_fair(count)

    def finish(self):
        """Tell the other side that the data are complete.

        Its own close_notify is not waited for: some never send one, and the final reply and the
        size decide whether the file is whole.
        """
        try:
            self._say_goodbye()
            # Not by the socket's own verb, see `abort`.
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
        except (OSError, ValueError):
            pass

    def _say_goodbye(self):
        while True:
            try:
                self.socket.unwrap()
                return          # it was answered already
            except ssl.SSLWantReadError:
                return
            except ssl.SSLWantWriteError:
                self._pause(WRITE)


class Tunnel:
    """Wraps the sockets of one FTP session in TLS 1.2 or later.

    Certificate and host name are verified.
    """

    def __init__(self, feed, tls12=False):
        """
        tls12 -- is TLS 1.2 the latest to be used? bool
        Raises UntrustedServer if the feed's `ca_file` can't be used.
        """
        self._hostname, self._timeout = feed.hostname, feed.timeout
        try:
            self._context = ssl.create_default_context(cafile=feed.ca_file)
        except (OSError, ssl.SSLError) as e:
            error = UntrustedServer('The CA file %s cannot be used: %s' % (feed.ca_file, e))
            error.add_note('It has to have certificates, in the format PEM.')
            raise error from e
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls12:
            self._context.maximum_version = ssl.TLSVersion.TLSv1_2

    def wrap(self, stream, control=None):
        """Do the handshake on a Stream; returns a TLSStream.

        control -- the TLSStream whose TLS session a data connection continues. It is looked up for
            each transfer, since TLS 1.3 gives out new tickets all the time.
        Raises UntrustedServer, and OSError if the connection broke, which may pass by itself.
        """
        tls = TLSStream(self._context.wrap_socket(
            stream.socket, server_hostname=self._hostname, suppress_ragged_eofs=False,
            do_handshake_on_connect=False, session=control.socket.session if control else None),
            self._timeout, stream.deadline)
        try:
            tls._persist(tls.socket.do_handshake)
        except ssl.SSLCertVerificationError as e:
            tls.close()
            error = UntrustedServer('The certificate of %s cannot be trusted: %s' % (
                self._hostname, e.verify_message))
            error.add_note(UNTRUSTED.get(e.verify_code, UNKNOWN))
            raise error from e
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
            tls.close()
            raise
        except ssl.SSLError as e:
            tls.close()
            error = UntrustedServer('No TLS with %s: %s' % (self._hostname, e))
            error.add_note(NO_TLS.get(e.reason, TOO_OLD))
            raise error from e
        except BaseException:
            tls.close()
            raise
        return tls

    @staticmethod
    def ragged(error):
        """Does this exception mean that the connection ended without a close_notify? bool"""
        return isinstance(error, ssl.SSLEOFError)
