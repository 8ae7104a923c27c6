"""Faults of servers that speak otherwise: no MLSD, active mode, commands sent ahead."""
import dataclasses

from zeit.cds.interfaces import (
    ConnectionLost,
    LoginRefused,
)
from zeit.cds.testing.faulty import (
    grow,
    On,
)
from zeit.cds.tests.faults.fault import (
    AGAIN,
    ends,
    Fault,
    harmless,
    ONCE,
    passes,
    SILENT,
)
from zeit.cds.tests.faults.files import FETCHING, REMOVING


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
    old('nlst with path', On('NLST').facts('c.xml', name='/srv/c.xml')),
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


def ahead(fault, name='%s, what follows sent ahead'):
    """The same where commands go out in one write with the RETR before them. What fails then is
    tried once more at once, and not told of.
    """
    return dataclasses.replace(
        fault, name=name % fault.name, server={'character': 'pure-ftpd', **fault.server},
        says=tuple(text for text in fault.says if text != AGAIN), may_say=(*fault.may_say, AGAIN))


def far(name, *script, **kw):
    """A fault of pyftpdlib at the end of a long line, so that commands go out while it sends a
    file.
    """
    return Fault(name, (On('USER').stall(0.03), *script), server={'character': 'pyftpdlib'}, **kw)


AHEAD = [
    *(ahead(fault) for fault in FETCHING + REMOVING),
    *(ahead(fault, '%s') for fault in (
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
        commands={'RETR c.xml': 2}, settings={'connections': 1}, few=True),
]
