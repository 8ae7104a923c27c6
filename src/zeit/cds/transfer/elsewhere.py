"""Files that a server stores under another name than the one it was told.

Some strip or replace blanks, letters that they don't like, or those of one case; some number files
of one name, or keep versions of them. None of that is asked about while names are plain and files
are found: it is looked for only when one is not.
"""
import difflib
import hashlib
import re
import unicodedata

import zope.interface

from zeit.cds.interfaces import IByteSink, IPending, PermanentError, ReplyError
from zeit.cds.text import printable


PLAIN = re.compile('[A-Za-z0-9_][A-Za-z0-9._-]{0,99}')
SIMILAR = 0.3       # of 1.0: so much two names have in common, at least
MOST = 5            # so many similar ones are read, at most


def is_plain(name):
    """Do all servers keep this name as it is? Then it needs no look. bool"""
    return PLAIN.fullmatch(name) is not None and not name.endswith('.')


@zope.interface.implementer(IByteSink)
class Digest:
    """The SHA-256 of what comes, as `hexdigest`."""

    def __init__(self):
        self._buffer = memoryview(bytearray(64 * 1024))
        self._digest = hashlib.sha256()
        self.hexdigest = self._digest.hexdigest

    def buffer(self):
        return self._buffer

    def advance(self, count):
        self._digest.update(self._buffer[:count])


class NotThere(PermanentError):
    """The server says that it renamed a file, but has none of that name and size."""


@zope.interface.implementer(IPending)
class Renamed:
    """A rename, and a look for the new name. Raises NotThere."""

    def __init__(self, renamed, seen, job):
        """
        renamed -- IPending of the rename
        seen -- IPending of an Entry
        """
        self._renamed, self._seen, self._job = renamed, seen, job

    def get(self):
        self._renamed.get()
        entry = self._seen.get()
        if entry is None or entry.size not in (None, self._job.size):
            raise NotThere('it was stored, but has not got its name')


def temporary(line, name):
    """The Entry of the file that was to be called so, a temporary name; None if there is none.

    The random part of the name tells that it is ours.
    """
    token = name.rsplit('.', 2)[1]
    found = [entry for entry in line.entries() if token in entry.name.casefold()]
    return next((entry for entry in found if entry.name == name), found[0] if found else None)


def final(line, name, size, digest, others):
    """The same of a file with its own name. What is in it tells that it is ours.

    digest -- SHA-256 in hex
    others -- function of a name: is it that of another file?
    """
    similar = [entry for entry in line.entries() if entry.name == name or
               entry.size in (None, size) and _alike(entry.name, name) and not others(entry.name)]
    similar.sort(key=lambda entry: -_likeness(entry.name, name))
    return next((entry for entry in similar[:MOST]
                 if entry.name == name or _holds(line.session, entry.name, digest)), None)


def _holds(session, name, digest):
    found = Digest()
    try:
        session.read(name, found)
    except ReplyError:
        return False
    return found.hexdigest() == digest


def _alike(one, other):
    return not one.startswith('.') and _likeness(one, other) >= SIMILAR


def _likeness(one, other):
    return difflib.SequenceMatcher(None, _folded(one), _folded(other), autojunk=False).ratio()


def _folded(name):
    return unicodedata.normalize('NFC', name.casefold())


def reason(name, temporary=None):
    """Why a file is not exchanged that the server stored under this name, to go on with: str.

    temporary -- how it was to be called meanwhile
    """
    if temporary is not None:
        name = name.removeprefix('.').split('.' + temporary.rsplit('.', 2)[1])[0]
    return ("the server would not keep its name: it would be called %s there. Rename it"
            % printable(name))


NO_ROOM = 452, 552


def remedy(error, feed):
    """What a person has to ask for because of this error, to follow it in a sentence: str.

    error -- ReplyError, for which a file could not be stored
    """
    reply = error.reply
    code, text = (None, str(error).lower()) if reply is None else (reply.code, str(reply).lower())
    if code in NO_ROOM or 'quota' in text:
        return (". The quota of the user %s, or the server's disk, is full: ask the server's "
                'operator to make room' % printable(feed.user))
    if code == 532 or code == 550:
        return (". The user %s needs the right to create, rename and remove files in %s: ask the "
                "server's operator for it" % (printable(feed.user), printable(feed.ftp_dir)))
    if code == 553:
        return ". If it is the name that the server does not like, rename the file"
    return ''
