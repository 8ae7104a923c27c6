"""FTP over TLS (RFC 4217): verified, protected, with the session reuse that servers demand."""
import ssl

from zeit.cds.interfaces import UntrustedServer


GOODBYE = 3.0       # seconds that the other side has for its close_notify


class Tunnel:
    """Wraps the sockets of one FTP session in TLS 1.2 or later; certificate and host name are verified."""

    def __init__(self, feed):
        """Raises UntrustedServer if the feed's `ca_file` can't be used."""
        self._hostname, self._timeout = feed.hostname, feed.timeout
        try:
            self._context = ssl.create_default_context(cafile=feed.ca_file)
        except (OSError, ssl.SSLError) as e:
            raise UntrustedServer('The CA file %s cannot be used: %s' % (feed.ca_file, e)) from e
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    def wrap(self, sock, control=None):
        """Do the handshake on a connected socket; returns the new socket.

        control -- the Control whose TLS session a data connection continues. It is looked up for each transfer,
            since TLS 1.3 gives out new tickets all the time.
        Raises UntrustedServer, and OSError if the connection broke, which may pass by itself.
        """
        sock.settimeout(self._timeout)      # OpenSSL does not stop at the system's own time-out
        try:
            return self._context.wrap_socket(
                sock, server_hostname=self._hostname, suppress_ragged_eofs=False,
                session=control.tls_session if control else None)
        except ssl.SSLCertVerificationError as e:
            sock.close()
            error = UntrustedServer('The certificate of %s cannot be trusted: %s' % (self._hostname, e.verify_message))
            error.add_note('If it is right, give the file of its certificate authority as ca_file.')
            raise error from e
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
            raise
        except ssl.SSLError as e:
            sock.close()
            raise UntrustedServer('No TLS with %s: %s' % (self._hostname, e)) from e

    @staticmethod
    def ragged(error):
        """Does this exception mean that the connection ended without a close_notify? bool"""
        return isinstance(error, ssl.SSLEOFError)

    def finish(self, sock):
        """Tell the other side that the data are complete, and wait for its answer for a short while."""
        sock.settimeout(GOODBYE)
        try:
            sock.unwrap().close()
        except (OSError, ValueError):
            pass    # the final reply and the size decide whether the file is whole
