"""What is in a directory, as it comes: several READDIR are underway."""
import collections

from zeit.cds.sftp import packets
from zeit.cds.sftp.batch import failed, handle_of, SFTPBatch


UNDERWAY = 4        # READDIR; each brings some hundred names at most
DOTS = '.', '..'


def names_of(kind, reader):
    """For READDIR: pairs of a name and Attributes; None at the end."""
    if kind == packets.NAME:
        return packets.names(reader)
    if kind == packets.STATUS and (status := packets.status(reader)).code == packets.END:
        return None
    raise failed(kind, reader) if kind != packets.STATUS else status.error()


class Listing:
    """See above."""

    def __init__(self, channel, place, lingering):
        """
        channel -- Channel
        place -- Place
        lingering -- Lingering
        """
        self._channel, self._place, self._lingering = channel, place, lingering

    def names(self, directory):
        """See ICDSSession.names."""
        path = self._place.of(directory, 2)
        return [name for name, _ in self._listed(path, directory)]

    def entries(self, heard=None, end=None):
        """A list of Entry, see IPipelined.entries.

        end -- called before the last round trip
        """
        self._lingering.close()
        found, links = [], []
        for name, attributes in self._listed(packets.text(self._place.path), None):
            if attributes.is_link:
                links.append(len(found))
            found.append(attributes.entry(name))
            if heard is not None and not len(found) % 100:
                heard(len(found))
        self._follow(found, links)
        if heard is not None:
            heard(len(found))
        if end is not None:
            end()
        return found

    def _follow(self, found, links):
        """A link counts as what it leads to."""
        if not links:
            return
        batch = SFTPBatch(self._channel, self._place, self._lingering)
        asked = [batch.attributes(found[index].name) for index in links]
        batch.settle()
        for index, pending in zip(links, asked):
            try:
                attributes = pending.get()
            except (packets.PermanentError, packets.TemporaryError):
                continue        # it leads where we may not go
            if attributes is not None:
                found[index] = attributes.entry(found[index].name)

    def _listed(self, path, name):
        """Iterate over pairs of a name and Attributes."""
        handle = packets.text(self._lingering.insist(
            lambda: self._channel.ask(packets.OPENDIR, path, handle_of(name))).get())
        underway = collections.deque()
        try:
            while True:
                while len(underway) < UNDERWAY:
                    underway.append(self._channel.ask(packets.READDIR, handle, names_of))
                if (some := underway.popleft().get()) is None:
                    return
                yield from (each for each in some if each[0] not in DOTS)
        finally:
            if self._channel.alive:     # it goes out with what is sent next
                self._channel.ask(packets.CLOSE, handle, lambda kind, reader: None)
