"""Runs with a directory, killed before and after each of their system calls there."""
import os
import signal
import unittest

from zeit.cds.feed import Feed
from zeit.cds.file.directory import Directory
from zeit.cds.file.session import FileConnection
from zeit.cds.file.tests.exchange import Share
from zeit.cds.lock.directory import Tuning
from zeit.cds.lock.lockfile import LockFile
from zeit.cds.spool.inbox import FileSink
from zeit.cds.spool.outbox import FileSource
from zeit.cds.testing.layers import BESIDE_LAYER
from zeit.cds.transfer.exporting import Export
from zeit.cds.transfer.importing import Import


FILES = {'a.xml': b'<a/>', 'b.jpg': b'2' * 100_000}
NEVER = 10**9
ALL_OF = 3          # every third step is a kill point, unless CI is true


class Kills(Share, unittest.TestCase):

    layer = BESIDE_LAYER

    def run_in_child(self, procedure, spools, last=NEVER):
        """The wait status of a process that does a run, and is killed at its step `last`."""
        if pid := os.fork():
            return os.waitpid(pid, 0)[1]
        try:
            Directory._call = counted(Directory._call, last)
            feed = Feed(store_dir=str(self.spool), hostname='localhost', user='',
                        ftp_dir=str(self.share), connection='file', connections=1)
            lock = LockFile(Tuning(mutex_grace=0.2))
            successful = procedure(feed, FileConnection(), lock, spools)().successful
            os._exit(0 if successful else 1)
        finally:
            os._exit(2)

    def kill_everywhere(self, procedure, spools, before, between, after):
        """before, between, after -- called before the run that is killed, after it, and after the
        one that follows."""
        interval = 1 if os.environ.get('CI') == 'true' else ALL_OF
        for last in range(1, NEVER, interval):
            with self.subTest(step=last):
                self.new_place()
                before()
                status = self.run_in_child(procedure, spools, last)
                if not os.WIFSIGNALED(status):
                    self.assertEqual(0, status)
                    break
                self.assertEqual(signal.SIGKILL, os.WTERMSIG(status))
                between()
                self.assertEqual(0, self.run_in_child(procedure, spools))
                after()
        self.assertGreater(last, 20)

    def test_import(self):
        def taken():
            """The application takes what was published."""
            for path in (self.spool / 'new').iterdir():
                path.rename(self.spool / 'cur' / path.name)

        def all_here_once():
            new, cur = self.contents(self.spool / 'new'), self.contents(self.spool / 'cur')
            self.assertEqual(set(), new.keys() & cur.keys())
            self.assertEqual(FILES, {**new, **cur})
            self.assertEqual({}, self.contents(self.share))
            self.assertEqual({}, self.contents(self.spool / 'tmp'))

        self.kill_everywhere(
            Import, FileSink(), lambda: self.put(self.share, FILES), taken, all_here_once)

    def test_export(self):
        def all_there():
            self.assertEqual(FILES, self.contents(self.share))
            self.assertEqual(FILES, self.contents(self.spool / 'cur'))
            self.assertEqual({}, self.contents(self.spool / 'new'))

        self.kill_everywhere(
            Export, FileSource(), lambda: self.put(self.spool / 'new', FILES), lambda: None,
            all_there)


def counted(call, last):
    """Such that this process is killed at that step: each call has one before and one after it."""
    count = 0

    def step():
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapper(*args, **kw):
        step()
        result = call(*args, **kw)
        step()
        return result
    return wrapper
