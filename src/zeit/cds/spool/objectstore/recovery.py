"""What runs left in tmp, and what became of it: see the tables in `zeit.cds.spool.objectstore`."""
import hashlib
import time
from typing import NamedTuple

from zeit.cds.spool.objectstore.objects import CONDITIONS, IDENTITY
from zeit.cds.spool.outbox import numbered


# Metadata
MODIFIED, SIZE, DATA, PLACE = 'cdsmodified', 'cdssize', 'cdsdata', 'cdsplace'
TMP = 'tmp/'
PARTS = 'tmp/.parts/'
UPLOADS = 'uploads'         # a run has such an object from before its first multipart upload
OLD = 86400 * 10**9         # nanoseconds; what is older is everybody's: its feed is gone


class Record(NamedTuple):
    """What tmp/NAME tells."""

    name: str
    size: int
    modified: int | None    # on the server, nanoseconds since 1970
    identity: str
    data: str | None        # key of its data; None: these are there
    place: str              # see Place
    written: int            # nanoseconds since 1970

    @property
    def metadata(self):
        """The metadata that tell it: a dict of str."""
        found = {IDENTITY: self.identity, PLACE: self.place}
        if self.modified is not None:
            found[MODIFIED] = str(self.modified)
        if self.data is not None:
            found.update({SIZE: str(self.size), DATA: self.data})
        return found

    @property
    def source(self):
        """The key of its data."""
        return self.data or TMP + self.name


def record(objects, name):
    """The Record of tmp/NAME, None if there is none."""
    found = objects.head(TMP + name)
    if found is None:
        return None
    metadata = found.metadata
    data = metadata.get(DATA)
    modified = metadata.get(MODIFIED)
    return Record(name, int(metadata[SIZE]) if data else found.size,
                  found.modified if modified is None else int(modified),
                  metadata.get(IDENTITY, ''), data, metadata.get(PLACE, ''), found.modified)


def is_published(objects, record):
    """Was it published, whatever the consumer has done with it? bool"""
    if _is(objects.head('new/' + record.name), record):
        return True
    name, number = record.name, 1
    while (found := objects.head('cur/' + name)) is not None:
        if _is(found, record):
            return True
        number += 1
        name = numbered(record.name, number)
    return False


def _is(found, record):
    return found is not None and record.identity and found.identity == record.identity


class Remains:
    """What is in tmp."""

    def __init__(self, objects):
        self.names = set()      # of whole files
        self._parts = {}        # {key below PARTS: when it was written}
        for key, _, written, _ in objects.list('tmp'):
            if key.startswith(PARTS):
                self._parts[key] = written
            elif not key.startswith(CONDITIONS) and '/' not in key[len(TMP):]:
                name = key[len(TMP):]
                if not name.startswith('.'):
                    self.names.add(name)

    def __bool__(self):
        return bool(self.names or self._parts)

    def sweep(self, objects, place, known):
        """Remove what belongs to nobody.

        place -- the Place of the feed, whose lock on the server is held
        known -- keys of data that belong to files in tmp
        """
        worthless = [key for key, written in self._parts.items()
                     if key not in known and (key.startswith(place.prefix) or is_old(written))]
        markers = [key for key in worthless if key.endswith('/' + UPLOADS)]
        if markers:
            from zeit.cds.spool.objectstore.uploads import abort  # after a kill only
            abort(objects, {key.removesuffix(UPLOADS) for key in markers})
        objects.delete(key for key in worthless if key not in markers)
        objects.delete(markers)     # at last: else a kill would let uploads be forgotten


def is_old(written):
    return written < time.time() * 10**9 - OLD


class Place:
    """Where a feed's files come from, and where a run of it keeps those that are not whole.

    Several feeds can use one spool on several hosts at the same time. Each leaves alone what the
    others have in tmp; of one feed the lock on its server lets one run work.
    """

    def __init__(self, feed, run):
        self.name = hashlib.sha256(address(feed).encode()).hexdigest()[:16]
        self.prefix = '%s%s/' % (PARTS, self.name)
        self.run = '%s%s/' % (self.prefix, run)
        self.uploads = self.run + UPLOADS

    def owns(self, record):
        """Is a file in tmp for a run of this feed to finish? bool"""
        return record.place == self.name or is_old(record.written)


def address(feed):
    """What tells a feed's directory on a server from others: str."""
    return '%s@%s:%d %s' % (feed.user, feed.hostname, feed.port, feed.ftp_dir)
