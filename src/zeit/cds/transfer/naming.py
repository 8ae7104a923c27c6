"""How the files of an export get to their names on the server."""
import unicodedata


def folded(name):
    """The same for all names that are one name to a server which does not distinguish between upper
    and lower case, or between the ways to write an accented letter."""
    return unicodedata.normalize('NFC', name.casefold())


class Naming:
    """What is known of the names on the server. All sessions of an export share it."""

    def __init__(self, replace):
        """
        replace -- may a file of the same name be replaced?
        """
        self.replace = replace
        self.listed = None      # names that are on the server, a set of what `folded` gives; None:
                                # not known
        self.direct = False     # does the server refuse to rename, so that files are stored under
                                # their own names?
        self.refused = {}       # {name that it refused to give by renaming: temporary name}
        self.ours = set()       # names under which there are parts of our own
        self.chosen = set()   # names of the files of this run
        self._taken = {}        # {name: one taken in this run that may be the same to the server}

    def is_direct(self, name):
        return self.direct or name in self.refused

    def is_free(self, name):
        """Is it known that the server has nothing of this name that is to stay? bool"""
        if name in self._taken:
            return False
        return self.replace or name in self.ours or (
            self.listed is not None and folded(name) not in self.listed)

    def is_of_another(self, name):
        """Was there a file of this name before, or is one exported in this run? bool"""
        return name in self.chosen or self.listed is not None and folded(name) in self.listed

    def objection(self, name):
        """Why a file can't be exported whose name the server says it has: str."""
        if (other := self._taken.get(name)) is not None:
            return ("the server has a file of this name, or does not tell it from that of %s; it "
                    "waits in 'new'" % other)
        return "an older file of this name is still on the server; it waits in 'new'"

    def one_at_a_time(self, entries):
        """Iterate over lists of Entry, to be exported one after the other.

        Names in one list are different to any server. Two that differ in case only are two files to
        most servers, and one to others, where the second would take the place of the first. So it
        is tried only when the first is there: then the server tells whether it has the second, too.
        """
        self.chosen.update(entry.name for entry in entries)
        if len({folded(entry.name) for entry in entries}) == len(entries):
            yield entries
            return
        names = {}
        for entry in entries:
            names.setdefault(folded(entry.name), []).append(entry)
        for n in range(max(map(len, names.values()))):
            yield sorted((same[n] for same in names.values() if len(same) > n),
                         key=lambda entry: entry.name)
            for same in names.values():
                for entry in same[n + 1:]:
                    self._taken[entry.name] = same[n].name
