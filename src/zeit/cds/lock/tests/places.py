"""Where the lock is tested: a directory of ours, and the servers; and processes that hold it."""
import contextlib
import functools
import os
import subprocess
import sys
import types
import unittest

from zeit.cds.feed import Feed
from zeit.cds.interfaces import PermanentError
from zeit.cds.lock.directory import MUTEX, Tuning
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.lock.tests.local import Directory, Plain
from zeit.cds.lock.token import Owner
from zeit.cds.testing import on_servers, SERVER_LAYERS
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.retry import Deadline


QUICK = Tuning(mutex_grace=0.6, mutex_wait=1.5)
PRINT_TOKEN = ('from zeit.cds.lock.token import Owner; print(Owner.me().token, flush=True); '
               'input()')


class OnServer(Directory):
    """A mixin for a TestCase with a `server`."""

    @property
    def directory(self):
        return self.server.directory

    def open(self):
        from zeit.cds.ftp.session import FTPConnection
        server = self.server
        feed = Feed(store_dir='/nonexistent', hostname=server.host, port=server.port,
                    user=server.user, password=server.password, timeout=20)
        return FTPConnection().open(feed, Deadline(600))


class Locking:
    """A mixin for a TestCase in one of the places: holds locks, quickly."""

    stale_after = 3600
    quirks = ()

    def setUp(self):
        super().setUp()
        self.log = self.enterContext(recorded())

    @property
    def feed(self):
        return types.SimpleNamespace(
            stale_after=self.stale_after, ftp_dir='/in', user='test', quirks=self.quirks)

    @contextlib.contextmanager
    def held(self, session=None, name='read', tuning=QUICK, **kw):
        with session or self.open() as session:
            with LockFile(tuning).hold(session, name, self.feed, self.open, **kw) as lock:
                yield lock, session

    def hold(self, *args, **kw):
        with self.held(*args, **kw):
            pass

    def leave_mutex(self, *names):
        with self.open() as session:
            session.make_directory(MUTEX)
            for name in names:
                session.make_directory('%s/%s' % (MUTEX, name))

    def assert_held(self, *texts):
        """It can be held, with one warning that holds all these texts, and leaves nothing."""
        del self.log.lines[:]
        self.hold()
        self.assertEqual({}, self.there())
        self.assertEqual(bool(texts), bool(self.log.warnings), self.log.lines)
        self.assert_warned(*texts)

    def assert_warned(self, *texts):
        found = [line for line in self.log.warnings if all(text in line for text in texts)]
        self.assertTrue(found or not texts, '%r in: %r' % (texts, self.log.lines))


def everywhere(mixin, layers=SERVER_LAYERS):
    """A suite of the tests of a mixin, on a directory of ours, and on servers."""
    on_plain = type('%s_Plain' % mixin.__name__, (mixin, Plain, unittest.TestCase),
                    {'__module__': mixin.__module__})
    on_server = type(mixin.__name__, (mixin, OnServer), {'__module__': mixin.__module__})
    return unittest.TestSuite([
        unittest.defaultTestLoader.loadTestsFromTestCase(on_plain),
        on_servers(on_server, layers)])


# ---------------------------------------------------------------- other processes

@contextlib.contextmanager
def another_process():
    """The Owner of a process that lives as long as the block."""
    process = subprocess.Popen(
        [sys.executable, '-c', PRINT_TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    try:
        yield Owner.parse(process.stdout.readline())
    finally:
        process.communicate('\n')


@functools.cache        # it stays so
def dead():
    """The Owner of a process that has ended."""
    with another_process() as owner:
        return owner


def killed(function):
    """Call a function in a process of its own, which kills itself in it. Did it? bool"""
    if not (pid := os.fork()):
        try:
            function()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status not in (0, KILLED):
        raise AssertionError('The process ended otherwise: %d' % status)
    return status == KILLED


KILLED = 77


def die():
    os._exit(KILLED)


def refuse(verb, *args, **kw):
    raise PermanentError('550 No.')
