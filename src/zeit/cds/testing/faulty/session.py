"""One session of a :class:`~zeit.cds.testing.faulty.FaultyServer`: its
control connection, its state, and the order of things in one command."""

import posixpath
import re
import threading
import traceback

import zeit.cds.testing.faulty.transfer  # noqa: F401, it registers its commands
from zeit.cds.testing.faulty.commands import COMMANDS
from zeit.cds.testing.faulty.script import Blocks
from zeit.cds.testing.faulty.sockets import Control, Gone, hang_up, wake


#: What may be asked before the log-in.
OPEN = {'USER', 'PASS', 'AUTH', 'PBSZ', 'PROT', 'FEAT', 'OPTS', 'SYST',
        'NOOP', 'QUIT'}

TELNET = re.compile(rb'\xff(.)', re.DOTALL)


class Session:
    """A client's session; `run` is the body of its thread.

    The many attributes are what a server has to remember of a session (RFC 959), for the functions
    in `commands` and `transfer`.
    """

    def __init__(self, server, sock, number, script_number, refused):
        self.server = server
        self.number = number
        #: Its number since the script was set.
        self.script_number = script_number
        #: One more than the server wants.
        self.refused = refused
        self.control = Control(sock)
        self.gone = threading.Event()
        self.stalled = False
        #: The script that the current command follows.
        self.rules = None
        self.leaving = False
        self.reset = False
        self.user = None
        self.logged_in = False
        self.directory = ''
        self.type = 'A'
        self.offset = 0
        self.renamed = None
        self.protected = False
        self.upgrade = False
        self.passive = None
        self.data = None
        self.fetching = None

    @property
    def character(self):
        return self.server.character

    # The thread

    def run(self):
        try:
            self._talk()
        except Gone:
            pass
        except Exception:
            self.server.errors.append(traceback.format_exc())
        finally:
            self.close()
            self.server.ended(self)

    def _talk(self):
        plan = self.server.plan(self, 'CONNECT', '')
        plan.happen(self, 'command')
        if self.server.implicit:
            self.control.encrypt(self.server.tls)
            self.protected = True
        self.execute('GREETING', '')
        while not self.leaving:
            self.next_command()

    def next_command(self):
        """Read one command and execute it."""
        verb, argument = self.read_command()
        self.execute(verb, argument)

    def run_arrived(self):
        """Execute the commands that are here already."""
        while b'\n' in self.control.buffer:
            self.next_command()

    def abandon(self):
        """End the session; for other threads."""
        self.gone.set()
        for user in (self.control, self.passive, self.data):
            if user is not None:
                wake(user.sock)

    def close(self):
        """Close all sockets; for the session's own thread."""
        self.gone.set()
        self.close_passive()
        if self.data is not None:
            self.data.close(self.reset)
        hang_up(self.control.sock, self.reset)

    def close_passive(self):
        if self.passive is not None:
            self.check_decoy()
            self.passive.close()
            self.passive = None

    def check_decoy(self):
        if self.passive.fooled:
            self.violation('connected to the host that PASV named')

    # Time

    def pause(self, seconds):
        """Wait, unless the server ends."""
        if seconds and self.gone.wait(seconds):
            raise Gone('the server ends')

    def stall(self, seconds):
        """Wait so many seconds, or until the server ends."""
        if seconds is not None:
            return self.pause(seconds)
        self.stalled = True
        # Did `behave` come between the look into the script and this?
        if self.rules is self.server.script:
            self.gone.wait()
        raise Gone('stalled until the end')

    # Commands

    def read_command(self):
        line = self.control.read_line()
        command = line.rstrip(b'\r\n')
        if not line.endswith(b'\r\n'):
            self.violation(f'command without CRLF: {_blank(line)!r}')
        if b'\r' in command or b'\0' in command:
            self.violation(f'CR or NUL in a command: {_blank(line)!r}')
        if self.character.telnet:
            command = TELNET.sub(_telnet, command)
        self.server.record(self.number, _blank(command))
        verb, _, argument = command.decode('latin-1').partition(' ')
        return verb.upper(), argument

    def execute(self, verb, argument):
        """Execute a command in the order that a :class:`Plan` knows."""
        plan = self.server.plan(self, verb, argument)
        plan.happen(self, 'command')
        replies = plan.replies
        if not plan.instead:
            own = self._handle(verb, argument, plan)
            plan.happen(self, 'done')
            replies = own if replies is None else replies
        self.answer(replies, plan)
        if verb == 'RETR':
            self.fetching = None
        plan.happen(self, 'replied')
        if self.upgrade:
            self.upgrade = False
            self.control.encrypt(self.server.tls)

    def _handle(self, verb, argument, plan):
        """Execute a command; return its last reply or replies."""
        if verb not in COMMANDS or verb in self.server.without:
            return '502 Command not implemented.'
        if not (self.logged_in or verb in OPEN or verb == 'GREETING'):
            return '530 Please login with USER and PASS.'
        return COMMANDS[verb](self, argument, plan)

    # Replies

    def say(self, reply):
        """Send one reply as it is."""
        self.control.send(_encode(reply))

    def answer(self, replies, plan):
        """Send the last reply of a command, in the shape that is planned."""
        if isinstance(replies, (str, bytes)):
            replies = (replies,)
        self._check_early_dele()
        encoded = [_encode(reply) for reply in replies or ()]
        blocks = encoded
        for shape in plan.shapes:
            blocks = _shaped(shape, encoded)
        plan.pump(self, 'reply', Blocks(blocks).read, self.control.send)
        if encoded and encoded[-1].startswith(b'421'):
            self.leaving = True

    def _check_early_dele(self):
        """Look for a DELE that didn't wait for the reply to its RETR."""
        if self.fetching is None:
            return
        for line in self.control.arrived():
            verb, _, name = line.decode('latin-1').rstrip('\r').partition(' ')
            if verb.upper() == 'DELE' and self.path(name) == self.fetching:
                self.violation(f'DELE before the 226 of {name!r}')

    def violation(self, message):
        self.server.violation(self.number, message)

    # Paths

    def path(self, name):
        """Return the path below the root that `name` means.

        What is on the server by just this name (``../x``, say) is that.
        """
        if name in self.server.files:
            return name
        joined = posixpath.join('/', self.directory, name)
        return posixpath.normpath(joined).lstrip('/')

    def file(self, name):
        """Return the Content called `name`, or None."""
        return self.server.files.get(self.path(name))


def _encode(reply):
    return reply if isinstance(reply, bytes) else (
        reply + '\r\n').encode('latin-1')


def _shaped(shape, replies):
    """Yield replies, the last one changed by `shape`."""
    yield from replies[:-1]
    last = shape(replies[-1])
    if isinstance(last, bytes):
        yield last
    else:
        yield from last


def _blank(line):
    """Return a command as `str`, without the password."""
    line = line.decode('latin-1')
    return 'PASS ***' if line.lstrip()[:4].upper() == 'PASS' else line


def _telnet(match):
    return b'\xff' if match[1] == b'\xff' else b''
