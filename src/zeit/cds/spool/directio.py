"""Large files on their way to the disk, past the system's page cache.

There each byte would be copied once more, and wait until a sync has the disk write it. Here a
thread hands full blocks straight to the disk (open(2), O_DIRECT) while the network fills the next
one; so the sync finds next to nothing left to do.
"""
import collections
import contextlib
import fcntl
import mmap
import os
import queue
import threading
from typing import NamedTuple

from zeit.cds.net.scheduler import in_thread


ALIGNED = 4096          # bytes; disks want offsets, lengths and addresses to be multiples of it


class BlockTuning(NamedTuple):
    """Figures of Blocks that may be other ones."""

    size: int = 4 * 2**20       # bytes of a block
    each: int = 2               # blocks that a file may use: one is filled, the other written
    second_until: int = 6       # when so many blocks are in use in all, nobody gets a second one
    most: int = 8               # when so many are, further ones are little; when more are, nobody
    #                             begins a file before his last one is written
    little: int = 256 * 1024    # bytes of a little block


class Blocks:
    """The memory that large files share."""

    def __init__(self, tuning=BlockTuning()):  # noqa: B008  (a tuple never changes)
        self._tuning = tuning
        self._free, self._taken = [], 0
        self._lock = threading.Lock()

    def take(self, held):
        """A block for a file that holds so many of them (int): a memoryview.

        None if the file has to do with those.
        """
        tuning = self._tuning
        with self._lock:
            if held and (held == tuning.each or self._taken >= tuning.second_until):
                return None
            size = tuning.size if self._taken < tuning.most else tuning.little
            self._taken += 1
            if size == tuning.size and self._free:
                return self._free.pop()
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(AttributeError, OSError):      # in one piece, where the system can
            memory.madvise(mmap.MADV_HUGEPAGE)
        return memoryview(memory)

    @property
    def are_scarce(self):
        """Should somebody wait until some are given back? bool"""
        return self._taken > self._tuning.most

    @property
    def are_in_use(self):
        """Is a large file on its way to the disk? bool"""
        return self._taken > 0

    def give(self, block):
        """It is of no use any more."""
        with self._lock:
            self._taken -= 1
            if len(block) == self._tuning.size:
                self._free.append(block)


class Hashing:
    """Takes the digest of blocks while they are written, in a thread of its own."""

    def __init__(self, digest):
        from concurrent.futures import ThreadPoolExecutor  # without a journal it is not needed
        self._digest, self._pool = digest, ThreadPoolExecutor(1, 'zeit.cds-hash')

    @contextlib.contextmanager
    def of(self, data):
        """All of it is in the digest at the end of the block."""
        try:
            future = self._pool.submit(self._digest.update, data)
        except RuntimeError:        # there are too many threads
            self._digest.update(data)
            yield
            return
        try:
            yield
        finally:
            future.result()

    def end(self):
        self._pool.shutdown()


class BlockWriter:
    """Writes one file block by block, in a thread of its own.

    What goes wrong there, the next call raises: OSError.

    It has more than ten attributes, since they are what two threads know of one file: its place on
    the disk, the blocks that go to and fro, and how the other one ends.
    """

    def __init__(self, fd, offset, blocks, digest=None):
        """
        fd -- of the file, which nobody else writes until `join`
        offset -- where to go on in it, int
        blocks -- Blocks
        digest -- hashlib object that is to get all of it, or None
        """
        self._hashing = Hashing(digest) if digest is not None else None
        self._fd, self._offset, self._blocks = fd, offset, blocks
        self._flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        self._is_direct = False
        self._can_be_direct = hasattr(os, 'O_DIRECT')
        self._block, self._count = None, 0      # what is being filled, and how far it is
        self._held, self._free = 0, collections.deque()     # blocks; those that may be filled
        self._freed = threading.Event()
        self._full = queue.SimpleQueue()
        self._ended = False
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True, name='zeit.cds-write')
        self._thread.parent = threading.current_thread()    # it works for that thread's run
        try:
            self._thread.start()
        except RuntimeError:        # there are too many
            self._thread = None

    def room(self):
        """A memoryview to fill, from its beginning."""
        if self._block is None:
            self._block, self._count = self._next(), 0
        self._check()
        return self._block[self._count:]

    def filled(self, count):
        """So many bytes of it are data now."""
        self._count += count
        if self._count == len(self._block):
            self._hand_over()

    def end(self):
        """All of the file has come; what is not written yet will be. May be called twice."""
        if not self._ended:
            self._ended = True
            if self._block is not None:
                self._hand_over()
            self._hand(None)
            if self._blocks.are_scarce:
                in_thread(self._wait)

    def join(self):
        """Wait until all is written. Other tasks wait, too."""
        self.end()
        self._wait()
        self._check()

    def _wait(self):
        if self._thread is not None:
            self._thread.join()

    def drop(self):
        """Nobody wants the file any more."""
        self._error = self._error or InterruptedError()
        with contextlib.suppress(OSError):
            self.join()

    def _check(self):
        if self._error is not None:
            raise self._error

    def _next(self):
        while True:
            self._freed.clear()
            if self._free:
                return self._free.popleft()
            if (block := self._blocks.take(self._held)) is not None:
                self._held += 1
                return block
            in_thread(self._freed.wait)

    def _hand_over(self):
        block, self._block = self._block, None
        self._hand((block, self._count))

    def _hand(self, item):
        self._full.put(item)
        if self._thread is None:
            self._take()

    # ------------------------------------------------------------ in the thread

    def _run(self):
        while self._take():
            pass

    def _take(self):
        """Write what comes next; is there more to come? bool"""
        item = self._full.get()
        if item is None:
            self._finish()
            return False
        block, count = item
        try:
            if self._hashing is None:
                self._write(block[:count])
            else:
                with self._hashing.of(block[:count]):
                    self._write(block[:count])
        except Exception as e:
            self._error = e
            with contextlib.suppress(OSError):      # nobody wants it now, and others need the room
                os.ftruncate(self._fd, 0)
        self._free.append(block)
        self._freed.set()
        return True

    def _finish(self):
        if self._hashing is not None:
            self._hashing.end()
        with contextlib.suppress(OSError):
            self._be_direct(False)
        while self._free:
            self._blocks.give(self._free.pop())

    def _write(self, data):
        while data and self._error is None:
            direct = self._can_be_direct and len(data) >= ALIGNED
            try:
                self._be_direct(direct)
                some = data[:len(data) & -ALIGNED] if direct else data
                count = os.pwrite(self._fd, some, self._offset)
            except OSError:
                if not direct:
                    raise
                # The file system can't, or not so; if the disk is ill, the usual way shows it, too.
                self._can_be_direct = False
                continue
            if not direct:      # let the disk begin with it
                os.posix_fadvise(self._fd, self._offset, count, os.POSIX_FADV_DONTNEED)
            self._offset += count
            data = data[count:]

    def _be_direct(self, wanted):
        if wanted != self._is_direct:
            flags = self._flags | os.O_DIRECT if wanted else self._flags
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags)
            self._is_direct = wanted
