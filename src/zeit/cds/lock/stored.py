"""Our lock file on the server: what we know of it, and whether it is still ours.

It is renewed by a second file that takes its place: whenever we are killed, there is a whole one,
which tells whose it is. Storing it anew in its place would leave it empty for a moment, and if
we died in it, nobody could ever tell. It costs no more: the second file's size is looked at
on the round trip that ends its transfer, the look after the rename shares that of the rename.
Where the server does not rename, it is stored in its place, but in the mutex: see mutex.py for
what that tells of an empty one.
"""
import logging
import time

from zeit.cds.interfaces import Entry, FTPError, PermanentError, TemporaryError
from zeit.cds.lock.directory import contents, present, RENEWAL
from zeit.cds.pipelined import pipelined
from zeit.cds.text import printable


log = logging.getLogger(__name__)


class Stored:
    """See above."""

    def __init__(self, name, token, recent):
        """
        name -- of the lock file
        token -- what it holds, bytes
        recent -- seconds for which it is enough to have seen it
        """
        self.name = name
        self.there = False          # may there be a lock file of ours on the server?
        self.worked = False         # has anything happened since it was seen last?
        self._token = token
        self._recent = recent
        self._whole = False         # or does only a part of it exist, since storing it failed?
        self._renewing = False      # may there be a file that was to take its place?
        self._mark = None           # Entry with its size and time, when it was ours
        self._asked = None          # IPending of what it is now
        self._asked_at = 0.0        # time.monotonic() when we asked last

    def store(self, session):
        """Store it in its place."""
        self.there, self._whole = True, False
        pipelined(session).write(self.name, self._token)

    def look(self, batch):
        """Ask, in an IBatch, for what is there now."""
        self._asked_at = time.monotonic()
        self._asked = batch.stat(self.name, regular=True)

    def work(self):
        """Something happens, so that a look before it does not count any more."""
        self.worked, self._asked = True, None

    # ------------------------------------------------------------ whose it is

    def arrived(self, session, by_size):
        """Is the lock file that we have just looked at the one that we stored? bool

        by_size -- in the mutex its size is proof enough, since no other program writes one of
            exactly this size, and saves three round trips. Without a mutex one of ours may have
            been at it as well.
        """
        asked, self._asked = self._asked, None
        self._mark = mark = asked.get() or Entry(self.name)
        if by_size and mark.size is not None:
            self._whole = mark.size == len(self._token)
        else:
            self._whole = contents(session, self.name) == self._token
        return self._whole

    def ours(self, session):
        """Is it ours? bool"""
        return self._is_marked(session.stat(self.name)) or (
            self._is_of_us(contents(session, self.name)))

    def just_seen(self):
        """Was it ours a moment ago, when something happened last? bool"""
        asked, self._asked = self._asked, None
        if time.monotonic() - self._asked_at > self._recent:
            return False
        if not self.worked:         # there was nothing to do
            return self._whole
        try:
            return asked is not None and self._is_marked(asked.get())
        except FTPError as e:
            log.debug('While looking at the lock file: %s', e)
            return False

    def _is_marked(self, entry):
        mark = self._mark
        return None not in (entry, mark) and None not in (entry.size, entry.modified) and (
            (entry.size, entry.modified) == (mark.size, mark.modified))

    def _is_of_us(self, held):
        """Did we store these contents? A part of our token, too, if storing it failed. bool"""
        return held == self._token or (
            not self._whole and held is not None and self._token.startswith(held))

    # ------------------------------------------------------------ renewing

    def replace(self, session):
        """Have a new one take its place. False, and nothing has changed, if the server refuses."""
        line, sizes = pipelined(session), []
        self._renewing = True
        try:
            line.write(RENEWAL, self._token,
                       also=lambda batch: sizes.append(batch.stat(RENEWAL, True, time=False)))
            self._check_size(*[pending.get() for pending in sizes])
            with line.batch() as batch:
                renamed = batch.rename(RENEWAL, self.name)
                self.look(batch)
            renamed.get()
        except PermanentError as e:
            log.debug('The server does not let another lock file take the place of ours: %s', e)
            self._discard(session)
            return False
        self._renewing = False
        return True

    def _check_size(self, entry):
        if entry is not None and entry.size not in (None, len(self._token)):
            raise TemporaryError('The server kept %d of the %d bytes of the renewed lock file.' % (
                entry.size, len(self._token)))

    def _discard(self, session):
        self._renewing = False
        try:
            session.remove(RENEWAL)
        except PermanentError as e:
            log.debug('There is no %s: %s', RENEWAL, e)

    # ------------------------------------------------------------ removing

    def remove(self, session):
        """Remove it if it is ours."""
        log.info('Removing lock file: %s', self.name)
        if self._renewing:
            self._discard(session)
        seen = self.just_seen() or self._is_marked(session.stat(self.name))
        held = self._token if seen else contents(session, self.name)
        if self._is_of_us(held):
            self._remove(session)
        elif held is not None or self._whole:
            log.warning('Lock file %s is not ours any more, and stays: %s', self.name,
                        'it is gone' if held is None
                        else printable(held.decode('utf-8', 'replace')[:200]))
        self.there = False

    def _remove(self, session):
        try:
            session.remove(self.name)
        except PermanentError:
            if self.name in present(session):
                raise
            log.warning('Lock file %s is gone: somebody else removed it.', self.name)
        else:
            log.info('Lock file successfully removed: %s', self.name)
