"""The language in which the faults of a :class:`~zeit.cds.testing.faulty.FaultyServer` are written.

:class:`On` says when, its methods say what; the package's docstring is a guide.  A command
collects the rules that fit it in a :class:`Plan`, which the session then follows.
"""

import itertools
from fnmatch import fnmatchcase

from zeit.cds.testing.faulty.sockets import Gone
from zeit.cds.testing.faulty.store import BLOCK, Entry, text


#: When something can happen to a command: before it is done; after the 1xx
#: and before the data; when it is done, before the reply; after the reply.
MOMENTS = ('command', 'preliminary', 'done', 'replied')


class Enough(Exception):
    """Ends the data of a transfer in an orderly way."""


class Cut(Exception):
    """Breaks the data connection; `replies` follow."""

    def __init__(self, replies, reset=False):
        super().__init__(replies)
        self.replies = replies
        self.reset = reset


class Blocks:
    """Reads at most n bytes at a time from an iterable of bytes."""

    def __init__(self, blocks):
        self._blocks = iter(blocks)
        self._rest = b''

    def read(self, size):
        while not self._rest:
            try:
                self._rest = memoryview(next(self._blocks))
            except StopIteration:
                return b''
        block, self._rest = self._rest[:size], self._rest[size:]
        return block


def blocks(data):
    """Return an iterable of bytes for bytes, an iterable, or a function
    that makes one."""
    if callable(data):
        data = data()
    return [data] if isinstance(data, (bytes, bytearray)) else data


class Plan:
    """What shall happen to one command: the sum of the rules that fit, one attribute a kind."""

    def __init__(self):
        self.instead = False
        self.replies = None
        self.preliminary = ()
        self.shapes = []
        self.events = []
        self.sources = []
        self.listings = []
        self.paces = {}
        self.close_notify = True
        self.host = self.port = None

    def happen(self, session, moment):
        """Do what is planned for a moment: one of MOMENTS, or
        ``('data', n)``, ``('reply', n)`` after n bytes."""
        for when, action in self.events:
            if when == moment:
                action(session)

    def pump(self, session, kind, read, write):
        """Move bytes from `read(n)` to `write(block)`, stopping where
        something is planned; return their number."""
        moved = 0
        pace, most = self.paces.get(kind, (0, BLOCK))
        self.happen(session, (kind, 0))
        while True:
            session.pause(pace)
            block = read(min(most, self._next_stop(kind, moved) - moved))
            if not block:
                return moved
            write(block)
            moved += len(block)
            self.happen(session, (kind, moved))

    def _next_stop(self, kind, moved):
        stops = [when[1] for when, action in self.events
                 if when[0] == kind and when[1] > moved]
        return min(stops, default=moved + BLOCK)


class On:
    """When a fault happens, and, by its methods, which.

    `verbs`: one or several commands (``'RETR'``, ``'MLSD NLST LIST'``), or
    ``'*'`` for every command, or ``'CONNECT'`` (accepted, before TLS and the
    greeting) or ``'GREETING'``.
    `argument`: only for this argument, whole or its last path component, or
    a pattern with ``*``; `bytes` are taken as well.
    `times`: only so often (for ever by default).
    `skip`: not the first so many times.
    `session`: only in the n-th session (from 1) since the script was set.
    `given`: only when this function of the server returns true.

    All counts belong to the server, so one `On` can be used on many servers.
    """

    def __init__(self, verbs, argument=None, times=None, skip=0,
                 session=None, given=None):
        self.verbs = verbs.upper().split()
        self.argument = text(argument)
        self.times = times
        self.skip = skip
        self.session = session
        self.given = given
        self._steps = []
        #: Acts when a moment comes, and not only by fitting a command.
        self.has_moments = False

    def __repr__(self):
        words = ' '.join(self.verbs)
        return f'On({words!r}, {self.argument!r})'

    def fits(self, verb, argument, session):
        """Whether the rule is about this command of the n-th session."""
        if verb not in self.verbs and (
                '*' not in self.verbs or verb in ('CONNECT', 'GREETING')):
            return False
        if self.session not in (None, session):
            return False
        return self.argument is None or (
            self.argument in (argument, argument.rpartition('/')[2])
            or fnmatchcase(argument, self.argument))

    def counts(self, number):
        """Whether the rule acts when it fits for the `number`-th time."""
        return number > self.skip and (
            self.times is None or number <= self.skip + self.times)

    def apply(self, plan):
        """Add what the rule wants to a :class:`Plan`."""
        for step in self._steps:
            step(plan)

    def _add(self, step):
        self._steps.append(step)
        return self

    def _set(self, **values):
        return self._add(lambda plan: vars(plan).update(values))

    def _at(self, action, at, after_bytes=None, reply_bytes=None):
        if at not in MOMENTS:
            raise ValueError(f'{at!r} is none of {MOMENTS}')
        moment = at
        if after_bytes is not None:
            moment = ('data', after_bytes)
        elif reply_bytes is not None:
            moment = ('reply', reply_bytes)
        self.has_moments = True

        def act(session):
            session.server.acted(self)
            action(session)
        return self._add(lambda plan: plan.events.append((moment, act)))

    # Replies

    def reply(self, *replies, done=False, after_bytes=None):
        """Answer this instead of doing it.

        A `str` gets its CRLF, `bytes` go out verbatim; several are sent one
        after another.  With `done`, do it first.  With `after_bytes`, move
        so many bytes of data, break the data connection, and answer.
        After a 421 the server closes the control connection.
        """
        if after_bytes is not None:
            return self.drop_data(after_bytes, reply=replies)
        return self._set(replies=replies, instead=not done)

    def refuse(self, reply='502 Command not implemented.'):
        """Answer that there is no such command."""
        return self.reply(reply)

    def preliminary(self, *replies):
        """Send this in place of the ``150``; nothing without arguments."""
        return self._set(preliminary=replies or (b'',))

    def shape(self, function):
        """Send the last reply changed by `function(bytes)`, which returns
        bytes or an iterable of bytes; see :data:`~zeit.cds.testing.faulty.shapes.SHAPES`."""
        return self._add(lambda plan: plan.shapes.append(function))

    def say(self, reply, at='done', after_bytes=None):
        """Send a reply in addition."""
        return self._at(lambda session: session.say(reply), at, after_bytes)

    def swallow(self, reply='500 Unknown command', count=1):
        """Take commands that came in one write with this one for nothing, with
        a reply each."""
        def forget(session):
            for _ in range(count):
                line, end, rest = session.control.buffer.partition(b'\n')
                if end:
                    session.control.buffer = rest
                    session.say(reply)
        return self._at(forget, 'preliminary')

    # Connections and time

    def drop_control(self, at='command', after_bytes=None, reply_bytes=None,
                     reset=False):
        """Close the control connection (and the data connection with it)."""
        def drop(session):
            session.reset = reset
            raise Gone('dropped by the script')
        return self._at(drop, at, after_bytes, reply_bytes)

    def drop_data(self, after_bytes=0, reset=False,
                  reply='426 Connection closed; transfer aborted.'):
        """Break the data connection after so many bytes, and answer
        `reply`."""
        replies = (reply,) if isinstance(reply, (str, bytes)) else reply

        def drop(session):
            raise Cut(replies, reset)
        return self._at(drop, 'done', after_bytes)

    def truncate(self, after_bytes):
        """Move only so many bytes, and claim success."""
        def enough(session):
            raise Enough
        return self._at(enough, 'done', after_bytes)

    def stall(self, seconds=None, at='command', after_bytes=None,
              reply_bytes=None):
        """Be silent so many seconds; for ever if None.

        For ever ends with `behave` or `stop`, which end the session."""
        return self._at(
            lambda session: session.stall(seconds), at, after_bytes,
            reply_bytes)

    def drip(self, seconds, size=1):
        """Move the data `size` bytes at a time, with a pause before each."""
        return self._add(
            lambda plan: plan.paces.update(data=(seconds, size)))

    def drip_reply(self, seconds, size=1):
        """Send the last reply so."""
        return self._add(
            lambda plan: plan.paces.update(reply=(seconds, size)))

    def no_close_notify(self):
        """End the TLS of a data connection without saying so."""
        return self._set(close_notify=False)

    def corrupt(self, after_bytes=0):
        """Send a TLS record that nobody can decrypt among the data."""
        return self._at(
            lambda session: session.data.corrupt(), 'done', after_bytes)

    def advertise(self, host=None, port=None):
        """Let PASV name another host, PASV and EPSV another port.

        On a host of this machine (``127.0.0.2``) the server listens as well,
        and a client that comes there is a violation."""
        return self._set(host=host, port=port)

    # Data and listings

    def serve(self, data):
        """Move these bytes (or iterable of bytes, or function that returns
        one) in place of the true ones."""
        return self._add(lambda plan: plan.sources.append(
            lambda read: Blocks(blocks(data)).read))

    def extend(self, data):
        """Move these bytes after the true ones."""
        def extended(read):
            more = Blocks(blocks(data)).read
            return lambda size: read(size) or more(size)
        return self._add(lambda plan: plan.sources.append(extended))

    def relist(self, function):
        """List what `function(entries)` returns, an iterable of `Entry`."""
        return self._add(lambda plan: plan.listings.append(function))

    def entries(self, *entries, only=False):
        """List these entries (`Entry`, or `bytes` for a whole line) after
        the true ones; in place of them with `only`."""
        more = [entry if isinstance(entry, Entry) else Entry(line=entry)
                for entry in entries]
        return self.relist(
            lambda true: more if only else itertools.chain(true, more))

    def facts(self, name, /, **facts):
        """List a file (``'*'``: all) with other `size`, `modify`, `type`,
        `name` or `unique`; a fact of None is left away."""
        return self.relist(lambda entries: (
            entry._replace(**facts) if name in ('*', entry.name) else entry
            for entry in entries))

    def twice(self, name, /, **facts):
        """List a file a second time, with other facts if given."""
        def doubled(entries):
            for entry in entries:
                yield entry
                if entry.name == name:
                    yield entry._replace(**facts)
        return self.relist(doubled)

    def first(self, count):
        """List only the first `count` entries."""
        return self.relist(lambda entries: itertools.islice(entries, count))

    def many(self, count, pattern='many-{}.xml'):
        """List `count` generated entries after the true ones."""
        return self.relist(lambda entries: itertools.chain(
            entries, (Entry(pattern.format(n)) for n in range(count))))

    # Whatever else

    def call(self, function, at='done', after_bytes=None, reply_bytes=None):
        """Call `function(server)`."""
        return self._at(
            lambda session: function(session.server), at, after_bytes,
            reply_bytes)
