"""What a spool in an object store remembers of exports. See `zeit.cds.spool.journal`.

    tmp/.export/GENERATION/NUMBER    lines of a journal, each object some of them

The highest generation counts; it begins with the place that the files go to. A new one makes the
older ones void the moment its first object is there. Lines are as in a journal on a disk, but for a
file's e_tag and time in the place of its inode.
"""
import os

from zeit.cds.interfaces import Locked
from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool.journal import line_of, lines
from zeit.cds.spool.objectstore.objects import IDENTITY
from zeit.cds.spool.sending import Unsettled


PREFIX = 'tmp/.export/'


class Journal(Unsettled):
    """The journal of one spool's exports."""

    def __init__(self, objects, place):
        """
        objects -- Objects
        place -- str, which tells where the files go to: notes about another place don't count
        """
        super().__init__()
        self._objects, self._place = objects, place
        self._number = None         # of the next object, in a generation of our own
        self._look()

    def _look(self):
        self._keys = sorted(key for key, *_ in self._objects.list(PREFIX[:-1]))
        self._generation = int(self._keys[-1].split('/')[-2]) if self._keys else 0

    @property
    def marked(self):
        return bool(self._keys)

    # ------------------------------------------------------------ the beginning and the end

    def mark(self):
        """See IOutbox."""
        if not self.marked:
            self._start([])

    def begin(self, temporaries, notes):
        """See IOutbox."""
        self._temporaries.update(temporaries)
        self._direct.update(note.name for note in notes)
        if self._number is None:        # else it is new, and there is nothing to forget
            self._start([*(['storing', name] for name in temporaries), *(
                ['direct', note.name, None, note.inode, note.size, note.digest]
                for note in notes)])

    def _start(self, values):
        older, self._keys = self._keys, []
        self._generation, self._number = self._generation + 1, 0
        try:
            self._append([self._place, *values])
        except FileExistsError as e:
            self._keys = []
            raise Locked('Another export uses the spool %s.' % self._objects.url) from e
        self._objects.delete(older)

    def _append(self, values):
        """Add lines, durably. In a task, others go on meanwhile."""
        key = '%s%09d/%09d' % (PREFIX, self._generation, self._number)
        self._number += 1
        self._keys.append(key)
        in_thread(self._objects.put, key, b''.join(map(line_of, values)),
                  {IDENTITY: os.urandom(16).hex()}, join=True)

    def forget(self):
        """Forget all notes and the mark."""
        keys, self._keys = self._keys, []
        self._objects.delete(keys[1:])
        self._objects.delete(keys[:1])      # the mark

    # ------------------------------------------------------------ what an earlier export left

    def noted(self):
        """See noted_in."""
        if self._number is None:
            self._look()    # another host may have been here before we had the lock
        prefix = '%s%09d/' % (PREFIX, self._generation)
        pieces = self._objects.each(
            self._contents, [key for key in self._keys if key.startswith(prefix)])
        return self.noted_in(lines(b''.join(pieces)), self._place)

    def _contents(self, key):
        return b''.join(self._objects.pieces(key, 2**20))

    # ------------------------------------------------------------ what is on its way

    def storing(self, outgoing, ahead=()):
        """See IOutbox. ahead -- temporary names of files that will follow, noted with it"""
        if outgoing.temporary is None:
            self._direct.add(outgoing.name)
            return self._append([['direct', *outgoing.facts]])
        self._temporaries.add(outgoing.temporary)
        self._append([['storing', name] for name in (outgoing.temporary, *ahead)])

    def is_stored(self, temporary):
        """A file of that name, which was noted with an earlier one, is about to be stored."""
        self._temporaries.add(temporary)

    def commit(self, outgoings):
        """See IOutbox."""
        self._append([['sent', *outgoing.facts] for outgoing in outgoings])
        for outgoing in outgoings:
            self.withdrawn(outgoing.name)
