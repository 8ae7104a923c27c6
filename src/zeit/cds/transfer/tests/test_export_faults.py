"""What goes wrong on a server, and what an export makes of it: a table.

What a row doesn't promise otherwise: all files are on the server under their names, whole, nothing
waits in new any more, there is no lock and no temporary name, and the run was successful. After
each row consumers take what is there; then the server behaves again, and one plain run brings what
is left, once, and leaves nothing behind.
"""
import dataclasses
import fnmatch
import os
import shutil
import unittest

from zeit.cds.feed import Feed
from zeit.cds.interfaces import ConnectionLost, FTPError, PermanentError
from zeit.cds.spool.journal import JOURNAL
from zeit.cds.testing.faulty import FaultyServer, On
from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.testing.logs import recorded
from zeit.cds.tests.importing import contents, new_spool, put
from zeit.cds.transfer.tests.faulty import new_run, QUICK


FILES = {name: (name * 50 + '\n').encode() * 60 for name in 'abcdef'}
FOUR = QUICK._replace(files_a_session=1)
PART = '.c.*'               # temporary name of the file c
LARGE = 12 * 2**20          # bytes: worth resuming
SILENT = {'timeout': 0.3}
ONCE = {'retries': 0}
PIPELINES = {'character': 'pure-ftpd'}      # takes more together with STOR
OURS = b'zeit.cds,'


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row."""

    name: str
    script: tuple
    waits: tuple = ()           # names of files that are still in new afterwards
    failed: tuple = ()          # names of files for which the outcome tells that something is
                                # wrong; None: it depends
    hidden: bool = False        # may something be left under temporary names?
    error: object = None        # class of what ended the run
    # beginning of a command: how often it was sent
    commands: dict = dataclasses.field(default_factory=dict)
    server: dict = dataclasses.field(default_factory=dict)      # arguments of FaultyServer
    settings: dict = dataclasses.field(default_factory=dict)    # of the feed
    large: bool = False
    # name: data, further ones
    files: dict = dataclasses.field(default_factory=dict)


def altered(pattern, change):
    """What the server has just stored gets another name: for `On.call`.

    change -- function of a name
    """
    def alter(server):
        for name in list(server.files):
            if fnmatch.fnmatchcase(name, pattern):
                server.files[change(name)] = server.files.pop(name)
    return alter


def exists(name):
    """Has the server a file of this name? For `On(given=...)`."""
    return lambda server: name in server.files


ALL = tuple(FILES)
FAULTS = (
    Fault('no fault', (), commands={'STOR': 7, 'RNTO': 6}),     # one STOR is the lock's
    Fault('STOR refused once for the moment', (On('STOR', PART, times=1).reply('452 Later.'),)),
    Fault('STOR refused', (On('STOR', PART).reply('553 No.'), On('STOR', 'c').reply('553 No.')),
          waits=('c',), failed=('c',), commands={'STOR .c.': 1, 'STOR c': 1}),
    Fault('temporary name refused', (On('STOR', PART).reply('553 No.'),),
          commands={'STOR .c.': 1, 'STOR c': 1}),
    Fault('names with a dot refused', (On('STOR MKD', '.*').reply('553 No.'),)),
    Fault('names with a dot refused after 150',
          (On('STOR', '.*').reply('553 No.', after_bytes=100),)),
    Fault('STOR always refused for the moment', (On('STOR', PART).reply('450 Later.'),),
          waits=('c',), failed=('c',)),
    Fault('disk full in mid-data', (On('STOR', PART).reply('552 Full.', after_bytes=1000),),
          waits=('c',), failed=('c',)),
    Fault('control connection lost before STOR', (On('STOR', PART, times=1).drop_control(),)),
    Fault('control connection lost in mid-data',
          (On('STOR', PART, times=1).drop_control(after_bytes=1000),)),
    Fault('reply to STOR lost', (On('STOR', PART, times=1).drop_control(at='done'),),
          commands={'STOR .c.': 1}),
    Fault('replies to STOR always lost', (On('STOR', '.*').drop_control(at='done'),),
          commands={'STOR .': 6}, settings=ONCE),
    Fault('session ends after each STOR', (On('STOR', '.*').drop_control(at='replied'),),
          commands={'STOR .': 6}),
    Fault('data connection lost', (On('STOR', PART, times=1).drop_data(1000),)),
    Fault('data connection reset', (On('STOR', PART, times=1).drop_data(1000, reset=True),)),
    Fault('truncated, and 226', (On('STOR', PART, times=1).drop_data(1000, reply='226 Done.'),)),
    Fault('always truncated, and 226', (On('STOR', PART).drop_data(1000, reply='226 Done.'),),
          waits=('c',), failed=('c',)),
    Fault('421 instead of STOR', (On('STOR', PART, times=1).reply('421 Bye.'),)),
    Fault('silent after STOR', (On('STOR', PART, times=1).stall(),), settings=SILENT),
    Fault('silent after the data', (On('STOR', PART, times=1).stall(at='done'),), settings=SILENT,
          commands={'STOR .c.': 1}),
    Fault('no EPSV', (On('EPSV').refuse(),)),
    Fault('EPSV refused for the moment', (On('EPSV', times=2).reply('425 Busy.'),)),
    Fault('no SIZE', (On('SIZE').refuse(),)),
    Fault('neither SIZE nor MLST', (), server={'without': ('SIZE', 'MLST', 'MLSD')}),
    Fault('temporary name not found after a 226', (On('SIZE', PART, times=1).reply('550 No.'),)),
    Fault('RNFR busy', (On('RNFR', PART, times=1).reply('450 Later.'),), commands={'STOR .c.': 1}),
    Fault('connection lost before RNFR', (On('RNFR', PART, times=1).drop_control(),),
          commands={'STOR .c.': 1}),
    Fault('connection lost before RNTO', (On('RNTO', 'c', times=1).drop_control(),),
          commands={'STOR .c.': 1}),
    Fault('reply to RNTO lost', (On('RNTO', 'c', times=1).drop_control(at='done'),),
          commands={'STOR .c.': 1}),
    Fault('reply to RNTO lost for good',
          (On('RNTO', 'c', times=1).drop_control(at='done'), On('USER', skip=1).reply('421 No.')),
          settings=ONCE, error=FTPError, failed=None, hidden=True),
    Fault('silent after RNTO', (On('RNTO', 'c', times=1).stall(at='done'),), settings=SILENT,
          commands={'STOR .c.': 1}),
    Fault('garbage after RNTO', (On('RNTO', 'c', times=1).reply('What?', done=True),),
          commands={'STOR .c.': 1}),
    Fault('350 to RNTO', (On('RNTO', 'c', times=1).reply('350 Pending.'),),
          commands={'STOR .c.': 1}),
    Fault('RNTO refused for one', (On('RNTO', 'c').reply('553 No.'),),
          commands={'STOR .c.': 1, 'STOR c': 1}),
    Fault('RNFR refused', (On('RNFR').reply('550 No.'),)),
    Fault('no RNFR', (), server={'without': ('RNFR', 'RNTO')}),
    Fault('no RNFR, and truncated', (On('STOR', 'c', times=1).drop_data(1000),),
          server={'without': ('RNFR', 'RNTO')}),
    Fault('no RNFR, and refused', (On('STOR', 'c').reply('452 Full.', after_bytes=1000),),
          server={'without': ('RNFR', 'RNTO')}, waits=('c',), failed=('c',)),
    Fault('DELE of a part refused',
          (On('STOR', PART).reply('552 Full.', after_bytes=1000),
           On('DELE', PART).reply('550 No.')),
          waits=('c',), failed=('c',), hidden=True),
    Fault('a large file resumes', (On('STOR', PART, times=1).drop_control(after_bytes=9 * 2**20),),
          large=True,
          commands={'REST': 1}),
    Fault('what comes with STOR gets lost', (On('STOR', PART, times=1).swallow(),),
          server=PIPELINES,
          settings=SILENT),
    Fault('what comes with STOR always gets lost', (On('STOR', '.*').swallow(),), server=PIPELINES,
          settings=SILENT),
    Fault('some of what comes with STOR gets lost',
          (On('STOR', '.*', skip=3).swallow('450 Busy.', 2),), server=PIPELINES,
          commands={'STOR .': 6, 'USER': 4}),
    Fault('all that comes with STOR gets lost', (On('STOR', '.*').swallow('450 Busy.', 9),),
          server=PIPELINES, settings=SILENT),
    Fault('STOR refused, and what comes with it',
          (On('STOR', PART).reply('552 No.'), On('SIZE', PART).reply('421 Bye.')),
          server=PIPELINES, waits=('c',), failed=('c',)),
    Fault('a large file does not resume',
          (On('STOR', PART, times=1).drop_control(after_bytes=9 * 2**20),
                                           On('REST').reply('502 No.')), large=True,
                                           commands={'REST': 1}),
    Fault('stored in capitals', (On('STOR', PART).call(altered(PART, str.upper)),),
          waits=('c',), failed=('c',), commands={'STOR .c.': 1}),
    Fault('stored with a number', (On('STOR', PART).call(altered(PART, '{}.1'.format)),),
          waits=('c',), failed=('c',)),
    Fault('stored at once, with a number', (On('STOR', 'c').call(altered('c', '{}.1'.format)),),
          server={'without': ('RNFR', 'RNTO')}, waits=('c',), failed=('c',)),
    Fault('renamed to another name',
          (On('RNTO', ' g? ').call(altered(' g? ', lambda name: name.strip(' ?'))),),
          files={' g? ': b'g' * 100}, waits=(' g? ',), failed=(' g? ',)),
    Fault('renamed, and SIZE does not know it', (On('SIZE', 'g h').reply('550 No.'),),
          files={'g h': b'g' * 100}),
    Fault('renamed to another name, and one with the same contents',
          (On('RNTO', 'g h').call(altered('g h', lambda name: 'g_h')),),
          files={'g-h': b'g' * 100, 'g h': b'g' * 100}, waits=('g h',), failed=('g h',)),
    Fault('renames onto no existing name', (On('RNTO', given=exists('c')).reply('550 It exists.'),),
          server={'files': {'c': b'older'}}, settings={'replace': True},
          commands={'STOR .c.': 1, 'STOR c': 0, 'DELE c': 1}),
    Fault('login refused', (On('PASS').reply('530 No.'),), waits=ALL, error=PermanentError),
    Fault('the server ends the session at once', (On('GREETING').reply('421 Full.'),), waits=ALL,
          error=ConnectionLost),
)


class Faults(unittest.TestCase):
    """Each row on one session and on four; the methods are made below."""

    layer = BESIDE_LAYER

    def check(self, fault, sessions):
        self.fault, self.files = fault, {**FILES, **fault.files}
        if fault.large:
            self.files['c'] = os.urandom(1024) * (LARGE // 1024)
        self.store_dir = new_spool()
        self.addCleanup(shutil.rmtree, self.store_dir)
        for name, data in self.files.items():
            put(os.path.join(self.store_dir, 'new'), name, data)
        with FaultyServer(script=fault.script, **fault.server) as server:
            outcome = self.run_export(server, sessions, **fault.settings)
            self.assert_promises(server, outcome, sessions)
            taken = self.take(server)
            server.behave()
            if fault.hidden and 'write' in server.files:
                # that of this very process, which the next run would not break
                server.files.pop('write')
            self.assertTrue(self.run_export(server, sessions).successful)
            self.assert_nothing_left(server)
            self.assertEqual(sorted(self.files.items()), sorted([*taken, *self.take(server)]))
            self.assertEqual([], server.errors)

    def run_export(self, server, sessions, **settings):
        with recorded() as self.log:
            feed = Feed(**{**dict(
                store_dir=self.store_dir, hostname=server.host, port=server.port, user=server.user,
                direction='export',
                password=server.password, connections=sessions, timeout=10, retries=2, limit=100),
                **settings})
            return new_run(feed, QUICK if sessions == 1 else FOUR)()

    def assert_promises(self, server, outcome, sessions):
        fault = self.fault
        if fault.error is None:
            self.assertIsNone(outcome.error)
            self.assertNotIn('write', server.files)
        else:
            self.assertIsInstance(outcome.error, fault.error)
        if fault.failed is not None:
            self.assertEqual(sorted(fault.failed), sorted(name for name, reason in outcome.failed))
        if not fault.hidden:
            self.assertEqual([], [name for name in server.files if name.startswith('.')])
            self.assertEqual(set(fault.waits),
                             {name.decode()
                              for name in contents(os.path.join(self.store_dir, 'new'))})
        self.assertEqual([], server.violations)
        if sessions == 1:
            self.assertEqual(fault.commands, {
                beginning: sum(command.startswith(beginning)
                               for command in server.commands(beginning.split()[0]))
                for beginning in fault.commands})
            self.assertEqual([], server.unused)

    @staticmethod
    def take(server):
        """What consumers find: (name, data) of all that has a name of its own."""
        taken = [(name, bytes(content.data)) for name, content in sorted(server.files.items())
                 if not name.startswith('.') and name not in ('read', 'write')]
        for name, _data in taken:
            del server.files[name]
        return taken

    def assert_nothing_left(self, server):
        self.assertEqual([],
                         [name for name in server.files if name.startswith('.')
                          or name in ('read', 'write')])
        self.assertEqual({}, contents(os.path.join(self.store_dir, 'new')))
        self.assertEqual(0, os.path.getsize(os.path.join(self.store_dir, JOURNAL)))


def add(fault, sessions):
    def test(self):
        self.check(fault, sessions)
    name = ''.join(c if c.isalnum() else '_' for c in fault.name.lower())
    setattr(Faults, 'test_%s_%d' % (name, sessions), test)


for fault in FAULTS:
    for sessions in (1, 4):
        add(fault, sessions)
    for character in () if 'character' in fault.server else ('pure-ftpd', 'pyftpdlib'):
        add(dataclasses.replace(fault, name='%s by %s' % (fault.name, character),
                                server={'character': character, **fault.server}), 4)
