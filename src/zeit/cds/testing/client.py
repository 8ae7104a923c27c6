"""An FTP client to look at servers with: ftplib's, made fit for them."""
import ftplib
import socket
import ssl


class TLSClient(ftplib.FTP_TLS):
    """ftplib's FTP_TLS, with what vsftpd and ProFTPD ask for by default.

    Each data connection continues the TLS session of the control connection.
    """

    def connect_implicit(self, host, port, timeout):
        """Connect to a server that begins with the TLS handshake."""
        self.connect_socket(host, port, timeout)
        self.file = self.sock.makefile('r', encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def connect_socket(self, host, port, timeout):
        self.host, self.port, self.timeout = host, port, timeout
        sock = socket.create_connection((host, port), timeout)
        self.af = sock.family
        self.sock = self.context.wrap_socket(sock, server_hostname=host)

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            conn = self.context.wrap_socket(
                conn, server_hostname=self.host, session=self.sock.session)
        return conn, size


def unverified():
    """Return a TLS context that believes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(server, password=None, context=None, timeout=20):
    """Return an ftplib client that is logged in at `server`.

    `password`  instead of the server's own
    `context`   ssl.SSLContext; without one any certificate is believed

    Raises ftplib.Error or OSError. Names are decoded as UTF-8.
    """
    if server.tls is None:
        ftp = ftplib.FTP()
    else:
        ftp = TLSClient(context=context or unverified())
    try:
        if server.tls == 'implicit':
            ftp.connect_implicit(server.host, server.port, timeout)
        else:
            ftp.connect(server.host, server.port, timeout)
        ftp.login(server.user, password or server.password)
        if server.tls is not None:
            ftp.prot_p()
    except BaseException:
        ftp.close()
        raise
    return ftp
