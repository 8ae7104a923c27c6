"""A directory listing as it comes over the data connection: cut into lines, parsed, and limited."""
import logging
import os

from zeit.cds.ftp import protocol
from zeit.cds.interfaces import FTPError
from zeit.cds.text import printable


log = logging.getLogger('zeit.cds')

MAX_ENTRIES = 2_000_000
MAX_BYTES = 512 * 2**20
NONSENSE = 10               # lines without sense that are told of one by one


class Listing:
    """The entries of one listing, in `entries`."""

    def __init__(self, parse):
        """
        parse -- function that makes an Entry of a line (bytes), or None of a line that makes no sense
        """
        self.entries = []
        self._parse = parse
        self._lines = protocol.Lines()
        self._size = self._nonsense = 0

    def receive(self, piece):
        """Take a piece of the listing (memoryview). Raises ProtocolError, and FTPError if the listing has no end."""
        self._size += len(piece)
        self._add(self._lines.receive(bytes(piece)))
        if len(self.entries) + self._nonsense > MAX_ENTRIES or self._size > MAX_BYTES:
            error = FTPError('The listing of the directory seems to be without end: there are %d entries already, '
                             'in %d bytes.' % (len(self.entries), self._size))
            error.add_note('If there are so many files, move some out of the directory.')
            raise error

    def finish(self):
        """The listing has ended."""
        self._add(self._lines.finish())
        if self._nonsense > NONSENSE:
            log.warning('%d lines of the listing make no sense.', self._nonsense)

    def _add(self, lines):
        for line in lines:
            entry = self._parse(line)
            if entry is None:
                self._tell(line)
            elif entry.kind != 'self':
                self.entries.append(entry)

    def _tell(self, line):
        self._nonsense += 1
        if self._nonsense <= NONSENSE:
            log.warning('A line of the listing makes no sense: %s', printable(os.fsdecode(line[:200])))


def says_empty(error):
    """Is this ReplyError how some servers answer the NLST of an empty directory? CWD has proved that it is there."""
    text = str(error).lower()
    return text[:3] in ('450', '550') and any(word in text for word in ('no files', 'not found', 'no such', 'empty'))
