"""An upload to a server that answers as it is told to. A support module."""
import contextlib
import types
import unittest

from zeit.cds.interfaces import Entry, PermanentError
from zeit.cds.testing.logs import recorded
from zeit.cds.transfer.jobs import Dropped, Job
from zeit.cds.transfer.naming import Naming
from zeit.cds.transfer.tuning import Tuning
from zeit.cds.transfer.upload import Upload


RESUME = 100        # bytes
PART = '.a.0123.part'


def refusal(code):
    error = PermanentError('%d No.' % code)
    error.reply = types.SimpleNamespace(code=code)
    return error


class Outgoing:

    digest = 'digest'

    def __init__(self, size=50, name='a'):
        self.name, self.temporary = name, PART
        self.size = self.length = size
        self.resumable, self.changed, self.done = True, False, []

    def open(self):
        self.done.append('open')

    def read(self):
        self.done.append('read')

    def discard(self):
        self.done.append('discard')

    def pieces(self, offset):
        return 'pieces from %d' % offset

    def unchanged(self):
        return not self.changed


class Line:
    """An IPipelined of a server with these files: `there`, {name: Entry}."""

    def __init__(self, *names, **calls):
        self.there = {name: Entry(name, 50) for name in ('write', *names)}
        self.done, self.calls, self.session, self.alive = [], calls, self, True

    @contextlib.contextmanager
    def batch(self):
        yield self

    def _call(self, verb, *args):
        self.done.append((verb, *args))
        if verb in self.calls:
            answer = self.calls[verb](*args)
            if isinstance(answer, Exception):
                raise answer
            return answer

    def stat(self, name, regular=False, time=True):
        found = self.calls['stat'](name) if 'stat' in self.calls else self.there.get(name)
        self.done.append(('stat', name, regular, time))
        return types.SimpleNamespace(get=lambda: found)

    def entries(self):
        return list(self.there.values())

    def write(self, *args):
        self._call('write', *args)

    def remove(self, name):
        self._call('remove', name)
        self.there.pop(name, None)

    def rename(self, name, new):
        self._call('rename', name, new)
        return 'renamed'

    def stored_name(self, name):
        return self._call('stored_name', name)

    def read(self, name, sink):
        self._call('read', name)

    def verbs(self, *verbs):
        return [args for args in self.done if args[0] in verbs]


class Uploads(unittest.TestCase):

    def setUp(self):
        self.noted, self.lines, self.ends, self.naming = [], [], [], Naming(False)
        self.naming.listed = set()
        spool = types.SimpleNamespace(
            storing=lambda outgoing: self.noted.append(('storing', outgoing.temporary)),
            settled=lambda name: self.noted.append(('settled', name)),
            withdrawn=lambda name: self.noted.append(('withdrawn', name)))
        jobs = types.SimpleNamespace(
            log=lambda job, text, *args: self.lines.append(text % args),
            put_back=lambda job: self.ends.append('put back'),
            drop=lambda job, dropped: self.ends.append(dropped))
        self.enterContext(recorded())
        self.upload = Upload(spool, self.naming, Tuning(resume=RESUME, appears=()), jobs,
                             types.SimpleNamespace(user='me', ftp_dir='/'))

    def job(self, size=50, name='a', begun=False):
        job = Job(Entry(name, size))
        job.file, job.size, job.begun = Outgoing(size, name), size, begun
        return job

    @contextlib.contextmanager
    def assert_dropped(self, text, failed):
        with self.assertRaisesRegex(Dropped, text) as caught:
            yield
        self.assertEqual(failed, caught.exception.failed)
