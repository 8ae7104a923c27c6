"""Requests without data: what a session can ask, and several of them in one round trip."""
import zope.interface

from zeit.cds.interfaces import IBatch
from zeit.cds.sftp import packets
from zeit.cds.sftp.channel import Known
from zeit.cds.text import printable


LONGEST = 255       # bytes of a name; what OpenSSH has BAD_MESSAGE for, and others FAILURE


class Place:
    """The directory on the server."""

    def __init__(self, path):
        """
        path -- str; '/~' and what is below it: the home directory of the user
        """
        if path == '/~' or path.startswith('/~/'):
            path = './' + path[3:]
        self.path = packets.encoded(path.rstrip('/') or '/')
        self._prefix = self.path.rstrip(b'/') + b'/'

    def of(self, name, depth=1):
        """Where a name is, as it is sent. Raises ValueError if it leads elsewhere.

        depth -- 2: also DIRECTORY/NAME
        """
        parts = name.split('/')
        if len(parts) > depth or {'', '.', '..'}.intersection(parts):
            raise ValueError('This is no name in the directory: %s' % printable(name))
        return packets.text(self._prefix + packets.encoded(name))


def about(error, name):
    """The exception, with the name in its text."""
    if name is not None:
        error.args = ('%s (%s)' % (error, printable(name)),)
    return error


def failed(kind, reader, name=None, passing=False):
    """The exception for a reply that is not what was asked for."""
    if kind != packets.STATUS:
        return packets.ProtocolError('The server answers something else than was asked.')
    return about(packets.status(reader).error(passing), name)


def done(name, passing=False):
    """For a request that is answered by a STATUS: see Pending."""
    def take(kind, reader):
        if kind != packets.STATUS:
            raise failed(kind, reader)
        status = packets.status(reader)
        if status.code != packets.OK:
            raise about(status.error(passing), name)
    return take


def handle_of(name):
    """For a request that is answered by a HANDLE."""
    def take(kind, reader):
        if kind != packets.HANDLE:
            raise failed(kind, reader, name)
        return reader.text()
    return take


def attributes_of(name):
    """For a request that is answered by ATTRS: Attributes, None where there is nothing."""
    def take(kind, reader):
        if kind == packets.ATTRS:
            return reader.attributes()
        if kind != packets.STATUS:
            raise failed(kind, reader)
        status = packets.status(reader)
        if status.code in (packets.NO_SUCH_FILE, packets.BAD_MESSAGE) or (
                name is not None and len(packets.encoded(name)) > LONGEST):
            return None
        raise about(status.error(), name)
    return take


def entry_of(name):
    """The same, as the Entry of a regular file."""
    take = attributes_of(name)

    def entry(kind, reader):
        found = take(kind, reader)
        return None if found is None or found.kind not in ('file', None) else found.entry(name)
    return entry


@zope.interface.implementer(IBatch)
class SFTPBatch:
    """See IBatch. (It is also what the verbs of a session are made of.)"""

    __slots__ = '_channel', '_place', '_lingering', '_asked', '_told'

    def __init__(self, channel, place, lingering, told=None):
        """
        channel -- Channel
        place -- Place
        lingering -- Lingering
        told -- the name of a file that was asked about before, and a Pending of its Entry
        """
        self._channel, self._place, self._told = channel, place, told
        self._lingering = lingering
        self._asked = []

    def settle(self):
        """Send what waits, and until all is done. Raises ConnectionLost, RunLimitReached."""
        self._channel.flush()
        for pending in self._asked:
            if not pending.done:
                self._channel.wait(pending)

    def _ask(self, kind, body, take):
        """
        body -- called for it; the ValueError that it raises stays with this operation
        """
        self._told = None       # it might not be true any more
        try:
            body = body()
        except ValueError as e:
            return Known(error=e)
        pending = self._channel.ask(kind, body, take)
        self._asked.append(pending)
        return pending

    def attributes(self, name, follow=True):
        return self._ask(packets.STAT if follow else packets.LSTAT,
                         lambda: self._place.of(name), attributes_of(name))

    def stat(self, name, regular=False, time=True):
        told, self._told = self._told, None
        if told is not None and told[0] == name:
            self._asked.append(told[1])
            return told[1]
        return self._ask(packets.STAT, lambda: self._place.of(name), entry_of(name))

    def remove(self, name):
        return self._lingering.insist(lambda: self._ask(
            packets.REMOVE, lambda: self._place.of(name), done(name)))

    def rename(self, source, target):
        return self._lingering.insist(lambda: self._ask(
            packets.RENAME, lambda: self._place.of(source) + self._place.of(target, 2),
            done(source)))

    def make_directory(self, name):
        return self._ask(packets.MKDIR,
                         lambda: self._place.of(name, 2) + packets.NO_ATTRIBUTES, done(name))

    def remove_directory(self, name):
        return self._ask(packets.RMDIR, lambda: self._place.of(name, 2), done(name))

    def stored_name(self, name):
        return Known()      # there is no such question


