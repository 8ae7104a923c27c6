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

from zeit.cds.interfaces import FTPError, PermanentError, ReplyError, TemporaryError
from zeit.cds.lock.directory import contents, present, RENEWAL
from zeit.cds.net.scheduler import sleep
from zeit.cds.pipelined import pipelined
from zeit.cds.text import printable


log = logging.getLogger(__name__)


class Stored:
    """See above. It has more attributes than most: each is known of the lock file for a while."""

    def __init__(self, name, token, tuning):
        """
        name -- of the lock file
        token -- what it holds, bytes
        tuning -- Tuning
        """
        self.name = name
        self.there = False          # may there be a lock file of ours on the server?
        self.worked = False         # has anything happened since it was seen last?
        self._token = token
        self._tuning = tuning
        self.sheltered = False      # was it stored where nobody else of us could store one?
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
        Raises PermanentError if there is none.
        """
        asked, self._asked = self._asked, None
        mark = asked.get()
        if mark is None:
            mark, by_size, self.sheltered = self._appear(session), False, False
        self._mark = mark
        if by_size and mark.size is not None:
            self._whole = mark.size == len(self._token)
        else:
            self._whole = self.is_whole(session)
        return self._whole

    def is_whole(self, session):
        """Does it hold all that we stored, and nothing else? bool"""
        return contents(session, self.name) == self._token

    def _appear(self, session):
        """Wait until it shows, as there are servers before a storage that tells it later. An
        Entry."""
        pause, end = 0.1, time.monotonic() + self._tuning.visible
        while time.monotonic() < end:
            sleep(pause)
            pause *= 2
            if (entry := session.stat(self.name)) is not None:
                log.debug('The lock file took its time to show.')
                return entry
        error = PermanentError(
            'The server said that it had stored the lock file %s, but there is none, even %g s '
            'later.' % (self.name, self._tuning.visible))
        error.add_note('Has somebody removed it? Otherwise the server loses what it takes, or '
                       'shows it much later: ask its operator. Nothing was exchanged.')
        raise error

    def ours(self, session):
        """Is it ours? bool"""
        return self._is_marked(session.stat(self.name)) or (
            self._is_of_us(contents(session, self.name)))

    def just_seen(self):
        """Was it ours a moment ago, when something happened last? bool"""
        asked, self._asked = self._asked, None
        if time.monotonic() - self._asked_at > self._tuning.recent:
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
        except ReplyError as e:
            log.debug('There is no %s: %s', RENEWAL, e)

    # ------------------------------------------------------------ removing

    def remove(self, session):
        """Remove it if it is ours."""
        log.info('Removing lock file: %s', self.name)
        if self._renewing:
            self._discard(session)
        held = self._token if self.just_seen() else self._held(session)
        if self._is_of_us(held):
            self._remove(session)
        elif held is not None or self._whole:
            log.warning('Lock file %s is not ours any more, and stays: %s', self.name,
                        'it is gone' if held is None
                        else printable(held.decode('utf-8', 'replace')[:200]))
        self.there = False

    def _held(self, session):
        """What is in the lock file, bytes, as far as that matters for its removal; None if there is
        none."""
        entry = session.stat(self.name)
        if entry is None or self._is_marked(entry):
            return entry and self._token
        try:
            return contents(session, self.name)
        except ReplyError as e:
            # No data connection is to be had, any more. But nobody else was at it.
            if self._whole or not self.sheltered or entry.size is None or (
                    entry.size > len(self._token)):
                raise
            log.debug('What is there of the lock file %s must be ours: %s', self.name, e)
            return self._token[:entry.size]

    def _remove(self, session):
        try:
            session.remove(self.name)
        except PermanentError:
            if self.name in present(session):
                raise
            log.warning('Lock file %s is gone: somebody else removed it.', self.name)
        else:
            log.info('Lock file successfully removed: %s', self.name)
