"""Where a password comes from: never from a command line or a URL, since others can see these."""
import logging
import os
import stat

from zeit.cds.feed import address, replaced
from zeit.cds.interfaces import ConfigurationError


log = logging.getLogger('zeit.cds')

VARIABLE = 'CDS_PASSWORD'
OTHERS = stat.S_IROTH | stat.S_IWOTH
WITHOUT = ('anonymous', 'ftp')      # users that have no password


def complete(feed, ask=None):
    """The feed with its password: the first that there is.

    It may be its own, that of its file, of CDS_PASSWORD, of ~/.netrc, or what somebody says.
    A user who needs none has none, where there is none.

    ask -- called with the feed; returns a password (str), or '' if nobody answers
    Raises ConfigurationError if the password file can't be used, or there is no password: a
    server that is sent an empty one every minute locks its user out.
    """
    feed = completed(feed)
    if feed.password or feed.user in WITHOUT:
        return feed
    password = ask is not None and ask(feed)
    if not password:
        raise ConfigurationError(
            'There is no password for %s: give a password file, set %s, or write it into '
            '~/.netrc.' % (address(feed), VARIABLE))
    return replaced(feed, password=password)


def completed(feed):
    """The same, of a feed that may do without. Raises ConfigurationError for its file only."""
    if feed.password:
        return feed
    password = from_file(feed.password_file) if feed.password_file else (
        os.environ.get(VARIABLE) or from_netrc(feed.hostname, feed.user))
    return replaced(feed, password=password) if password else feed


def from_file(path):
    """The first line of the file, str. Raises ConfigurationError; warns if others may read it."""
    try:
        with open(path, 'rb') as f:
            mode = os.fstat(f.fileno()).st_mode
            password = os.fsdecode(f.readline().rstrip(b'\r\n'))
    except OSError as e:
        raise ConfigurationError('The password file %s cannot be read: %s' % (
            path, e.strerror)) from e
    if stat.S_ISREG(mode) and mode & OTHERS:
        log.warning('Others may read or change the password file %s. Take that right away: '
                    'chmod 600 %s', path, path)
    if not password:
        raise ConfigurationError(
            'The first line of the password file %s is empty: the password belongs there.' % path)
    return password


def from_netrc(hostname, user):
    """The password that ~/.netrc has for this user of the host; '' if none.

    A file that makes no sense is warned of.
    """
    if not os.path.exists(os.path.expanduser('~/.netrc')):
        return ''
    import netrc  # few have such a file
    try:
        login, _, password = netrc.netrc().authenticators(hostname) or ('', None, '')
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as e:
        log.warning('~/.netrc cannot be used: %s', _why(e))
        return ''
    return password if login == user else ''


def _why(error):
    if isinstance(error, UnicodeDecodeError):
        return 'it is neither in UTF-8 nor in the encoding of the locale.'
    # The text of an error of syntax quotes the file, and perhaps the password.
    if getattr(error, 'lineno', None):
        return 'line %d makes no sense.' % error.lineno
    if isinstance(error, OSError):
        return error.strerror
    if 'permissive' in error.msg:
        return 'others may read it. Take that right away: chmod 600 ~/.netrc'
    return error.msg


def from_terminal(feed):
    """Ask the person at the terminal."""
    import getpass  # cron has no terminal
    return getpass.getpass('Password of %s: ' % address(feed))
