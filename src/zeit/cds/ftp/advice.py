"""What a person has to do about a server that does not take us as we come."""
import re

from zeit.cds.ftp.login import hint
from zeit.cds.interfaces import LoginRefused


# How servers say that they want TLS, in whichever reply: 421, 530, 534, 550
WANTS_TLS = re.compile(r'(?i)\b(?:tls|ssl|encrypt\w*|cleartext|insecure|plain ftp)\b')


def wants_tls(text, feed):
    """Is an unprotected login refused because it is unprotected? bool

    text -- what the server said
    """
    return feed.security == 'none' and WANTS_TLS.search(text) is not None


def unprotected(text):
    """The exception for that."""
    return hint(LoginRefused(text), (
        'The server wants TLS: let the URL begin with ftpes:// (security="explicit"), or with '
        'ftps:// (security="implicit") if its operator says so.'))


def of_loss(error, feed, greeting):
    """The exception to raise for a ConnectionLost at the beginning of a session.

    greeting -- the server's, '' if none came
    """
    text = str(error)
    if greeting:
        return unprotected(text) if wants_tls(text, feed) else error
    if 'SSH-' in text:
        return hint(error, 'That is an SSH server. Let the URL begin with sftp:// '
                           '(connection="sftp"), or give the port of the FTP server.')
    if isinstance(error.__cause__, TimeoutError) and feed.security != 'implicit':
        return hint(error, 'No greeting came. Is it an FTP server that is overloaded, or one that '
                           'waits for TLS? Then let the URL begin with ftps:// '
                           '(security="implicit").')
    return error
