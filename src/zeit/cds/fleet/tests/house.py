"""A publishing house on one machine: servers, feeds, a broker, and workers on hosts of their own.

A host is a name space of processes with a name: whoever is in it can't see the processes of the
others, as on another machine. Killing it is like pulling its plug.
"""
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from xml.sax.saxutils import quoteattr

from zeit.cds.testing.layers import in_ci
from zeit.cds.testing.process import Process, tree
from zeit.cds.tests.importing import new_spool


APPLICATION = 'zeit.cds.fleet.tests.application'
ZCML = '''\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:cds="http://namespaces.zeit.de/cds">
  <include package="zeit.cds" file="meta.zcml" />
  <include package="zeit.cds" />
  <utility factory="%s.ObservedLock" name="observed"
           provides="zeit.cds.interfaces.ILockFile" />
  %s
</configure>
'''


class House:
    """A context manager.

    `observed` is the directory where the application notes what it sees, see `application`.
    """

    def __init__(self, servers, broker, journal, feeds, every=5.0, tuning=None, **settings):
        """
        servers -- running servers
        broker -- a running broker
        journal -- its URL, str
        feeds -- number of feeds
        every, settings -- of each feed
        tuning -- zeit.cds.fleet.crew.Tuning
        """
        self.servers, self.broker, self.journal = servers, broker, journal
        self.every, self.tuning = every, tuning
        self.settings = {'tell': 'application.arrived', 'lock': 'observed', **settings}
        self.work = tempfile.mkdtemp(prefix='zeit.cds-house-')
        self.observed = os.path.join(self.work, 'observed')
        os.mkdir(self.observed)
        self.feeds = {'feed-%03d' % number: self._feed(number) for number in range(feeds)}
        self.processes = []

    def _feed(self, number):
        """Where a feed's files are on the server, and its spool: two paths."""
        server = self.servers[number % len(self.servers)]
        directory = os.path.join(server.directory, 'feed-%03d' % number)
        os.mkdir(directory)
        server.share(directory)
        return directory, new_spool()

    def zcml(self):
        path = os.path.join(self.work, 'site.zcml')
        with open(path, 'w') as f:
            f.write(ZCML % (APPLICATION, '\n  '.join(
                self._directive(number, name) for number, name in enumerate(self.feeds))))
        return path

    def _directive(self, number, name):
        server = self.servers[number % len(self.servers)]
        settings = dict(
            name=name, store_dir=self.feeds[name][1], hostname=server.host, port=server.port,
            user=server.user, password=server.password, ftp_dir='/' + name, every=self.every,
            **self.settings)
        return '<cds:feed %s />' % ' '.join(
            '%s=%s' % (key, quoteattr(str(value))) for key, value in settings.items())

    def environ(self):
        return {
            'PYTHONPATH': os.pathsep.join(filter(None, sys.path)), 'PYTHONUNBUFFERED': '1',
            'CDS_ZCML': os.path.join(self.work, 'site.zcml'), 'CDS_JOURNAL': self.journal,
            'CELERY_BROKER_URL': self.broker.url, 'CDS_OBSERVED': self.observed,
            **({'CDS_TUNING': ' '.join(map(str, self.tuning))} if self.tuning else {}),
        }

    def host(self, name, *arguments):
        """A Host, not started yet, which runs `celery -A zeit.cds.fleet` with these arguments."""
        host = Host(self, name, arguments)
        self.processes.append(host)
        return host

    def worker(self, name, processes=2):
        return self.host(
            name, 'worker', '-n', name, '-c', str(processes), '-I', APPLICATION, '-l', 'INFO',
            '-Q', 'celery,application', '--without-gossip', '--without-mingle')

    def beat(self, name='beat'):
        return self.host(name, 'beat', '-l', 'INFO')

    def log(self, name):
        return os.path.join(self.work, name + '.log')

    def __enter__(self):
        self.zcml()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for directory, spool in self.feeds.values():
            shutil.rmtree(directory, ignore_errors=True)
            shutil.rmtree(spool, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)


class Host:
    """A process on a host of its own."""

    def __init__(self, house, name, arguments):
        self.name, self._house, self._arguments = name, house, arguments
        self._process = None

    def start(self):
        self._process = Process(
            ['unshare', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc',
             'sh', '-c', 'hostname "$0" && exec "$@"', self.name,
             sys.executable, '-P', '-m', 'celery', '-A', 'zeit.cds.fleet', *self._arguments],
            self._house.log(self.name), self._house.environ())
        return self

    def kill(self):
        """As if the plug were pulled. May be called twice."""
        if self._process:
            self._process.kill()
            self._process = None

    def ended(self):
        """Has Celery ended by itself? bool"""
        return self._process is not None and self._process.ended()

    def pool(self):
        """The processes that Celery has started: {number on the host: number seen from here}."""
        pids = tree(self._process.pid) if self._process else []
        found = {inside(pid): pid for pid in pids if space(pid) not in (space('self'), None)}
        return {number: pid for number, pid in found.items() if number not in (1, None)}

    def kill_one(self, pid):
        """As the kernel does when memory is short."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def inside(pid):
    """The number of a process in its own name space, int; None if it has ended."""
    try:
        with open('/proc/%d/status' % pid) as f:
            return next(int(line.split()[-1]) for line in f if line.startswith('NSpid'))
    except (OSError, StopIteration):
        return None


def space(pid):
    """In which name space a process is, str; None if it has ended."""
    try:
        return os.readlink('/proc/%s/ns/pid' % pid)
    except OSError:
        return None


def need(test, *kinds):
    """Skip a test where the program of one of these servers is missing; with CI=true, it fails."""
    for kind in kinds:
        if missing := kind.missing():
            (test.fail if in_ci() else test.skipTest)(missing)


def put(directory, name, data):
    """A file, in one atomic step, from a writer that needs no lock for that."""
    temporary = os.path.join(os.path.dirname(directory), '.put-%s-%s' % (
        os.path.basename(directory), name))
    with open(temporary, 'wb') as f:
        f.write(data)
    os.rename(temporary, os.path.join(directory, name))


def wait_until(condition, seconds, pause=0.05):
    """Wait until it is true; returns what it returned last."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(pause)
    return found

