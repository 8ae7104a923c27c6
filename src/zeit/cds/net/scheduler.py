"""Many sessions in one thread: while one waits for the network, others go on.

A thread for each session would do the same, but all of them want Python's lock back after each system call, and for
small files, which are little else than system calls, that takes longer than the calls themselves.

Whoever waits calls `wait`, `sleep` or `in_thread`. In a task of a Scheduler they let other tasks go on; elsewhere they block, so
that the same code serves a single session, too.
"""
import collections
import contextlib
import math
import os
import select
import threading
import time

import greenlet


READ, WRITE = select.POLLIN, select.POLLOUT


def wait(sock, event, seconds):
    """Until a socket is ready for `event`, READ or WRITE. Raises TimeoutError after so many seconds."""
    task = greenlet.getcurrent()
    if isinstance(task, Task):
        task.scheduler._wait(task, sock.fileno(), event, seconds)
    else:
        poll = select.poll()
        poll.register(sock, event)
        if not poll.poll(max(0, seconds) * 1000):
            raise TimeoutError('timed out')


def sleep(seconds):
    task = greenlet.getcurrent()
    if isinstance(task, Task):
        task.scheduler._sleep(task, seconds)
    else:
        time.sleep(seconds)


def checkpoint():
    """Let others go on who can, if there are any."""
    task = greenlet.getcurrent()
    if isinstance(task, Task):
        task.scheduler._ready.append(task)
        task.scheduler._switch()


def in_thread(function, *args, join=False):
    """Call a function that blocks, such as a sync of the disk, in a thread of its own; returns, or raises, what it does.

    join -- wait for the function's end even if the scheduler ends meanwhile
    """
    task = greenlet.getcurrent()
    if isinstance(task, Task):
        return task.scheduler._in_thread(function, args, join)
    return function(*args)


class Task(greenlet.greenlet):
    """A function that runs in a Scheduler."""

    def __init__(self, scheduler, function, parent):
        super().__init__(function, parent)
        self.scheduler = scheduler
        self.until = math.inf       # value of time.monotonic() when it stops waiting


class Signal:
    """What tasks wait for until others have done something."""

    def __init__(self):
        self._tasks = []

    def wait(self):
        """Until the next `notify`. For tasks only."""
        task = greenlet.getcurrent()
        self._tasks.append(task)
        task.scheduler._switch()

    def notify(self):
        """All who wait go on."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.scheduler._ready.append(task)


class Scheduler:
    """Runs tasks, one at a time, in the thread that calls `turn`; a context manager that ends them all."""

    def __init__(self):
        self._parent = greenlet.getcurrent()
        self._ended = False
        self._tasks = set()
        self._ready = collections.deque()
        self._poll = select.poll()
        self._waiting = {}              # file descriptor: Task
        self._sleeping = set()
        self._soonest = math.inf        # nobody's `until` is earlier
        self._wakeup = None             # a pipe for other threads
        self._done = collections.deque()    # tasks whose function in another thread has returned
        self._guard = threading.Lock()      # for the pipe

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def spawn(self, function):
        """Have a function run as a task, from the next turn on. What it raises, `turn` raises."""
        task = Task(self, function, self._parent)
        self._tasks.add(task)
        self._ready.append(task)

    def turn(self, seconds):
        """Let all tasks go on that can, once; wait at most so many seconds until one can."""
        left = 0 if self._ready else max(0, min(seconds, self._soonest - time.monotonic()))
        for _ in range(len(self._ready)):
            self._resume(self._ready.popleft())
        self._look(left)
        if self._soonest < time.monotonic():
            self._look(0)       # what came while somebody kept us busy is not late
            self._expire(time.monotonic())

    def _look(self, seconds):
        for fd, _ in self._poll.poll(math.ceil(seconds * 1000)):
            if (task := self._waiting.pop(fd, None)) is not None:
                self._poll.unregister(fd)
                self._resume(task, True)
            elif self._wakeup is not None and fd == self._wakeup[0]:
                os.read(fd, 1000)
                while self._done:
                    self._resume(self._done.popleft())

    def end(self):
        """End all tasks where they are: they can clean up, but not wait for anything any more."""
        self._ended = True
        for task in list(self._tasks):
            with contextlib.suppress(Exception):    # what it ends with is of no interest any more
                task.throw()
        self._tasks.clear()
        with self._guard:
            if self._wakeup is not None:
                for fd in self._wakeup:
                    os.close(fd)
                self._wakeup = None

    # ------------------------------------------------------------ for tasks

    def _switch(self):
        """Let others go on until somebody resumes the task that called this."""
        if self._ended:
            raise greenlet.GreenletExit
        return self._parent.switch()

    def _resume(self, task, *result):
        if not task.dead:
            task.switch(*result)
        if task.dead:
            self._tasks.discard(task)

    def _wait(self, task, fd, event, seconds):
        self._poll.register(fd, event)
        self._until(task, seconds)
        self._waiting[fd] = task
        if not self._switch():
            raise TimeoutError('timed out')

    def _sleep(self, task, seconds):
        self._until(task, seconds)
        self._sleeping.add(task)
        self._switch()

    def _until(self, task, seconds):
        task.until = until = time.monotonic() + seconds
        if until < self._soonest:
            self._soonest = until

    def _expire(self, now):
        late = [(fd, task) for fd, task in self._waiting.items() if task.until <= now]
        for fd, _ in late:
            del self._waiting[fd]
            self._poll.unregister(fd)
        rested = [task for task in self._sleeping if task.until <= now]
        self._sleeping.difference_update(rested)
        self._soonest = min((task.until for task in [*self._waiting.values(), *self._sleeping]), default=math.inf)
        for task in [*rested, *(task for _, task in late)]:
            self._resume(task, False)

    def _in_thread(self, function, args, join):
        if self._wakeup is None:
            self._wakeup = os.pipe()
            self._poll.register(self._wakeup[0], READ)
        task, outcome = greenlet.getcurrent(), []

        def run():
            try:
                outcome.extend((function(*args), None))
            except BaseException as e:
                outcome[:] = None, e
            self._done.append(task)
            with self._guard:
                if self._wakeup is not None:
                    os.write(self._wakeup[1], b'.')

        thread = threading.Thread(target=run, daemon=True, name='zeit.cds-thread')
        try:
            thread.start()
        except RuntimeError:        # there are too many
            return function(*args)
        try:
            self._switch()
        except BaseException:
            if join:
                thread.join()
            raise
        result, error = outcome
        if error is not None:
            raise error
        return result
