"""The import: what happens in which order, and what a failure means.

It knows the interfaces, not the network and not the disk. See ``zeit.cds.interfaces`` for the life of a file.
"""
import logging

from zeit.cds.events import FileImported, notify
from zeit.cds.interfaces import IFileSink, ReplyError
from zeit.cds.text import printable
from zeit.cds.transfer.jobs import DROPPED
from zeit.cds.transfer.run import FILES_A_SESSION, LOCKS, LONG_LISTING, Run
from zeit.cds.transfer.worker import GONE, Worker


log = logging.getLogger('zeit.cds')


class Import(Run):
    """Files from the FTP directory into the spool's new."""

    lock_name = 'read'
    beginning = 'Starting import.'
    spools = IFileSink
    worker = Worker

    def __init__(self, *args):
        super().__init__(*args)
        self._vanished = []                 # files that weren't there when we came to fetch them
        self._listing_was_cut_off = False   # perhaps

    def _run(self):
        with self._sink.open(self.feed) as self._spool:
            log.info('Accessed filestore %s', self._spool.path)
            leftovers = self._spool.leftovers()
            with self._locked_directory(lists=not leftovers) as self._held:
                self._recover(leftovers)
                entries = self._select()
                if not entries and not leftovers:
                    log.info('No new files to import.')
                while entries:
                    self._exchange(entries)
                    entries = self._select() if self._listing_was_cut_off else ()

    # ------------------------------------------------------------ what a killed run left

    def _recover(self, leftovers):
        """Finish what an earlier run left in tmp."""
        for left in leftovers:
            log.warning('An earlier import was interrupted; finishing: %s', printable(left.name))
            try:
                self._finish(left)
            except ReplyError as e:
                self._keep(left, 'the server does not tell what became of it: %s' % e)
        self._spool.sync()

    def _keep(self, left, reason):
        self._settled_names.add(left.name)
        self._skip(left.name, "%s. It is kept in tmp, and published when the server's copy is gone" % reason, failed=True)

    def _finish(self, left):
        there = self._persist(lambda session: session.facts(left.name).get())
        if there is not None and self._persist(lambda session: self._same(session, left, there)):
            self._spool.secure(left.name)
            try:
                self._persist(lambda session: session.remove(left.name).get())
            except ReplyError as e:
                if self._persist(lambda session: session.facts(left.name).get()) is not None:
                    return self._keep(left, 'the server refuses to remove it: %s' % e)
            log.info('File removed on server: %s', printable(left.name))
        self._publish(left.name, left.size)

    def _same(self, session, left, there):
        """Is the server's file the one that we have? By size and time, or without a time by what is in it."""
        if there.size not in (None, left.size):
            return False
        if there.modified is not None:
            return there.modified == left.modified
        incoming = self._spool.create(left.name)
        try:
            session.fetch(left.name, incoming.write)
            return self._spool.same(left.name, incoming)
        finally:
            incoming.discard()

    def _publish(self, name, size):
        try:
            path = self._spool.publish(name)
        except FileExistsError:
            return self._skip(name, "an older file of this name is unread in 'new'; it waits in 'tmp'")
        log.info("Moved from 'tmp' to 'new': %s", printable(name))
        self.outcome.files += 1
        self.outcome.bytes += size
        notify(FileImported(self.feed, name, path, size))

    # ------------------------------------------------------------ which files

    def _select(self):
        listed = self._persist(lambda session: list(session.list()))
        self._listing_was_cut_off = len(listed) >= LONG_LISTING
        chosen = self._choose(entry for entry in listed if entry.name not in LOCKS)
        few = len(chosen) < FILES_A_SESSION * self.feed.connections
        if few and any(entry.size is None for entry in chosen):
            chosen = self._persist(lambda session: self._measured(session, chosen))
        return chosen

    @staticmethod
    def _measured(session, entries):
        """The entries with their sizes, which the listing did not tell: large files pay for further sessions, however few."""
        pendings = {entry.name: session.facts(entry.name) for entry in entries if entry.size is None}

        def measured(entry):
            if entry.name not in pendings:
                return entry
            try:
                return pendings[entry.name].get() or entry
            except ReplyError:
                return entry        # what is wrong with it will show when it is its turn

        return [measured(entry) for entry in entries]

    def _objection(self, entry):
        if reason := self._spool.impossible(entry.name):
            return reason, True
        if entry.kind == 'dir':
            return 'it is a directory', False
        if self._spool.unread(entry.name):
            return "an older file of this name is unread in 'new'; it waits on the server", False
        return None, False

    # ------------------------------------------------------------ what became of them

    def _settle(self, job):
        if job.state == DROPPED and job.reason == GONE:
            self._vanished.append(job.name)
        super()._settle(job)

    def _exchanged(self):
        """Files that weren't there when we came to fetch them: does the server still list them?"""
        vanished, self._vanished = self._vanished, []
        if vanished:
            listed = {entry.name for entry in self._persist(lambda session: session.list())}
            for name in vanished:
                if name in listed:
                    self._skip(name, 'the server lists it, but knows no regular file under this name', failed=True)
                else:
                    self._skip(name, 'somebody else has taken it away')
