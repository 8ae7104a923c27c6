"""A server that is a directory here, for tests of what a run does: no network, faults at will."""
import contextlib
import os
import shutil
import stat
import tempfile
import threading
import time
import unittest

import zope.interface

from zeit.cds.feed import Feed
from zeit.cds.interfaces import (
    ConnectionLost,
    Entry,
    ICDSConnection,
    ICDSSession,
    IPipelined,
    PermanentError,
)
from zeit.cds.lock.directory import Tuning as LockTuning
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.net.scheduler import checkpoint, sleep
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.outbox import FileSource
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.exporting import Export
from zeit.cds.transfer.importing import Import
from zeit.cds.transfer.tuning import Tuning


QUICK = Tuning(first_pause=0.005, longest_pause=0.02, gather=0.002)
QUICK_LOCK = LockTuning(pause=0.002, pause_alone=0.002)
WHEN = 1_700_000_000


class Fault:
    """Something that happens at a call of a verb, `times` times after it did not `skip` times."""

    def __init__(self, verb, action, name=None, session=None, times=None, skip=0, after=False):
        """
        action -- an exception to raise, or a function to call, of the session and the arguments
        after -- does it happen when the verb has done its work?
        """
        self.verb, self.action, self.name, self.session = verb, action, name, session
        self.times, self.skip, self.after = times, skip, after
        self.used = 0

    def strikes(self, session, verb, args):
        if verb != self.verb or self.session not in (None, session.number):
            return False
        if self.name is not None and (not args or args[0] != self.name):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.used >= self.times:
            return False
        self.used += 1
        return True


@zope.interface.implementer(ICDSConnection)
class Server:
    """An ICDSConnection, and what it leads to."""

    needs_password = False

    def __init__(self, *faults, files=(), blocking=False, times=True, key=None):
        """
        blocking -- do its sessions say so?
        times -- does it tell times of files?
        key -- what two names have in common that are one name to it: a function; None: they don't
        """
        self.directory = tempfile.mkdtemp(prefix='zeit.cds-plain-')
        self.faults = list(faults)
        self.blocking, self.times, self.key = blocking, times, key
        self.latency = 0.01
        self.sessions, self.calls, self.likes = [], [], []
        self.threads = set()
        self.readers = []       # sessions that read
        self.pipelined = None   # what makes the IPipelined of a session, if it is its own
        for name, data in dict(files).items():
            self.put(name, data)

    def open(self, feed, deadline, like=None):
        session = Session(self, len(self.sessions) + 1, deadline)
        self.likes.append(like)
        self.sessions.append(session)
        try:
            session.call('open', lambda: None)
        except BaseException:
            session.close()
            raise
        return session

    def put(self, name, data, modified=WHEN):
        path = os.path.join(self.directory, name)
        with open(path, 'wb') as f:
            f.write(data)
        os.utime(path, (modified, modified))

    @property
    def files(self):
        found = {}
        for name in os.listdir(self.directory):
            with contextlib.suppress(IsADirectoryError), \
                    open(os.path.join(self.directory, name), 'rb') as f:
                found[name] = f.read()
        return found

    def called(self, verb):
        """First arguments of all calls of that verb."""
        return [args[0] for done, args in self.calls if done == verb]

    def count(self, verb):
        """How often was it called?"""
        return sum(done == verb for done, args in self.calls)

    def names(self):
        return set(os.listdir(self.directory))

    def take(self, name):
        """Somebody else takes a file."""
        os.unlink(os.path.join(self.directory, name))

    def stored(self, name):
        """The name under which it keeps what is called so."""
        if self.key is not None:
            for other in os.listdir(self.directory):
                if self.key(other) == self.key(name):
                    return other
        return name


@zope.interface.implementer(ICDSSession)
class Session:

    def __init__(self, server, number, deadline):
        self.server, self.number, self.deadline = server, number, deadline
        self.blocking, self.latency = server.blocking, server.latency
        self.alive = True
        self.closed = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __conform__(self, interface):
        if interface is IPipelined and self.server.pipelined is not None:
            return self.server.pipelined(self)

    def call(self, verb, function, *args):
        checkpoint()        # as one that waits for a network
        self.server.calls.append((verb, args))
        self.server.threads.add((self.number, threading.current_thread()))
        faults = [fault for fault in self.server.faults if fault.strikes(self, verb, args)]
        for after in False, True:
            self.check()
            if after:
                result = self._done(function)
            for fault in faults:
                if fault.after == after:
                    self._strike(fault, args)
        return result

    def check(self):
        if not self.alive:
            raise ConnectionLost('The session has ended.')
        self.deadline.check()

    def _done(self, function):
        try:
            return function()
        except OSError as e:
            raise PermanentError(str(e)) from e
        except PermanentError:
            raise
        except BaseException:
            self.alive = False
            raise

    def _strike(self, fault, args):
        error = fault.action
        if not isinstance(error, Exception):
            return error(self, *args)
        if isinstance(error, ConnectionLost):
            self.alive = False
        raise type(error)(*error.args) if not error.__dict__ else error

    def path(self, name):
        return os.path.join(self.server.directory, self.server.stored(name))

    def _entry(self, name):
        with contextlib.suppress(OSError):
            found = os.stat(self.path(name))
            if stat.S_ISREG(found.st_mode):
                time = found.st_mtime_ns if self.server.times else None
                return Entry(name, found.st_size, time, 'file')
        return None

    def entries(self):
        return iter(self.call('entries', lambda: [
            self._entry(name) or Entry(name, kind='dir')
            for name in os.listdir(self.server.directory)]))

    def stat(self, name):
        return self.call('stat', lambda: self._entry(name), name)

    def read(self, name, sink, offset=0):
        self.server.readers.append(self)

        def read():
            count = 0
            with open(self.path(name), 'rb') as f:
                f.seek(offset)
                while got := f.readinto(sink.buffer()):
                    sink.advance(got)
                    count += got
            return count
        return self.call('read', read, name, sink, offset)

    def write(self, name, source, offset=0):
        def write():
            with open(self.path(name), 'r+b' if offset else 'wb') as f:
                f.seek(offset)
                return sum(f.write(piece) for piece in (
                    [source] if isinstance(source, bytes) else source))
        return self.call('write', write, name, source, offset)

    def remove(self, name):
        self.call('remove', lambda: os.unlink(self.path(name)), name)

    def rename(self, source, target):
        self.call('rename', lambda: self._rename(source, target), source, target)

    def _rename(self, source, target):
        there = self.path(target)
        os.rename(self.path(source), there)
        os.rename(there, os.path.join(self.server.directory, target))

    def exists(self, name):
        return self.call('exists', lambda: os.path.lexists(self.path(name)), name)

    def kind(self, name):
        return self.call('kind', lambda: (
            'dir' if os.path.isdir(self.path(name))
            else 'file' if os.path.isfile(self.path(name)) else None), name)

    def make_directory(self, name):
        self.call('make_directory', lambda: os.mkdir(self.path(name)), name)

    def remove_directory(self, name):
        self.call('remove_directory', lambda: os.rmdir(self.path(name)), name)

    def names(self, directory):
        return self.call('names', lambda: os.listdir(self.path(directory)), directory)

    def stored_name(self, name):
        return self.call('stored_name', lambda: self.server.stored(name), name)

    def clock(self):
        return time.time_ns()

    def close(self):
        self.closed += 1
        self.alive = False

    def abort(self):
        self.alive = False


def hangs(session, *args):
    """A Fault's action: it takes for ever, until the session is aborted."""
    while True:
        session.check()
        sleep(0.01)


class Exchanges(unittest.TestCase):
    """Imports from such a server, and exports to it."""

    def setUp(self):
        super().setUp()
        self.store_dir = tempfile.mkdtemp(prefix='zeit.cds-spool-')
        self.addCleanup(shutil.rmtree, self.store_dir, ignore_errors=True)

    def serve(self, *faults, **kw):
        server = Server(*faults, **kw)
        self.addCleanup(shutil.rmtree, server.directory, ignore_errors=True)
        return server

    def feed(self, **settings):
        return Feed(**{**dict(store_dir=self.store_dir, hostname='plain', user='test', timeout=5,
                              connections=1, retries=0), **settings})

    def import_(self, server, tuning=QUICK, **settings):
        """An Import, not yet called."""
        self.last = Import(self.feed(**settings), server, LockFile(QUICK_LOCK), FileSink(), tuning)
        return self.last

    def export(self, server, tuning=QUICK, **settings):
        self.last = Export(self.feed(direction='export', **settings), server, LockFile(QUICK_LOCK),
                           FileSource(), tuning)
        return self.last

    def run_it(self, run):
        """Its Outcome; no session is left open, no lock there."""
        with recorded() as self.log:
            outcome = run()
        server = run._remote[0]
        self.assertEqual([], [s.number for s in server.sessions if s.alive], self.log.text)
        self.assertEqual(set(), {'read', 'write', '.cds-mutex'} & set(os.listdir(server.directory)),
                         self.log.text)
        return outcome

    def offer(self, name, data=b'data'):
        os.makedirs(os.path.join(self.store_dir, 'new'), exist_ok=True)
        with open(os.path.join(self.store_dir, 'new', name), 'wb') as f:
            f.write(data)

    def spool(self, folder):
        """{name: data}"""
        found, path = {}, os.path.join(self.store_dir, folder)
        for name in os.listdir(path):
            if os.path.isfile(os.path.join(path, name)):
                with open(os.path.join(path, name), 'rb') as f:
                    found[name] = f.read()
        return found



