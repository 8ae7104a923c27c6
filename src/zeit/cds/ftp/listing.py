"""A directory listing as it comes over the data connection: cut into lines, parsed, limited."""
import logging
import os
import re
from typing import NamedTuple

import zope.interface

from zeit.cds.ftp import protocol
from zeit.cds.interfaces import FTPError, IByteSink, PermanentError
from zeit.cds.text import printable


log = logging.getLogger('zeit.cds')

NONSENSE = 10           # lines without sense that are told of one by one
BUFFER = 64 * 1024      # bytes

# What a line is, strictly. Of what it may be, see `guessing`, which few servers need.
PARSERS = {'MLSD': protocol.mlsx_entry, 'NLST': protocol.nlst_entry, 'LIST': lambda line: None}
_EMPTY = r'(?i)no (?:such )?(?:files|file|data sets|members|entries)|not found|empty|nothing'
_DENIED = (r"(?i)fail|denied|unable|cannot|can't|could not|not open|permission|no access|"
           r'not allowed|forbidden|unauthori[sz]ed')


class Bounds(NamedTuple):
    """How long a listing may be that may still have an end."""

    entries: int = 2_000_000
    bytes: int = 512 * 2**20


BOUNDS = Bounds()


@zope.interface.implementer(IByteSink)
class Listing:
    """The entries of one listing, in `entries`; what has to be confirmed, in `guesses`."""

    def __init__(self, verb, heard=None, bounds=BOUNDS):
        """
        verb -- 'MLSD', 'NLST' or 'LIST'
        heard -- called with the number of entries so far, as they come
        bounds -- Bounds
        """
        self.entries, self.guesses = [], []
        self._verb, self._parse = verb, PARSERS[verb]
        self._heard = heard
        self._bounds = bounds
        self._lines = protocol.Lines()
        self._size = self._nonsense = 0
        self._first = None      # line that makes no sense
        self._buffer = memoryview(bytearray(BUFFER))

    def buffer(self):
        return self._buffer

    def advance(self, count):
        """Raises ProtocolError, and FTPError if the listing has no end."""
        self._size += count
        self._add(self._lines.receive(bytes(self._buffer[:count])))
        lines = len(self.entries) + len(self.guesses) + self._nonsense
        if lines > self._bounds.entries or self._size > self._bounds.bytes:
            error = FTPError('The listing of the directory seems to be without end: there are %d '
                             'entries already, in %d bytes.' % (len(self.entries), self._size))
            error.add_note('If there are so many files, move some out of the directory.')
            raise error
        if self._heard is not None:
            self._heard(len(self.entries) + len(self.guesses))

    def finish(self, final):
        """The listing has ended; returns the entries.

        final -- text of the server's final reply
        Raises PermanentError if there are none, and that is not because the directory is empty.
        """
        for line in self._lines.finish():       # without an end: perhaps cut off
            entry = self._parse(line)
            if entry is None and self.entries:
                self._tell(line)
            else:
                self._add([line])
        if 'truncated' in final.lower():
            log.debug('The server cut the listing off: %s', printable(final))
        if self._nonsense > NONSENSE:
            log.warning('%d lines of the listing make no sense.', self._nonsense)
        if not self.entries and not self.guesses:
            if self._nonsense:
                raise senseless(self._first)
            check_empty(final)
        return self.entries

    def _add(self, lines):
        for line in lines:
            entry = self._parse(line)
            if entry is None:
                self._understand(line)
            elif entry.kind != 'self':
                self.entries.append(entry)

    def _understand(self, line):
        from zeit.cds.ftp import guessing  # few servers need it
        guess = guessing.BY_VERB[self._verb](line)
        if guess is None:
            return self._tell(line)
        kinds = {entry.kind for entry in guess.entries} - {'self'}
        if kinds & {'dir', 'other'}:
            self.entries.append(guess.entries[0])
        elif kinds:
            self.guesses.append(guess)

    def _tell(self, line):
        self._nonsense += 1
        self._first = self._first or line
        if self._nonsense <= NONSENSE:
            log.warning('A line of the listing makes no sense: %s',
                        printable(os.fsdecode(line[:200])))


def senseless(line):
    """The PermanentError for a listing of which no line makes sense; line -- bytes or str"""
    error = PermanentError('The listing of the directory makes no sense: %s' % printable(
        os.fsdecode(line[:200])))
    error.add_note('Look at the directory with another FTP client. With quirks="no-mlsd" the names '
                   'alone are asked for.')
    return error


def check_empty(final):
    """Raises PermanentError if the text of the final reply to an empty listing tells that the
    directory could not be read: so vsftpd does, with 226."""
    if re.search(_DENIED, final):
        error = PermanentError('The server does not list the directory: %s' % printable(
            final[:500]).rstrip(' .'))
        error.add_note("Ask the server's operator for the right to read the directory.")
        raise error


def says_empty(error):
    """Is this ReplyError how some servers answer the NLST of an empty directory? Or a final reply
    where there should have been data. CWD has proved that the directory is there.
    """
    reply = error.reply
    if reply is None:
        return False
    if reply.code in (226, 250):
        check_empty(reply.text)
        return True
    return (reply.code in (450, 550) and re.search(_EMPTY, reply.text) is not None
            and re.search(_DENIED, reply.text) is None)
