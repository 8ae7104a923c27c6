"""Sessions that block, made to wait like all others: each has a thread of its own."""
import threading

import zope.interface

from zeit.cds.interfaces import ICDSSession
from zeit.cds.net.scheduler import in_thread, Thread


def opened_like(first, verb):
    """A Threaded of the session that `verb` opens, which blocks, too.

    first -- Threaded that was opened before
    verb -- function of its session
    Nobody waits for it when the scheduler ends; should it come nevertheless, it is closed.
    """
    thread, abandoned = Thread(), threading.Event()

    def call():
        session = verb(first.session)
        if abandoned.is_set():
            session.close()
        return session

    try:
        return Threaded(in_thread(call, thread=thread), thread)
    except BaseException:
        abandoned.set()
        thread.end()
        raise


@zope.interface.implementer(ICDSSession)
class Threaded:
    """A session whose verbs run in a thread, always the same, since its library may need that.

    Other tasks go on meanwhile. Should they all be ended, a verb comes to its end first, lest it
    works on with what others clean up; `abort` sees to it that this is soon.
    """

    blocking, is_threaded = False, True

    def __init__(self, session, thread=None):
        """
        session -- ICDSSession
        thread -- zeit.cds.net.scheduler.Thread; None: a new one
        """
        self.session, self._thread = session, thread or Thread()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def alive(self):
        return self.session.alive

    @property
    def latency(self):
        return self.session.latency

    def _call(self, verb, *args):
        return in_thread(verb, *args, join=True, thread=self._thread)

    def entries(self):
        return self._call(lambda: list(self.session.entries()))

    def stat(self, name):
        return self._call(self.session.stat, name)

    def read(self, name, sink, offset=0):
        return self._call(self.session.read, name, sink, offset)

    def write(self, name, source, offset=0):
        return self._call(self.session.write, name, source, offset)

    def remove(self, name):
        return self._call(self.session.remove, name)

    def rename(self, source, target):
        return self._call(self.session.rename, source, target)

    def exists(self, name):
        return self._call(self.session.exists, name)

    def kind(self, name):
        return self._call(self.session.kind, name)

    def make_directory(self, name):
        return self._call(self.session.make_directory, name)

    def remove_directory(self, name):
        return self._call(self.session.remove_directory, name)

    def names(self, directory):
        return self._call(self.session.names, directory)

    def stored_name(self, name):
        return self._call(self.session.stored_name, name)

    def clock(self):
        return self._call(self.session.clock)

    def close(self):
        self._call(self.session.close)
        self._thread.end()

    def abort(self):
        self.session.abort()
