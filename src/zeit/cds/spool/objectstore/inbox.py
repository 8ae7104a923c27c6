"""The incoming side of a spool in an object store. See `zeit.cds.spool.objectstore`."""
import hashlib
import os
import tempfile
import threading
import time

import zc.lockfile
import zope.interface

from zeit.cds.interfaces import Entry, FileRefused, IBatches, IShared, ISpool, Locked, SpoolError
from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool.inbox import impossible
from zeit.cds.spool.objectstore.incoming import Comparison, Incoming, PIECE, Underway, Upload
from zeit.cds.spool.objectstore.objects import IDENTITY, PAGE
from zeit.cds.spool.objectstore.recovery import is_published, Place, Record, record, Remains, TMP
from zeit.cds.text import printable


KEY_MAX = 1024              # bytes; what the three allow
COPIED_BY_S3 = 5 * 2**30    # bytes at most, in one step
LISTED = 10 * PAGE          # objects of new; where there are more, each name is asked for
UNREAD = "an older file of this name is unread in 'new'"


def excluded(url, side):
    """A zc.lockfile.LockFile, which keeps a second process of this user on this machine out of a
    spool. Raises Locked.

    side -- 'import' or 'export'
    """
    name = 'zeit.cds-%d-%s-%s.lock' % (
        os.geteuid(), side, hashlib.sha256(url.encode()).hexdigest()[:16])
    try:
        return zc.lockfile.LockFile(os.path.join(tempfile.gettempdir(), name))
    except zc.lockfile.LockError as e:
        raise Locked('Another process uses the spool %s.' % url) from e


class Unread:
    """What waits in new, as far as that has to be known."""

    def __init__(self, objects):
        self._objects = objects
        self._names = None      # those in new, or None: not known
        self._is_complete = False

    def __contains__(self, name):
        if self._names is None:
            self._look()
        return (name in self._names or not self._is_complete) and (
            self._objects.head('new/' + name) is not None)

    def _look(self):
        self._names, self._is_complete = set(), True
        for key, *_ in self._objects.list('new'):
            self._names.add(key.removeprefix('new/'))
            if len(self._names) >= LISTED:
                self._is_complete = False
                break

    def add(self, name):
        if self._names is not None:
            self._names.add(name)


class Base:
    """What a spool is for a run, and for a look."""

    def __init__(self, objects, feed):
        self.objects, self.path = objects, objects.url
        self._unread = Unread(objects)
        self._waiting = set()       # names in tmp

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.objects.close()

    def impossible(self, name):
        if reason := impossible(name):
            return reason
        if any(ord(character) < 32 or 0x7f <= ord(character) < 0xa0
               or ord(character) in (0xfffe, 0xffff) for character in name):
            return 'no object can have a name with a control character'
        if '\\' in name:
            return 'no object can have a name with a backslash'
        try:
            size = len(('%s/cur/%s' % (self.objects.location.prefix, name)).encode())
        except UnicodeEncodeError:
            return 'no object can have a name that is not UTF-8'
        if size > KEY_MAX:
            return "with the spool's prefix its name is longer than %d bytes" % KEY_MAX
        return None

    def unread(self, name):
        return name in self._waiting or name in self._unread


@zope.interface.implementer(IBatches, IShared)
class Spool(Base):
    """See ISpool."""

    def __init__(self, objects, feed):
        super().__init__(objects, feed)
        self.memory, self.underway = [], Underway()
        self._place = Place(feed, os.urandom(6).hex())
        self._coming = set()        # names of files that are being received
        self._records = {}          # {name: Record} of what waits for its publication
        self._kept = ()             # keys of data that records in tmp tell of
        self._done = {}             # {name: what `publish` is to raise, or None}
        self._marked, self._guard = False, threading.Lock()
        self._lock = excluded(objects.url, 'import')
        try:
            remains = objects.begin(Remains, objects)
            objects.check()
            self._remains = remains.result()
            self._waiting.update(self._remains.names)
        except BaseException:
            self.close()
            raise

    def close(self):
        lock, self._lock = self._lock, None
        if lock is not None:
            try:
                if self._marked:
                    self.objects.delete([self._place.uploads])
            finally:
                self.objects.close()
                lock.close()

    # ------------------------------------------------------------ what a killed run left

    def leftovers(self):
        return self._entries(self._found())

    def claim(self, leftovers):
        if not self._remains:
            return leftovers
        self._remains = Remains(self.objects)       # another host may have been here meanwhile
        self._records.clear()
        found = self._found()
        published = self._records.keys() - {one.name for one in found}
        self._remove([self._records.pop(name) for name in published])
        self._waiting = self._remains.names - published
        self._remains.sweep(self.objects, self._place, self._kept)
        return self._entries(found)

    def _found(self):
        """The Records of files that were not published."""
        records = self.objects.each(lambda name: record(self.objects, name),
                                    sorted(self._remains.names))
        self._kept = {found.data for found in records if found is not None}
        records = [found for found in records if found is not None and self._place.owns(found)]
        self._records.update((found.name, found) for found in records)
        published = self.objects.each(lambda found: is_published(self.objects, found), records)
        return [found for found, done in zip(records, published) if not done]

    @staticmethod
    def _entries(records):
        return [Entry(found.name, found.size, found.modified, 'file') for found in records]

    def _record(self, name):
        if name not in self._records:
            found = record(self.objects, name)
            if found is None:
                raise SpoolError("Spool %s: there is no %s in 'tmp'." % (
                    self.path, printable(name)))
            self._records[name] = found
        return self._records[name]

    def secure(self, name):
        """What is there is durable; but is it there?"""
        found = self._record(name)
        data = self.objects.head(found.source)
        if data is None or (data.size, data.identity or '') != (found.size, found.identity):
            raise SpoolError("Spool %s: the data of %s in 'tmp' are gone. Remove it there: the "
                             'server still has the file.' % (self.path, printable(name)))

    def comparison(self, name):
        return Comparison(self.objects.pieces(self._record(name).source, PIECE))

    # ------------------------------------------------------------ files

    def create(self, name, size=None):
        if reason := self.impossible(name):
            raise FileRefused(reason)
        if name in self._coming:
            raise FileRefused('another file of this name is being received')
        self.check_size(size or 0)
        self._coming.add(name)
        return Incoming(self, name)

    def check_size(self, size):
        """Raises FileRefused if no such file can be published."""
        if size > COPIED_BY_S3 and self.objects.location.kind == 'S3Store':
            raise FileRefused('it has more than 5 GiB, which S3 does not copy in one step')

    def key_of(self, identity):
        """Where the data of a file are that is not small."""
        return self._place.run + identity

    def send(self, identity, data):
        """Send data, all of a file. Returns a Future."""
        return self.objects.begin(
            self.objects.put, self.key_of(identity), data, {IDENTITY: identity})

    def new_upload(self, identity):
        """The Upload of a large file. Any thread may ask."""
        with self._guard:
            if not self._marked:
                self.objects.put(self._place.uploads, b'', {IDENTITY: os.urandom(16).hex()})
                self._marked = True
        return Upload(self.objects, self.key_of(identity), {IDENTITY: identity})

    def new_record(self, name, size, modified, identity):
        return Record(name, size, modified, identity, None, self._place.name, time.time_ns())

    def forget(self, name):
        """It is not being received any more."""
        self._coming.discard(name)

    def commit(self, incomings):
        incomings = [incoming for incoming in incomings if incoming.name in self._coming]
        futures = [self.objects.begin(incoming.write) for incoming in incomings]
        in_thread(lambda: [future.exception() for future in futures], join=True)
        errors = {}
        for incoming, future in zip(incomings, futures):
            if (error := future.exception()) is None:
                self._records[incoming.name] = future.result()
                self._waiting.add(incoming.name)
                incoming.close()
            else:
                errors[incoming] = error
        for error in errors.values():
            if not isinstance(error, FileExistsError):
                raise error
        for incoming in errors:
            raise incoming.refused("something else has got its name in 'tmp' meanwhile")

    # ------------------------------------------------------------ publication

    def batch(self, names):
        done = self.objects.each(self._copied, names)
        self._done.update(zip(names, done))
        published = [self._records[name] for name, error in zip(names, done) if error is None]
        in_thread(self._remove, published, join=True)
        for found in published:
            del self._records[found.name]
            self._waiting.discard(found.name)
            self._unread.add(found.name)

    def _copied(self, name):
        """None if it was published, else the exception."""
        try:
            found = self._record(name)
            self.objects.copy(found.source, 'new/' + name, found.identity or None)
        except FileExistsError:
            return FileExistsError(UNREAD)
        except SpoolError as e:
            return e
        return None

    def _remove(self, records):
        self.objects.delete(TMP + found.name for found in records)
        self.objects.delete(found.data for found in records if found.data is not None)

    def publish(self, name):
        if name not in self._done:
            self.batch([name])
        error = self._done.pop(name)
        if error is not None:
            raise error
        return '%s/new/%s' % (self.path, name)

    def sync(self):
        """Nothing: what the store has answered is durable."""


class ReadOnlySpool(Base):
    """The spool of an import that is only looked at."""

    def unread(self, name):
        return super().unread(name) or self.objects.head(TMP + name) is not None


zope.interface.classImplements(Spool, ISpool)
zope.interface.classImplements(ReadOnlySpool, ISpool)
