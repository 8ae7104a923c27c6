"""What a run tells the journal."""
import functools
import logging
import os
import socket
import time

import zope.interface

from zeit.cds.feed import label
from zeit.cds.interfaces import CDSError, IRecord, SpoolError
from zeit.cds.journal.notes import line_of, open_line, parsed, sections, unsettled, Version
from zeit.cds.net.scheduler import in_thread
from zeit.cds.text import phrase


log = logging.getLogger('zeit.cds')

EVERY = 10.0        # seconds after which a run that goes on hands over what it has
MOST_LEFT = 1000    # files that were left, and are told of: a hostile listing may have a million
NOT_THERE = ("the run was killed when it was on its way, and it is not in 'new' or 'cur' any more: "
             'whether it arrived is not known')
REPLACED = 'a newer file took its place before it was exported'


def place_of(feed):
    """The spool of a feed, the same whatever directory a command begins in: str."""
    return feed.store_dir if '://' in feed.store_dir else os.path.abspath(feed.store_dir)


def now():
    return time.time_ns()


class Told:
    """What a run told, and the journal does not have yet: on the disk, as far as it was noted."""

    def __init__(self, notes, *run):
        """
        notes -- INotes
        run -- the fields of the line that begins a section
        """
        self._notes, self._run = notes, run
        self.earlier = []           # events of earlier runs
        self.events = [('run', *run, 0)]    # of this one, without those that were handed over
        self._noted = 0             # so many of these are noted
        self._are_notes = False     # is there anything in the notes?

    def read(self):
        """Raises SpoolError."""
        data = self._notes.read()
        self._are_notes = bool(data)
        self.earlier = parsed(data)

    @property
    def number(self):
        """Of the next event."""
        return self.events[0][-1] + len(self.events)

    def add(self, *event):
        self.events.append(event)

    def note(self, durable):
        """Note all that was not. Raises SpoolError."""
        if self._noted < len(self.events):
            self._notes.append(b''.join(map(line_of, self.events[self._noted:])), durable)
            self._noted, self._are_notes = len(self.events), True

    def handed_over(self, count, versions):
        """The journal has so many of the events; note nothing more of them than that these Versions
        are not settled. Raises SpoolError.
        """
        number = self.events[0][-1] + count
        self.earlier, self._noted = [], 0
        self.events[:count] = [('run', *self._run, number)]
        if self._are_notes or versions:
            self._notes.replace(b''.join(map(open_line, versions)))
            self._are_notes = bool(versions)


def guarded(verb):
    """What goes wrong in a verb of a Record is told; the exchange goes on."""
    @functools.wraps(verb)
    def call(self, *args):
        try:
            verb(self, *args)
        except Exception as e:
            self._fail(e)
    return call


@zope.interface.implementer(IRecord)
class Record:
    """See IRecord."""

    def __init__(self, feed, spool, load):
        """
        feed -- IFeed
        spool -- provides INoted; INotedImport, if `begin` is told of leftovers
        load -- function of sections, and of names in new, that hands them to the journal; raises
            JournalError
        """
        self._spool, self._load, self._task = spool, load, getattr(feed, 'tell', '')
        self._run = '%x-%s' % (int(time.time()), os.urandom(4).hex())
        self._told = Told(spool.notes, self._run, label(feed), feed.direction, place_of(feed),
                          socket.gethostname(), os.getpid(), now())
        self._open = {}             # {name: Version}: whole, and not settled
        self._doubtful = {}         # {temporary name: Version}, see IRecord
        self._seen = now()
        self._handed_over = time.monotonic()
        self._failed = False        # was that told?
        self._has_begun = False     # is it known what earlier runs left?
        self._aside = set()         # names of files that are given up
        spool.hash_files()

    def _key(self):
        return '%s:%d' % (self._run, self._told.number)

    # ------------------------------------------------------------ what earlier runs left

    @guarded
    def begin(self, leftovers):
        told = self._told
        told.read()
        before = len(told.events)
        for version in unsettled(told.earlier).values():
            self._resolve(version)
        self._adopt([
            left for left in leftovers
            if left.name not in self._open or self._open[left.name].published])
        if len(told.events) > before:
            told.note(durable=True)
        self._has_begun = True

    def _resolve(self, version):
        """Find out what became of a file that an earlier run had noted."""
        fate = self._spool.fate(version.name, version.inode, version.size)
        if fate == 'unknown' and not version.published and version.temporary is not None:
            self._doubtful[version.temporary] = self._open[version.name] = version
            return
        published = fate != 'waiting'
        if published and not version.published:
            self._tell_of_published(version)
        elif version.published and not published:
            self._told.add('back', version.key)
        self._open[version.name] = version._replace(published=published)

    def _adopt(self, leftovers):
        """These were not even noted."""
        for left in leftovers:
            inode, digest = self._spool.identify(left.name)
            self._whole(left.name, inode, left.size, None, digest, left.modified)

    @property
    def doubtful(self):
        return list(self._doubtful)

    @guarded
    def decide(self, arrived):
        for temporary, version in self._doubtful.items():
            if temporary in arrived:
                self._tell_of_published(version)
                self._open[version.name] = version._replace(published=True)
            else:
                self._told.add('unknown', version.key, REPLACED)
                del self._open[version.name]
        self._doubtful = {}

    # ------------------------------------------------------------ while it goes on

    def seen(self):
        self._seen = now()

    def whole(self, files, kept=()):
        for entry in kept:
            self._told.add('kept', entry.name, entry.size, entry.modified)
        self._note_whole(files)
        if kept:
            self._told.note(durable=True)       # if that has failed just now: it must not

    @guarded
    def _note_whole(self, files):
        for file in files:
            self._whole(file.name, file.inode, file.size, getattr(file, 'temporary', None),
                        file.digest, getattr(file, 'modified', None))
        if files:
            self._note(durable=True)
        if time.monotonic() - self._handed_over > EVERY and not self._failed:
            in_thread(self._hand_over, join=True)

    def _whole(self, name, inode, size, temporary, digest, modified):
        version, key, task = self._open.get(name), self._key(), self._task
        if version is not None and not version.published:
            if (version.inode, version.size) == (inode, size):
                key, task = version.key, version.task       # it is sent once more
            else:
                self._told.add('unknown', version.key, REPLACED)
                key = self._key()
        self._open[name] = Version(key, name, inode, size, temporary, task=task)
        self._told.add('whole', key, name, inode, size, temporary, digest, modified, self._seen,
                       now(), *([task] if task else ()))

    @guarded
    def published(self, name):
        version = self._open.get(name)
        if version is not None:
            self._open[name] = version._replace(published=True)
            self._tell_of_published(version)

    def _tell_of_published(self, version):
        if version.task:        # first: who finds that it was published need not ask for it
            self._told.add('wanted', version.key, version.task)
        self._told.add('published', version.key, now())

    @guarded
    def set_aside(self, entry, tries, reason):
        self._aside.add(entry.name)
        self._told.add('aside', entry.name, entry.size, entry.modified, tries, str(reason), now())

    @guarded
    def gone(self, name):
        self._told.add('gone', name, now())

    @guarded
    def settled(self):
        unpublished = {
            name: version for name, version in self._open.items() if not version.published}
        if len(unpublished) < len(self._open):
            self._open = unpublished
            self._told.add('settled')

    def _note(self, durable):
        try:
            self._told.note(durable)
        except SpoolError as e:
            self._fail(e)

    # ------------------------------------------------------------ the end

    @guarded
    def close(self, outcome):
        self._tell_of_left(outcome)
        error = outcome.error
        if error is None:       # who could have told what became of them has forgotten it
            for version in self._doubtful.values():
                self._told.add('unknown', version.key, NOT_THERE)
                del self._open[version.name]
        self._told.add(
            'end', now(), outcome.files, outcome.bytes, len(outcome.skipped), len(outcome.failed),
            outcome.waiting, None if error is None else str(error))
        untaken = None
        try:
            untaken = self._spool.untaken()
        except SpoolError as e:
            self._fail(e)
        if not self._hand_over(untaken):
            self._note(durable=True)

    def _tell_of_left(self, outcome):
        for failed, left in (True, outcome.failed), (False, outcome.skipped):
            for name, reason in left[:MOST_LEFT]:
                if name not in self._aside:
                    self._told.add('left', name, str(reason), failed, now())

    def _hand_over(self, untaken=None):
        """Returns whether the journal has all of it now, and nothing is missing in the notes."""
        told = self._told
        self._handed_over = time.monotonic()
        if not self._has_begun:     # what is noted must not be forgotten
            return False
        count, versions = len(told.events), list(self._open.values())   # others go on meanwhile
        try:
            self._load([*sections(told.earlier), told.events[:count]], untaken)
            told.handed_over(count, versions)
        except Exception as e:      # also a mistake of ours is no reason to stop an exchange
            self._fail(e)
            return False
        return True

    def _fail(self, error):
        log.log(logging.DEBUG if self._failed else logging.WARNING,
                'The journal misses something: %s. The exchange goes on; a later run makes up for '
                'it.', phrase(error) or type(error).__name__,
                exc_info=None if isinstance(error, CDSError) else error)
        self._failed = True
