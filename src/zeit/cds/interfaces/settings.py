"""The settings of an exchange."""
import math
import re

import zope.interface
import zope.schema


class Path(zope.schema.TextLine):
    """A path on this machine."""


class Duration(zope.schema.Float):

    def constraint(self, value):
        """None that is no number, or has no end: nothing would be limited by it."""
        return math.isfinite(value)


class Seconds(Duration):
    """A duration in seconds."""


class Days(Duration):
    """A duration in days."""


QUIRKS = ('no-pipelining', 'no-epsv', 'no-mlsd', 'no-mlst', 'no-size', 'no-mutex', 'pasv-host',
          'tls12', 'telnet', 'no-telnet', 'utf8')


DIRECTORY = r'(?!read$|write$|\.\.?$)[^/\r\n\0]+'
AFTERWARDS = re.compile(r'remove|keep|move:' + DIRECTORY)


def _one_line(value):
    return not set(value) & {'\r', '\n', '\0'}


def _is_fate(value):
    return AFTERWARDS.fullmatch(value) is not None


def _is_directory(value):
    return re.fullmatch(DIRECTORY, value) is not None


def _is_expectation(value):
    from zeit.cds.interfaces.expectation import entries  # few feeds have it
    return entries(value) is not None


class IFeed(zope.interface.Interface):
    """All settings of one exchange. This is the only place where a setting is named, typed,
    explained and defaulted.

    Keyword arguments, ZCML attributes, command-line options and the table in the documentation come
    from here: the title is what --help shows, the description tells more.
    """

    name = zope.schema.TextLine(
        title='Name of the feed',
        description='For the log, reports and metrics, and for choosing it on a command line.',
        default='', required=False, constraint=_one_line)
    direction = zope.schema.Choice(
        title='Which way the files go',
        description='import: from the server into the spool; export: from the spool to the server.',
        values=('import', 'export'), default='import')
    store_dir = Path(
        title='Directory of the spool',
        description='A gocept.filestore with tmp, new and cur. The directory must exist. Or a '
                    'place in an object store, such as s3://BUCKET/PREFIX.')
    hostname = zope.schema.TextLine(
        title='Host name or address of the FTP server',
        description='With TLS, the name that its certificate must have.', constraint=_one_line)
    port = zope.schema.Int(
        title='TCP port of the server',
        description='That of the control connection. Unless given, it is 990 with implicit TLS, and'
                    ' 22 with SFTP.',
        min=1, max=65535, default=21)
    user = zope.schema.TextLine(title='User to log in as', constraint=_one_line)
    password = zope.schema.Password(
        title='Password of the user',
        description='Better not written down here. Without it, the password file, the environment'
                    ' variable CDS_PASSWORD and ~/.netrc are asked, in this order.',
        default='', required=False, constraint=_one_line)
    password_file = Path(
        title='File with the password',
        description='Its first line is the password. Others should not be able to read it (chmod '
                    '600).',
        default=None, required=False)
    ftp_dir = zope.schema.TextLine(
        title='Directory on the server',
        default='/', constraint=_one_line)
    security = zope.schema.Choice(
        title='Whether the connection is protected by TLS',
        description='none: plain FTP; explicit: AUTH TLS (RFC 4217); implicit: TLS from the first'
                    ' byte. What is demanded is never given up silently.',
        values=('none', 'explicit', 'implicit'), default='none')
    ca_file = Path(
        title="Certificate authorities to trust, not the system's",
        description="A PEM file.", default=None, required=False)
    logfile = Path(
        title='File that the log goes to as well',
        description='A new one begins every week, five are kept.', default=None, required=False)
    connections = zope.schema.Int(
        title='Sessions at most',
        description='More than one is opened only when enough files wait.',
        min=1, max=64, default=4)
    active = zope.schema.Bool(
        title='Let the server open the data connections',
        description='Active mode. On a long line a file costs two round trips instead of three, '
                    'if the server says how large its files are. No firewall must be in the way: '
                    'they come to a port of ours.',
        default=False)
    timeout = Seconds(title='Limit of a connect, a read or a write', min=0.1, default=60.0)
    run_limit = Seconds(
        title='Limit of the whole run',
        description='It must be less than `stale_after`.',
        min=1.0, default=3600.0)
    retries = zope.schema.Int(
        title='Further tries of what can pass by itself',
        description='A lost connection, or a reply that says "try later" (4yz).',
        min=0, max=100, default=3)
    every = Seconds(
        title='Time between two looks',
        description='For cds-watch, and for the fleet. A look of the former that finds files is '
                    'followed by a run.',
        min=0.2, default=5.0)
    idle = Seconds(
        title='Time without files after which the watch closes its session',
        description='For cds-watch only. By default, the session is kept. With 0, each look logs '
                    'in.',
        min=0.0, default=None, required=False)
    stale_after = Seconds(
        title='Age of a lock file of ours that is broken',
        description="One from another host, by the server's clock. A foreign lock file is never "
                    'broken by itself. It must be more than the `run_limit` of all who share the '
                    'directory, for a run may need that long for a file.',
        min=60.0, default=7200.0)
    include = zope.schema.Tuple(
        title='Only files that match this shell pattern',
        description='Several patterns: files that match one of them.',
        value_type=zope.schema.TextLine(), default=(), required=False)
    exclude = zope.schema.Tuple(
        title='No files that match this shell pattern',
        description='Several patterns: no files that match any of them. It outweighs `include`.',
        value_type=zope.schema.TextLine(), default=(), required=False)
    limit = zope.schema.Int(
        title='Files a run at most',
        description='The rest is for the next run.',
        min=1, default=None, required=False)
    afterwards = zope.schema.TextLine(
        title='Imported files: remove, move:DIRECTORY, keep',
        description="For an import only. move:DIRECTORY: they go into that directory, which is in "
                    "the feed's; where a name is taken, a number is appended. keep: they stay, and "
                    'the journal, which is needed then, remembers those that were taken; neither '
                    'the right to write nor a lock is needed.',
        default='remove', constraint=_is_fate)
    give_up_after = zope.schema.Int(
        title='Tries after which a file is given up',
        description='A file that failed in so many runs is set aside: not tried again before '
                    'cds-log --retry. A journal is needed, which counts. By default no file ever '
                    'is.',
        min=2, default=None, required=False)
    quarantine = zope.schema.TextLine(
        title='Directory there for files that are given up',
        description="For an import only, with `give_up_after`. It is in the feed's directory. By "
                    'default they stay where they are.',
        default=None, required=False, constraint=_is_directory)
    replace = zope.schema.Bool(
        title='Replace files of the same name on the server',
        description='For an export only. Without it, a newer file waits until somebody took the '
                    'older one.',
        default=False)
    keep = Days(
        title='Age of exported files to remove from cur',
        description='For an export only. By default, none is ever removed.',
        min=0.0, default=None, required=False)
    expect_within = zope.schema.TextLine(
        title='Seconds within which a file is expected',
        description='Or a table, for wires that sleep at night, such as mon-fri 06-22 900; sat-sun '
                    '08-20 3600. Who is silent for longer is told by cds-status, if a journal is '
                    'kept. By default nothing is expected.',
        default=None, required=False, constraint=_is_expectation)
    quirks = zope.schema.Tuple(
        title='What has to be known of the server',
        description='Most servers need none: what they bear and lack is found out. Words, which '
                    'outweigh that: no-pipelining (it gets one command at a time), no-epsv, '
                    'no-mlsd, no-mlst, no-size (such a command is never sent), no-mutex (its MKD '
                    'succeeds for a directory that exists: the lock does without), pasv-host (the '
                    'host in its reply to PASV counts: it is behind two addresses), tls12 (no TLS '
                    '1.3), telnet, no-telnet (a byte 0xff in a name is doubled, or is not), utf8 '
                    '(it has to be told to use UTF-8).',
        value_type=zope.schema.Choice(values=QUIRKS), default=(), required=False)
    queue = zope.schema.TextLine(
        title='Celery queue for its tasks',
        description='For the fleet only. A spool that only one host has needs a queue that only '
                    "this host's workers take from.",
        default='', required=False, constraint=_one_line)
    tell = zope.schema.TextLine(
        title='Name of a Celery task for each file that arrived',
        description='For the fleet only, which needs a journal for it: the task is run at least '
                    'once for each file that was published (or exported).',
        default='', required=False, constraint=_one_line)
    connection = zope.schema.TextLine(
        title='Name of the ICDSConnection utility',
        default='', required=False)
    lock = zope.schema.TextLine(title='Name of the ILockFile utility', default='', required=False)
    sink = zope.schema.TextLine(
        title='Name of the IFileSink utility',
        description='For an export, of the IFileSource utility.',
        default='', required=False)

    def of(owner):
        """The settings of its own that the feed's 'connection', 'lock' or 'sink' has.

        An object that provides the interface which is the attribute `settings` of that utility:
        zope.schema's fields, as here. The feed is given them under the utility's word, such as
        `sink.bucket`. They are checked once the utility is known, before a session is opened. None
        if it has no settings. Raises ConfigurationError if they were not checked.
        """

    @zope.interface.invariant
    def what_is_exported_is_nobodys_to_move(feed):
        if feed.direction == 'export' and feed.afterwards != 'remove':
            raise zope.interface.Invalid(
                'afterwards=%s is for an import. What was exported goes to cur; `keep` removes it '
                'there.' % feed.afterwards)

    @zope.interface.invariant
    def what_is_given_up_can_be_moved(feed):
        if feed.quarantine is None:
            return
        if feed.give_up_after is None or feed.direction == 'export':
            raise zope.interface.Invalid('quarantine is for an import with give_up_after.')
        if feed.afterwards in ('keep', 'move:' + feed.quarantine):
            raise zope.interface.Invalid(
                'quarantine=%s does not go with afterwards=%s. Name another directory, or leave '
                'files that are given up where they are: without quarantine.' % (
                    feed.quarantine, feed.afterwards))

    @zope.interface.invariant
    def no_lock_is_stale_before_its_run_ends(feed):
        if feed.stale_after <= feed.run_limit:
            raise zope.interface.Invalid(
                'stale_after (%g s) must be more than run_limit (%g s), lest another host breaks '
                'the lock of a run that still works. Raise stale_after, or lower run_limit.' % (
                    feed.stale_after, feed.run_limit))
