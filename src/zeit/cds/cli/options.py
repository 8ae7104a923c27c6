"""The options of the commands, made from IFeed."""
import argparse
import functools
import os

import zope.interface
import zope.schema

from zeit.cds.feed import check, OWNERS, possible_words, SETTINGS
from zeit.cds.interfaces import ConfigurationError, Days, Path, Seconds


SCHEMES = {     # of a URL: the settings that it stands for
    'ftp': dict(security='none'),
    'ftpes': dict(security='explicit'),
    'ftps': dict(security='implicit'),
    'file': dict(connection='file'),
    'sftp': dict(connection='sftp'),
}
LOCAL = ('file',)       # those of directories on this machine: no host, no user
SHELLS = ('bash', 'zsh', 'tcsh')

IN_URL = ('hostname', 'port', 'user', 'ftp_dir', 'security')
NO_OPTION = (*IN_URL, 'store_dir', 'direction', 'expect_within', 'queue', 'tell',
             'give_up_after', 'quarantine',
             'password')     # which never is an argument
ONLY_EXPORT = ('replace', 'keep')
ONLY_IMPORT = ('afterwards',)
ONLY_WATCH = ('every', 'idle')
OF_LOCK = ('name', 'password_file', 'ca_file', 'logfile', 'timeout', 'quirks', 'connection',
           'lock')

UNITS = {
    Path: 'FILE',
    Seconds: 'SECONDS',
    Days: 'DAYS',
    zope.schema.Int: 'N',
    zope.schema.Tuple: 'PATTERN',
}

STATUSES = '''\
Exit status: 0 done or nothing to do; 1 some files failed, or another error;
2 wrong usage; 69 server not to be reached; 75 locked, try later; 77 login
refused; 78 wrong configuration; 128 + N interrupted by signal N.
'''
PASSWORDS = '''\
The password comes from --password-file, $CDS_PASSWORD, ~/.netrc, or the
terminal. URL: ftp://USER@HOST[:PORT]/DIRECTORY, ftpes:// with explicit TLS
(AUTH TLS), ftps:// with implicit TLS, sftp:// by ssh; file:///DIRECTORY here.
'''
USAGE = {
    'cds-import': 'cds-import [OPTION...] {STORE_DIR | --probe} URL\n'
                  '       cds-import [OPTION...] --zcml FILE {--all | NAME...}',
    'cds-export': 'cds-export [OPTION...] {STORE_DIR | --probe} URL\n'
                  '       cds-export [OPTION...] --zcml FILE {--all | NAME...}',
    'cds-lock': 'cds-lock [OPTION...] [--break LOCK | --probe] URL\n'
                '       cds-lock [OPTION...] [--break LOCK] --zcml FILE {--all | NAME...}',
    'cds-watch': 'cds-watch [OPTION...] [--once] --zcml FILE [NAME...]\n'
                 '       cds-watch [OPTION...] [--once] STORE_DIR URL',
    'cds-log': 'cds-log [OPTION...] {--journal URL | --zcml FILE} [NAME]\n'
               '       cds-log [OPTION...] {--journal URL | --zcml FILE} --runs',
    'cds-status': 'cds-status [OPTION...] --zcml FILE [NAME...]\n'
                  '       cds-status {--http [HOST:]PORT | --html FILE} --journal URL',
}
PURPOSE = {
    'cds-import': 'Import the files of a CDS directory on an FTP server into the new of a spool.',
    'cds-export': 'Export the files in the new of a spool into a CDS directory on an FTP server.',
    'cds-lock': 'Show who holds which lock of a CDS directory since when.',
    'cds-watch': 'Import and export, for all feeds, as soon as files are there.',
    'cds-log': 'Show what became of files, by the journal.',
    'cds-status': 'Show how feeds are, by the journal.',
}


class Parser(argparse.ArgumentParser):
    """Parses a command line; never quotes what it does not know, for it may be a password."""

    def parse(self, arguments):
        """The options, an argparse.Namespace. Ends the process with status 2 if they are wrong."""
        options, unknown = self.parse_known_intermixed_args(arguments)
        for argument in unknown:
            self.error('there is no option %s' % argument.partition('=')[0])
        return options


def fields(command):
    """The names of the settings that are options of the command, list of str."""
    if command == 'cds-lock':
        return list(OF_LOCK)
    unfit = NO_OPTION
    if command == 'cds-watch':
        unfit = tuple(name for name in NO_OPTION if name != 'direction')
    else:
        unfit += (*(ONLY_IMPORT if command == 'cds-export' else ONLY_EXPORT), *ONLY_WATCH)
    return [name for name in SETTINGS if name not in unfit]


def parser(command):
    """The Parser of 'cds-import', 'cds-export', 'cds-lock' or 'cds-watch'."""
    result = Parser(
        prog=command,
        usage=USAGE[command],
        description=PURPOSE[command],
        epilog=PASSWORDS + STATUSES,
        add_help=False,
        allow_abbrev=False,
        formatter_class=functools.partial(
            argparse.RawDescriptionHelpFormatter, max_help_position=27
        ),
    )
    # In a group it is not shown to a formatter, which would ask for the size of the terminal, at
    # some expense.
    result.add_argument_group().add_argument('arguments', nargs='*', help=argparse.SUPPRESS)
    feed = result.add_argument_group('settings of the feed')
    for name in fields(command):
        add_setting(feed, SETTINGS[name])
    feed.add_argument('--set', action='append', metavar='NAME=VALUE', type=own_setting,
                      help="A setting of a utility's own, as sink.NAME=VALUE")
    add_own(result.add_argument_group('feeds and output'), command)
    return result


def add_setting(group, field):
    """Add the option of one field of IFeed.

    Without it on the command line, the namespace has no such name.
    """
    kw = dict(dest=field.__name__, default=argparse.SUPPRESS, help=help_of(field))
    if isinstance(field, zope.schema.Bool):
        kw.update(action='store_true')
    elif isinstance(field, zope.schema.Tuple):
        words = possible_words(field)
        kw.update(action='append', metavar='WORD' if words else UNITS[zope.schema.Tuple],
                  type=(lambda text: converted(field.value_type, text)) if words else None)
    else:
        kw.update(type=lambda text: converted(field, text), metavar=UNITS.get(type(field), 'NAME'))
    group.add_argument(option(field), **kw)


def option(field):
    """An option that may be given several times has a name in the singular."""
    name = field.__name__.replace('_', '-')
    return '--' + (name.removesuffix('s') if isinstance(field, zope.schema.Tuple) else name)


def help_of(field):
    text = field.title.replace('%', '%%')
    return (
        text if field.default in (None, '', (), False) else '%s (%s)' % (text, shown(field.default))
    )


def shown(value):
    """A default for a person, str."""
    return '%g' % value if isinstance(value, float) else str(value)


def converted(field, text):
    """The value that the text of an option means."""
    try:
        return check(field, field.fromUnicode(text))
    except (ValueError, zope.interface.Invalid):
        raise argparse.ArgumentTypeError('%r is no %s' % (text, possible(field))) from None


def own_setting(text):
    """The name and the value of a setting that a connection, a lock or a sink has of its own."""
    from zeit.cds.own import Written  # few have such
    name, is_pair, value = text.partition('=')
    owner, _, setting = name.partition('.')
    if not is_pair or owner not in OWNERS or not setting:
        raise argparse.ArgumentTypeError('NAME=VALUE is wanted, with a name that begins with %s' % (
            ' or '.join(owner + '.' for owner in OWNERS)))
    return name, Written(value, public=True)


def place(text):
    """Where to listen, see zeit.cds.web.server.place: the text as it is."""
    from zeit.cds.web import server  # most commands don't
    try:
        server.place(text)
    except ValueError:
        raise argparse.ArgumentTypeError('%r is no PORT or HOST:PORT' % text) from None
    return text


def jobs(text):
    """How many feeds at once, int."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError('%r is no whole number from 1' % text)
    return int(text)


def possible(field):
    """What a value must be, in words."""
    if words := possible_words(field):
        return 'word that is possible here: %s' % ', '.join(words)
    text = {zope.schema.Int: 'whole number', Seconds: 'number', Days: 'number'}.get(
        type(field), 'line of text'
    )
    low, high = getattr(field, 'min', None), getattr(field, 'max', None)
    if low is not None:
        text += ' from %g' % low
    return text if high is None else text + ' to %g' % high


def add_own(group, command):
    """The options that belong to the command, not to the feed."""
    add = group.add_argument
    add('--zcml', metavar='FILE', help='Take the feeds NAME... from this ZCML file')
    if command == 'cds-watch':
        add('--once', action='store_true', help='One run for each feed, all side by side')
        add('--http', metavar='[HOST:]PORT', type=place,
            help='Answer there: pages, /health, /metrics')
        add('--journal', metavar='URL', help='Keep a journal there: a file, or a database')
    else:
        add('--all', action='store_true', help='All feeds of the ZCML file, in the order of names')
    if command == 'cds-lock':
        add('--break', metavar='LOCK', dest='break_', help='Remove this lock, after asking')
        add('--yes', action='store_true', help='Do not ask')
    elif command != 'cds-watch':
        add(
            '--dry-run',
            action='store_true',
            help='Only list what a run would take; no lock, no change',
        )
        add('--journal', metavar='URL', help='Keep a journal there: a file, or a database')
        add('--metrics', metavar='FILE', help='Write a text file for the Prometheus node exporter')
        add('--jobs', metavar='N', type=jobs, help='So many of the feeds at once (1)')
    if command != 'cds-watch':
        add('--probe', action='store_true',
            help='Only tell what the server is, for a bug report')
        add('--json', action='store_true', help='Print an object (JSON) for each feed')
    add(
        '-v',
        '--verbose',
        action='count',
        default=0,
        help='Log more to standard error; -vv: everything',
    )
    add('-q', '--quiet', action='store_true', help='Log only errors there, show no progress')
    add(
        '--completion',
        choices=SHELLS,
        metavar='SHELL',
        help='Print the completion for bash, zsh or tcsh',
    )
    add('--man', action='store_true', help='Print the manual page')
    add('--version', action='store_true', help='Print the version')
    add('-h', '--help', action='help', help='Print this help')


def url_settings(url):
    """The settings in a URL, see SCHEMES: a dict.

    Raises ConfigurationError, which shows no password.
    """
    from urllib.parse import unquote, urlsplit  # feeds of ZCML and buildout have no URL
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError('The URL has no valid host and port: '
                                 'ftp://USER@HOST[:PORT]/DIRECTORY') from None
    if parts.password is not None:
        raise ConfigurationError(
            'No password in the URL, please: others can see it. Use --password-file, the variable '
            'CDS_PASSWORD, or ~/.netrc.')
    if parts.query or parts.fragment:
        raise ConfigurationError('In a URL, ? is written %3F, and # is written %23.')
    if parts.scheme in LOCAL:
        place = local_place(parts)
    elif parts.scheme in SCHEMES and parts.hostname and parts.username:
        place = dict(hostname=parts.hostname,
                     user=unquote(parts.username, errors='surrogateescape'))
        if port is not None:
            place['port'] = port
    else:
        raise ConfigurationError('The URL must be ftp://USER@HOST[:PORT]/DIRECTORY, or the like '
                                 'with ftpes:, ftps: or sftp:, or file:///DIRECTORY.')
    return {**SCHEMES[parts.scheme], **place,
            'ftp_dir': unquote(parts.path, errors='surrogateescape') or '/'}


def local_place(parts):
    """Host and user of a directory on this machine: a dict. Raises ConfigurationError."""
    if parts.netloc not in ('', 'localhost') or not parts.path.startswith('/'):
        raise ConfigurationError(
            'The URL of a directory on this machine has three slashes: file:///DIRECTORY')
    import pwd  # most feeds are elsewhere
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:        # a container may have users without a name
        user = str(os.geteuid())
    return dict(hostname='localhost', user=user)
