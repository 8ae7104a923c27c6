"""What a server shows, seen from behind."""
import os


class LocalDirectory:
    """A directory of this machine that the server under test shows.

    Who tests a server elsewhere writes a class with these methods. Names are str, decoded with
    `os.fsdecode`; also DIRECTORY/NAME.
    """

    def __init__(self, path):
        self.path = path

    def put(self, name, data, modified=None):
        """Have a file of these bytes there, at once. modified -- nanoseconds since 1970 (UTC)

        Whoever reads an older one of this name gets all of it.
        """
        path = os.path.join(self.path, name)
        hidden = os.path.join(os.path.dirname(path), '.being-made')
        with open(hidden, 'wb') as f:
            f.write(data)
        if modified is not None:
            os.utime(hidden, ns=(modified, modified))
        os.replace(hidden, path)

    def remove(self, name):
        """Remove a file, or an empty directory."""
        path = os.path.join(self.path, name)
        (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)

    def make_directory(self, name):
        os.mkdir(os.path.join(self.path, name))

    def link(self, name, target):
        """Have a symbolic link there that leads to `target`, a name beside it."""
        os.symlink(target, os.path.join(self.path, name))

    def contents(self, directory=''):
        """{name: bytes of a file, or None: it is something else}"""
        found = {}
        for entry in os.scandir(os.path.join(self.path, directory)):
            found[entry.name] = None
            if entry.is_file():
                with open(entry.path, 'rb') as f:
                    found[entry.name] = f.read()
        return found
