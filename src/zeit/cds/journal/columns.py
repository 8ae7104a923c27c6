"""What stands in the columns of the tables, whatever has them there."""


VERSION = 1         # of the tables
# States of files that are no end
OPEN = 'waiting', 'failed', 'whole'
ENDS = 'published', 'taken', 'gone', 'unknown'
PENDING = *OPEN, 'unknown', 'aside'     # what somebody may have to look after


def pending(state, direction):
    """The column of this name."""
    is_waited_for = (state, direction) == ('published', 'import')
    return state if state in PENDING or is_waited_for else None


def written(name):
    r"""Names, and what others say, any bytes, as text: what is no UTF-8 is \xHH, NUL as well, and \
    is \\.
    """
    if '\\' in name:
        name = name.replace('\\', '\\\\')
    try:
        name.encode('utf-8')
    except UnicodeEncodeError:
        name = ''.join('\\x%02x' % (ord(c) - 0xdc00) if '\udc80' <= c <= '\udcff' else c
                       for c in name)
    return name.replace('\0', '\\x00')      # PostgreSQL bears none


def read(text):
    """The name that was written so."""
    if '\\' not in text:
        return text
    parts = text.split('\\\\')
    return '\\'.join(_read(part) for part in parts)


def _read(text):
    first, *others = text.split('\\x')
    return first + ''.join(_byte(int(other[:2], 16)) + other[2:] for other in others)


def _byte(number):
    return chr(number if number < 0x80 else 0xdc00 + number)


def bounded(value):
    """What servers say of sizes and times, as a column has it: None if it is too large for one."""
    return value if value is None or -2**63 <= value < 2**63 else None


def later_version(name, version):
    """Why a journal of this name cannot be used: a sentence."""
    return ('The journal %s was made by a later version of zeit.cds (%d, this one knows %d). '
            'Upgrade this machine, too.' % (name, version, VERSION))
