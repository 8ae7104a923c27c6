"""The packets of SFTP, version 3, without any I/O (draft-ietf-secsh-filexfer-02).

And OpenSSH's extensions to it (its file PROTOCOL), as far as they are of use here.
"""
import stat
import struct
from typing import NamedTuple

from zeit.cds.interfaces import (
    Entry,
    NotSupported,
    PermanentError,
    ProtocolError,
    TemporaryError,
)
from zeit.cds.text import printable


SECOND = 10**9
VERSION_3 = 3
# What we send ...
INIT, OPEN, CLOSE, READ, WRITE = 1, 3, 4, 5, 6
LSTAT, FSTAT, FSETSTAT, OPENDIR, READDIR = 7, 8, 10, 11, 12
REMOVE, MKDIR, RMDIR, STAT, RENAME, EXTENDED = 13, 14, 15, 17, 18, 200
# ... and what comes
VERSION, STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED_REPLY = 2, 101, 102, 103, 104, 105, 201
# Flags of OPEN
FOR_READING, FOR_WRITING, CREATE, TRUNCATE = 0x01, 0x02, 0x08, 0x10
# Flags of attributes
SIZE, OWNER, PERMISSIONS, TIMES, MORE = 0x01, 0x02, 0x04, 0x08, 0x80000000
# Codes of STATUS
(OK, END, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, NO_CONNECTION, CONNECTION_LOST,
 UNSUPPORTED) = range(9)
WORDS = ('OK', 'End of file', 'No such file', 'Permission denied', 'Failure', 'Bad message',
         'No connection', 'Connection lost', 'Operation unsupported')
FSYNC, LIMITS = b'fsync@openssh.com', b'limits@openssh.com'
LONGEST = 4 * 2**20         # bytes; no server sends larger packets
KINDS = {stat.S_IFREG: 'file', stat.S_IFDIR: 'dir'}

HEAD = struct.Struct('>IBI')        # length, type, id
NUMBER, LARGE_NUMBER, PAIR = struct.Struct('>I'), struct.Struct('>Q'), struct.Struct('>II')
PART = struct.Struct('>QI')         # offset, length
NO_ATTRIBUTES = NUMBER.pack(0)


# ---------------------------------------------------------------- what we send

def text(value):
    """A string as it is sent. bytes"""
    return NUMBER.pack(len(value)) + value


def encoded(name):
    """What a name is on the server, bytes. Raises ValueError if it can't be sent."""
    if '\0' in name:
        raise ValueError('This name cannot be sent: %s' % printable(name))
    return name.encode('utf-8', 'surrogateescape')


def packet(kind, number, body):
    """A request: its type, its id, and what follows."""
    return HEAD.pack(5 + len(body), kind, number) + body


def write_head(number, handle, offset, length):
    """A WRITE without its data, so that these need not be copied."""
    body = text(handle) + LARGE_NUMBER.pack(offset) + NUMBER.pack(length)
    return HEAD.pack(5 + len(body) + length, WRITE, number) + body


def hello():
    return PAIR.pack(5, INIT << 24)[:5] + NUMBER.pack(VERSION_3)


# ---------------------------------------------------------------- what comes

class Reader:
    """Takes one value after the other from the body of a packet."""

    def __init__(self, body):
        """
        body -- memoryview or bytes
        """
        self._body, self._at = body, 0

    @property
    def left(self):
        return len(self._body) - self._at

    def take(self, form):
        """The values of a Struct. Raises ProtocolError if there are fewer bytes."""
        try:
            values = form.unpack_from(self._body, self._at)
        except struct.error:
            raise ProtocolError('The server sent a packet that ends too early.') from None
        self._at += form.size
        return values

    def number(self):
        return self.take(NUMBER)[0]

    def large_number(self):
        return self.take(LARGE_NUMBER)[0]

    def text(self):
        """A string: bytes."""
        return bytes(self.view())

    def view(self):
        """The same without a copy."""
        length = self.number()
        if length > self.left:
            raise ProtocolError('The server sent a packet that ends too early.')
        self._at += length
        return self._body[self._at - length:self._at]

    def attributes(self):
        """Attributes."""
        flags = self.number()
        size = self.large_number() if flags & SIZE else None
        if flags & OWNER:
            self.take(PAIR)
        mode = self.number() if flags & PERMISSIONS else None
        modified = self.take(PAIR)[1] if flags & TIMES else None
        if flags & MORE:
            for _ in range(self.number()):
                self.view()
                self.view()
        return Attributes(size, mode, modified)


class Attributes(NamedTuple):
    """What a server tells of something; None: it does not."""

    size: int | None
    mode: int | None
    modified: int | None        # seconds since 1970

    @property
    def kind(self):
        """See Entry. A link is 'other', unless it was followed."""
        return None if self.mode is None else KINDS.get(stat.S_IFMT(self.mode), 'other')

    @property
    def is_link(self):
        return self.mode is not None and stat.S_ISLNK(self.mode)

    def entry(self, name):
        return Entry(name, self.size,
                     None if self.modified is None else self.modified * SECOND, self.kind)


class Status(NamedTuple):
    """How a request ended."""

    code: int
    message: str

    def error(self, passing=False):
        """The exception for it. passing -- may what has no code of its own pass by itself?"""
        kind = PermanentError
        if self.code == UNSUPPORTED:
            kind = NotSupported
        elif self.code in (NO_CONNECTION, CONNECTION_LOST) or passing and self.code == FAILURE:
            kind = TemporaryError
        return kind(str(self))

    def __str__(self):
        word = WORDS[self.code] if self.code < len(WORDS) else 'Error %d' % self.code
        message = printable(self.message)
        return word if message.lower() in ('', word.lower()) else '%s: %s' % (word, message)


def status(reader):
    """The Status in a packet."""
    code = reader.number()
    message = reader.text() if reader.left >= 4 else b''     # old servers leave it out
    return Status(code, message.decode('utf-8', 'surrogateescape'))


def names(reader):
    """What READDIR tells: a list of pairs of a name (str) and its Attributes."""
    found = []
    for _ in range(reader.number()):
        name = reader.text().decode('utf-8', 'surrogateescape')
        reader.view()           # what `ls -l` would print, in no particular form
        found.append((name, reader.attributes()))
    return found


def extensions(reader):
    """The extensions in a VERSION, after its number: a dict of bytes."""
    found = {}
    while reader.left:
        name = reader.text()
        found[name] = reader.text()
    return found


class Limits(NamedTuple):
    """Bytes of data in one request at most."""

    read: int = 32768           # what each server must be able to do
    write: int = 32768

    @classmethod
    def told(cls, reader, most=255 * 1024):
        """What the server tells of itself; 0 stands for nothing told. most -- no more than that"""
        _, read, write = reader.large_number(), reader.large_number(), reader.large_number()
        return cls(min(read or cls().read, most), min(write or cls().write, most))
