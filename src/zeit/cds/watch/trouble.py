"""What keeps a feed from being looked at as usual: failures, and locks of others."""
import logging
import time

from zeit.cds.interfaces import CDSError, Locked
from zeit.cds.text import in_words, phrase, printable
from zeit.cds.watch.pauses import Pauses


log = logging.getLogger('zeit.cds')


class Failures:
    """Whatever fails is tried again after a pause, which grows: the feed backs off.

    It is told of once when that begins, and once when it is over.
    """

    def __init__(self, tuning):
        self._pauses = Pauses(tuning.first_pause, tuning.longest_pause, tuning.jitter)
        self._longest = tuning.longest_pause
        self._since = None          # value of time.monotonic() when it began
        self.failure = None         # the exception
        self.error = None           # in words, printable lines
        self.until = None           # seconds since 1970

    @property
    def are_new(self):
        """Is nothing told so far? bool"""
        return self._since is None

    def failed(self, error):
        """How long to wait now: seconds."""
        if not isinstance(error, CDSError):
            log.error('A defect of the program. The watch goes on.', exc_info=error)
        pause, words = self._pauses.next(), lines(error)
        if self._since is None:
            self._since = time.monotonic()
            log.warning('Backing off: it is tried again in %.1f s, and then after growing pauses '
                        'of at most %g s: %s', pause, self._longest, words)
        else:
            log.debug('Still backing off, for %.1f s: %s', pause, words)
        self.error, self.until = words, time.time() + pause
        self.failure = error.with_traceback(None)   # that would keep alive all that has failed
        return pause

    def succeeded(self):
        if self._since is not None:
            log.warning('It works again, after %.0f s: %s.', time.monotonic() - self._since,
                        phrase(self.error.partition('\n')[0]))
            self._pauses.begin_anew()
        self._since = self.error = self.failure = self.until = None


def lines(error):
    """What went wrong, and what to do about it, printable: str"""
    return '\n'.join(printable(line) for line in in_words(error).split('\n'))


class Blocked:
    """A directory that others hold locked: looked at again soon, and sometimes tried nevertheless.

    For it takes a run to find out that a lock was left behind, and to break it.
    """

    def __init__(self, tuning):
        self._tuning = tuning
        self._pauses = Pauses(tuning.first_locked, tuning.longest_locked)
        self._since = None          # value of time.monotonic() when it was first seen
        self._next = None           # and when a run may try
        self._is_seen = False       # has the last look seen a lock?
        # What only a run meets, such as another process in the spool: pauses until another tries
        self._unseen = Pauses(tuning.first_locked, tuning.tries_again)
        self._unseen_until = None

    @property
    def is_on(self):
        return self._since is not None

    @property
    def since(self):
        """Seconds since 1970; None if it isn't."""
        since = self._since
        return None if since is None else time.time() - (time.monotonic() - since)

    def permits(self, locks, worthwhile, may_be_ours):
        """May a run begin now? bool

        locks -- names of the lock files that a look has found
        worthwhile -- is there anything for it to do? bool
        may_be_ours -- may they have been left by a watch that was killed, or a run that failed?
            bool
        """
        self._is_seen, now = bool(locks), time.monotonic()
        if not locks and self._unseen_until is not None:
            return worthwhile and now >= self._unseen_until
        self._unseen_until = None
        if not locks:
            self._since = None
            return worthwhile
        if self._since is None:
            self._begin(now, 0.0 if may_be_ours else self._tuning.patient)
        if now < self._next or not worthwhile:
            return False
        self._next = now + self._tuning.tries_again
        return True

    def ended(self, error):
        """A run has ended like that: an exception, or None."""
        if not isinstance(error, Locked):
            self._since = self._unseen_until = None
            self._unseen.begin_anew()
            return
        now = time.monotonic()
        if self._since is None:
            self._begin(now, self._tuning.patient)
        if not self._is_seen:
            self._unseen_until = now + self._unseen.next()

    def _begin(self, now, patience):
        self._since, self._next = now, now + patience
        self._pauses.begin_anew()

    def pause(self, every):
        """How long to wait until the next look: seconds."""
        if time.monotonic() - self._since > self._tuning.tries_again:
            return every        # somebody has forgotten it
        return min(every, self._pauses.next())
