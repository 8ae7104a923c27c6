"""What tests of whole runs with a directory have in common: a share, and a spool."""
import os
import shutil
import tempfile
from pathlib import Path


class Share:
    """A mixin for a TestCase: `share` is the directory, `spool` a filestore."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix='zeit.cds-share-'))
        self.addCleanup(shutil.rmtree, self.place)
        self.new_place()

    def new_place(self):
        """An empty directory, and an empty spool."""
        place = Path(tempfile.mkdtemp(dir=self.place))
        self.share, self.spool = place / 'incoming', place / 'spool'
        for directory in (self.share, *(self.spool / name for name in ('tmp', 'new', 'cur'))):
            directory.mkdir(parents=True)

    @property
    def url(self):
        return 'file://%s' % self.share

    def put(self, directory, files):
        for name, content in files.items():
            (directory / name).write_bytes(content)

    def contents(self, directory):
        """{name: bytes, or None for what is no file}"""
        return {name: (directory / name).read_bytes() if (directory / name).is_file() else None
                for name in os.listdir(directory)}
