"""What the suites for sessions share: how one is opened, and what a test puts into it."""
import abc
import functools
import os
import time

import zope.interface

import zeit.cds.pipelined
from zeit.cds.interfaces import IByteSink, IDeadline, RunLimitReached
from zeit.cds.net.scheduler import Scheduler


SECOND = 10**9
LARGE = 3 * 2**20 + 17          # bytes: more than any buffer on the way
TASK_LIMIT = 60.0               # seconds after which tasks count as stuck
# Which of the things that a server may lack a subclass may name in `lacks`
FEATURES = {
    'sizes': 'stat tells the size',
    'times': 'stat tells the time of modification',
    'clock': 'the server tells its time',
    'links': 'there are symbolic links',
    'resumed reads': 'read takes an offset',
    'resumed writes': 'write takes an offset',
    'foreign names': 'names that are no UTF-8 come through',
}
NAMES = [
    'plain', 'a b', 'a  b', '-rf', 'Köln', 'Ko\u0308ln', '%41', '100%', '*', '?', 'a*b', '[a]',
    '..foo', '...', '.dot', "o'clock", '"quoted"', 'a;b', 'a\\b', '#', '~', '~x', 'STOR x',
    'n' * 255]
FOREIGN_NAMES = [os.fsdecode(name) for name in (b'K\xf6ln', b'\xff', b'a\xff\xffb')]


class SessionCase(abc.ABC):
    """Tools for tests of sessions; the directory is empty when a test begins.

    A subclass gives what is under test::

        connection      ICDSConnection
        feed(**kw)      the IFeed of the directory, with these settings changed
        directory       a LocalDirectory, or something that has its methods

    and may say what its server lacks (one of FEATURES), and which of NAMES it refuses or takes for
    something else, with the reason. Of the former is tested at most that it tells so (None)::

        lacks = {'clock': 'There is no verb for it.'}
        refused = {'~': 'It is the home directory there.'}
    """

    connection = directory = None
    lacks, refused = {}, {}
    unsendable = ['a\0b']       # names that raise ValueError
    unreachable = None          # settings (dict) with which nobody is reached; None: not tested

    @abc.abstractmethod
    def feed(self, **settings):
        """An IFeed that leads to the server under test, with these settings."""

    def pipelined(self, session):
        """The IPipelined under test."""
        return zeit.cds.pipelined.pipelined(session)

    # ------------------------------------------------------------ tools

    def needs(self, feature):
        """Skip a test if the server lacks a feature."""
        if not self.has(feature):
            self.skipTest('%s: %s' % (feature, self.lacks[feature]))

    def has(self, feature):
        assert feature in FEATURES, feature
        assert FEATURES.keys() >= self.lacks.keys(), 'Features are: %s' % ', '.join(FEATURES)
        return feature not in self.lacks

    @property
    def names(self):
        names = NAMES + (FOREIGN_NAMES if self.has('foreign names') else [])
        return [name for name in names if name not in self.refused]

    def open(self, deadline=None, like=None, **settings):
        """A new session, which is closed at the test's end."""
        session = self.connection.open(self.feed(**settings), deadline or Deadline(), like)
        self.addCleanup(session.close)
        return session

    def read(self, session, name, offset=0):
        """The contents of a file as the session reads them, bytes."""
        sink = Sink()
        self.assertEqual(session.read(name, sink, offset), len(sink.data))
        return bytes(sink.data)

    def listed(self, session):
        return sorted(entry.name for entry in session.entries())

    def assert_works(self, session):
        """Whatever happened: the session does what it is asked for, and its answers are in step."""
        self.assertTrue(session.alive)
        session.write('works', b'It does.')
        self.assertEqual(b'It does.', self.read(session, 'works'))
        self.assertTrue(session.exists('works'))
        session.remove('works')
        self.assertIsNone(session.stat('works'))

    def assert_honest(self, session):
        """It works, or says that it is of no use any more. Another one works in any case."""
        if session.alive:
            self.assert_works(session)
        self.assert_works(self.open())

    def in_tasks(self, *functions):
        """Run functions as tasks of one Scheduler."""
        left = list(functions)
        end = time.monotonic() + TASK_LIMIT
        with Scheduler() as scheduler:
            for function in functions:
                scheduler.spawn(lambda function=function: (function(), left.remove(function)))
            while left:
                self.assertLess(time.monotonic(), end, 'The tasks do not come to their end.')
                scheduler.turn(1.0)


class Oops(Exception):
    """What a sink or a source of a test raises."""


@functools.cache
def data(size):
    """Bytes of which no two parts are alike, so that each one that is lost or doubled shows."""
    return b''.join(b'%08x' % number for number in range(size // 8 + 1))[:size]


@zope.interface.implementer(IDeadline)
class Deadline:
    """One that passes when a test says so."""

    def __init__(self, left=TASK_LIMIT):
        self.left = left

    def check(self):
        if self.left <= 0:
            raise RunLimitReached('The deadline of the test has passed.')

    def limit(self, seconds):
        self.check()
        return min(seconds, self.left)

    def extend(self, seconds):
        self.left = max(self.left, seconds)

    def expire(self):
        self.left = -1.0


@zope.interface.implementer(IByteSink)
class Sink:
    """Keeps what comes as `data`, and insists on the contract.

    size -- of the buffer, bytes
    first -- called when the first bytes are there
    """

    def __init__(self, size=8192, first=None):
        self.data = bytearray()
        self._size, self._first = size, first
        self._lent = None

    def buffer(self):
        self._lent = memoryview(bytearray(self._size))
        return self._lent

    def advance(self, count):
        assert self._lent is not None, 'No buffer was asked for.'
        assert 1 <= count <= self._size, '%d bytes in a buffer of %d' % (count, self._size)
        self.data += self._lent[:count]
        self._lent = None
        if self._first is not None:
            first, self._first = self._first, None
            first()
