"""A directory listing as it comes over the data connection: cut into lines, parsed, limited."""
import logging
import os

import zope.interface

from zeit.cds.ftp import protocol
from zeit.cds.interfaces import FTPError, IByteSink
from zeit.cds.text import printable


log = logging.getLogger('zeit.cds')

MAX_ENTRIES = 2_000_000
MAX_BYTES = 512 * 2**20
NONSENSE = 10           # lines without sense that are told of one by one
BUFFER = 64 * 1024      # bytes


@zope.interface.implementer(IByteSink)
class Listing:
    """The entries of one listing, in `entries`."""

    def __init__(self, parse, heard=None, max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES):
        """
        parse -- function that makes an Entry of a line (bytes), or None of one that makes no sense
        heard -- called with the number of entries so far, as they come
        max_entries, max_bytes -- of a listing that may still have an end
        """
        self.entries = []
        self._parse, self._heard = parse, heard
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._lines = protocol.Lines()
        self._size = self._nonsense = 0
        self._buffer = memoryview(bytearray(BUFFER))

    def buffer(self):
        return self._buffer

    def advance(self, count):
        """Raises ProtocolError, and FTPError if the listing has no end."""
        self._size += count
        self._add(self._lines.receive(bytes(self._buffer[:count])))
        lines = len(self.entries) + self._nonsense
        if lines > self._max_entries or self._size > self._max_bytes:
            error = FTPError('The listing of the directory seems to be without end: there are %d '
                             'entries already, in %d bytes.' % (len(self.entries), self._size))
            error.add_note('If there are so many files, move some out of the directory.')
            raise error
        if self._heard is not None:
            self._heard(len(self.entries))

    def finish(self, final):
        """The listing has ended; returns the entries.

        final -- text of the server's final reply
        """
        self._add(self._lines.finish())
        if 'truncated' in final.lower():
            log.debug('The server cut the listing off: %s', printable(final))
        if self._nonsense > NONSENSE:
            log.warning('%d lines of the listing make no sense.', self._nonsense)
        return self.entries

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
            log.warning('A line of the listing makes no sense: %s',
                        printable(os.fsdecode(line[:200])))


def says_empty(error):
    """Is this ReplyError how some servers answer the NLST of an empty directory?

    CWD has proved that it is there.
    """
    text = str(error).lower()
    return text[:3] in ('450', '550') and any(
        word in text for word in ('no files', 'not found', 'no such', 'empty'))
