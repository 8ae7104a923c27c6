"""Servers that bear one command at a time."""
from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import MANY, Server, Session


class OnePerPacket(Session):
    """It does the first command of a packet, and throws the rest away."""

    greeting = '220 tiny ftp server ready'

    def line(self):
        data = self.request.recv(MANY)
        return self.decode(data.split(b'\n')[0].rstrip(b'\r')) if data else None


@case
def one_command_per_packet(case):
    """Embedded servers, and some that lftp has a list of."""
    server = Server(OnePerPacket, {'a.xml': b'a' * 100, 'b.xml': b'b' * 200})
    case.arrives(server, 'a.xml', 'b.xml')
    case.emptied(server)


class OutOfOrder(Session):
    """Commands that come together are answered as they get done, unknown ones at once."""

    greeting = '220 welcome'

    def line(self):
        if b'\n' in self.buffer:
            return super().line()
        data = self.request.recv(MANY)
        lines = data.splitlines(True)
        self.buffer = b''.join(sorted(lines, key=lambda line: not line.startswith(b'FEAT')))
        return super().line() if data else None

    def do_FEAT(self, argument):
        self.say("502 'feat' not implemented")


@case
def replies_out_of_order(case):
    """aioftp's server."""
    case.arrives(Server(OutOfOrder, {'a.xml': b'a' * 100}), 'a.xml', timeout=3)


class TakesHalf(Session):
    """It forgets what came while it worked on a command."""

    def obey(self, line):
        result = super().obey(line)
        self.buffer = b''
        return result


@case
def buffer_is_emptied_after_each_command(case):
    server = Server(TakesHalf, {'a.xml': b'a' * 100, 'b.xml': b'b' * 200})
    case.arrives(server, 'a.xml', 'b.xml')
    case.emptied(server)
