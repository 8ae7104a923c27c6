"""What goes wrong on a server, and what an import makes of it: a table.

A row is a `Fault`. What it doesn't promise otherwise is this: all files are published, nothing
stays on the server, no lock, nothing in tmp; no warning is logged; the run ends with success. After
each row, when the server behaves again, one plain run publishes what is left, once, and leaves
nothing behind.
"""
import dataclasses
import re

from zeit.cds.interfaces import (
    ConnectionLost,
    Locked,
    LoginRefused,
    PermanentError,
    ProtocolError,
    TemporaryError,
)
from zeit.cds.testing.faulty.server import (
    endless_data,
    Entry,
    grow,
    On,
    put,
    rewrite,
    SHAPES,
    shrink,
    vanish,
)


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


LOGIN = [
    passes('greeting 421 once', On('GREETING', times=1).reply('421 Too many users.')),
    ends('greeting 421 always', ConnectionLost, On('GREETING').reply('421 Too many users.'),
         says=(AGAIN,)),
    harmless('greeting 120 first', On('GREETING').reply('120 Wait.', '220 Now.')),
    ends('greeting 554', PermanentError, On('GREETING').reply('554 Go away.'),
         commands={'USER': 0}),
    ends('greeting is a web page', ProtocolError,
         On('GREETING').reply(b'HTTP/1.1 400 Bad Request\r\n\r\n'),
         says=(AGAIN,), commands={'USER': 0}),
    ends('greeting never comes', ConnectionLost, On('GREETING').stall(),
         settings={**SILENT, **ONCE}),
    ends('greeting drips', ConnectionLost, On('GREETING').drip_reply(0.05),
         settings={**SILENT, **ONCE}),
    ends('greeting without end', ProtocolError, On('GREETING').shape(SHAPES['endless_line']),
         settings=ONCE),
    ends('greeting of endless lines', ProtocolError, On('GREETING').shape(SHAPES['endless_lines']),
         settings=ONCE),
    ends('greeting of ten megabytes', ProtocolError, On('GREETING').shape(SHAPES['long_line']),
         settings=ONCE),
    passes('connection reset at once', On('CONNECT', times=1).drop_control(reset=True)),
    ends('user refused', LoginRefused, On('USER').reply('530 No.'), commands={'USER': 1}),
    ends('password refused', LoginRefused, On('PASS').reply('530 Login incorrect.'),
         commands={'PASS': 1}),
    ends('password refused and quoted', LoginRefused, On('PASS').reply('530 Wrong: %s.' % PASSWORD),
         commands={'PASS': 1}),
    ends('password quoted in nonsense', ProtocolError, On('PASS').reply('What is %s?' % PASSWORD),
         settings=ONCE),
    ends('account demanded', LoginRefused, On('PASS').reply('332 Need account.'),
         commands={'PASS': 1}),
    passes('password 421 once', On('PASS', times=1).reply('421 Busy.')),
    passes('password 430 once', On('PASS', times=1).reply('430 Busy.')),
    passes('control dropped at the password', On('PASS', times=1).drop_control()),
    ends('directory missing', PermanentError, On('CWD').reply('550 No such directory.'),
         commands={'CWD': 1}),
    passes('directory 450 once', On('CWD', times=1).reply('450 Busy.')),
    harmless('no feat', On('FEAT').refuse()),
    harmless('feat 500', On('FEAT').reply('500 What?')),
    ends('feat without end', ProtocolError, On('FEAT').shape(SHAPES['endless_lines']),
         settings=ONCE),
    harmless('feat of nonsense', On('FEAT').reply('211-Hello\r\nMLST\r\n \r\n  ;;; \r\n211 End')),
    ends('no binary type', PermanentError, On('TYPE').reply('504 No such type.')),
]

PORTS = [
    harmless('no epsv', On('EPSV').refuse(), commands={'PORT': 0}),
    harmless('no epsv although announced', On('EPSV').reply('522 No.')),
    ends('neither epsv nor pasv', PermanentError, On('EPSV').refuse(), On('PASV').refuse()),
    harmless('pasv names another host', On('EPSV').refuse(), On('PASV').advertise('10.0.0.1')),
    harmless('pasv names a host that listens', On('EPSV').refuse(),
             On('PASV').advertise('127.0.0.2')),
    harmless('epsv names a closed port', On('EPSV', times=1).advertise(port=1)),
    harmless('epsv 425 for a while', On('EPSV', times=3).reply('425 Address already in use.')),
    passes('epsv nonsense', On('EPSV', times=1).reply('229 Here you are.')),
    passes('epsv port 0', On('EPSV', times=1).reply('229 Extended (|||0|)')),
    passes('epsv port beyond all', On('EPSV', times=1).reply('229 Extended (|||99999|)')),
    passes('pasv nonsense', On('EPSV').refuse(),
           On('PASV', times=1).reply('227 (1,2,3,4,999,999)')),
    passes('epsv 421', On('EPSV', skip=2, times=1).reply('421 Bye.')),
    passes('control dropped at epsv', On('EPSV', skip=2, times=1).drop_control(), few=True),
]

SHAPED = [
    *(harmless('replies in %s' % shape, On('*').shape(SHAPES[shape]))
      for shape in ('lower_case', 'multi_line', 'latin_1', 'no_text', 'bare_lf')),
    passes('last reply of retr as 1xx',
           On('RETR', 'c.xml', times=1).shape(SHAPES['preliminary_code']), settings=SILENT),
    *(passes('retr answered with %s' % shape, On('RETR', 'c.xml', times=1).shape(SHAPES[shape]),
             settings=SILENT)
      for shape in ('garbage', 'nothing', 'endless_line', 'endless_lines', 'long_line')),
    passes('dele answered with garbage', On('DELE', 'c.xml', times=1).shape(SHAPES['garbage']),
           may_say=(AGAIN,), says=()),
    passes('dele not answered', On('DELE', 'c.xml', times=1).shape(SHAPES['nothing']),
           settings=SILENT, may_say=(AGAIN,), says=()),
    passes('facts answered with 999', On('MLST', 'c.xml', times=1).reply('999 What?')),
    passes('facts not answered', On('MLST', 'c.xml', times=1).shape(SHAPES['nothing']),
           settings=SILENT),
    passes('one reply too many',
           On('RETR', 'c.xml', times=1).say('226 And once more.', at='replied')),
    passes('one reply too many for the last file',
           On('RETR', 'f.xml', times=1).say('226 And once more.', at='replied')),
]

LOCKING = [
    ends('lock refused 550', PermanentError, On('STOR', 'read').reply('550 No.'),
         commands={'STOR read': 1}),
    ends('lock refused 553', PermanentError, On('STOR', 'read').reply('553 No.')),
    passes('lock 452 once', On('STOR', 'read', times=1).reply('452 Disk full.')),
    passes('control dropped before the lock', On('STOR', 'read', times=1).drop_control()),
    passes('control dropped after the lock', On('STOR', 'read', times=1).drop_control(at='done')),
    passes('lock half written', On('STOR', 'read', times=1).drop_control(after_bytes=9)),
    passes('lock not answered', On('STOR', 'read', times=1).stall(at='done'), settings=SILENT),
    passes('control dropped while the lock is read', On('RETR', 'read', times=1).drop_control(),
           server={'without': ['MKD']}),
    ends('lock is there', Locked, files={'read': b'somebody'},
         says=('Lock file already exists: read',),
         locks=('read',), mend=vanish('read'), commands={'STOR': 0, 'MLSD': 0}),
    ends('other lock is there', Locked, files={'write': b'somebody'},
         says=('Lock file already exists: write',), locks=('write',), mend=vanish('write')),
    ends('lock comes in between', Locked,
         On('STOR', 'read', times=1).call(put('write', b'somebody'), at='command'),
         says=('Lock file already exists: write',), locks=('write',), mend=vanish('write')),
    ends('lock overwritten at once', Locked,
         On('STOR', 'read', times=1).call(put('read', b'somebody')),
         says=('Lock file already exists: read',), locks=('read',), mend=vanish('read')),
    harmless('lock taken away while we work',
             On('RETR', 'c.xml', times=1).call(put('read', b'somebody')),
             says=('is not ours any more, and stays',), locks=('read',), mend=vanish('read')),
    harmless('lock gone while we work', On('RETR', 'c.xml', times=1).call(vanish('read')),
             says=('is not ours any more, and stays: it is gone',)),
    harmless('no mkd', On('MKD').refuse()),
    harmless('mkd not allowed', On('MKD').reply('550 Permission denied.')),
    passes('control dropped after mkd', On('MKD', times=1).drop_control(at='done')),
    harmless('rmd 450 once', On('RMD', times=1).reply('450 Busy.')),
    passes('control dropped at rmd', On('RMD', times=1).drop_control()),
    passes('control dropped after rmd', On('RMD', '.cds-mutex', times=1).drop_control(at='done')),
    harmless('rmd not allowed', On('RMD').reply('550 Permission denied.'), locks=('.cds-mutex',),
             mend=orphan, says=('The mutex .cds-mutex stays',)),
    Fault('lock cannot be removed', (On('DELE', 'read').reply('550 Permission denied.'),),
          error=PermanentError, locks=('read',), mend=orphan),
    Fault('control dropped when the lock is removed',
          (On('DELE', 'read', times=1).drop_control(),)),
    Fault('control dropped after the lock is removed',
          (On('DELE', 'read', times=1).drop_control(at='done'),), may_say=('it is gone',)),
]

GHOST = 'the server lists it, but knows no regular file'

LISTING = [
    harmless('mlsd refused', On('MLSD').refuse()),
    harmless('mlsd 500 although announced', On('MLSD').reply('500 What?')),
    harmless('mlsd 550 after its data', On('MLSD').reply('550 No.', done=True)),
    harmless('mlsd 550 after its data and no mlst any more', On('MLSD').reply('550 No.', done=True),
             On('MLST', skip=2).refuse()),
    *(passes('listing %s once' % code, On('MLSD', times=1).reply('%s Busy.' % code))
      for code in (421, 425, 426, 450,
                                                                                                  451)),
    ends('listing 450 always', TemporaryError, On('MLSD').reply('450 Busy.'), says=(AGAIN,),
         commands={'RETR [a-f]': 0}),
    ends('listing 550', PermanentError, On('MLSD NLST').reply('550 No.')),
    passes('listing stalls', On('MLSD', times=1).stall(after_bytes=50), settings=SILENT),
    passes('listing breaks', On('MLSD', times=1).drop_data(100)),
    passes('control dropped while listing', On('MLSD', times=1).drop_control(after_bytes=100)),
    passes('listing after which no reply comes', On('MLSD', times=1).stall(at='done'),
           settings=SILENT),
    Fault('listing cut short', (On('MLSD', times=1).first(3),), stays=NAMES[2:], few=True),
    Fault('listing cut inside a line', (On('MLSD', times=1).truncate(40 + 125),), stays=NAMES[2:],
          says=('makes no sense',), few=True),
    Fault('listing is empty', (On('MLSD').first(0),), stays=ALL, few=True),
    Fault('listing of rubbish',
          (On('MLSD', times=1).entries(b'rubbish\r\n', b'\0\xff;; \r\n', b'type=file;size= \r\n'),),
          says=('makes no sense',)),
    Fault('line of twenty kilobytes', (On('MLSD').entries(b'x' * 20000 + b'\r\n'),),
          says=('makes no sense',)),
    ends('line without end', ProtocolError, On('MLSD').serve(endless_data), settings=ONCE),
    Fault('names that lead elsewhere', (On('MLSD').entries(
        Entry('../evil.xml', 5), Entry('/etc/passwd', 5), Entry('a/b', 5), Entry('..', 5),
        Entry('.', 5)),),
        failed=('/etc/passwd', 'a/b'), says=('a slash',), commands={'RETR ..': 0, 'RETR /': 0}),
    Fault('names with cr and nul',
          (On('MLSD').entries(Entry('c\0.xml', 5), Entry('c\rDELE a.xml', 5)),),
          failed=('c\0.xml', 'c\rDELE a.xml'), says=('with NUL', 'with CR'),
          commands={'RETR c\0': 0, 'RETR c\r': 0}),
    Fault('name with lf', (On('MLSD').entries(b'type=file;size=5; c\nDELE a.xml\r\n'),),
          failed=('c\nDELE a.xml',), says=('with LF',), commands={'RETR c\n': 0}),
    Fault('name of 256 bytes', (On('MLSD').entries(Entry('n' * 256, 5)),), failed=('n' * 256,),
          says=('longer than 255 bytes',)),
    harmless('a file listed twice', On('MLSD').twice('c.xml'),
             commands={'RETR c.xml': 1, 'DELE c.xml': 1}),
    harmless('a file listed twice with another size', On('MLSD').twice('c.xml', size=7),
             commands={'RETR c.xml': 1}),
    Fault('size negative', (On('MLSD').facts('c.xml', size=-1),)),
    Fault('size beyond all numbers', (On('MLSD').facts('c.xml', size=10 ** 30),)),
    Fault('size no number', (On('MLSD').facts('c.xml', size='much'),)),
    Fault('size not listed', (On('MLSD').facts('*', size=None),)),
    changes('listed too small', On('MLSD').facts('c.xml', size=7)),
    changes('listed too large', On('MLSD').facts('c.xml', size=10 ** 6)),
    changes('listed with another time', On('MLSD').facts('c.xml', modify='20200101000000')),
    Fault('time no time', (On('MLSD').facts('c.xml', modify='yesterday'),)),
    Fault('times not listed', (On('MLSD').facts('*', modify=None),)),
    Fault('types not listed', (On('MLSD').facts('*', type=None),)),
    Fault('listed but not there', (On('MLSD').entries(Entry('ghost.xml', 5)),),
          failed=('ghost.xml',), says=(GHOST,)),
    Fault('pipe, which is listed as an empty file', (On('MLSD').entries(Entry('pipe', 0)),),
          skipped=('pipe',), says=('it is no regular file',), commands={'RETR pipe': 0}),
    Fault('directory among the files', (), server={'directories': ['d.xml.d']},
          skipped=('d.xml.d',), says=('it is a directory',), mend=vanish('d.xml.d')),
    harmless('hidden file', On('MLSD').entries(Entry('.hidden', 5)), commands={'RETR .hidden': 0}),
    Fault('file taken away before its turn', (On('MLSD').call(vanish('c.xml')),), taken=('c.xml',),
          skipped=('c.xml',), says=('somebody else has taken it away',)),
    Fault('file comes after the listing', (On('MLSD').call(put('z.xml', b'new')),),
          stays=('z.xml',)),
    harmless('listing in nlst is empty and 550', On('MLSD').refuse(),
             On('NLST').reply('550 No files found.'), stays=ALL, few=True),
]

FETCHING = [
    *(passes('retr %s once' % code, On('RETR', 'c.xml', times=1).reply('%s Sorry.' % code))
      for code in (421, 425, 426, 450, 451, 452)),
    one_stays('retr 450 always', On('RETR', 'c.xml').reply('450 Busy.'),
              says=('could not be fetched', AGAIN), commands={'RETR c.xml': 3}),
    one_stays('retr 550', On('RETR', 'c.xml').reply('550 No.'),
              says=('the server refuses it: 550 No.',), commands={'RETR c.xml': 1}),
    one_stays('retr 530', On('RETR', 'c.xml').reply('530 No.'),
              says=('the server refuses it: 530 No.',)),
    one_stays('retr 500', On('RETR', 'c.xml').refuse(), says=('the server refuses it: 502',)),
    passes('control dropped before retr', On('RETR', 'c.xml', times=1).drop_control()),
    passes('control reset before retr', On('RETR', 'c.xml', times=1).drop_control(reset=True)),
    passes('control dropped before the data',
           On('RETR', 'c.xml', times=1).drop_control(at='preliminary')),
    passes('control dropped in the data',
           On('RETR', 'c.xml', times=1).drop_control(after_bytes=1000)),
    passes('control reset in the data',
           On('RETR', 'c.xml', times=1).drop_control(after_bytes=1000, reset=True)),
    passes('control dropped after the data', On('RETR', 'c.xml', times=1).drop_control(at='done')),
    passes('control dropped in the last reply',
           On('RETR', 'c.xml', times=1).drop_control(reply_bytes=3)),
    passes('control dropped after the last reply',
           On('RETR', 'c.xml', times=1).drop_control(at='replied'), says=(), may_say=(AGAIN,)),
    one_stays('control dropped at each retr', On('RETR', 'c.xml').drop_control(after_bytes=10),
              says=('could not be fetched', AGAIN)),
    passes('data dropped', On('RETR', 'c.xml', times=1).drop_data(1000)),
    passes('data dropped at once', On('RETR', 'c.xml', times=1).drop_data(0)),
    passes('data reset', On('RETR', 'c.xml', times=1).drop_data(1000, reset=True)),
    passes('data dropped and 226', On('RETR', 'c.xml', times=1).drop_data(1000, reply='226 Done.')),
    passes('data truncated and 226', On('RETR', 'c.xml', times=1).truncate(1000)),
    one_stays('data always truncated and 226', On('RETR', 'c.xml').truncate(1000),
              says=('1000 bytes came', AGAIN)),
    one_stays('data of nothing and 226', On('RETR', 'c.xml').truncate(0),
              says=('0 bytes came', AGAIN)),
    one_stays('data always dropped', On('RETR', 'c.xml').drop_data(1000),
              says=('could not be fetched', AGAIN)),
    passes('data stall', On('RETR', 'c.xml', times=1).stall(after_bytes=1000), settings=SILENT),
    passes('data never begin', On('RETR', 'c.xml', times=1).stall(at='preliminary'),
           settings=SILENT),
    passes('last reply never comes', On('RETR', 'c.xml', times=1).stall(at='done'),
           settings=SILENT),
    passes('retr never answered', On('RETR', 'c.xml', times=1).stall(), settings=SILENT),
    passes('too many data once', On('RETR', 'c.xml', times=1).extend(b'more')),
    one_stays('too many data', On('RETR', 'c.xml').extend(b'more'), says=('bytes came', AGAIN)),
    one_stays('data without end', On('RETR', 'c.xml').serve(endless_data),
              says=('the server sends more and more',), may_say=(AGAIN,)),
    one_stays('other data', On('RETR', 'c.xml').serve(b'<html>Quota exceeded</html>'),
              says=('27 bytes came', AGAIN)),
    passes('no preliminary reply', On('RETR', 'c.xml', times=1).preliminary()),
    harmless('preliminary reply 125', On('RETR').preliminary('125 Already open.')),
    passes('five preliminary replies',
           On('RETR', 'c.xml', times=1).preliminary(*['150 Wait.'] * 6)),
    passes('421 in the data',
           On('RETR', 'c.xml', times=1).reply('421 Shutting down.', after_bytes=1000)),
    Fault('file grows', (On('RETR', 'c.xml').call(grow('c.xml', b'more'), after_bytes=1000),),
          stays=('c.xml',), skipped=('c.xml',), says=('it changed while',)),
    changes('file grows after its end',
            On('RETR', 'c.xml', times=1).call(grow('c.xml', b'more'), at='done')),
    changes('file rewritten',
            On('RETR', 'c.xml', times=1).call(rewrite('c.xml', b'y' * len(FILES['c.xml'])),
                                              at='done')),
    changes('file replaced',
            On('RETR', 'c.xml', times=1).call(put('c.xml', b'y' * len(FILES['c.xml'])), at='done')),
    passes('file shrinks',
           On('RETR', 'c.xml', times=1).call(shrink('c.xml', 500), after_bytes=1000), shrunk=500),
    Fault('file vanishes while it comes',
          (On('RETR', 'c.xml', times=1).call(vanish('c.xml'), after_bytes=1000),),
          taken=('c.xml',), skipped=('c.xml',), says=('it vanished while it was fetched',)),
    Fault('all sessions end at once',
          (On('RETR', 'c.xml', times=1).call(lambda server: server.disconnect(), at='done'),),
          says=(AGAIN,)),
    Fault('server allows two sessions only', (), server={'max_sessions': 2}, may_say=(AGAIN,),
          few=True),
    Fault('second session never works', (On('*', session=2).drop_control(),), may_say=(AGAIN,),
          may_be_unused=True),
    Fault('second session refused', (On('PASS', session=2).reply('530 One is enough.'),),
          may_be_unused=True, may_say=(AGAIN,)),
    harmless('empty file', files={'empty.xml': b''}),
    Fault('unread file of this name', (), spool={'new/c.xml': (b'older', DAY)}, stays=('c.xml',),
          skipped=('c.xml',),
          says=("an older file of this name is unread in 'new'",), few=True, published=OTHERS,
          twice=('c.xml',)),
]

REMOVING = [
    one_stays('dele 550', On('DELE', 'c.xml').reply('550 Permission denied.'),
              says=('refuses to remove it',), kept=('c.xml',)),
    one_stays('dele 550 with no size', On('DELE', 'c.xml').reply('550 Permission denied.'),
              says=('refuses to remove it',),
              kept=('c.xml',), server={'character': 'vsftpd'}),
    one_stays('dele 450 always', On('DELE', 'c.xml').reply('450 Busy.'),
              says=('could not be removed',), kept=('c.xml',)),
    *(Fault('dele %s once' % code, (On('DELE', 'c.xml', times=1).reply('%s Sorry.' % code),),
            may_say=(AGAIN,))
      for code in (421, 450, 451)),
    Fault('control dropped before dele', (On('DELE', 'c.xml', times=1).drop_control(),),
          may_say=(AGAIN,)),
    Fault('control dropped after dele', (On('DELE', 'c.xml', times=1).drop_control(at='done'),),
          may_say=(AGAIN,)),
    Fault('control dropped in the reply to dele',
          (On('DELE', 'c.xml', times=1).drop_control(reply_bytes=3),), may_say=(AGAIN,)),
    Fault('dele never answered', (On('DELE', 'c.xml', times=1).stall(at='done'),), settings=SILENT,
          may_say=(AGAIN,)),
    Fault('dele done but 550',
          (On('DELE', 'c.xml', times=1).reply('550 No such file.', done=True),)),
    Fault('dele not done but 250', (On('DELE', 'c.xml', times=1).reply('250 Deleted.'),),
          published=NAMES, stays=('c.xml',),
          twice=('c.xml',)),
    Fault('dele 350', (On('DELE', 'c.xml', times=1).reply('350 Pending.'),), may_say=(AGAIN,)),
    Fault('dele 650', (On('DELE', 'c.xml', times=1).reply('650 What?'),), may_say=(AGAIN,)),
    Fault('dele 1xx', (On('DELE', 'c.xml', times=1).shape(SHAPES['preliminary_code']),),
          settings=SILENT, may_say=(AGAIN,)),
    Fault('quit refused', (On('QUIT').reply('500 Stay.'),)),
    Fault('quit never answered', (On('QUIT').stall(),), settings=SILENT),
]

OLDER = b'older\n'
RECOVERY = [
    Fault('left in tmp and gone on the server', (), spool={'tmp/g.xml': (OLDER, DAY)},
          says=('finishing: g.xml',)),
    Fault('left in tmp and still on the server', (), files={'g.xml': OLDER},
          spool={'tmp/g.xml': (OLDER, DAY)},
          says=('finishing: g.xml',), commands={'RETR g.xml': 0, 'DELE g.xml': 1}),
    Fault('left in tmp and control dropped at dele', (On('DELE', 'g.xml', times=1).drop_control(),),
          files={'g.xml': OLDER},
          spool={'tmp/g.xml': (OLDER, DAY)}, says=('finishing: g.xml', AGAIN),
          commands={'RETR g.xml': 0}),
    Fault('left in tmp and control dropped after dele',
          (On('DELE', 'g.xml', times=1).drop_control(at='done'),),
          files={'g.xml': OLDER}, spool={'tmp/g.xml': (OLDER, DAY)},
          says=('finishing: g.xml', AGAIN)),
    Fault('left in tmp and dele 550', (On('DELE', 'g.xml').reply('550 No.'),),
          files={'g.xml': OLDER}, stays=('g.xml',),
          spool={'tmp/g.xml': (OLDER, DAY)}, kept=('g.xml',), failed=('g.xml',),
          says=('finishing: g.xml', 'refuses to remove it')),
    Fault('left in tmp and newer on the server', (), files={'g.xml': b'newer\n'},
          spool={'tmp/g.xml': (OLDER, DAY - 60)},
          says=('finishing: g.xml', "unread in 'new'"), stays=('g.xml',), skipped=('g.xml',),
          twice=('g.xml',), published=[*NAMES, 'g.xml']),
    Fault('left in tmp and the same by content', (), files={'g.xml': OLDER},
          spool={'tmp/g.xml': (OLDER, DAY - 60)},
          server={'character': 'vsftpd'}, says=('finishing: g.xml',),
          commands={'RETR g.xml': 1, 'DELE g.xml': 1}),
    Fault('left in tmp and another by content', (), files={'g.xml': b'newer\n'},
          spool={'tmp/g.xml': (OLDER, DAY - 60)},
          server={'character': 'vsftpd'}, says=('finishing: g.xml', "unread in 'new'"),
          stays=('g.xml',), skipped=('g.xml',), twice=('g.xml',), published=[*NAMES, 'g.xml']),
    Fault('left in tmp half', (), spool={'tmp/.parts-1/g.xml': (OLDER, DAY)}),
    Fault('left in tmp and unread in new', (),
          spool={'tmp/g.xml': (OLDER, DAY), 'new/g.xml': (b'oldest\n', DAY - 9)},
          says=('finishing: g.xml', "unread in 'new'; it waits in 'tmp'"), kept=('g.xml',),
          skipped=('g.xml',), published=NAMES, twice=('g.xml',)),
]


def old(name, *script, character='vsftpd', **kw):
    """A fault of a server that has no MLSD."""
    return Fault('%s by %s' % (name, character), script,
                 server={'character': character, **kw.pop('server', {})}, **kw)


CHARACTERS = [
    *(Fault('server like %s' % name, (), server={'character': name})
      for name in ('vsftpd', 'proftpd', 'pure-ftpd', 'pyftpdlib')),
    old('truncated and 226', On('RETR', 'c.xml', times=1).truncate(1000), says=(AGAIN,)),
    old('always truncated and 226', On('RETR', 'c.xml').truncate(1000), stays=('c.xml',),
        failed=('c.xml',), says=(AGAIN, 'bytes came')),
    old('file grows', On('RETR', 'c.xml', times=1).call(grow('c.xml', b'more'), at='done'),
        stays=('c.xml',), says=('c.xml',),
        may_say=(AGAIN,), skipped=('c.xml',)),
    old('size refused', server={'without': ['SIZE']}),
    old('size no number', On('SIZE', '*.xml').reply('213 many')),
    old('size and mdtm refused', server={'without': ['SIZE', 'MDTM']}),
    old('nlst 450 once', On('NLST', times=1).reply('450 Busy.'), says=(AGAIN,)),
    old('nlst breaks', On('NLST', times=1).drop_data(10), says=(AGAIN,)),
    old('nlst with bare lf', On('NLST').serve(b'a.xml\nb.xml\nc.xml\nd.xml\ne.xml\nf.xml\n')),
    old('nlst with path', On('NLST').facts('c.xml', name='/srv/c.xml'), stays=('c.xml',),
        failed=('/srv/c.xml',), says=('a slash',)),
    old('dele done but 550',
        On('DELE', 'c.xml', times=1).reply('550 Delete operation failed.', done=True)),
    old('control dropped after dele', On('DELE', 'c.xml', times=1).drop_control(at='done'),
        may_say=(AGAIN,)),
]


def active(fault, name='%s in active mode'):
    """The same where the server opens the data connections."""
    return dataclasses.replace(fault, name=name % fault.name,
                               settings={'active': True, **fault.settings},
                               server={'character': 'pure-ftpd', **fault.server})


PASSIVE = 'The server does not open data connections, we do, since'
ACTIVE = [
    *(active(fault) for fault in FETCHING + REMOVING if fault.name != 'retr 425 once'),
    *(active(fault, '%s') for fault in (
        harmless('no fault in active mode', commands={'PORT': 0, 'EPSV': 0, 'PASV': 0}),
        passes('the next file came meanwhile', On('RETR', 'c.xml', times=1).truncate(1000),
               commands={'USER': 1, 'RETR d.xml': 1}, settings={'connections': 1}, few=True),
        passes('the next file broke meanwhile', On('RETR', 'c.xml', times=1).truncate(1000),
               On('RETR', 'd.xml', times=1).drop_data(1000), commands={'USER': 1, 'RETR d.xml': 2},
               settings={'connections': 1}, few=True),
        passes('the next file was refused meanwhile', On('RETR', 'c.xml', times=1).truncate(1000),
               On('RETR', 'd.xml').reply('550 No.'), commands={'USER': 1, 'RETR d.xml': 1},
               stays=('d.xml',), settings={'connections': 1}, few=True,
               failed=('d.xml',), says=(AGAIN, 'd.xml: the server refuses it')),
        harmless('no eprt', On('EPRT').refuse(), commands={'EPRT': 1, 'EPSV': 0}),
        harmless('neither eprt nor port', On('EPRT').refuse(), On('PORT').refuse(), says=(PASSIVE,),
                 commands={'EPRT': 1, 'PORT': 1}),
        harmless('eprt is not what port is', On('EPRT').reply('501 No.'),
                 On('PORT').reply('501 No.'), On('EPSV').refuse(), says=(PASSIVE,)),
        passes('server does not get through', On('STOR', 'read', times=1).reply('425 No.'),
               says=(PASSIVE, AGAIN)),
        passes('server does not get through any more',
               On('RETR', 'c.xml', times=1).reply('425 No.'), says=(PASSIVE, AGAIN)),
        passes('eprt refused at last', On('EPRT', skip=4, times=1).reply('425 No.'), says=(),
               may_say=(AGAIN,)),
        ends('data connection does not arrive', ConnectionLost,
             On('STOR', 'read').reply('150 It comes.'), settings={**SILENT, **ONCE}),
    )),
]


def hasty(fault, name='%s, what follows sent ahead'):
    """The same where commands go out together with the RETR before them. What fails then is tried
    once more at once, and not told of."""
    return dataclasses.replace(
        fault, name=name % fault.name, server={'character': 'pure-ftpd', **fault.server},
        says=tuple(text for text in fault.says if text != AGAIN), may_say=(*fault.may_say, AGAIN))


def far(name, *script, **kw):
    """A fault of pyftpdlib at the end of a long line, so that commands go out while it sends a
    file.
    """
    return Fault(name, (On('USER').stall(0.03), *script), server={'character': 'pyftpdlib'}, **kw)


HASTY = [
    *(hasty(fault) for fault in FETCHING + REMOVING),
    *(hasty(fault, '%s') for fault in (
        passes('what comes with retr gets lost', On('RETR', 'c.xml', times=1).swallow(),
               settings=SILENT),
        passes('some of what comes with retr gets lost',
               On('RETR', 'c.xml', times=1).swallow('250 Done.', 2), settings=SILENT),
        passes('all that comes with retr gets lost', On('RETR').swallow(count=9), settings=SILENT),
        passes('retr and epsv refused', On('RETR', 'c.xml', times=1).reply('450 Busy.'),
               On('EPSV', skip=3, times=1).reply('450 Busy.')),
        ends('login refused', LoginRefused, On('PASS').reply('530 No.')),
    )),
    ends('login refused late', LoginRefused, server={'character': 'pyftpdlib'},
         settings={'password': 'another'}),
    far('next commands while the last reply is underway', On('RETR').stall(0.05, at='done'),
        commands={'USER': 1}, settings={'connections': 1}, few=True),
    far('next commands break a transfer off', On('RETR', 'c.xml', times=1).stall(0.05),
        commands={'RETR c.xml': 2}),
]

FAULTS = (LOGIN + PORTS + SHAPED + LOCKING + LISTING + FETCHING + REMOVING + RECOVERY
          + CHARACTERS + ACTIVE + HASTY)
