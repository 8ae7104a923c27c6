"""The settings of an SFTP connection's own."""
import os
import shlex

import zope.interface
import zope.schema

from zeit.cds.interfaces import ConfigurationError, Path


class ISFTPSettings(zope.interface.Interface):
    """What `connection.NAME` can be for `connection="sftp"`. All else is in ~/.ssh/config."""

    known_hosts = Path(
        title='Host keys to trust, not those of the user and the system',
        description='A file as ssh_config(5) and sshd(8) describe known_hosts. A server whose key '
                    'is not there is never talked to.',
        default=None, required=False)
    identity = Path(
        title='File with the private key to log in with',
        description='By default, ssh tries those in ~/.ssh, and an agent.',
        default=None, required=False)
    passphrase_file = Path(
        title='File with the passphrase of the private key',
        description='Its first line. Others should not be able to read it (chmod 600).',
        default=None, required=False)
    ssh_config = Path(
        title="Configuration of ssh, not that of the user and the system",
        description='A file as ssh_config(5) describes it; /dev/null: none at all.',
        default=None, required=False)


FTP_ONLY = {'active': False, 'security': 'none', 'ca_file': None}
QUIRKS = {'no-mutex', 'no-pipelining'}      # the others are about FTP


def check(feed, own):
    """Raises ConfigurationError for what means nothing here, or is not there.

    own -- ISFTPSettings
    """
    for name, default in FTP_ONLY.items():
        if getattr(feed, name) != default:
            raise ConfigurationError(
                'The setting %s means nothing to SFTP: take it away. (ssh encrypts everything, and '
                'checks who the server is by known_hosts.)' % name)
    if unknown := set(feed.quirks) - QUIRKS:
        raise ConfigurationError('The quirk %s is one of FTP servers: take it away.' % (
            sorted(unknown)[0]))
    for name in 'known_hosts', 'identity', 'passphrase_file', 'ssh_config':
        path = getattr(own, name)
        if path is None:
            continue
        try:
            open(path, 'rb').close()
        except OSError as e:
            raise ConfigurationError(
                'The file %s, which is given as connection.%s, cannot be read: %s' % (
                    path, name, e.strerror)) from e


def passphrase(own):
    """The first line of the file: bytes; None if there is none."""
    if own.passphrase_file is None:
        return None
    with open(own.passphrase_file, 'rb') as f:
        return f.readline().rstrip(b'\r\n')


# ---------------------------------------------------------------- the command line of ssh

ALWAYS = (
    # Who is it? No configuration of anybody can make ssh trust more than known_hosts.
    'StrictHostKeyChecking=yes', 'VerifyHostKeyDNS=no', 'NoHostAuthenticationForLocalhost=no',
    'UpdateHostKeys=no',
    # A session of our own, with nothing beside it.
    'ControlMaster=no', 'ControlPath=none', 'ForkAfterAuthentication=no',
    'ClearAllForwardings=yes', 'ForwardAgent=no', 'ForwardX11=no', 'PermitLocalCommand=no',
    'RemoteCommand=none', 'RequestTTY=no', 'StdinNull=no', 'EscapeChar=none',
    # One wrong password is enough, and what ssh tells of its login tells why it failed.
    'NumberOfPasswordPrompts=1', 'LogLevel=DEBUG1',
)
PORT = 22           # then that of ~/.ssh/config counts


def command(feed, own):
    """What to execute: list of str."""
    seconds = max(1, round(feed.timeout))
    options = [*ALWAYS, 'ConnectTimeout=%d' % seconds,
               # Lest an ssh whose network is gone stays for hours if we die.
               'ServerAliveInterval=%d' % seconds, 'ServerAliveCountMax=2']
    if own.known_hosts is not None:
        options += ['UserKnownHostsFile=%s' % quoted(own.known_hosts), 'GlobalKnownHostsFile=none',
                    'KnownHostsCommand=none']
    if own.identity is not None:
        options += ['IdentityFile=%s' % quoted(own.identity), 'IdentitiesOnly=yes']
    options += authentication(feed, own)
    arguments = ['ssh']
    if own.ssh_config is not None:
        arguments += ['-F', os.path.abspath(own.ssh_config)]
    for option in options:
        arguments += ['-o', option]
    if feed.port != PORT:
        arguments += ['-p', str(feed.port)]
    return [*arguments, '-l', feed.user, '-s', '--', feed.hostname, 'sftp']


def authentication(feed, own):
    """Options for how to log in."""
    if not feed.password:
        if own.passphrase_file is None:
            return ['BatchMode=yes']
        return ['PasswordAuthentication=no', 'KbdInteractiveAuthentication=no']
    if own.identity is not None:
        return ['PreferredAuthentications=publickey,password,keyboard-interactive']
    return ['PreferredAuthentications=password,keyboard-interactive,publickey']


def quoted(path):
    """A path as an option of ssh. Raises ConfigurationError if it can't be one."""
    path = os.path.abspath(path)
    if '"' in path or '\\' in path:
        raise ConfigurationError('ssh knows no files with a quotation mark or a backslash in their '
                                 'name: %s' % shlex.quote(path))
    return '"%s"' % path.replace('%', '%%')
