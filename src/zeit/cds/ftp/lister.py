"""How a server can be brought to list a directory, and what of its listing can be believed."""
import logging

from zeit.cds.ftp.batch import FTPBatch
from zeit.cds.ftp.listing import Listing, senseless
from zeit.cds.interfaces import Entry, NotSupported, PermanentError, ReplyError
from zeit.cds.text import printable


log = logging.getLogger(__name__)

# How names are asked for: the argument, and the type of the data connection. Twisted wants an
# argument; others list in ASCII only.
NLST = ((None, 'I'), ('.', 'I'), (None, 'A'))
LOOKED_AT = 20      # so many lines that led to no file are looked at: are they directories?


class Lister:
    """Lists the directory of a session."""

    def __init__(self, session, bounds):
        """
        session -- FTPSession
        bounds -- Bounds of a listing
        """
        self._session, self._findings = session, session.findings
        self._bounds = bounds

    def entries(self, transfer, heard=None):
        """What there is: a list of Entry. Arguments as below.

        Some servers list nothing of a directory that may not be read. If they don't list what we
        have stored, either, LIST may tell why.
        """
        entries, session = self._entries(transfer, heard), self._session
        if entries or not session.is_strange or session.stored is None or not (
                session.knows_size or session.knows_mlst) or session.asked(session.stored) is None:
            return entries
        log.debug('The server lists nothing, although there is %s.', printable(session.stored))
        try:
            return self._confirmed('LIST', transfer, heard, shares=False)
        except NotSupported:
            return []

    def _entries(self, transfer, heard):
        """By MLSD (RFC 3659) or NLST, whatever the server has: a list of Entry.

        transfer -- function of a verb, a Listing, an argument or None, and of a bool: may it share
            its last round trip? It returns entries.
        heard -- see Listing
        """
        session, refused = self._session, None
        if session.knows_mlsd:
            try:
                return self._confirmed('MLSD', transfer, heard)
            except PermanentError as e:
                log.debug('The server announces MLSD, but refuses it: %s', e)
                refused = e
        try:
            entries = self._names(transfer, heard)
        except PermanentError as e:
            if refused is None and session.is_strange and 'MLSD' not in self._findings.lacks:
                try:
                    return self._confirmed('MLSD', transfer, heard)
                except NotSupported:
                    session.lacks('MLSD')
            raise refused if isinstance(e, NotSupported) and refused is not None else e
        if refused is not None:
            if not entries and not isinstance(refused, NotSupported):
                raise refused       # so ProFTPD does if the directory may not be read
            session.lacks('MLSD')
        return entries

    def _names(self, transfer, heard):
        """By NLST, in the first of its forms that the server takes."""
        findings, first = self._findings, None
        for form in range(findings.nlst, len(NLST)):
            try:
                entries = self._confirmed('NLST', transfer, heard, *NLST[form])
            except PermanentError as e:
                if e.reply is None or not self._session.is_strange:
                    raise
                first = first or e
            else:
                findings.nlst = form
                return entries
        raise first

    def _confirmed(self, verb, transfer, heard, argument=None, type='I', shares=True):
        listing = Listing(verb, heard, self._bounds)
        if type == 'I':
            entries = transfer(verb, listing, argument, shares)
        else:
            entries = self._in_ascii(transfer, verb, listing, argument)
        return self._with_guesses(entries, listing.guesses) if listing.guesses else entries

    def _in_ascii(self, transfer, verb, listing, argument):
        control = self._session.control
        control.ask(('TYPE', 'A'))
        try:
            return transfer(verb, listing, argument, False)
        finally:
            if control.alive:
                control.ask(('TYPE', 'I'))

    # ------------------------------------------------------------ guesses

    def _with_guesses(self, entries, guesses):
        """The entries, and those that lines which are none may stand for.

        A name that the server does not know is given as it was listed, so that somebody misses it.
        Raises PermanentError if there is nothing that makes sense.
        """
        found, left = list(entries), guesses
        for n in range(max(len(guess.entries) for guess in guesses)):
            known, left = self._stat(left, n)
            found += known
        left = [guess for guess in left if not guess.optional]
        unknown = []
        for n, guess in enumerate(left):
            if n < LOOKED_AT and self._is_directory(guess.entries[0].name):
                found.append(Entry(guess.entries[0].name, kind='dir'))
            else:
                unknown.append(Entry(listed(guess)))
        if unknown and not found:
            raise senseless(left[0].line)
        return found + unknown

    def _stat(self, guesses, n):
        """The entries of which the server knows a file, and the other guesses.

        n -- which of their names is asked for
        """
        batch = FTPBatch(self._session)
        asked = [(guess, batch.stat(guess.entries[n].name, time=False))
                 for guess in guesses if len(guess.entries) > n]
        self._session.control.flush()
        left = [guess for guess in guesses if len(guess.entries) <= n]
        found = []
        for guess, pending in asked:
            try:
                stat = pending.get()
            except (ReplyError, ValueError):
                stat = None
            if stat is None:
                left.append(guess)
            else:
                found.append(guess.entries[n]._replace(size=stat.size, kind=stat.kind))
        return found, left

    def _is_directory(self, name):
        try:
            return self._session.kind(name) == 'dir'
        except (ReplyError, ValueError):
            return False

    # ------------------------------------------------------------ below

    def below(self, transfer, directory):
        """Names of what is in a directory below this one: a list."""
        session = self._session
        if session.knows_mlsd and 'NLST' in self._findings.lacks:
            return _names_of(transfer('MLSD', Listing('MLSD', bounds=self._bounds), directory))
        try:
            listing = Listing('NLST', bounds=self._bounds)
            entries = transfer('NLST', listing, directory)
            return _names_of(entries + [guess.entries[0] for guess in listing.guesses])
        except NotSupported:
            if 'MLSD' in self._findings.lacks:
                raise
            listed = transfer('MLSD', Listing('MLSD', bounds=self._bounds), directory)
            session.lacks('NLST')
            return _names_of(listed)


def listed(guess):
    """The name in a Guess as far as that is what the server wrote; hidden ones are known to be no
    part of an exchange."""
    name = guess.entries[0].name
    path = '/' in guess.name and not guess.name.startswith('./') and not name.startswith('.')
    return guess.name if path else name


def _names_of(entries):
    names = [entry.name.rpartition('/')[2] for entry in entries]
    return [name for name in names if name not in ('', '.', '..')]
