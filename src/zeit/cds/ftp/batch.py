"""Commands without data that may share a round trip: the verbs of IBatch in those of FTP.

SIZE tells whether there is a regular file, and how large the target of a symbolic link is. To
MLST, a pipe is a file on some servers, and a link is as large as the path in it; but it tells the
time as MLSD does.
"""
import logging

import zope.interface

from zeit.cds.ftp import protocol
from zeit.cds.ftp.existence import NOT_IMPLEMENTED, UNSUPPORTED
from zeit.cds.interfaces import Entry, IBatch, IPending, TemporaryError


log = logging.getLogger(__name__)


def done(reply):
    """What most commands want: 2yz, and nothing more."""
    if reply.code // 100 != 2:
        raise protocol.error(reply)


@zope.interface.implementer(IPending)
class Known:
    """It needs no command: None, or a ValueError for a name that can't be sent."""

    __slots__ = ('_error',)

    def __init__(self, error=None):
        self._error = error

    def get(self):
        if self._error is not None:
            raise self._error


@zope.interface.implementer(IPending)
class Stat:
    """An Entry, by what several commands tell. Each argument is a Pending, or None."""

    __slots__ = ('_session', '_name', '_size', '_described', '_modified', '_there')

    def __init__(self, session, name, size=None, described=None, modified=None, there=None):
        """
        size -- of the Entry that SIZE gives
        described -- of that of MLST
        modified -- of the time that MDTM gives
        there -- of bool: has RNFR found anything? The server does not know SIZE, then.
        """
        self._session, self._name = session, name
        self._size, self._described, self._modified = size, described, modified
        self._there = there

    def get(self):
        if self._there is not None:
            return self._session.search(self._name, self._there.get())
        entry = None if self._size is None else outcome(
            self._session, self._size, 'SIZE', self._name)
        if self._described is not None:
            return self._with_description(entry)
        if entry is None:
            return None
        if entry.kind == UNSUPPORTED:
            log.debug('The server does not know SIZE')
            return self._session.asked(self._name)
        if self._session.findings.sizes_directories:
            entry = entry._replace(kind=None)
        return entry if self._modified is None else entry._replace(modified=self._time())

    def _time(self):
        try:
            return self._modified.get()
        except TemporaryError:      # SIZE has told that it is there
            return None

    def _with_description(self, entry):
        session = self._session
        described = outcome(session, self._described, 'MLST', self._name)
        if described is not None and described.kind == UNSUPPORTED:
            # MLST is announced, but not there
            return None if self._size is not None and entry is None else session.asked(self._name)
        if self._size is not None and (entry is None) != (described is None) and (
                session.is_strange):
            return session.existence.one_of_them(self._name)
        if self._size is not None and entry is None or described is None:
            return self._denied()
        if described.kind == 'dir':
            session.findings.sizes_directories = self._size is not None
            return None
        if entry is not None and entry.kind != UNSUPPORTED:
            return entry._replace(modified=described.modified)
        if described.kind == 'file':
            return described
        if self._size is None and session.knows_size:
            return session.asked(self._name)    # a link perhaps, where none was expected
        return None

    def _denied(self):
        """MLST alone denies it; or SIZE does, with a server that is known."""
        session = self._session
        if self._size is None and session.is_strange and session.knows_size:
            return session.existence.one_of_them(self._name)
        return None


class Judged:
    """An IPending whose failure is looked at: is it one that passes?"""

    __slots__ = ('_pending', '_judge')

    def __init__(self, pending, judge):
        """
        judge -- function of a TemporaryError, gives the error to raise
        """
        self._pending, self._judge = pending, judge

    def get(self):
        try:
            return self._pending.get()
        except TemporaryError as e:
            raise self._judge(e) from e


@zope.interface.implementer(IBatch)
class FTPBatch:
    """Queues commands, which go out with the session's next write. See IBatch."""

    __slots__ = ('_session', '_later')

    def __init__(self, session):
        """
        session -- FTPSession
        """
        self._session, self._later = session, session.control.later

    def stat(self, name, regular=False, time=True):
        session = self._session
        mlst, size = session.knows_mlst, session.knows_size
        if mlst and size and session.is_strange and not (
                regular and ('MLST' if time else 'SIZE') in session.findings.seen):
            # Who knows which of them is blind? And SIZE may take a directory for a file.
            return Stat(session, name, self.size(name), self.described(name))
        if time and mlst:
            return Stat(session, name, None if regular or not size else self.size(name),
                        self.described(name))
        if size:
            return Stat(session, name, self.size(name),
                        modified=self._later(modified, 'MDTM', name) if time else None)
        if mlst:
            return Stat(session, name, None, self.described(name))
        return Stat(session, name, there=self._later(is_there, 'RNFR', name))

    def size(self, name):
        """What SIZE tells: the IPending of an Entry, or None. Its kind is UNSUPPORTED if
        there is no SIZE.
        """
        return self._later(self._size(name), 'SIZE', name)

    def described(self, name):
        """What MLST tells: the IPending of an Entry, or None. Its kind is UNSUPPORTED
        if there is no MLST.
        """
        return self._later(self._described(name), 'MLST', name)

    def _size(self, name):
        def size(reply):
            if reply.code == 213:
                self._session.findings.seen.add('SIZE')
                return Entry(name, protocol.size(reply), None, 'file')
            if reply.code in NOT_IMPLEMENTED:
                self._session.lacks('SIZE')
                return Entry(name, kind=UNSUPPORTED)
            return missing(reply)
        return size

    def _described(self, name):
        def described(reply):
            if reply.code == 250:
                entry = protocol.mlst_entry(reply)
                if entry is None or entry.kind in ('file', None):
                    self._session.findings.seen.add('MLST')
                    return Entry(name, entry and entry.size, entry and entry.modified, 'file')
                return entry._replace(name=name)
            if self._session.came_by_data(reply):
                return Entry(name, kind=UNSUPPORTED)
            # 501 is pyftpdlib's answer for a missing file.
            if reply.code in NOT_IMPLEMENTED and reply.code != 501:
                self._session.lacks('MLST')
                return Entry(name, kind=UNSUPPORTED)
            return missing(reply)
        return described

    def remove(self, name):
        self._session.note_removed(name)
        return self._later(done, 'DELE', name)

    def rename(self, source, target):
        replies = []

        def renamed(reply):
            # If RNFR was refused, its reply tells why, that of RNTO only that it came out of turn.
            if replies[0].code // 100 in (4, 5):
                raise protocol.error(replies[0])
            done(reply)

        try:
            protocol.command('RNFR', source)    # both, or none
            protocol.command('RNTO', target)
        except ValueError as e:
            return Known(e)
        self._later(replies.append, 'RNFR', source)
        return self._later(renamed, 'RNTO', target)

    def make_directory(self, name):
        return self._judged(done, 'MKD', name)

    def remove_directory(self, name):
        return self._judged(done, 'RMD', name)

    def _judged(self, interpret, verb, name):
        return Judged(self._later(interpret, verb, name),
                      lambda error: self._session.existence.judged(verb, name, error))

    def stored_name(self, name):
        return self._later(called, 'MLST', name) if self._session.knows_mlst else Known()


def outcome(session, pending, verb, name):
    """What an IPending gives; None, too, if its error is how this server says that there is no such
    file."""
    try:
        return pending.get()
    except TemporaryError as e:
        if session.existence.means_missing(verb, name, e):
            return None
        raise


def missing(reply):
    """None, for a reply that says that there is no such file. Raises TemporaryError."""
    if reply.code // 100 != 5:
        raise protocol.error(reply)


def modified(reply):
    """The time of a reply to MDTM; None where there is none."""
    return protocol.time(reply.text) if reply.code == 213 else None


def is_there(reply):
    """Has RNFR found anything? bool; None if the server does not know it."""
    return None if reply.code in NOT_IMPLEMENTED else reply.code == 350


def called(reply):
    """The name in a reply to MLST; None where there is none."""
    entry = protocol.mlst_entry(reply) if reply.code == 250 else None
    return entry and entry.name.rpartition('/')[2]
