"""An FTP server that misbehaves on purpose.

:class:`FaultyServer` is a small but real FTP server: sockets and threads,
on a port of ``127.0.0.1`` that the system chose, over files in memory.
Without a script it behaves::

    with FaultyServer(files={'bar.xml': b'bar', 'foo.xml': b'foo'}) as server:
        import_(..., server.host, server.port, server.user, server.password)
        server.files.data        # {name: bytes}: what is left
        server.directories       # {name: mtime}
        server.log               # [(session, 'RETR bar.xml'), ...]
        server.violations        # what a client must not do, as sentences
        server.errors            # tracebacks of the server itself: must be []
        server.commands('RETR DELE')                 # ['RETR bar.xml', ...]
        server.wait_until(lambda: server.log)        # instead of sleeping

A script makes it misbehave.  It is a list of rules, each of which says *when*
(:class:`On`), and then, by methods that can be chained, *what*::

    server.script = [
        On('RETR', 'bar.xml', times=1).reply('426 Sorry.', after_bytes=1000),
        On('EPSV', session=2).drop_control(),
        On('DELE').reply('550 No.'),
    ]
    server.unused                # rules that never acted: [] in a good test
    server.behave()              # no faults any more, stalled sessions end

All rules that fit a command act together, in the order of the script.

**When**: ``On(verbs, argument, times=, skip=, session=, given=)``

======================================== ====================================
``On('DELE')``                           each DELE
``On('DELE', 'bar.xml')``                this file only; ``'*.xml'``; bytes
``On('NLST MLSD LIST')``                 any of these
``On('*')``                              every command
``On('GREETING')``                       the greeting
``On('CONNECT')``                        accepted, before TLS and greeting
``On('RETR', times=2)``                  the first two times only
``On('RETR', skip=1, times=1)``          the second time only
``On('RETR', session=2)``                in the second session only, counted
                                         since the script was set
``On('NLST', given=f)``                  only while `f(server)` is true;
                                         :func:`nothing_offered` is such an f
======================================== ====================================

**Replies**

======================================== ====================================
``.reply('550 No.')``                    answer this instead of doing it
``.reply('550 No.', done=True)``         do it, then answer this
``.reply('426 No.', after_bytes=9)``     after nine bytes of data
``.reply('120 Wait.', '220 Go.')``       several replies
``.reply(b'250 no line end')``           `bytes` go out as they are
``.refuse()``                            502, as if there were no such command
``.preliminary('125 Now.')``             in place of the 150; none: ``()``
``.say('421 Bye.', at='replied')``       one more reply
``.shape(lower_case)``                   the last reply, transformed; also
                                         `multi_line latin_1 no_text bare_lf
                                         preliminary_code garbage nothing
                                         long_line endless_line
                                         endless_lines`, all in `SHAPES`
======================================== ====================================

After a 421 that was sent as a last reply the server closes the connection.

**Connections and time**: each happens `at` a moment (``'command'``: nothing
was done yet; ``'preliminary'``: the 150 was sent; ``'done'``: all was done,
data included, and no last reply was sent; ``'replied'``), or `after_bytes` of
data, or after `reply_bytes` of the last reply.

======================================== ====================================
``.drop_control()``                      nothing was done
``.drop_control(at='done')``             done, but the reply is lost
``.drop_control(at='preliminary')``      between the 150 and the data
``.drop_control(after_bytes=9)``         in mid-data
``.drop_control(reply_bytes=3)``         in the middle of the last reply
``.drop_control(reset=True)``            RST instead of FIN, with any of these
``.drop_data(9)``                        after nine bytes, then 426
``.drop_data(9, reset=True)``            with an RST
``.drop_data(9, reply='226 Done.')``     and lie about it
``.truncate(9)``                         nine bytes in good order, then 226
``.stall()``                             silent until `behave` or `stop`
``.stall(2, at='done')``                 two seconds late; same moments as
                                         `drop_control`
``.drip(0.01)``                          data byte by byte, seconds between
``.drip(0.01, size=100)``                a hundred bytes at a time
``.drip_reply(0.01)``                    the last reply so
``.no_close_notify()``                   TLS data end without close_notify
``.corrupt(9)``                          after nine bytes, a TLS record that
                                         can't be decrypted
``.advertise('10.0.0.1')``               PASV names another host; on
                                         ``127.0.0.2`` it listens, and a
                                         client that comes is a violation
``.advertise(port=1)``                   PASV or EPSV name another port
======================================== ====================================

After `drop_control` the data connection is closed as well.  Uploads know the
same moments; what arrived before stays on the server.  A transfer shorter
than `after_bytes` isn't disturbed; `server.unused` tells.

**Data and listings**

======================================== ====================================
``.serve(b'other')``                     other data, true size and time
``.serve(endless_data)``                 without end
``.extend(b'more')``                     more than the size says
``.entries(Entry('../x', size=3))``      listed in addition
``.entries(b'rubbish\\r\\n')``             a line that can't be parsed
``.entries(..., only=True)``             in place of the true entries
``.facts('bar.xml', size=-1)``           listed with other facts: `size`,
                                         `modify`, `type`, `name`; None: left
                                         away; ``'*'``: all files
``.twice('bar.xml')``                    listed twice; `size=...`: differently
``.first(2)``                            two entries only, then 226
``.many(1000000)``                       so many generated entries in addition
``.relist(f)``                           `f(entries)` returns the entries
======================================== ====================================

`Entry(name, size, modify, type)` takes any values.  A hostile name that can
also be fetched is simply in `files`: ``files={'../x': b'evil'}``.  Pure-FTPd's
cut listing is ``.first(2).reply('226 Output truncated', done=True)``.

**Behind the client's back**: ``.call(change, at=...)`` calls
``change(server)`` at a moment; `put`, `rewrite`, `grow`, `shrink`, `vanish`
and `mkdir` make such changes::

    On('RETR', 'bar.xml').call(grow('bar.xml', b'more'), at='command')
    On('RETR', 'bar.xml').call(vanish('bar.xml'), after_bytes=1)
    On('SIZE', 'read', times=1).call(put('write', b'somebody'))

``server.when(On(...), change, when='before')`` adds one to a running server;
``'after'`` is the moment ``'done'``.

**The whole server**: `character` (see :data:`CHARACTERS`: ``'vsftpd'``,
``'proftpd'``, ``'pure-ftpd'``, ``'pyftpdlib'``), `without` (commands that it
doesn't have, and that FEAT doesn't list), `max_sessions`, `order`, TLS: see
:class:`FaultyServer`.

A rule for a command that the server would do differently in one of these
characters still wins.  Rules keep no state: a table of them can be used for
many servers.
"""

import contextlib
import select
import socket
import threading
import time
from collections import Counter

from zeit.cds.testing.faulty.character import Character, CHARACTERS
from zeit.cds.testing.faulty.script import (
    bare_lf,
    endless_data,
    endless_line,
    endless_lines,
    garbage,
    grow,
    latin_1,
    long_line,
    lower_case,
    mkdir,
    multi_line,
    next_year,
    no_text,
    nothing,
    On,
    Plan,
    preliminary_code,
    put,
    rewrite,
    SHAPES,
    shrink,
    vanish,
)
from zeit.cds.testing.faulty.session import Session
from zeit.cds.testing.faulty.store import BEGINNING, Content, Directories, Entry, Files, stamp
from zeit.cds.testing.faulty.wire import LOOPBACK


__all__ = [
    'BEGINNING', 'CHARACTERS', 'Character', 'Content', 'Entry',
    'FaultyServer', 'On', 'SHAPES', 'bare_lf', 'endless_data',
    'endless_line', 'endless_lines', 'garbage', 'grow', 'latin_1',
    'long_line', 'lower_case', 'mkdir', 'multi_line', 'next_year', 'no_text',
    'nothing', 'nothing_offered', 'preliminary_code', 'put', 'rewrite',
    'shrink', 'vanish']


def nothing_offered(server):
    """Whether there is no file but locks: for `On(given=...)`."""
    return not set(server.files) - {'read', 'write'}


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
