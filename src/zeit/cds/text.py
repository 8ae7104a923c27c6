"""What others say, fit for a person's eyes; and which of their names are those of lock files."""


def printable(text):
    """The text, fit for a log: no terminal, no log reader and no encoding stumbles over it."""
    if text.isprintable():
        return text
    return ''.join(map(_printable, text))


def _printable(character):
    if character.isprintable():
        return character
    number = ord(character)
    return '\\x%02x' % (number - 0xdc00 if 0xdc80 <= number <= 0xdcff else number)


def phrase(text):
    """What is quoted within a sentence of ours, which goes on or has a full stop of its own: str.

    text -- str, exception or Reply
    """
    return str(text).rstrip(' .')


def duration(seconds):
    """How long that is, without reckoning: '90 s', '5 min', '3 h', '2 days'."""
    if seconds < 120:
        return '%d s' % seconds
    if seconds < 120 * 60:
        return '%d min' % (seconds // 60)
    if seconds < 48 * 3600:
        return '%d h' % (seconds // 3600)
    return '%d days' % (seconds // 86400)


# ---------------------------------------------------------------- names of lock files

LOCKS = ('read', 'write')


def lock_named(name):
    """Which of LOCKS a name stands for on some server, str; None if it is a name like any other.

    There are servers that tell no capitals from small letters, show all names in capitals, with a
    version (`READ;1`), or with a full stop at their end.
    """
    if len(name) > 20:      # most names
        return None
    folded = name.partition(';')[0].strip().rstrip('. ').casefold()
    return folded if folded in LOCKS else None


def in_words(error):
    """What went wrong, and what to do about it: an exception's text and its notes."""
    return '\n'.join([str(error) or type(error).__name__, *getattr(error, '__notes__', ())])
