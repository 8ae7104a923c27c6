"""The sessions of a run: one to begin with, and others where they pay."""
import logging

from zeit.cds.net.scheduler import Signal


log = logging.getLogger('zeit.cds')


class Opening:
    """A session that is being opened while others work."""

    def __init__(self):
        self._session = None
        self.done = False
        self._changed = Signal()

    def end(self, session=None):
        """It is open, or will not be."""
        self._session, self.done = session, True
        self._changed.notify()

    def wait(self):
        """Until it is open. The ICDSSession, or None: it did not come about."""
        while not self.done:
            self._changed.wait()
        return self._session


class Sessions:
    """All sessions of a run. They are closed together; it does not matter if some are already."""

    def __init__(self, connection, feed, deadline, spawn):
        """
        connection -- ICDSConnection
        spawn -- has a function run as a task
        """
        self._connection, self._feed, self._deadline = connection, feed, deadline
        self._spawn = spawn
        self.first = None       # the session that the run itself uses
        self._all = []
        self._openings = []     # Opening, which nobody waits for yet
        self._expected = 0      # so many further ones were ever said to be needed at once
        self._blocking = False  # do they need threads?

    def open(self, instead=None):
        """One more ICDSSession; raises what ICDSConnection.open does.

        instead -- an ICDSSession of no more use, or None
        """
        if instead is not None:
            instead.close()
            self._all = [session for session in self._all if session is not instead]
        session = self._open()
        self._all.append(session)
        return session

    def _open(self):
        if self._blocking:
            from zeit.cds.transfer import threaded  # sessions of FTP wait by themselves
            return threaded.opened_like(self.first, self._open_like)
        session = self._open_like(self.first)
        if session.blocking:
            from zeit.cds.transfer import threaded
            self._blocking = True
            return threaded.Threaded(session)
        self._blocking = getattr(session, 'is_threaded', False)     # an earlier run has kept it
        return session

    def _open_like(self, like):
        return self._connection.open(self._feed, self._deadline, like=like)

    def renewed(self, failed=None):
        """The first session: another one if the one that there was is dead, or is `failed`."""
        first = self.first
        if first is None or first is failed:
            self.first = self.open()
        elif not first.alive:
            self.first = self.open(instead=first)
        return self.first

    # ------------------------------------------------------------ further ones

    def expect(self, number):
        """So many further ones will be needed: begin to open those that are not yet underway."""
        for _ in range(number - self._expected):
            opening = Opening()
            self._openings.append(opening)
            self._spawn(lambda opening=opening: self._open_meanwhile(opening))
        self._expected = max(number, self._expected)

    def _open_meanwhile(self, opening):
        session = None
        try:
            session = self.open()
        except Exception as e:      # who needs one will try again
            log.debug('No further session meanwhile: %s', e)
        finally:
            opening.end(session)

    def take(self):
        """A further one that is open, or underway. None if there is none."""
        if not self._openings:
            return None
        opening = next((each for each in self._openings if each.done), self._openings[0])
        self._openings.remove(opening)
        return opening.wait()

    def give_back(self, session):
        """It is of no more use to who took it."""
        opening = Opening()
        opening.end(session)
        self._openings.append(opening)

    # ------------------------------------------------------------ the end

    def abort(self):
        """Have whatever goes on in them end at once. Any thread may do that."""
        for session in list(self._all):
            session.abort()

    def close_further(self):
        """All but the first."""
        for session in self._all:
            if session is not self.first:
                session.close()

    def close(self, is_sound=False):
        """Close all; but whoever keeps the first one for another run gets it back.

        is_sound -- is it of use for one? bool
        """
        kept = None
        if is_sound and self.first.alive and (
                give_back := getattr(self._connection, 'give_back', None)):
            kept = self.first
            give_back(kept)
        for session in self._all:
            if session is not kept:
                session.close()


def further_sessions(directory, files, size, tuning):
    """How many sessions pay for their login, beside the first. size -- bytes of all files"""
    for_size = size // tuning.bytes_a_session
    if directory.sessions.first.latency < tuning.long_line:
        for_size = min(for_size, tuning.near)
    return max(0, min(directory.feed.connections - 1, files - 1,
                      max(files // tuning.files_a_session, for_size)))
