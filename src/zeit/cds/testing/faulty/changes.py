"""What happens to files behind a client's back: for `On.call` and `FaultyServer.when`.

Each function returns a function of the server.
"""

import time

from zeit.cds.testing.faulty.store import Content, stamp, text


def put(name, data=b'', mtime=None):
    """A file appears, or is replaced by another one (as by a rename)."""
    return lambda server: server.files.update({
        text(name): Content(data, server.now() if mtime is None else mtime)})


def rewrite(name, data, mtime=None):
    """A file gets other content in place; a running transfer sees it."""
    def change(server):
        content = server.files[name]
        content.data = data
        content.mtime = server.now() if mtime is None else mtime
    return change


def grow(name, data, mtime=None):
    """Bytes are appended to a file."""
    return lambda server: rewrite(
        name, server.files[name].data + data, mtime)(server)


def shrink(name, size, mtime=None):
    """A file is cut to `size` bytes."""
    return lambda server: rewrite(
        name, server.files[name].data[:size], mtime)(server)


def vanish(name):
    """A file (or directory) is gone."""
    def remove(server):
        server.files.pop(name, None)
        server.directories.discard(name)
    return remove


def mkdir(name, mtime=None):
    """A directory appears."""
    return lambda server: server.directories.add(
        name, server.now() if mtime is None else mtime)


def next_year():
    """Return a time a year from now, as listings write it."""
    return stamp(time.time() + 366 * 86400)


def nothing_offered(server):
    """Whether there is no file but locks: for `On(given=...)`."""
    return not set(server.files) - {'read', 'write'}
