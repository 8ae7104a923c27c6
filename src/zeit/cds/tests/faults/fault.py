"""A row of the table, and the kinds of rows."""
import dataclasses
import re


PASSWORD = 'Zuckerhut-Kakadu'
DAY = 1_700_000_000.0       # seconds since 1970
FILES = {name + '.xml': (name * 50 + '\n').encode() * 60 for name in 'abcdef'}
NAMES = sorted(FILES)
ALL = 'all'                 # they all stay
OTHERS = tuple(name for name in NAMES if name != 'c.xml')
AGAIN = 'Trying again'
SILENT = {'timeout': 0.3}   # for a server that is silent
ONCE = {'retries': 0}       # for one that is silent all the time


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row."""

    name: str
    script: tuple
    stays: object = ()          # names of files that are on the server afterwards, or ALL
    published: object = None    # names of published files, if not: all that don't stay
    kept: tuple = ()            # names of files in tmp
    taken: tuple = ()           # names of files that went elsewhere
    error: object = None        # class of what ended the run
    failed: tuple = ()          # names of files for which the outcome tells that something is wrong
    skipped: tuple = ()         # names of files whose turn it was not
    says: tuple = ()            # a warning or error with this text is logged; no others are
    may_say: tuple = ()         # except these
    locks: tuple = ()           # that stay
    # beginning of a command: how often it was sent
    commands: dict = dataclasses.field(default_factory=dict)
    # name: data, further ones on the server
    files: dict = dataclasses.field(default_factory=dict)
    # 'tmp/NAME' or 'new/NAME': (data, seconds)
    spool: dict = dataclasses.field(default_factory=dict)
    server: dict = dataclasses.field(default_factory=dict)      # arguments of FaultyServer
    settings: dict = dataclasses.field(default_factory=dict)    # of the feed
    patches: dict = dataclasses.field(default_factory=dict)
    shrunk: object = None       # size of c.xml then
    mend: object = None         # function of the server: what a person does before the next run
    twice: tuple = ()           # names that the next run publishes again
    few: bool = False           # no four sessions come about
    may_be_unused: bool = False # the script acts only if the moment is right

    @property
    def slug(self):
        return re.sub('[^a-z0-9]+', '_', self.name.lower()).strip('_')


def orphan(server):
    """The process whose locks stayed has ended."""
    old, new = b'pid=', b'pid=9'
    for name in ('read', 'write'):
        if name in server.files:
            server.files[name].data = bytes(server.files[name].data).replace(old, new)
    for path in list(server.directories):
        server.directories[path.replace('pid=', 'pid=9')] = server.directories.pop(path)


def passes(name, *script, **kw):
    """A fault that a further try mends."""
    return Fault(name, script, **{'says': (AGAIN,), **kw})


def renewed(name, *script, **kw):
    """A fault that another session mends, mostly at once, and then without a word: so it is while
    the lock is created, and the listing comes."""
    return Fault(name, script, **{'may_say': (AGAIN,), **kw})


def harmless(name, *script, **kw):
    """A fault that changes nothing."""
    return Fault(name, script, **kw)


def ends(name, error, *script, **kw):
    """A fault that ends the run before the first file."""
    return Fault(name, script, stays=ALL, error=error, **kw)


def one_stays(name, *script, says, **kw):
    """A fault of c.xml alone."""
    return Fault(name, script,
                 **{'stays': ('c.xml',), 'failed': ('c.xml',), 'says': ('c.xml', *says), **kw})


def changes(name, *script, **kw):
    """c.xml changes while it is fetched: it stays for the next run."""
    return Fault(name, script, stays=('c.xml',), skipped=('c.xml',),
                 says=('c.xml: it changed while',), **kw)
