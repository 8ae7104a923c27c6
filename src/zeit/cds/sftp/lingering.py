"""Large files that stay open after they were read.

To free the blocks of 256 MiB takes a server 60 ms, in which the session hears nothing. It does that
when a file that was removed is closed, and nobody has to wait for it at the end of a session: what
is open then, the server closes by itself.
"""
import collections
import contextlib

import zope.interface

from zeit.cds.interfaces import IPending, PermanentError, TemporaryError
from zeit.cds.sftp import packets
from zeit.cds.sftp.batch import done


class Lingering:
    """The files of a session that stay open."""

    def __init__(self, channel, tuning):
        """
        channel -- Channel
        tuning -- Tuning
        """
        self._channel, self._large, self._most = channel, tuning.large, tuning.lingering
        self._files = collections.deque()       # pairs of a handle and a size
        self._bytes = 0
        self._is_borne = True       # by the server

    def take(self, handle, size):
        """Shall a file stay open that was read? bool; it is closed later, then.

        handle -- bytes, as they are sent
        size -- bytes
        """
        if not self._large <= size <= self._most or not self._is_borne:
            return False
        self._files.append((handle, size))
        self._bytes += size
        while self._bytes > self._most:     # so much room the server lacks meanwhile
            self._close_oldest()
        return True

    def close(self):
        """Close all, with whatever is sent next."""
        while self._files:
            self._close_oldest()

    def _close_oldest(self):
        handle, size = self._files.popleft()
        self._bytes -= size
        self._channel.ask(packets.CLOSE, handle, done(None))

    def insist(self, ask):
        """A Pending that `ask` makes. What it asks for is asked again, with all files closed, if
        the server refuses it: there are some that remove no file that is open, as Windows is wont
        to, and others that bear few of them. None stays open any more if that was the reason.
        """
        return Insisting(self, ask) if self._files else ask()

    def again(self, ask):
        """That once more: the Pending, which is done."""
        self.close()
        pending = ask()
        with contextlib.suppress(PermanentError, TemporaryError):
            pending.get()
            self._is_borne = False
        return pending


@zope.interface.implementer(IPending)
class Insisting:
    """See Lingering.insist."""

    def __init__(self, lingering, ask):
        self._lingering, self._ask = lingering, ask
        self._pending = ask()

    @property
    def done(self):
        return self._pending.done

    def get(self):
        ask, self._ask = self._ask, None
        if ask is not None:
            try:
                return self._pending.get()
            except (PermanentError, TemporaryError):
                self._pending = self._lingering.again(ask)
        return self._pending.get()
