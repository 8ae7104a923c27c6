"""What tests of cds-watch have in common: the process, its service manager, and its feeds."""
import contextlib
import http.client
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

from zeit.cds.tests.commands import Commands, environment, hear_signals, SITE
from zeit.cds.tests.importing import contents, new_spool


LIMIT = 30      # seconds until something that has to happen, has not

# The command, with less to wait for.
SCRIPT = '''
import sys
from zeit.cds.cli.watch import watch
from zeit.cds.watch.tuning import TUNING
from zeit.cds.watch.watcher import Watch
Watch.__init__.__defaults__ = (*Watch.__init__.__defaults__[:-1], TUNING._replace(
    first_pause=0.1, longest_pause=0.2, late=0.1, least_late=0.3))
sys.exit(watch())
'''


class Process:
    """cds-watch, and what it says."""

    def __init__(self, options, home, **variables):
        self.popen = subprocess.Popen(
            [sys.executable, '-c', SCRIPT, *map(str, options)], text=True, cwd=home,
            env=environment(home, **variables), preexec_fn=hear_signals,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines, self._coming = [], queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.popen.stderr:
            self._coming.put(line.rstrip('\n'))
        self._coming.put(None)

    def send(self, number):
        self.popen.send_signal(number)

    def said(self, pattern):
        """The next line, a match, that has the pattern in it."""
        while True:
            try:
                line = self._coming.get(timeout=LIMIT)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError('%r was not said: %s' % (pattern, '\n'.join(self.lines)))
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found

    def ended(self):
        """The status; `lines` are all that it has said."""
        status = self.popen.wait(LIMIT)
        self._reader.join()
        while (line := self._coming.get()) is not None:
            self.lines.append(line)
        return status

    def kill(self):
        self.popen.kill()
        self.popen.wait()
        self._reader.join()
        self.popen.stderr.close()


class Manager:
    """systemd's side of sd_notify."""

    def __init__(self, directory):
        self.path = os.path.join(directory, 'notify')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(LIMIT)
        self.close = self.socket.close

    def heard(self, state):
        """The next message with that state, a list of lines."""
        while True:
            lines = self.socket.recv(4096).decode('utf-8').split('\n')
            if state in lines:
                return lines


def until(condition):
    """Wait until a function gives something that is true; returns it."""
    begun = time.monotonic()
    while not (found := condition()):
        if time.monotonic() - begun > LIMIT:
            raise AssertionError('It did not happen.')
        time.sleep(0.01)
    return found


class Watching(Commands):
    """A mixin: feeds of directories, or of the server, and a watch."""

    def setUp(self):
        super().setUp()
        self.spools, self.top = {}, self.home

    def directory(self, name, **settings):
        """The directive of a feed that imports from a directory of its name."""
        (self.home / name).mkdir(exist_ok=True)
        return self.declared(name, **{
            'connection': 'file', 'hostname': 'localhost', 'ftp_dir': self.home / name, **settings})

    def declared(self, name, **settings):
        if name not in self.spools:
            self.spools[name] = new_spool()
            self.addCleanup(shutil.rmtree, self.spools[name])
        return '<cds:feed %s />\n' % ' '.join('%s="%s"' % item for item in {
            'name': name, 'store_dir': self.spools[name], 'user': 'me', 'every': '0.2',
            **settings}.items())

    @contextlib.contextmanager
    def watch(self, *options, site=None, **variables):
        if site is not None:
            options = ('--zcml', self.site(site), *options)
        process = Process(options, self.home, **variables)
        try:
            yield process
        finally:
            process.kill()

    def site(self, body):
        """It is replaced in one step."""
        self.write('site.new', SITE % body)
        os.rename(self.home / 'site.new', self.home / 'site.zcml')
        return self.home / 'site.zcml'

    def imported(self, name, file):
        """Wait until it is, and the run is over."""
        until(lambda: file in contents(self.spools[name] + '/new'))
        until(lambda: not os.path.exists(os.path.join(self.top, name, 'read')))

    def ask(self, url, path):
        """(status, body) of an answer."""
        connection = http.client.HTTPConnection(url, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.request('GET', path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode('utf-8')
