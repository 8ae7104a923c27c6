"""Files for tests of imports and exports, with all that names and sizes can be."""
import os
import random

from zeit.cds.spool.inbox import FileSink, Spool


BOUNDARIES = (0, 1, 2, 1447, 1448, 1449, 65535, 65536, 65537, 262143, 262144, 262145, 1048576,
              2097151, 2097152)
LATIN_1 = [os.fsdecode(name.encode('latin-1'))
           for name in ('Köln.xml', 'Füße und Äpfel', 'élan', '£', 'Gruß.jpg')]
NAMES = [
    'two words', 'three  spaces', 'ends with a dot.', 'Wetter Köln.xml', 'äöüÄÖÜß€.xml', '日本.txt',
    'a\u0308.xml', '🗞.xml',
    '100%.xml', '%41', '%s%n', '%00', '-rf', '--', '-', '-l x', 'a*b?c[d]', "it's", '"quoted"',
    'semi;colon=x', 'a&b|c<d>',
    '$HOME', '#', '~root', 'tmp', 'new', 'reads.', 'READ ME', 'write ~', 'x..', 'é' * 127 + 'x',
    'n' * 255,
    'm' * 254, 'l' * 249, 'k' * 250, *LATIN_1]

# What a server can't do, and therefore tests don't ask of it.
NO_LATIN_1 = {'pyftpdlib'}
NO_TIMES = {'vsftpd'}
NOT_ACTIVE = {'pyftpdlib'}


def two_hundred():
    """{name: data} of 200 files of 0 bytes to 2 MiB."""
    chance = random.Random(200)
    names = NAMES + ['article-%03d.xml' % n for n in range(200 - len(NAMES))]
    sizes = [*BOUNDARIES, *(int(2 ** chance.uniform(0, 16)) for _ in range(200 - len(BOUNDARIES)))]
    chance.shuffle(sizes)
    return {name: chance.randbytes(size) for name, size in zip(names, sizes)}


class HookedSink(FileSink):
    """Calls `hook` with a file's name when the first of its data are here."""

    def __init__(self, hook):
        self.hook = hook

    def open(self, feed):
        return HookedSpool(feed.store_dir, self.hook)


class HookedSpool(Spool):

    def __init__(self, path, hook):
        super().__init__(path)
        self.hook = hook

    def create(self, name, size=None):
        incoming = super().create(name, size)
        advance = incoming.advance

        def hooked(count):
            if not incoming.size:
                self.hook(incoming.name)
            advance(count)
        incoming.advance = hooked
        return incoming
