"""The server itself; `zeit.cds.testing.faulty` tells how it is used."""


import contextlib
import select
import socket
import threading
import time
from collections import Counter

from zeit.cds.testing.faulty.character import CHARACTERS
from zeit.cds.testing.faulty.script import Plan
from zeit.cds.testing.faulty.session import Session
from zeit.cds.testing.faulty.sockets import LOOPBACK
from zeit.cds.testing.faulty.store import BEGINNING, Directories, Entry, Files, stamp


class FaultyServer:
    """An FTP server on 127.0.0.1, as good or bad as its script.

    `files`: {path: bytes or Content}, `directories`: paths or {path: mtime};
    paths are relative to the root; `str` has one character a byte, so a
    UTF-8 name is best given as `bytes`.  Files of plain bytes are from
    `BEGINNING`, a day in 2024.
    `script`: a list of :class:`On`.
    `character`: a name in :data:`CHARACTERS`, or a :class:`Character`.
    `user`, `password`: the only log-in.
    `tls`: an `ssl.SSLContext` for AUTH TLS; with `implicit`, for the whole
    connection; with `require_tls`, no log-in without.  The characters
    ``vsftpd`` and ``proftpd`` insist that data connections resume the TLS
    session.
    `max_sessions`: so many at once; a further one gets `too_many`, as its
    greeting if that is a 421, else in answer to PASS.
    `without`: commands that don't exist here.
    `order`: a function that puts a list of paths in the order of listings;
    `list` keeps the order in which they came.
    `clock`: seconds by which the server's clock is ahead.

    Half of the many attributes are these, to be looked at and changed by tests; the others are what
    was seen, the state of the script, and the threads.
    """

    host = LOOPBACK

    def __init__(self, files=(), directories=(), script=(),
                 character='plain', user='test', password='testpw', tls=None,
                 implicit=False, require_tls=False, max_sessions=None,
                 too_many='421 Too many connections.', without=(),
                 order=sorted, clock=0):
        self.files = Files(files)
        self.directories = Directories(directories)
        self.character = CHARACTERS.get(character, character)
        self.user = user
        self.password = password
        self.tls = tls
        self.implicit = implicit
        self.require_tls = require_tls
        self.max_sessions = max_sessions
        self.too_many = too_many
        self.without = frozenset(without)
        self.order = order
        self.clock = clock
        #: Chosen by the system at the first start.
        self.port = 0
        #: Sessions since the first start.
        self.sessions = 0
        self.log = []
        self.violations = []
        self.errors = []
        #: Held while files and directories are tested and changed.
        self.lock = threading.RLock()
        self._changed = threading.Condition()
        self._running = {}
        self._listener = None
        self.script = script

    # Start and stop

    def start(self):
        """Listen.  A stopped server starts again on the port it had."""
        self._listener = socket.create_server((LOOPBACK, self.port))
        self.port = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def stop(self):
        """End all sessions and threads, stalled or not."""
        if self._listener is None:
            return
        self._wake.close()
        self._acceptor.join()
        for sock in (self._listener, self._woken):
            sock.close()
        self._listener = None
        self.disconnect()
        for session, thread in list(self._running.items()):
            while thread.is_alive() and (
                    thread is not threading.current_thread()):
                # It may just have opened another socket to wait for.
                session.abandon()
                thread.join(0.05)

    __enter__ = start

    def __exit__(self, *error):
        self.stop()

    def disconnect(self):
        """End all sessions, as a crash would, and keep on listening."""
        for session in list(self._running):
            session.abandon()

    # The script

    @property
    def script(self):
        """The rules that are followed; may be changed at any time.

        Setting it starts all their counts, and those of sessions, anew."""
        return self._script

    @script.setter
    def script(self, rules):
        with self.lock:
            self._script = list(rules)
            self._fitted = Counter()
            self._acted = set()
            self._sessions_before = self.sessions

    def behave(self):
        """Drop all faults, and end the sessions that were stalled."""
        self.script = ()
        for session in list(self._running):
            if session.stalled:
                session.abandon()

    def when(self, rule, function, when='before'):
        """Call `function(server)` before or after what `rule`, an `On`,
        matches is done; return the rule."""
        self.script.append(rule.call(
            function, at={'before': 'command', 'after': 'done'}[when]))
        return rule

    def plan(self, session, verb, argument):
        """Return the :class:`Plan` for a command."""
        plan = Plan()
        with self.lock:
            for rule in list(self._script):
                if rule.fits(verb, argument, session.script_number) and (
                        rule.given is None or rule.given(self)):
                    self._fitted[rule] += 1
                    if rule.counts(self._fitted[rule]):
                        rule.apply(plan)
                        if not rule.has_moments:
                            self.acted(rule)
            session.rules = self._script
        return plan

    def acted(self, rule):
        """Note that a rule did what it says."""
        self._acted.add(rule)

    @property
    def unused(self):
        """The rules that never acted since the script was set: the command
        didn't come, or the transfer was too short for `after_bytes`."""
        return [rule for rule in self._script if rule not in self._acted]

    # What was seen

    def record(self, number, command):
        """Note a command of a session."""
        self.log.append((number, command))
        self._notify()

    def violation(self, number, message):
        """Note what the client of a session must not do."""
        self.violations.append(f'session {number}: {message}')
        self._notify()

    def commands(self, verbs='*'):
        """Return the commands seen so far, all or those of some verbs
        (``'RETR DELE'``), without the numbers of their sessions."""
        verbs = verbs.upper().split()
        return [command for number, command in list(self.log)
                if '*' in verbs or command.partition(' ')[0].upper() in verbs]

    def wait_until(self, condition, seconds=10):
        """Wait until `condition()` is true, looking after each command,
        violation, begin and end of a session; return whether it is."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def _notify(self):
        with self._changed:
            self._changed.notify_all()

    @property
    def open_sessions(self):
        """The numbers of the sessions that haven't ended."""
        return sorted(session.number for session in list(self._running))

    # Sessions

    def _accept(self):
        poll = select.poll()
        for sock in (self._listener, self._woken):
            poll.register(sock, select.POLLIN)
        while True:
            ready = [number for number, event in poll.poll()]
            if self._woken.fileno() in ready:
                return
            with contextlib.suppress(OSError):
                self._begin(self._listener.accept()[0])

    def _begin(self, sock):
        with self.lock:
            self.sessions += 1
            number = self.sessions - self._sessions_before
            taken = [session for session in self._running
                     if not session.refused]
            refused = (self.max_sessions is not None
                       and len(taken) >= self.max_sessions)
            session = Session(self, sock, self.sessions, number, refused)
            thread = threading.Thread(target=session.run, daemon=True)
            self._running[session] = thread
        thread.start()
        self._notify()

    def ended(self, session):
        """A session has ended."""
        with self.lock:
            self._running.pop(session, None)
        self._notify()

    def is_fetched(self, path):
        """Whether a client is there that waits for the end of its RETR."""
        return any(
            session.fetching == path and not session.control.deserted
            for session in list(self._running))

    # Files

    def now(self):
        """The server's clock, in seconds since the epoch."""
        return time.time() + self.clock

    def entries(self, directory):
        """Return the entries of a directory, or of a file the one; None if
        there is neither."""
        if directory in self.files:
            return [self.entry(directory)]
        if directory and directory not in self.directories:
            return None
        skip = len(directory) + 1 if directory else 0
        with self.lock:
            paths = [path for path in [*self.directories, *self.files]
                     if self._parent(path) == directory]
            entries = [self.entry(path) for path in self.order(paths)]
        return [entry._replace(name=entry.name[skip:])
                for entry in entries if entry is not None]

    def entry(self, path):
        """Return the `Entry` of a file or directory, or None."""
        content = self.files.get(path)
        if content is not None:
            return Entry(path, len(content.data), stamp(content.mtime),
                         unique=content.serial)
        if path and path not in self.directories:
            return None
        mtime = self.directories.get(path, BEGINNING)
        return Entry(path, None, stamp(mtime), 'dir')

    def _parent(self, path):
        """Return the directory that lists a path: the root also for a
        hostile one, which is in none."""
        parent = path.rpartition('/')[0]
        return parent if parent in self.directories else ''
