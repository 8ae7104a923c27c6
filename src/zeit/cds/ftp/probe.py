"""What a server is, bears and lacks, in words: for --probe, and for bug reports.

It changes nothing but what it removes again.
"""
import contextlib
import time

from zeit.cds.ftp import protocol
from zeit.cds.ftp.quirks import BY_GREETING, WAYS
from zeit.cds.interfaces import FTPError
from zeit.cds.memory import read
from zeit.cds.net.stream import connected, connecting
from zeit.cds.text import printable


# Always the same names, so that what a kill leaves is there once at most.
FILE = '.cds-probe'
OTHER = '.cds-probe-2'
NAMED = '.cds-probe \u00e4\u20ac'
DIRECTORY = '.cds-probe-directory'
CONTENTS = b'zeit.cds\r\n\xff\0'
LONGEST = 2000              # characters of a text
QUARTER = 15 * 60           # seconds: time zones differ by multiples of it
SECONDS = 5                 # for a data connection


def describe(session):
    """What was found out about the server of an FTPSession: pairs of a subject and a text."""
    return Description(session)()


class Description:
    """Asks one question after the other."""

    def __init__(self, session):
        self.found = []         # pairs of a subject and a text
        self._session, self._control = session, session.control
        self._findings, self._quirks = session.findings, session.quirks
        self._made = []         # commands that remove what was made
        self._mkd_proves = None

    def __call__(self):
        steps = (
            ('greeting', self._greeting), ('system', lambda: self._reply('SYST')),
            ('encryption', self._encryption), ('features', self._features),
            ('distance', self._distance), ('several commands', self._pipelining),
            ('directory', lambda: self._reply('PWD')),
            ('EPSV', lambda: self._way('EPSV')), ('PASV', lambda: self._way('PASV')),
            ('listing', self._listing), ('upload', self._upload),
            ('SIZE', lambda: self._on('SIZE')), ('MDTM', lambda: self._on('MDTM')),
            ('MLST', lambda: self._on('MLST')),
            ('SIZE of no file', lambda: self._reply('SIZE', '.cds-none')),
            ('clock', self._clock), ('download', self._download),
            ('names', self._names), ('rename', self._rename), ('directories', self._directories))
        try:
            for subject, step in steps:
                if not self._control.alive:
                    self._tell('session', 'It has ended. What would follow was not asked.')
                    break
                self._do(subject, step)
        finally:
            self._clean_up()
        self._do('found out', self._lacks)
        self._do('the program', self._consequences)
        return self.found

    def _tell(self, subject, text):
        self.found.append((subject, ' / '.join(
            printable(line.strip()) for line in text[:LONGEST].split('\n'))))

    def _do(self, subject, step):
        try:
            self._tell(subject, step())
        except FTPError as e:
            self._tell(subject, 'no: %s' % e)

    def _ask(self, *command):
        reply, = self._control.ask(command)
        return reply

    def _reply(self, *command):
        return '%s' % (self._ask(*command),)

    # ------------------------------------------------------------ the server

    def _greeting(self):
        text = self._session.greeting
        known = next((name for name in BY_GREETING if name in text), None)
        return '%s (%s)' % (text[:500], 'known: %s' % known if self._quirks.known
                            else 'not known, so it has to show what it bears')

    def _encryption(self):
        sock = self._control.stream.socket
        return '%s, %s' % (sock.version(), sock.cipher()[0]) if hasattr(sock, 'cipher') else 'none'

    def _features(self):
        return '; '.join(' '.join(pair).strip() for pair in self._session.features.items()) or (
            'none are told')

    def _distance(self):
        return '%.1f ms there and back' % (1000 * self._findings.latency)

    def _pipelining(self):
        if self._findings.one_at_a_time:
            return 'no, it gets one at a time (%s)' % (
                'it is known otherwise' if self._quirks.pipelining
                else 'a probe failed, or quirks say so')
        return 'yes (%s)' % ('it is known' if self._quirks.known else 'it passed a probe')

    # ------------------------------------------------------------ data connections

    def _way(self, verb):
        self._session.data.drop_ahead()
        reply = self._ask(verb)
        if reply.code // 100 != 2:
            return 'no: %s' % (reply,)
        told = protocol.pasv_address(reply) if verb == 'PASV' else (
            None, protocol.epsv_port(reply))
        if told is None or told[1] is None:
            return 'no, this makes no sense: %s' % (reply,)
        host, port = told
        text = self._connects(port)
        if host in (None, self._findings.address[1][0]):
            return text
        return '%s; it names the host %s, which counts only with quirks="pasv-host"' % (text, host)

    def _connects(self, port):
        family, (host, _, *rest) = self._findings.address
        try:
            connected(connecting(family, (host, port, *rest)),
                      min(SECONDS, self._control.stream.timeout)).close()
        except OSError as e:
            return 'no: port %d does not answer: %s' % (port, e or type(e).__name__)
        return 'yes'

    # ------------------------------------------------------------ files

    def _listing(self):
        begun = time.monotonic()
        entries = list(self._session.entries())
        told = [name for name, known in (
            ('size', any(entry.size is not None for entry in entries)),
            ('time', any(entry.modified is not None for entry in entries)),
            ('kind', any(entry.kind is not None for entry in entries))) if known]
        return '%s by %s, %d entries in %.2f s%s' % (
            self._listed_by(), WAYS[self._findings.way], len(entries), time.monotonic() - begun,
            ', with their %s' % ', '.join(told) if told else '')

    def _listed_by(self):
        return 'MLSD' if self._session.knows_mlsd else 'NLST'

    def _upload(self):
        self._made.append(('DELE', FILE))
        try:
            self._session.write(FILE, CONTENTS)
        except FTPError:
            self._made.pop()
            raise
        return 'yes'

    @property
    def _has_file(self):
        return ('DELE', FILE) in self._made

    def _on(self, verb):
        return self._reply(verb, FILE) if self._has_file else 'not asked: there is no file'

    def _clock(self):
        entry = self._session.stat(FILE) if self._has_file else None
        if entry is None or entry.modified is None:
            return 'it tells no times'
        ahead = entry.modified / 10**9 - time.time()
        zones = abs(ahead) > QUARTER / 2 and abs(ahead - QUARTER * round(ahead / QUARTER)) < 60
        return '%+.1f s compared with ours%s' % (
            ahead, ', so it tells times of its own time zone' if zones else '')

    def _download(self):
        if not self._has_file:
            return 'not tried: there is no file'
        data = read(self._session, FILE, 1000)
        return 'yes' if data == CONTENTS else 'no: %r came for %r' % (data, CONTENTS)

    def _names(self):
        """Does a name stay what it is?"""
        if not self._has_file:
            return 'not tried: there is no file'
        self._made.append(('DELE', NAMED))
        self._session.write(NAMED, CONTENTS)
        called = self._session.stored_name(NAMED)
        known = self._session.stat(NAMED) is not None
        return 'UTF-8 and blanks: %s' % (
            'no, it is not there afterwards' if not known
            else 'yes' if called in (None, NAMED) else 'it calls %s %s' % (NAMED, called))

    def _rename(self):
        if not self._has_file:
            return 'not tried: there is no file'
        self._made.append(('DELE', OTHER))
        self._session.rename(FILE, OTHER)
        self._made.remove(('DELE', FILE))
        return 'yes'

    def _directories(self):
        """Does MKD fail for a directory that is there? Only then it proves anything."""
        first = self._ask('MKD', DIRECTORY)
        if first.code // 100 != 2:
            return 'MKD: no: %s' % (first,)
        self._made.append(('RMD', DIRECTORY))
        second = self._ask('MKD', DIRECTORY)
        self._mkd_proves = second.code // 100 != 2
        return 'MKD: yes; a second time: %s' % (second,)

    # ------------------------------------------------------------ the end

    def _clean_up(self):
        kept = []
        for verb, name in self._made:
            if not self._control.alive:
                kept.append(name)
                continue
            with contextlib.suppress(FTPError):
                reply = self._ask(verb, name)
                if reply.code // 100 != 2 and name != NAMED:
                    kept.append('%s (%s)' % (name, reply))
        if kept:
            self._tell('left there', ', '.join(kept))

    def _lacks(self):
        lacks = sorted(self._findings.lacks)
        return 'it has no (usable) %s' % ', '.join(lacks) if lacks else 'nothing else'

    def _consequences(self):
        session, quirks = self._session, self._quirks
        looks = [verb for verb, known in (
            ('SIZE', session.knows_size), ('MLST', session.knows_mlst),
            ('MDTM', not session.knows_mlst)) if known]
        return '; '.join((
            'sends %s in one write' % (
                'one command' if self._findings.one_at_a_time else 'several commands'),
            'asks for data connections by %s' % WAYS[self._findings.way],
            'lists by %s' % self._listed_by(),
            'looks at files by %s' % ', '.join(looks),
            'locks %s' % self._lock(),
            'writes 0xff in names %s' % ('twice' if quirks.telnet else 'once'),
            *(('tells the server to use UTF-8',) if self._findings.utf8 else ())))

    def _lock(self):
        if self._quirks.no_mutex:
            return 'without a mutex, as quirks say'
        return {None: 'with a mutex, if MKD proves to be exclusive', True: 'with a mutex',
                False: 'without a mutex, since MKD proves nothing'}[self._mkd_proves]
