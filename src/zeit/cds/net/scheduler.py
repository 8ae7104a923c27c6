"""Many sessions in one thread: while one waits for the network, others go on.

A thread for each session would do the same, but all of them want Python's lock back after each
system call, and for small files, which are little else than system calls, that takes longer than
the calls themselves.

Whoever waits calls `wait`, `sleep` or `in_thread`. In a task of a Scheduler they let other tasks go
on; elsewhere they block, so that the same code serves a single session, too.
"""
import collections
import contextlib
import math
import os
import select
import threading
import time

import greenlet


LONG = 3600.0       # seconds
READ, WRITE = select.POLLIN, select.POLLOUT


def wait(sock, event, seconds):
    """Until a socket is ready for `event`, READ or WRITE.

    Raises TimeoutError after so many seconds.
    """
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


def is_alone():
    """Is there no other task that could go on while the caller blocks? bool"""
    task = greenlet.getcurrent()
    return not isinstance(task, Task) or len(task.scheduler._tasks) == 1


def in_thread(function, *args, join=False, thread=None):
    """Call a function that blocks, such as a sync of the disk, in another thread.

    join -- wait for the function's end even if the scheduler ends meanwhile
    thread -- the Thread to call it in, also outside of a task
    Returns, or raises, what the function does.
    """
    task = greenlet.getcurrent()
    if isinstance(task, Task):
        return task.scheduler._in_thread(function, args, join, thread)
    if thread is not None:
        return thread.call(function, *args)
    return function(*args)


class Thread:
    """A thread that lasts, for calls that have to come from one and the same."""

    def __init__(self):
        from queue import SimpleQueue  # a run that finds nothing needs none
        self._calls = SimpleQueue()
        self._thread = None

    def start(self, function):
        """Have it call a function, which raises nothing, after those that came before."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, daemon=True, name='zeit.cds-thread')
            thread.parent = threading.current_thread()      # it works for that thread's run
            thread.start()
            self._thread = thread
        self._calls.put(function)

    def call(self, function, *args):
        """Have it call a function, and wait for that. Returns, or raises, what that does."""
        outcome, done = Outcome(), threading.Event()
        self.start(lambda: (outcome.of(function, args), done.set()))
        done.wait()
        return outcome.get()

    def end(self):
        """End when all has been called; may be called twice."""
        if self._thread is not None:
            self._thread = None
            self._calls.put(None)

    def _run(self):
        while (function := self._calls.get()) is not None:
            function()


class Outcome:
    """What a function returned, or raised, elsewhere."""

    def __init__(self):
        self._result = self._error = None

    def of(self, function, args=()):
        try:
            self._result = function(*args)
        except BaseException as e:
            self._error = e

    def get(self):
        if self._error is not None:
            raise self._error
        return self._result


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
    """Runs tasks, one at a time, in the thread that calls `turn`.

    A context manager that ends them all.
    """

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
        self._idle = []         # Threads that have nothing to do

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def spawn(self, function):
        """Have a function run as a task, from the next turn on. What it raises, `turn` raises.

        Returns the Task.
        """
        task = Task(self, function, self._parent)
        self._tasks.add(task)
        self._ready.append(task)
        return task

    def call(self, function, interrupt=None):
        """Run a function as a task, while others go on. Returns, or raises, what it does.

        interrupt -- called if something else raises meanwhile, most likely a signal's handler: it
            has the function come to its end soon, which is awaited before that is raised
        After the scheduler's end the function is merely called.
        """
        if self._ended:
            return function()
        outcome, interruption = Outcome(), None
        task = self.spawn(lambda: outcome.of(function))
        while not task.dead:
            try:
                self.turn(LONG)
            except BaseException as e:
                if interruption is not None or interrupt is None:
                    raise
                interruption = e
                interrupt()
        if interruption is not None:
            raise interruption
        return outcome.get()

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
        while self._idle:
            self._idle.pop().end()
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
        # `_until` and `_switch`, without the calls: nothing is called as often.
        if self._ended:
            raise greenlet.GreenletExit
        self._poll.register(fd, event)
        task.until = until = time.monotonic() + seconds
        if until < self._soonest:
            self._soonest = until
        self._waiting[fd] = task
        if not self._parent.switch():
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
        waiting = [*self._waiting.values(), *self._sleeping]
        self._soonest = min((task.until for task in waiting), default=math.inf)
        for task in [*rested, *(task for _, task in late)]:
            self._resume(task, False)

    def _in_thread(self, function, args, join, thread):
        if self._wakeup is None:
            self._wakeup = os.pipe()
            self._poll.register(self._wakeup[0], READ)
        task, outcome = greenlet.getcurrent(), Outcome()
        ended = threading.Event() if join else None

        def run():
            outcome.of(function, args)
            self._done.append(task)
            with self._guard:
                if self._wakeup is not None:
                    os.write(self._wakeup[1], b'.')
            if join:
                ended.set()

        # To begin a thread takes longer than many a call: one that is here is used again.
        helper = thread or (self._idle.pop() if self._idle else Thread())
        try:
            helper.start(run)
        except RuntimeError:        # there are too many
            return function(*args)
        try:
            self._switch()
        except BaseException:
            if thread is None:
                helper.end()
            if join:
                ended.wait()
            raise
        if thread is None:
            self._idle.append(helper)
        return outcome.get()
