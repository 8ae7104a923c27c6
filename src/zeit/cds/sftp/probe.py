"""What an SFTP server is, bears and lacks, in words: see IProbedConnection.

It changes nothing but what it removes again.
"""
import re
import struct
import time

from zeit.cds.interfaces import FTPError
from zeit.cds.memory import read
from zeit.cds.sftp import packets
from zeit.cds.sftp.batch import failed
from zeit.cds.text import printable


# Always the same names, so that what a kill leaves is there once at most.
FILE, OTHER, DIRECTORY = '.cds-probe', '.cds-probe-2', '.cds-probe-directory'
NAMES = {'UTF-8 and blanks': '.cds-probe \u00e4\u20ac', 'Latin-1': '.cds-probe-\udce4'}
CONTENTS = b'zeit.cds\r\n\xff\0'
LONGEST = 2000              # characters of a text
STATVFS = b'statvfs@openssh.com'
SPACE = struct.Struct('>11Q')
# What ssh says of its login
SOFTWARE = re.compile(r'remote software version (.*)')
HOST_KEY = re.compile(r'Server host key: (.*)')
CIPHER = re.compile(r'kex: server->client cipher: (\S+)')
LOGIN = re.compile(r'Authenticated to .* using "(.*?)"')


class Probe:
    """Asks one question after the other."""

    def __init__(self, session):
        """
        session -- SFTPSession
        """
        self._session, self._channel = session, session.channel
        self._there = []        # names of files that were made
        self._mkdir_proves = self._stays = None

    def __call__(self):
        """Pairs of a subject and a text."""
        questions = {
            'server': lambda: self._said(SOFTWARE), 'host key': lambda: self._said(HOST_KEY),
            'encryption': lambda: self._said(CIPHER), 'login by': lambda: self._said(LOGIN),
            'SFTP version': self._version, 'extensions': self._extensions,
            'limits': self._limits, 'distance': self._distance, 'space': self._space,
            'listing': self._listing, 'upload': self._upload, 'sync': self._sync,
            'clock': self._clock, 'download': self._download, 'open files': self._open_files,
            'names': self._names, 'rename': self._rename, 'directories': self._directories}
        found = []
        try:
            for subject, ask in questions.items():
                if not self._session.alive:
                    found.append(('session', 'It has ended. What would follow was not asked.'))
                    break
                found.append((subject, answer(ask)))
        finally:
            found += [('left there', printable(text)) for text in self._clean_up()]
        return [*found, ('the program', self._consequences())]

    # ------------------------------------------------------------ the server

    def _said(self, pattern):
        found = pattern.search(self._channel.said)
        return found.group(1).strip() if found else 'ssh does not tell'

    def _version(self):
        version = self._session.version
        return '%d%s' % (version, '' if version == packets.VERSION_3 else
                         ', which this program does not know: it speaks version 3')

    def _extensions(self):
        return ', '.join(name.decode('ascii', 'replace')
                         for name in sorted(self._session.extensions)) or 'none are told'

    def _limits(self):
        limits = self._session.transfers.limits
        return '%d bytes to read, %d to write in one request (%s)' % (
            *limits, 'it tells' if packets.LIMITS in self._session.extensions
            else 'it does not tell; each server bears that')

    def _distance(self):
        return '%.1f ms there and back' % (1000 * self._session.latency)

    def _space(self):
        if STATVFS not in self._session.extensions:
            return 'it does not tell'

        def take(kind, reader):
            if kind != packets.EXTENDED_REPLY:
                raise failed(kind, reader)
            return reader.take(SPACE)
        told = self._channel.ask(packets.EXTENDED, packets.text(STATVFS) + packets.text(
            self._session.place.path), take).get()
        return '%d MB are free' % (told[1] * told[4] // 10**6)

    # ------------------------------------------------------------ the directory

    def _listing(self):
        begun = time.monotonic()
        entries = list(self._session.entries())
        told = [word for word, known in (
            ('size', any(entry.size is not None for entry in entries)),
            ('time', any(entry.modified is not None for entry in entries)),
            ('kind', any(entry.kind is not None for entry in entries))) if known]
        return '%d entries in %.2f s%s' % (
            len(entries), time.monotonic() - begun,
            ', with their %s' % ', '.join(told) if told else '')

    def _upload(self):
        self._make(FILE)
        return 'yes'

    def _make(self, name):
        self._session.write(name, CONTENTS)
        self._there.append(name)

    def _sync(self):
        return ('yes' if self._session.transfers.syncs else 'no: what is stored reaches the disk '
                'when the server sees fit')

    def _clock(self):
        entry = self._session.stat(FILE)
        if entry is None or entry.modified is None:
            return 'it tells no times'
        return '%+.1f s compared with ours' % (entry.modified / packets.SECOND - time.time())

    def _download(self):
        if FILE not in self._there:
            return 'not tried: there is no file'
        contents = read(self._session, FILE)
        self._stays = self._session.stat(FILE) is not None
        if contents != CONTENTS:
            return 'no: %r came for %r' % (contents, CONTENTS)
        return 'yes%s' % ('' if self._stays else ', and the file is gone then')

    def _open_files(self):
        """How many may be open at once?"""
        if not self._stays:
            return 'not tried: there is no file'
        transfers, most = self._session.transfers, self._session.transfers.tuning.ahead
        pending = [transfers.open(FILE) for _ in range(most)]
        count = 0
        for each in pending:
            try:
                handle = each.get()
            except FTPError:
                continue
            count += 1
            transfers.close(packets.text(handle), FILE)
        return '%d of %d at once' % (count, most)

    def _names(self):
        return '; '.join('%s: %s' % (kind, answer(lambda name=name: self._keeps(name)))
                         for kind, name in NAMES.items())

    def _keeps(self, name):
        self._make(name)
        listed = any(entry.name == name for entry in self._session.entries())
        return 'yes' if listed else 'no, it is not listed'

    def _rename(self):
        """SFTP's own: does it keep a target that is there?"""
        if not self._stays:
            return 'not tried: there is no file'
        self._make(OTHER)
        try:
            self._session.rename(FILE, OTHER)
        except FTPError as e:
            refused = str(e)
        else:
            self._there.remove(FILE)
            return 'yes, and it overwrites a file that is there'
        self._session.remove(OTHER)
        self._session.rename(FILE, OTHER)
        self._there.remove(FILE)
        return 'yes; a name that is taken is refused: %s' % refused

    def _directories(self):
        """Does a second one of that name fail? Only then it proves anything."""
        self._session.make_directory(DIRECTORY)
        try:
            self._session.make_directory(DIRECTORY)
        except FTPError as e:
            self._mkdir_proves = True
            return 'yes; a second time: %s' % e
        finally:
            self._session.remove_directory(DIRECTORY)
        self._mkdir_proves = False
        return 'yes, and a second time too'

    # ------------------------------------------------------------ the end

    def _clean_up(self):
        """Yields what can't be removed."""
        for name in self._there:
            try:
                self._session.remove(name)
            except FTPError as e:
                if self._stays is not False:
                    yield '%s (%s)' % (name, e)

    def _consequences(self):
        transfers = self._session.transfers
        locks = {None: 'with a mutex, if a directory proves to be exclusive',
                 True: 'with a mutex', False: 'without a mutex, since directories prove nothing'}
        return '; '.join((
            'opens %s' % ('one file at a time' if not self._session.shares or not self._stays
                          else 'up to %d small files at once' % transfers.tuning.ahead),
            '%s what it stores' % ('syncs' if transfers.syncs else 'cannot sync'),
            'locks %s, unless quirks say otherwise' % locks[self._mkdir_proves]))


def answer(ask):
    """The text that a question gives, or why there is none."""
    try:
        text = ask()
    except FTPError as e:
        text = 'no: %s' % e
    return printable(text[:LONGEST].replace('\n', ' / '))
