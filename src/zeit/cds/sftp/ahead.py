"""Files that are begun before their turn, so that each round trip serves many small ones::

    us                                                                server
    -- OPEN b, OPEN c, ... -->
    <-- handles --
    -- READ b, CLOSE b, STAT b, READ c, CLOSE c, STAT c, ..., OPEN d, ... -->
    <-- data, attributes; handles --

A mailbox may give each file away once: what is opened is gone. So the first file of a session
is fetched alone, and nothing is begun before its turn unless it is still there afterwards.
"""
import collections

from zeit.cds.interfaces import PermanentError, TemporaryError
from zeit.cds.sftp.download import Download


class Begun:
    """A file that is, or will be, next but some."""

    __slots__ = 'name', 'size', 'bytes', 'opened', 'download', 'wanted'

    def __init__(self, entry, opened, count):
        """
        opened -- Pending of its handle; None if it is not to be opened before its turn
        count -- so many bytes it counts for
        """
        self.name, self.size, self.bytes = entry.name, entry.size, count
        self.opened, self.download, self.wanted = opened, None, True


class Ahead:
    """See above."""

    def __init__(self, transfers, tuning):
        """
        transfers -- Transfers
        tuning -- Tuning
        """
        self._transfers, self._tuning = transfers, tuning
        self._depth = tuning.ahead
        self._lasting = None        # do files stay that were read? None: not known
        self._begun = {}            # name: Begun, in the order of their turns
        self._opening = collections.deque()     # Begun, of whose handles nothing was made yet
        self._bytes = 0

    def seen(self, there):
        """Is a file that was read still there? bool"""
        self._lasting = there and self._lasting is not False

    # ------------------------------------------------------------ before their turn

    def begin(self, following, then):
        """Begin what is of use.

        following -- Entry of the next file
        then -- iterator of further ones, or None
        """
        if following.name not in self._begun:
            self._add(following)
        while then is not None and self._has_room and (entry := next(then, None)) is not None:
            if entry.name not in self._begun:
                self._add(entry)

    @property
    def _has_room(self):
        return (self._lasting and len(self._begun) < self._depth
                and self._bytes < self._tuning.window)

    def _add(self, entry):
        opened, count = None, self._tuning.window   # nothing is begun beyond such a one
        if self._lasting and entry.kind == 'file' and 0 < (entry.size or 0) <= self._tuning.begun:
            try:
                opened, count = self._transfers.open(entry.name), entry.size
            except ValueError:
                pass        # it is for its turn to tell
        self._begun[entry.name] = begun = Begun(entry, opened, count)
        self._bytes += count
        if opened is not None:
            self._opening.append(begun)

    def proceed(self):
        """Read those that are open by now."""
        while self._opening and self._opening[0].opened.done:
            begun = self._opening.popleft()
            try:
                handle = begun.opened.get()
            except (PermanentError, TemporaryError):
                continue    # perhaps it takes fewer at a time; it is opened again at its turn
            begun.download = Download(self._transfers, begun.name, handle, 0, begun.size)
            if begun.wanted:
                begun.download.begin()
            else:
                begun.download.give_up()

    # ------------------------------------------------------------ at their turn

    def take(self, name, offset, size):
        """The Download of a file, if it was begun; what was to come before it is given up."""
        while self._begun:
            begun = self._begun.pop(next(iter(self._begun)))
            self._bytes -= begun.bytes
            if begun.name == name:
                return self._started(begun, offset, size)
            self._give_up(begun)
        return None

    def _started(self, begun, offset, size):
        if begun.opened is None:
            return None
        if begun.download is None:
            self._transfers.channel.wait(begun.opened)
            self.proceed()
        download = begun.download
        if download is None:
            self._depth = max(1, self._depth // 2)
        elif offset or size != begun.size or not download.is_of_use:
            download.give_up()
            return None
        return download

    def _give_up(self, begun):
        begun.wanted = False
        if begun.download is not None:
            begun.download.give_up()
