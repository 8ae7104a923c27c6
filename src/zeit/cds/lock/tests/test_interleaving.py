"""Two importers, an exporter that knows no mutex, and a consumer, whose steps come in any order."""
import contextlib
import ftplib
import io
import os
import shutil
import tempfile
import threading

from hypothesis import given, settings, strategies

from zeit.cds.ftp.session import FTPConnection
from zeit.cds.interfaces import Locked
from zeit.cds.lock.directory import Tuning
from zeit.cds.spool.inbox import FileSink
from zeit.cds.testing.layers import PYFTPDLIB_LAYER, ServerTestCase
from zeit.cds.tests.crash.races import alone, WatchedLockFile
from zeit.cds.tests.importing import Importing, new_spool, recorded
from zeit.cds.transfer.importing import Import


LIMIT = 30      # seconds until something must have happened
TUNING = Tuning(mutex_wait=0.5, mutex_grace=3 * LIMIT)


class Gate:
    """Who calls it waits until it's their turn."""

    def __init__(self):
        self._condition = threading.Condition()
        self._turns = self._waiting = 0
        self._open = self._ended = False

    def __call__(self):
        with self._condition:
            self._waiting += 1
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._turns or self._open)
            self._turns = max(0, self._turns - 1)
            self._waiting -= 1
            self._condition.notify_all()

    def step(self):
        """Let one of the waiting go on, until there is one again."""
        with self._condition:
            self._wait()
            if not self._ended:
                self._turns += 1
                self._condition.notify_all()
                self._condition.wait_for(lambda: not self._turns, LIMIT)
                self._wait()

    def _wait(self):
        if not self._condition.wait_for(lambda: self._waiting or self._ended, LIMIT):
            raise RuntimeError('Nothing happens any more.')

    def open(self):
        """No more waiting."""
        with self._condition:
            self._open = True
            self._condition.notify_all()

    def end(self):
        with self._condition:
            self._ended = True
            self._condition.notify_all()


class GatedConnection(FTPConnection):
    """Before anything is sent, once logged in, it must be our turn."""

    def __init__(self, gate):
        self.gate = gate

    def open(self, *args, **kw):
        session = super().open(*args, **kw)
        transmit = session.control.transmit

        def gated(data):
            self.gate()
            return transmit(data)

        session.control.transmit = gated
        return session


class Actor(threading.Thread):
    """A thread whose steps others let happen; `result` is what its function returned."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self.gate, self.result = Gate(), None
        self._function = function

    def run(self):
        try:
            self.result = self._function(self.gate)
        except BaseException as e:
            self.result = e
        finally:
            self.gate.end()


class Interleaving(Importing, ServerTestCase):
    """Nothing is lost, nothing comes twice, nobody works in the directory while another does."""

    layer = PYFTPDLIB_LAYER

    def begin(self):
        """What setUp does, for each example."""
        self.server.clear()
        self.directory = tempfile.mkdtemp()
        self.spools = [new_spool(), new_spool()]
        self.offered, self.taken = [], []
        for n in range(2):
            self.put('early-%d' % n, b'early %d' % n)
            self.offered.append(b'early %d' % n)

    def end(self):
        for path in [self.directory, *self.spools]:
            shutil.rmtree(path)

    def importer(self, n):
        return Actor(lambda gate: Import(
            self.feed(store_dir=self.spools[n], connections=1), GatedConnection(gate),
            WatchedLockFile(self.directory, tuning=TUNING), FileSink())())

    def export(self, gate):
        with contextlib.closing(self.server.connect()) as ftp:
            ftp.voidcmd('TYPE I')
            for n in range(2):
                gate()
                if self.found(ftp, 'read') or self.found(ftp, 'write'):
                    continue
                ftp.storbinary('STOR write', io.BytesIO(b'naive'))
                with alone(self.directory):
                    for name in 'early-0', 'late':
                        gate()
                        if not self.found(ftp, name):
                            data = b'late %s %d' % (name.encode(), n)
                            self.offered.append(data)
                            ftp.storbinary('STOR ' + name, io.BytesIO(data))
                    gate()
                ftp.delete('write')

    @staticmethod
    def found(ftp, name):
        try:
            ftp.size(name)
        except ftplib.error_perm:
            return False
        return True

    def consume_all(self):
        for path in self.spools:
            self.store_dir = path
            self.taken.extend(self.consume().values())

    def play(self, turns):
        actors = [self.importer(0), self.importer(1), Actor(self.export)]
        for actor in actors:
            actor.start()
        try:
            for turn in turns:
                actors[turn].gate.step() if turn < len(actors) else self.consume_all()
        finally:
            for actor in actors:
                actor.gate.open()
            for actor in actors:
                actor.join(LIMIT)
        return [actor.result for actor in actors]

    def finish(self):
        """Some more runs, as cron starts them."""
        for _ in range(2):
            for store_dir in self.spools:
                self.consume_all()
                self.assertTrue(self.run_import(store_dir=store_dir).successful, self.log.lines)
        self.consume_all()

    @settings(max_examples=25)
    @given(strategies.lists(strategies.integers(0, 3), max_size=120))
    def test_any_order(self, turns):
        self.begin()
        try:
            with recorded():
                first, second, exporter = self.play(turns)
            self.assertIsNone(exporter)
            for outcome in first, second:
                self.assertTrue(outcome.successful or isinstance(outcome.error, Locked), outcome)
            self.finish()
            self.assertEqual(sorted(self.offered), sorted(self.taken))
            self.assertEqual({}, self.there)
            self.assertEqual([], os.listdir(self.directory))      # no note of an overlap
            for path in self.spools:
                self.store_dir = path
                self.assert_nothing_left()
        finally:
            self.end()
