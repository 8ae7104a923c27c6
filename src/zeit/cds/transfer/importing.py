"""The import: what happens in which order, and what a failure means.

It knows the interfaces, not the network and not the disk. See ``zeit.cds.interfaces`` for the life
of a file.
"""
import logging

from zeit.cds.events import FileImported, notify
from zeit.cds.interfaces import FTPError, IFileSink, IShared, ReplyError
from zeit.cds.pipelined import pipelined
from zeit.cds.text import lock_named, LOCKS, phrase, printable
from zeit.cds.transfer.run import Run
from zeit.cds.transfer.sessions import further_sessions


log = logging.getLogger('zeit.cds')

DIRECTORY = 'it is a directory'


# On another server it would be one: it must not be fetched, nor removed.
LIKE_A_LOCK = 'it would be taken for a lock file. Have it renamed'


class Listing:
    """The directory's listing, which mostly comes while the lock is made sure of."""

    def __init__(self, heard):
        """
        heard -- called with the number of entries so far (int), as they come
        """
        self._heard = heard
        self._listed = None         # entries, or the ReplyError of the server, that came meanwhile

    def come(self, session, also):
        """See `meanwhile` of Directory.locked."""
        try:
            self._listed = pipelined(session).entries(self._heard, also)
        except ReplyError as e:
            self._listed = e

    def get(self, session):
        """The entries: a list. Raises ReplyError, ConnectionLost."""
        listed, self._listed = self._listed, None
        if isinstance(listed, ReplyError):
            raise listed
        return pipelined(session).entries(self._heard) if listed is None else listed


class Removed:
    """What becomes of the server's copies of files that are ours: they are removed.

    `zeit.cds.transfer.afterwards` has what else may become of them.
    """

    keeps = False
    locks = LOCKS       # names of the lock files that keep us out
    done = 'File removed on server: %s'
    refused = 'the server refuses to remove it: %s'
    uncertain = 'it could not be removed on the server: %s. It is kept in tmp for the next run'

    def prepare(self, persist):
        """There will be some. persist -- see Directory"""

    def articles(self, entries):
        """The entries, a list, without those that are no part of the exchange."""
        return entries

    def new(self, entries, spool):
        """Those of the entries, a list, that were not taken before."""
        return entries

    def finalize(self, batch, name):
        """What is to be done with one, in an IBatch: an IPending."""
        return batch.remove(name)

    def finalized(self, name):
        """That was done."""

    def now(self, session, name):
        """Do it at once."""
        session.remove(name)


class Import(Run):
    """Files from the FTP directory into the spool's new."""

    lock_name = 'read'
    beginning = 'Starting import.'
    spools = IFileSink

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self._listing = Listing(self._hear)
        self._vanished = []                 # files that weren't there when we came to fetch them
        self._listing_was_cut_off = False   # perhaps
        self._afterwards = REMOVED
        if self.feed.afterwards != 'remove':
            from zeit.cds.transfer import afterwards  # few feeds want something else
            self._afterwards = afterwards.of(self.feed, self._journal)

    def _run(self):
        with self._opened_spool():
            leftovers = self._spool.leftovers()
            self._record.begin(leftovers)
            with self._at_work(None if leftovers else self._listing.come):
                if IShared.providedBy(self._spool):
                    leftovers = self._spool.claim(leftovers)
                self._recover(leftovers)
                entries = self._select()
                if not entries and not leftovers:
                    log.info('No new files to import.')
                while entries:
                    self._exchange(entries)
                    entries = self._select() if self._listing_was_cut_off else ()
                if not self._listing_was_cut_off:
                    self._give_up(self._persist)

    def _at_work(self, meanwhile):
        """A context manager: in its block, the directory can be worked in."""
        if self._afterwards.keeps:
            return self._directory.unlocked()
        return self._directory.locked(self.lock_name, meanwhile)

    def _exchange(self, entries):
        self._afterwards.prepare(self._persist)
        super()._exchange(entries)

    def _strategy(self, jobs):
        from zeit.cds.transfer.download import Download  # most runs find nothing to fetch
        return Download(self._spool, self.tuning, jobs, self._afterwards)

    # ------------------------------------------------------------ what a killed run left

    def _recover(self, leftovers):
        """Finish what an earlier run left in tmp."""
        if leftovers:
            self._afterwards.prepare(self._persist)
        for left in leftovers:
            log.warning('An earlier import was interrupted; finishing: %s', printable(left.name))
            try:
                self._finish(left)
            except ReplyError as e:
                self._keep(left, 'the server does not tell what became of it: %s' % e)
        self._sync()

    def _keep(self, left, reason):
        self._selection.settle(left.name)
        self._skip(left.name, "%s. It is kept in tmp, and published when the server's copy is gone"
                   % phrase(reason), failed=True)

    def _finish(self, left):
        if lock_named(left.name):
            return self._keep(left, LIKE_A_LOCK)
        there = self._stat(left.name)
        if there is not None and self._persist(
                lambda session: self._same(session, left, there)):
            self._spool.secure(left.name)
            try:
                self._take(there)
            except ReplyError as e:
                if self._stat(left.name) is not None:
                    return self._keep(left, self._afterwards.refused % e)
            self._afterwards.finalized(left.name)
            log.info(self._afterwards.done, printable(left.name))
        self._publish(left.name, left.size)

    def _take(self, there):
        """This file of the server is ours now. there -- Entry"""
        afterwards = self._afterwards
        if afterwards.keeps:
            self._record.whole([], [afterwards.as_listed(
                there, lambda: self._persist(self._listing.get))])
        self._persist(lambda session: afterwards.now(session, there.name))

    def _stat(self, name):
        return self._persist(lambda session: session.stat(name))

    def _same(self, session, left, there):
        """Is the server's file the one that we have? By size and time, or else by what is in it:
        ours need not have the server's time, where the listing told none."""
        if there.size not in (None, left.size):
            return False
        if there.modified is not None and there.modified == left.modified:
            return True
        comparison = self._spool.comparison(left.name)
        try:
            session.read(left.name, comparison)
            return comparison.equal
        finally:
            comparison.discard()

    def _publish(self, name, size):
        try:
            path = self._spool.publish(name)
        except FileExistsError as e:
            return self._skip(name, "%s; it waits in 'tmp'" % e)
        self._record.published(name)
        log.info("Moved from 'tmp' to 'new': %s", printable(name))
        self.outcome.files += 1
        self.outcome.bytes += size
        notify(FileImported(self.feed, name, path, size), self.outcome)

    # ------------------------------------------------------------ which files

    def _hear(self, files):
        """So many files are in the directory, at least: open the sessions for them meanwhile."""
        self._directory.sessions.expect(
            further_sessions(self._directory, files, 0, self.tuning))

    def _listed(self):
        listed = self._persist(self._listing.get)
        self._listing_was_cut_off = len(listed) >= self.tuning.long_listing
        return listed

    def _choose(self, listed):
        return self._selection.choose(self._afterwards.new(self._articles(listed), self._spool))

    def _select(self):
        listed = self._listed()
        if self._afterwards.keeps:      # nobody else did
            self._afterwards.check(listed)
        chosen = self._choose(listed)
        few = len(chosen) < self.tuning.files_a_session * self.feed.connections
        if few and any(entry.size is None for entry in chosen):
            chosen = self._persist(lambda session: measured(pipelined(session), chosen))
        return chosen

    def _articles(self, listed):
        """The entries without lock files, however the server spells the name of ours."""
        ours = self.lock_name
        is_listed = any(entry.name == ours for entry in listed)
        return self._afterwards.articles(
            [entry for entry in listed if entry.name not in LOCKS and (
                is_listed or lock_named(entry.name) != ours)])

    def _objection(self, entry):
        if reason := self._spool.impossible(entry.name):
            return reason, True
        if entry.kind == 'dir':
            return DIRECTORY, False
        if lock_named(entry.name):
            return LIKE_A_LOCK, True
        if self._spool.unread(entry.name):
            return "an older file of this name is unread in 'new'; it waits on the server", False
        return None, False

    # ------------------------------------------------------------ what became of them

    def _settle(self, job):
        if job.dropped is not None and job.dropped.gone:
            self._vanished.append(job.name)
            self._selection.settle(job.name)
        else:
            super()._settle(job)

    def _exchanged(self):
        """Files that weren't there when we came to fetch them: does the server still list them?"""
        vanished, self._vanished = self._vanished, []
        if not vanished:
            return
        try:
            listed = {entry.name for entry in self._persist(self._listing.get)}
        except FTPError as e:
            return self._tell_of(vanished, 'it was not there, and the server does not tell what '
                                           'became of it: %s' % e, True)
        self._tell_of((name for name in vanished if name not in listed),
                      'somebody else has taken it away', False)
        self._tell_of_no_files(name for name in vanished if name in listed)

    def _tell_of_no_files(self, names):
        """These are listed, and no files. Listings without kinds name directories as well."""
        for name in names:
            if self._kind(name) == 'dir':
                self._selection.is_no_file(name)
                self._skip(name, DIRECTORY)
            else:
                self._skip(name, 'the server lists it, but knows no regular file under this name',
                           True)

    def _kind(self, name):
        try:
            return self._persist(lambda session: session.kind(name))
        except ReplyError as e:
            log.debug('It is not known what %s is: %s', printable(name), e)

    def _tell_of(self, names, reason, failed):
        for name in names:
            self._skip(name, reason, failed)


REMOVED = Removed()


def measured(line, entries):
    """The entries with their sizes, which the listing did not tell: large files pay for further
    sessions, however few they are."""
    with line.batch() as batch:
        pendings = {entry.name: batch.stat(entry.name, time=False)
                    for entry in entries if entry.size is None}

    def one(entry):
        if entry.name not in pendings:
            return entry
        try:
            return pendings[entry.name].get() or entry
        except ReplyError:
            return entry        # what is wrong with it will show when it is its turn

    return [one(entry) for entry in entries]
