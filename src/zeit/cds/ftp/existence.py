"""What there is under a name, on servers that do not tell it in the usual way.

Some announce MLST, which denies each file; others have a SIZE that does, or one that takes a
directory for a file. Some say 450 where others say 550. So it is found out what their answers
mean, once in a run.
"""
import logging
import os
import re

from zeit.cds.interfaces import ConnectionLost, PermanentError, ReplyError, TemporaryError


log = logging.getLogger(__name__)

NOT_IMPLEMENTED = (500, 501, 502, 504, 522)
UNSUPPORTED = 'unsupported'     # instead of a kind: the server does not know the verb
_PASSING = '(?i)busy|try|later|lock|in use|temporar|too many'
_PATH = '"((?:[^"]|"")+)"'


class Existence:
    """Asks the server of a session what a name stands for."""

    def __init__(self, session):
        """
        session -- FTPSession
        """
        self._session, self._findings = session, session.findings
        self._control = session.control
        self._home = None       # the path of our directory, once we had to come back to it

    # ------------------------------------------------------------ kinds

    def kind(self, name):
        """See ICDSSession."""
        kind = None
        if self._session.knows_mlst:
            entry = self._session.described(name)
            kind = entry and entry.kind
            if kind in ('file', 'dir') or kind is None and self._is_believed('MLST'):
                return kind
        if self.is_directory(name):
            return 'dir'
        if self._session.asked(name) is not None:
            return 'file'
        return kind and 'other'

    def exists(self, name):
        """See ICDSSession."""
        session, control = self._session, self._control
        if session.knows_mlst:
            described, = control.ask(('MLST', name))
            if session.came_by_data(described):
                pass
            elif described.code == 501 or described.code not in NOT_IMPLEMENTED:
                if described.code == 250 or self._is_believed('MLST'):
                    return described.code == 250
            else:
                session.lacks('MLST')
        if session.is_strange:
            return self.is_directory(name) or self._is_seen(name)
        # Where there is MLST, RNFR would not do: ProFTPD demands RNTO then before it takes
        # another EPSV.
        renamed, entered = control.ask(('RNFR', name), ('CWD', name))
        if entered.positive:
            self._leave(name)
            return True
        if renamed.code in NOT_IMPLEMENTED:
            return self._is_listed(name)
        return renamed.code == 350

    def _is_believed(self, verb):
        """Does it prove anything if this verb denies a file? bool"""
        return not self._session.is_strange or verb in self._findings.seen

    def _is_seen(self, name):
        # Not by RNFR: Twisted answers 350 whatever there is, and 503 to all that follows.
        if self._session.knows_size or self._session.knows_mlst:
            return self._session.asked(name) is not None
        return self._is_listed(name)

    def _is_listed(self, name):
        directory, _, last = name.rpartition('/')
        session = self._session
        return last in (session.names(directory) if directory else session.listed_names())

    # ------------------------------------------------------------ directories

    def is_directory(self, name):
        """Does CWD lead there? bool"""
        if self._home is None:
            here, = self._control.ask(('PWD',))
            match = re.search(_PATH, here.text) if here.code == 257 else None
            self._home = match[1].replace('""', '"') if match else ''
        entered, = self._control.ask(('CWD', name))
        if entered.positive:
            self._leave(name)
        return entered.positive

    def _leave(self, name):
        # Not by CDUP if it can be helped: the directory may be a link to somewhere else.
        back = [('CWD', self._home)] if self._home else [('CDUP',)] * (1 + name.count('/'))
        *_, left = self._control.ask(*back)
        if not left.positive:
            raise self._control.lost(ConnectionLost(
                'The server does not let us leave %s: %s' % (name, left)))

    def is_no_file(self, name):
        """Is it a directory, although SIZE knows it? bool"""
        findings = self._findings
        if findings.sizes_directories is None:
            reply, = self._control.ask(('SIZE', '.'))
            findings.sizes_directories = reply.code == 213
        return findings.sizes_directories and self.is_directory(name)

    # ------------------------------------------------------------ what answers mean

    def one_of_them(self, name):
        """SIZE and MLST disagree about a file: the Entry, or None if it is not there.

        Either may know it alone: then the other one is blind, and is asked no more.
        """
        size, described = self._session.both(name)
        if UNSUPPORTED in (size and size.kind, described and described.kind):
            return self._session.asked(name)
        if size is None and described is None or described and described.kind == 'dir':
            return None
        if size is not None and described is not None:
            return size._replace(modified=described.modified)
        if described is not None and described.kind != 'file':
            return None         # a link that leads nowhere
        blind = 'MLST' if described is None else 'SIZE'
        if blind in self._findings.seen:    # it isn't: this is a pipe, or the like
            return size
        log.debug('The %s of this server denies files that are there.', blind)
        self._session.lacks(blind)
        return self._session.asked(name)

    def means_missing(self, verb, name, error):
        """Is this TemporaryError how the server says that there is no such file? bool"""
        reply = error.reply
        if reply is None or not self._session.is_strange or re.search(_PASSING, reply.text):
            return False
        pattern = verb, reply.code, reply.text.replace(name, '')
        if pattern not in self._findings.missing:
            other = '.cds-none-%s' % os.urandom(4).hex()
            answer, = self._control.ask((verb, other))
            if (verb, answer.code, answer.text.replace(other, '')) != pattern:
                return False
            self._findings.missing.add(pattern)
        return True

    def judged(self, verb, name, error):
        """The error to raise for this one: some servers give a code that passes to what does not.
        """
        if isinstance(error, TemporaryError) and error.reply is not None and (
                self._session.is_strange and self._session.alive):
            try:
                if verb in ('MKD', 'RMD') or self._session.stat(name) is None:
                    return permanent(error)
            except ReplyError as e:
                log.debug('While asking for %s: %s', name, e)
        return error


def permanent(error):
    """A PermanentError instead of another ReplyError."""
    found = PermanentError(str(error))
    found.reply = error.reply
    return found
