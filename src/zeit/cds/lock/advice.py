"""What a person has to do about a server that does not take, or keep, a lock file."""
from zeit.cds.interfaces import PermanentError
from zeit.cds.lock.directory import MUTEX
from zeit.cds.text import phrase, printable


NO_DATA = (425, 426)
NO_ROOM = (452, 552)
NAME = 553
NO_RIGHT = 550


def not_stored(name, feed, error, no_mutex=None):
    """A text for a lock file that could not be stored.

    name -- of the lock file
    feed -- IFeed
    error -- ReplyError, why
    no_mutex -- ReplyError, why the server did not make the mutex either; None if it did
    """
    code = getattr(error.reply, 'code', None)
    if code is None and isinstance(error, PermanentError):
        code = NO_RIGHT     # a server without codes of FTP
    if code == NAME and no_mutex is not None:
        code = NO_RIGHT     # it allows no name: vsftpd says so where nobody may write
    text = 'The lock file %s could not be stored in the directory %s. Nothing was exchanged. %s' % (
        name, printable(feed.ftp_dir), _remedy(code, str(error).lower(), feed))
    if no_mutex is not None and code not in NO_ROOM:
        text += ' The directory %s, which we make there for a moment, was refused, too: %s.' % (
            MUTEX, phrase(no_mutex))
    return text


def _remedy(code, text, feed):
    user = printable(feed.user)
    if code in NO_ROOM or 'quota' in text:
        return ("The quota of the user %s, or the server's disk, is full: ask the server's "
                'operator to make room, even an import needs some bytes.' % user)
    if code in NO_DATA or code is None:
        return ('No data connection came about, or it broke: ask the operators of the server, and '
                'of the firewalls, to let its passive ports through, or try the setting active.')
    if code == NAME:
        return ("The server does not allow this name: ask its operator to allow lock files named "
                'read and write.')
    return ("The user %s needs the right to create, read and remove files there, for an import as "
            "well: ask the server's operator for it." % user)


def not_removed(name, feed):
    """A text for a lock file that could not be removed."""
    return ('The lock file %s stays in the directory %s, and keeps out others. The user %s needs '
            "the right to remove files there: ask the server's operator for it." % (
                name, printable(feed.ftp_dir), printable(feed.user)))
