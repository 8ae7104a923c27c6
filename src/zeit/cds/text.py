"""What others say, fit for a person's eyes."""


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
