"""Who holds a lock: the token that tells it, and whether that process still runs."""
import binascii
import contextlib
import functools
import os
import pwd
import socket
import string
import time
from typing import NamedTuple

import zope.interface

from zeit.cds.interfaces import ILockOwner, ILockOwners
from zeit.cds.registry import registered
from zeit.cds.text import printable


MARK = 'zeit.cds'
HIDDEN = '?'            # the start of a process that runs, but which no /proc shows to us
LONGEST = 40            # characters of a field in a token
PLAIN = frozenset(string.ascii_letters + string.digits + '_.-~')     # needs no quoting in a token


_in_use = set()         # tokens under which threads of this process work at present


@zope.interface.implementer(ILockOwner)
class Owner(NamedTuple):
    """See ILockOwner: a process, as named by the token in a lock file.

    The token is a file name's worth of printable ASCII.
    """

    host: str
    machine: str        # tells hosts of one name apart, and containers from their host
    boot: str           # changes with each start of the machine
    pid: str
    start: str          # clock ticks from boot to the process' start: a number is given again, but
                        # not with the same start
    user: str
    since: str          # when the token was made, by this machine's clock (UTC)
    lock: str           # name of the lock file that it is for
    unique: str         # of a length of its own: the mere size of a lock file tells whose it is

    @classmethod
    def me(cls, lock='read'):
        """A new token of this process, for the lock file of that name."""
        return cls(_host(), _machine(), _boot(), str(os.getpid()), _start(os.getpid()),
                   _user(), time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()), lock,
                   os.urandom(6 + os.urandom(1)[0] % 16).hex())

    @classmethod
    def parse(cls, token):
        """The Owner of a token (str); None if zeit.cds did not make it."""
        mark, *pairs = token.strip().split(',')
        values = dict(pair.partition('=')[::2] for pair in pairs)
        if mark != MARK or sorted(values) != sorted(cls._fields):
            return None
        return cls(**{key: _unquoted(value) for key, value in values.items()})

    @staticmethod
    def begun(contents):
        """Is this (bytes) the beginning of a token, or nothing at all? bool"""
        mark = b'%s,' % MARK.encode('ascii')
        return contents.startswith(mark) or mark.startswith(contents)

    @property
    def token(self):
        return ','.join([MARK, *('%s=%s' % (key, _quoted(value[:LONGEST]))
                                 for key, value in self._asdict().items())])

    def __str__(self):
        # Whoever can write a lock file can have it say anything.
        return 'process %s of user %s on host %s since %s' % tuple(
            printable(field[:LONGEST]) for field in (self.pid, self.user, self.host, self.since))

    @property
    def here(self):
        """Is it certainly a process of this machine? bool

        Hosts without a machine-id look all the same if they share a name: only the start of the
        machine tells one from another.
        """
        return (self.host, self.machine) == (_host(), _machine()) and (
            self.boot == _boot() or _machine_id() != '')

    @property
    def gone(self):
        """Has the process certainly ended? bool

        False also if that can't be told, as for one on another host.
        """
        if not self.here:
            return False
        return self.boot != _boot() or _start(self.pid) not in (self.start, HIDDEN)

    @contextlib.contextmanager
    def in_use(self):
        """This process works under the token in the block."""
        _in_use.add(self.token)
        try:
            yield
        finally:
            _in_use.discard(self.token)

    @property
    def over(self):
        """Why certainly nobody works under this token any more, str; '' if somebody may."""
        if self.gone:
            return 'that process has ended'
        if self.here and self.pid == str(os.getpid()) and self.token not in _in_use:
            return 'this very process could not remove it'
        return '' if self.here else self._over_elsewhere()

    def _over_elsewhere(self):
        """What the application knows of a process on another machine, if it knows anything."""
        owners = registered(ILockOwners, '')
        return owners.over(self) if owners else ''


def _quoted(value):
    if PLAIN.issuperset(value):
        return value
    from urllib.parse import quote  # most tokens don't need it
    return quote(value, safe='')


def _unquoted(value):
    if '%' not in value:
        return value
    from urllib.parse import unquote
    return unquote(value)


def _read(path):
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return ''


def _host():
    return (socket.gethostname() or 'unknown')[:LONGEST]


@functools.cache
def _machine_id():
    return _read('/etc/machine-id')


@functools.cache
def _machine():
    try:
        # process numbers mean nothing outside of their name space
        space = os.readlink('/proc/self/ns/pid')
    except OSError:
        space = ''
    # The identity of a machine is not for others to know (machine-id(5)): this much does not give
    # it away.
    return '%08x' % binascii.crc32(('%s %s' % (_machine_id(), space)).encode())


@functools.cache
def _boot():
    return _read('/proc/sys/kernel/random/boot_id')[:8]


def _start(pid):
    """Clock ticks, str; '' if there is no such process.

    HIDDEN while it runs, but there is no /proc, or one with hidepid.
    pid -- also what a lock file says, which may be anything
    """
    if not (str(pid).isascii() and str(pid).isdigit()):
        return ''
    fields = _read('/proc/%s/stat' % pid).rpartition(')')[2].split()
    if len(fields) > 19:
        return fields[19] if fields[0] not in 'ZX' else ''
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return ''
    except PermissionError:
        pass
    return HIDDEN


def _user():
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
