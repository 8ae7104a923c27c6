"""What tests of both sides of a spool have in common. A support module."""
import glob
import importlib
import multiprocessing
import os
import shutil
import tempfile
import traceback
import unittest

from zeit.cds.interfaces import SpoolError
from zeit.cds.spool.inbox import PARTS, Spool
from zeit.cds.spool.incoming import Tuning
from zeit.cds.spool.outbox import Outbox
from zeit.cds.spool.tests.recorder import System


MEMORY = '/dev/shm'
NOBODY = 65534
PLACE = 'user@host:21 /'
WHEN = 1_500_000_000_123456789      # nanoseconds since 1970


def contents(directory):
    """{name: data} of what is in a directory; of what is no file the data is None."""
    result = {}
    for entry in os.scandir(directory):
        result[entry.name] = None
        if entry.is_file(follow_symlinks=False):
            with open(entry.path, 'rb') as f:
                result[entry.name] = f.read()
    return result


def fill(sink, data, most=30_000):
    """Hand data to an IByteSink, as it comes from a network."""
    data = memoryview(data)
    while data:
        room = sink.buffer()
        count = min(len(room), len(data), most)
        room[:count] = data[:count]
        sink.advance(count)
        data = data[count:]


def as_somebody_else(function):
    """Call it in a process without root's rights.

    Gives the text and the notes of the SpoolError that it raises, or None. Any other exception
    is one here, too: else who waits for a result would wait for ever.
    """
    def child(results):
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            function()
        except SpoolError as e:
            results.put((True, '%s %s' % (e, e.__notes__)))
        except BaseException:
            results.put((False, traceback.format_exc()))
        else:
            results.put((True, None))

    importlib.import_module('shlex')    # Python may be where only root can read it
    context = multiprocessing.get_context('fork')
    results = context.SimpleQueue()
    process = context.Process(target=child, args=(results,))
    process.start()
    good, said = results.get()
    process.join()
    if not good:
        raise AssertionError(said)
    return said


class InSpool(unittest.TestCase):
    """A test with an empty spool at `path`."""

    parent = MEMORY if os.access(MEMORY, os.W_OK) else None     # a busy disk would slow tests down

    def setUp(self):
        super().setUp()
        self.path = tempfile.mkdtemp(prefix='zeit.cds-spool-', dir=self.parent)
        self.addCleanup(shutil.rmtree, self.path, ignore_errors=True)
        for name in 'tmp', 'new', 'cur':
            os.mkdir(self.at(name))

    def at(self, *names):
        """The path of something in the spool."""
        return os.path.join(self.path, *names)

    def there(self, *names):
        """What a directory of the spool holds."""
        return contents(self.at(*names))

    def make(self, *names, data=b''):
        """Make a file in the spool, which appears whole, with an inode of its own."""
        with open(self.at('.being-made'), 'wb') as f:
            f.write(data)
        os.rename(self.at('.being-made'), self.at(*names))

    def with_system(self):
        """A System for the rest of the test."""
        return self.enterContext(System())


class InboxCase(InSpool):
    """A test with a Spool."""

    tuning = Tuning()

    def setUp(self):
        super().setUp()
        self.spool = self.open()

    def open(self):
        opened = Spool(self.path, self.tuning)
        self.addCleanup(opened.close)
        return opened

    def reopen(self):
        self.spool.close()
        self.spool = self.open()

    def receive(self, name, data=b'data', modified=None, size=None):
        incoming = self.spool.create(name, size)
        fill(incoming, data)
        incoming.complete(modified)
        return incoming

    def commit(self, *names):
        self.spool.commit([self.receive(name) for name in names])

    def parts(self):
        """The files that are being received."""
        found = {}
        for directory in glob.glob(os.path.join(glob.escape(self.path), 'tmp', PARTS + '*')):
            found.update(contents(directory))
        return found

    def whole(self):
        """The files in tmp that are no parts."""
        return {name: data for name, data in self.there('tmp').items()
                if not name.startswith(PARTS)}


class OutboxCase(InSpool):
    """A test of an Outbox."""

    def open(self, place=PLACE, keep=None):
        outbox = Outbox(self.path, place, keep)
        self.addCleanup(outbox.close)
        return outbox

    def begun(self, **settings):
        outbox = self.open(**settings)
        outbox.mark()
        outbox.begin([])
        return outbox

    def offer(self, name, data=b'data'):
        self.make('new', name, data=data)

    def outgoing(self, outbox, name):
        """A file that was read."""
        outgoing = outbox.create(name)
        outgoing.open()
        outgoing.read()
        outgoing.discard()
        return outgoing

    def sent(self, outbox, name):
        """A file that is on the server, as a note says that is on the disk."""
        outgoing = self.outgoing(outbox, name)
        outbox.storing(outgoing)
        outbox.commit([outgoing])
        return outgoing
