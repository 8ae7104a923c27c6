"""What a power failure could leave of a spool: a record of what was written, synced and renamed,
and what may become of it.

The model is more pessimistic than a disk: data that were not synced are lost; of the names that
were given, taken and changed since the last sync of the directories concerned, each may be lost or
kept, in any combination. A rename is one step, as every file system with a journal has it.
"""
import contextlib
import itertools
import os
import unittest.mock

from zeit.cds.ftp.control import Control
from zeit.cds.spool import directio as blocks
from zeit.cds.spool import store as spool


NAMING = ('rename', 'link', 'unlink')


class Recorder:
    """Writes down what a spool does, and which files are removed on the server: `steps`, a list of
    tuples.
    """

    def __init__(self):
        self.steps = []
        self._directories, self._inodes = {}, {}    # by file descriptor
        self._numbers = itertools.count()

    @contextlib.contextmanager
    def recording(self, atomic=True):
        """`atomic`: the file system has a rename that does not overwrite."""
        self._move = spool.move
        recorded = RecordedOs(self)
        with unittest.mock.patch.object(spool, 'os', recorded), \
                unittest.mock.patch.object(blocks, 'os', recorded), \
                unittest.mock.patch.object(Control, 'transmit', self._transmit(Control.transmit)), \
                unittest.mock.patch.object(spool, *(
                    ('move', self.move) if atomic else ('_renameat2', lambda: None))), \
                unittest.mock.patch.object(spool, '_syncfs', lambda: self.syncfs):
            yield self

    def _transmit(self, transmit):
        def recorded(control, data):
            for line in data.split(b'\r\n'):
                if line.startswith(b'DELE ') and line[5:] not in (b'read', b'write'):
                    self.steps.append(('removed on server', os.fsdecode(line[5:])))
            return transmit(control, data)
        return recorded

    def open(self, path, flags, mode=0o777, *, dir_fd=None):
        fd = os.open(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_DIRECTORY:
            self._directories[fd] = os.path.basename(path)
        elif flags & os.O_CREAT:
            self._inodes[fd] = next(self._numbers)
            self.steps.append(('create', self._inodes[fd], self._directories[dir_fd], path))
        return fd

    def write(self, fd, data):
        self.steps.append(('data', self._inodes[fd]))
        return os.write(fd, data)

    def pwrite(self, fd, data, offset):
        inode = self._inodes[fd]
        count = os.pwrite(fd, data, offset)
        # a thread does it: what was synced meanwhile does not count
        self.steps.append(('data', inode))
        return count

    def ftruncate(self, fd, length):
        self.steps.append(('data', self._inodes[fd]))
        return os.ftruncate(fd, length)

    def utime(self, fd, **kw):
        # recovery compares the time: it has to be durable as well
        self.steps.append(('data', self._inodes[fd]))
        return os.utime(fd, **kw)

    def fsync(self, fd):
        os.fsync(fd)
        if fd in self._directories:
            self.steps.append(('sync directory', self._directories[fd]))
        elif fd in self._inodes:
            self.steps.append(('sync', self._inodes[fd]))

    def syncfs(self, fd):
        self.steps.append(('sync all',))
        return 0

    def close(self, fd):
        self._inodes.pop(fd, None)
        self._directories.pop(fd, None)
        os.close(fd)

    def move(self, source, name, target, new_name):
        self._move(source, name, target, new_name)
        self.steps.append(('rename', self._directories[source], name, self._directories[target],
                           new_name))

    def link(self, name, new_name, *, src_dir_fd, dst_dir_fd, follow_symlinks):
        os.link(name, new_name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd,
                follow_symlinks=follow_symlinks)
        self.steps.append(('link', self._directories[src_dir_fd], name,
                           self._directories[dst_dir_fd], new_name))

    def unlink(self, name, *, dir_fd):
        os.unlink(name, dir_fd=dir_fd)
        self.steps.append(('unlink', self._directories[dir_fd], name))


class RecordedOs:
    """The os module, with some of its functions recorded."""

    def __init__(self, recorder):
        for name in ('open', 'write', 'pwrite', 'ftruncate', 'utime', 'fsync', 'close', 'link',
                     'unlink'):
            setattr(self, name, getattr(recorder, name))

    def __getattr__(self, name):
        return getattr(os, name)


# ---------------------------------------------------------------- what a crash leaves

def crashes(steps, ordered=False):
    """Iterate over what each crash could leave: (how many steps were done, {(directory, name):
    inode}, whole inodes).

    ordered -- of what was not synced, the file system loses only the last steps, not any
    """
    for end in range(len(steps) + 1):
        done = steps[:end]
        whole = durable_inodes(done)
        open_questions = [n for n, step in enumerate(done) if step[0] in NAMING
                          and not is_durable(done, n)]
        for lost in losses(open_questions, ordered):
            yield end, entries(done, lost), whole


def losses(steps, ordered):
    if ordered:
        return [set(steps[n:]) for n in range(len(steps) + 1)]
    return [set(lost) for number in range(len(steps) + 1)
            for lost in itertools.combinations(steps, number)]


def durable_inodes(steps):
    whole, known = set(), set()
    for step in steps:
        if step[0] == 'create':
            known.add(step[1])
        elif step[0] == 'data':
            whole.discard(step[1])
        elif step[0] == 'sync':
            whole.add(step[1])
        elif step[0] == 'sync all':
            whole |= known
    return whole


def is_durable(steps, n):
    """Have all directories that step n concerns been synced after it?"""
    directories = set(steps[n][1::2])
    for step in steps[n + 1:]:
        if step[0] == 'sync all':
            return True
        if step[0] == 'sync directory':
            directories.discard(step[1])
    return not directories


def entries(steps, lost):
    found = {}
    for n, step in enumerate(steps):
        if n in lost:
            continue
        if step[0] == 'create':
            found[step[2:]] = step[1]
        elif step[0] == 'unlink':
            found.pop(step[1:], None)
        elif step[0] in ('rename', 'link') and step[1:3] in found:
            found[step[3:]] = found[step[1:3]]
            if step[0] == 'rename':
                del found[step[1:3]]
    return found


def faults(steps, ordered=False):
    """What would be lost, or partial, after which crash: a list of texts.

    Also the number of crashes looked at.
    """
    wrong, count = [], 0
    for end, found, whole in crashes(steps, ordered):
        count += 1
        for step in steps[:end]:
            if step[0] == 'removed on server' and not any(
                    found.get((directory, step[1])) in whole for directory in ('tmp', 'new')):
                wrong.append('after %d steps: %s is lost' % (end, step[1]))
        for (directory, name), inode in found.items():
            if inode not in whole and not directory.startswith('.'):
                wrong.append('after %d steps: %s/%s is partial' % (end, directory, name))
    return wrong, count
