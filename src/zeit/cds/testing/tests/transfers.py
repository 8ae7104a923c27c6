"""Commands of FTP as tests of servers want them."""
import io
import socket


def names(ftp, directory='/'):
    """Return the names in a directory of the server, set of str."""
    ftp.cwd(directory)
    return set(ftp.nlst()) - {'.', '..'}


def store(ftp, name, content):
    ftp.storbinary('STOR ' + name, io.BytesIO(content))


def fetch(ftp, name, **kw):
    received = io.BytesIO()
    ftp.retrbinary('RETR ' + name, received.write, **kw)
    return received.getvalue()


def listens(port, host='127.0.0.1'):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
