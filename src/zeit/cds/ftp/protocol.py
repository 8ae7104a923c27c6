"""The language of FTP, without any I/O: bytes in, replies and entries out.

Replies and commands: RFC 959; EPSV, EPRT: RFC 2428; FEAT: RFC 2389; MLSD, MLST, SIZE, MDTM: RFC
3659.
"""
import datetime
import functools
import re
import sys
from typing import NamedTuple

from zeit.cds.interfaces import Entry, NotSupported, ProtocolError, ReplyError
from zeit.cds.text import printable


MAX_REPLY = 64 * 1024       # bytes; a longer reply is an attack or a defect
MAX_LISTING_LINE = 8 * 1024
MAX_COMMAND = 4096
BOM = b'\xef\xbb\xbf'     # some servers begin with it

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_CODE = re.compile(rb'[1-6][0-9]{2}(?=[ \-]|$)')
# A whole reply as most are: one line, or several of which none but the last begins with the code.
_REPLY = re.compile(rb'([1-6][0-9]{2})(?: (.*)|-(.*\n(?:(?!\1).*\n)*)\1 (.*))\n')
_UNSENDABLE = re.compile(rb'[\r\n\0]')
_EPSV = re.compile(r'([!-/:-@[-`{-~])[12]?\1(?:[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*)?\1([0-9]{1,5})\1'
                   r'(?![0-9])')
_PASV = r'(?:[0-9]{1,3} *, *){5}[0-9]{1,3}'
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_TIME = re.compile(r'([0-9]{8})([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]+))?', re.ASCII)


# ---------------------------------------------------------------- replies

class Reply(NamedTuple):
    """A complete reply of the server (RFC 959, 4.2)."""

    code: int
    text: str       # without the code; the lines of a long reply are separated by '\n'

    @property
    def preliminary(self):
        return self.code < 200

    @property
    def positive(self):
        """True for 2yz and 3yz: what was asked for was done, or goes on as it should.

        1yz is no final reply.
        """
        return 200 <= self.code < 400

    def __str__(self):
        return printable('%d %s' % (self.code, self.text[:500])).strip()


NOT_SUPPORTED = 500, 502, 503, 504


# Final replies that belong to some verbs only.
ONLY_TO = {
    211: ('FEAT', 'STAT'),
    213: ('SIZE', 'MDTM', 'STAT', 'MFMT'),
    227: ('PASV', 'EPSV'),
    229: ('EPSV', 'PASV'),
    257: ('MKD', 'PWD', 'XMKD', 'XPWD'),
    331: ('USER', 'PASS'),
    350: ('RNFR', 'REST'),
}


def error(reply):
    """The fitting exception for a reply that is no success: see ReplyError.of."""
    if reply.code not in NOT_SUPPORTED:
        return ReplyError.of(reply)
    found = NotSupported(str(reply))
    found.reply = reply
    return found


class ReplyReader:
    """Cuts what the server sends into replies."""

    def __init__(self):
        self._data, self._at = b'', 0       # what came, and how much of it was read
        self._lines = []
        self._cr = False        # do lines end with CR alone?

    def receive(self, data):
        """Take bytes from the control connection."""
        if self._cr:
            data = data.replace(b'\r', b'\n')
        self._data, self._at = self._data[self._at:] + data, 0
        while b'\r\r\n' in self._data:
            self._data = self._data.replace(b'\r\r\n', b'\r\n')

    @property
    def may_lack_lf(self):
        """Is all that is here lines that end with CR alone? bool"""
        return self._data.endswith(b'\r') and self._data.find(b'\n', self._at) < 0

    def be_content_with_cr(self):
        """No LF came, and none will come: take CR for the end of lines (against RFC 959)."""
        self._cr = True
        self._data = self._data.replace(b'\r', b'\n')

    @property
    def empty(self):
        """True if no byte of a further reply is here. bool"""
        return self._at == len(self._data) and not self._lines

    def next(self):
        """The next Reply, or None if more bytes are needed. Raises ProtocolError."""
        data, lines = self._data, self._lines
        if not lines and (whole := _REPLY.match(data, self._at)):
            self._at = whole.end()
            code, line, first, last = whole.groups()
            if line is None:
                line = first.replace(b'\r\n', b'\n') + last
            return Reply(int(code), line.rstrip(b'\r').decode(_ENCODING, _ERRORS))
        while (end := data.find(b'\n', self._at)) >= 0:
            line, self._at = data[self._at:end].rstrip(b'\r'), end + 1
            if not lines:
                if not _CODE.match(line) and not _CODE.match(line := line.removeprefix(BOM)):
                    raise ProtocolError('The server sent what is no FTP reply: %s'
                                        % printable(_decode(line[:80])))
                if line[3:4] != b'-':
                    return Reply(int(line[:3]), _decode(line[4:]))
            lines.append(line)
            if len(lines) > 1 and line[:3] == lines[0][:3] and line[3:4] in (b' ', b''):
                return self._complete()
            if len(lines) % 64 == 0:
                self._limit(sum(map(len, lines)))
        if len(data) > MAX_REPLY:
            self._limit(len(data) - self._at)
        return None

    def _complete(self):
        lines, self._lines = self._lines, []
        code, lines[0], lines[-1] = int(lines[0][:3]), lines[0][4:], lines[-1][4:]
        return Reply(code, _decode(b'\n'.join(lines)))

    @staticmethod
    def _limit(size):
        if size > MAX_REPLY:
            raise ProtocolError('The server sent a reply of more than %d bytes.' % MAX_REPLY)


def _decode(data):
    return data.decode(_ENCODING, _ERRORS)      # os.fsdecode, for what is known to be bytes


# ---------------------------------------------------------------- commands

def command(verb, argument=None):
    """The bytes of a command line.

    Raises ValueError for an argument that would end the line or can't be sent.
    """
    line = (verb if argument is None else '%s %s' % (verb, argument)).encode(_ENCODING, _ERRORS)
    if _UNSENDABLE.search(line):
        raise ValueError('CR, LF and NUL cannot be sent in an FTP command: %s'
                         % printable(verb))
    if len(line) > MAX_COMMAND:
        raise ValueError('An FTP command of %d bytes is too long: %s'
                         % (len(line), printable(verb)))
    return line + b'\r\n'


# ---------------------------------------------------------------- what replies say

def epsv_port(reply):
    """The port of a 229 reply to EPSV; None if it tells none. An address in it does not matter."""
    match = _EPSV.search(reply.text)
    return _port(int(match[2])) if match else None


def pasv_address(reply):
    """Host and port of a 227 reply to PASV, str and int; None if it tells none."""
    match = re.search(_PASV, reply.text)
    numbers = [int(number) for number in re.findall('[0-9]+', match[0])] if match else [256]
    if max(numbers) > 255 or not (number := _port(numbers[4] * 256 + numbers[5])):
        return None
    return '.'.join(map(str, numbers[:4])), number


def _port(number):
    return number if 0 < number < 65536 else None


def eprt(host, port):
    """The argument of EPRT, str, for an address (str) and port of ours."""
    return '|%d|%s|%d|' % (2 if ':' in host else 1, host.partition('%')[0], port)


def port(host, port):
    """The argument of PORT, str, for an IPv4 address."""
    return '%s,%d,%d' % (host.replace('.', ','), *divmod(port, 256))


def features(reply):
    """The features of a 211 reply to FEAT: {name in upper case: parameters}.

    Anything but 211 means none.
    """
    if reply.code != 211:
        return {}
    pairs = (line.strip().partition(' ') for line in reply.text.split('\n')[1:-1]
             if line.startswith(' '))
    return {name.upper(): parameters for name, _, parameters in pairs}


def size(reply):
    """The number of a 213 reply to SIZE, int; None if it is no number."""
    return _number(reply.text.strip())


def _number(text):
    """A size, int; None for what can't be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


@functools.lru_cache(1000)
def time(text):
    """Nanoseconds since 1970 of a time-val (RFC 3659, 2.3); None if it is none."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        return None
    date, hour, minute, second, fraction = match.groups()
    hour, minute, second = int(hour), int(minute), int(second)
    if (days := _days(date)) is None or hour > 23 or minute > 59 or second > 60:
        return None
    nanoseconds = int(((fraction or '') + '000000000')[:9])
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 10**9 + nanoseconds


@functools.lru_cache(1000)
def _days(date):
    """Days since 1970 of YYYYMMDD; None if there is no such day, or it is older."""
    try:
        days = datetime.date(int(date[:4]), int(date[4:6]), int(date[6:])).toordinal() - _EPOCH
    except ValueError:
        return None
    return days if days >= 0 else None


# ---------------------------------------------------------------- listings

_KINDS = {'file': 'file', 'dir': 'dir', 'cdir': 'self', 'pdir': 'self'}
_ODD = ' \t\ufeff'                  # what no name should begin with, a byte order mark among it
_ODD_NAMES = _ODD + '.'
_FACT = r'(?i)[a-z.]+=[^;]*;'
_KNOWN_FACT = r'(?i)(?:type|size|modify|perm|unique|unix\.[a-z]+)=[^;]*; '
_LONG = r'(?a)total [0-9]+[kKMG]?\s*$|[-dlbcps][-rwxsStTlL]{9}[.+@]?\s'


def mlsx_entry(line):
    """The Entry of one line of MLSD or MLST (RFC 3659, 7.2), bytes; None if it does not parse.

    `kind` is 'self' for the directory itself and its parent. A size that is no number is taken as
    unknown. None also for a name that begins with a blank, or has a slash in it: who knows what
    is meant; see `zeit.cds.ftp.guessing`.
    """
    text = line.decode(_ENCODING, _ERRORS)
    if '/' in text or ';  ' in text or not '!' < text[:1] < '\x7f':
        return _odd_mlsx_entry(text)
    return _mlsx_entry(text)


def _odd_mlsx_entry(text):
    entry = _mlsx_entry(text)
    if entry is not None and entry.kind != 'self' and ('/' in entry.name or entry.name[0] in _ODD):
        return None
    return entry


def _mlsx_entry(line):
    facts, space, name = line.partition(' ')
    if not space or not name:
        return None
    if not facts:
        return None if re.match(_FACT, name) else Entry(name)
    if '; ' in name and re.match(_KNOWN_FACT, name):        # there are blanks between the facts
        return None
    return facts_entry(facts, name) if facts.endswith(';') else None


def facts_entry(facts, name=''):
    """The Entry of facts, each of which ends with a semicolon; None if one of them is none."""
    found = _facts(facts)
    return None if found is None else Entry(name, *found)


@functools.lru_cache(5000)      # of most files we hear twice: from MLSD, then from MLST
def _facts(facts):
    size = modified = kind = None
    for fact in facts.split(';')[:-1]:
        key, equals, value = fact.partition('=')
        if not equals:
            return None
        key = key.lower()
        if key == 'size':
            size = _number(value)
        elif key == 'modify':
            modified = time(value)
        elif key == 'type':
            kind = _KINDS.get(value.lower(), 'other')
    return size, modified, kind


def mlst_entry(reply):
    """The Entry of a 250 reply to MLST; None if it does not parse."""
    for line in reply.text.split('\n')[1:-1]:
        if line.startswith(' '):
            return _mlsx_entry(line.lstrip())
    return None


def nlst_entry(line):
    """The Entry of one line of NLST, given as bytes. None for what is no mere name."""
    name = line.decode(_ENCODING, _ERRORS)
    if '/' in name or ' ' in name or name[:1] in _ODD_NAMES:
        return _odd_nlst_entry(name)
    return Entry(name)


def _odd_nlst_entry(name):
    if name in ('.', '..'):
        return Entry(name, kind='self')
    return None if '/' in name or name[:1] in _ODD or re.match(_LONG, name) else Entry(name)


class Lines:
    """Cuts a listing, as it comes over the data connection, into lines."""

    def __init__(self):
        self._rest = b''
        self._end = None

    def receive(self, data):
        """Take a piece; returns the list of lines (bytes, without their end) that it completed.

        Lines end with CRLF; only a listing that has none uses bare LF. Hence a LF inside a name
        stays visible there. Raises ProtocolError if a line is longer than any name can be.
        """
        self._rest += data
        if self._end is None and b'\n' in self._rest:
            self._end = b'\r\n' if b'\r\n' in self._rest else b'\n'
        if self._end is None:
            lines = []
        else:
            *lines, self._rest = self._rest.split(self._end)
        if len(self._rest) > MAX_LISTING_LINE:
            raise ProtocolError('The server sent a directory listing with a line of more than %d '
                                'bytes.' % MAX_LISTING_LINE)
        return [line for line in lines if line]

    def finish(self):
        """The last line, if it had no end."""
        rest, self._rest = self._rest, b''
        return [rest] if rest else []
