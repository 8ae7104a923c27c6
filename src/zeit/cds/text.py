"""What others say, fit for a person's eyes."""


def printable(text):
    """Text that may go into a log: one that no terminal, no log reader and no encoding stumbles over."""
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else '\\x%02x' % (ord(c) - 0xdc00 if 0xdc80 <= ord(c) <= 0xdcff else ord(c))
                   for c in text)
