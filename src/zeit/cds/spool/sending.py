"""Files on their way to the server: what is the same whatever kind of spool they come from."""
import hashlib

from zeit.cds.interfaces import Note


class Pieces:
    """Of an IOutgoing: `pieces`, by its `_read`, which gives all of the contents."""

    def pieces(self, offset=0):
        digest = hashlib.sha256()
        self.size = 0
        for piece in self._read():
            digest.update(piece)
            before, self.size = self.size, self.size + len(piece)
            if self.size > offset:
                yield piece[max(0, offset - before):]
        self.digest = digest.hexdigest()


class Unsettled:
    """Of the journal of exports: what was noted, and may be left on the server."""

    def __init__(self):
        self._temporaries = set()   # on the server, as far as we know
        self._direct = set()        # names of files of which parts may be on the server

    @property
    def is_settled(self):
        """Is nothing left on the server, as far as we know? bool"""
        return not (self._temporaries or self._direct)

    def settled(self, temporary):
        """See IOutbox."""
        self._temporaries.discard(temporary)

    def withdrawn(self, name):
        """See IOutbox."""
        self._direct.discard(name)

    def unfinished(self):
        """See IOutbox."""
        return sorted(self._direct)

    @staticmethod
    def noted_in(lines, place):
        """What an export to the same place noted: temporary names, and {name: Note}.

        lines -- those of the journal. The names are those of all that was begun, a list of str.
        """
        there, *noted = [*lines] or [None]
        if there != place:
            return [], {}
        begun = [fields[1] for fields in noted if fields[0] == 'storing']
        notes = {fields[1]: Note(fields[1], fields[2], fields[0] == 'sent', *fields[3:])
                 for fields in noted if fields[0] != 'storing'}
        return list(dict.fromkeys(begun)), notes


class Sending:
    """Of an IOutbox: what its `_journal` keeps, and which version of a file was sent."""

    def __init__(self):
        self._sent = {}             # name: identity
        self._found = {}            # name: identity, of the files that `interrupted` told of

    def commit(self, outgoings):
        self._journal.commit(outgoings)
        for outgoing in outgoings:
            self._sent[outgoing.name] = outgoing.identity

    def settled(self, temporary):
        self._journal.settled(temporary)

    def withdrawn(self, name):
        self._journal.withdrawn(name)
        self._sent.pop(name, None)

    def unfinished(self):
        return self._journal.unfinished()

    def adopt(self, note):
        self._sent[note.name] = self._found[note.name]
