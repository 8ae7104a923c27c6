"""Ways to a data connection that lead nowhere."""
import socket

from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import Server, Session


FILES = {'a.xml': b'a' * 100, 'b.xml': b'b' * 200}


def _passive(case, kind, **kw):
    """Both files shall come, by PASV."""
    server = Server(kind, FILES)
    case.arrives(server, 'a.xml', 'b.xml', **kw)
    case.claim('PASV was tried', server.store.said('PASV'))


class ClosedPort(Session):
    """A firewall rewrites the replies to PASV only."""

    def do_EPSV(self, argument):
        with socket.create_server(('127.0.0.1', 0)) as closed:
            port = closed.getsockname()[1]
        self.say('229 Entering Extended Passive Mode (|||%d|)' % port)


@case
def epsv_names_a_closed_port(case):
    _passive(case, ClosedPort)


class SilentPort(Session):
    """The same, but the firewall drops the packets, so that connecting hangs."""

    def setup(self):
        super().setup()
        # The queue of this port is full: who connects gets no answer.
        self.full = socket.socket()
        self.full.bind(('127.0.0.1', 0))
        self.full.listen(0)
        self.fillers = [socket.socket() for _ in range(3)]
        for filler in self.fillers:
            filler.setblocking(False)
            filler.connect_ex(self.full.getsockname())

    def do_EPSV(self, argument):
        self.say('229 Entering Extended Passive Mode (|||%d|)' % self.full.getsockname()[1])


@case
def epsv_names_a_port_that_never_answers(case):
    _passive(case, SilentPort, timeout=1)


class TwoDelimiters(Session):

    def do_EPSV(self, argument):
        self.say('229 Entering Extended Passive Mode (||%d|)' % self.listen())


@case
def epsv_with_a_delimiter_too_few(case):
    _passive(case, TwoDelimiters)


class PASVInstead(Session):

    def do_EPSV(self, argument):
        self.do_PASV(argument)


@case
def epsv_answered_as_if_it_were_pasv(case):
    case.arrives(Server(PASVInstead, FILES), 'a.xml', 'b.xml')


class PortZero(Session):

    def do_EPSV(self, argument):
        self.say('229 Entering Extended Passive Mode (|||0|)')


@case
def epsv_names_port_zero(case):
    _passive(case, PortZero)


class Accepts(Session):

    def do_EPSV(self, argument):
        self.say('200 EPSV accepted')


@case
def epsv_answered_with_200(case):
    _passive(case, Accepts)


class OneTransfer(Session):
    """The control connection is closed after each transfer."""

    def send_data(self, data, first='150 here', last='226 done'):
        super().send_data(data, first, last)
        self.request.shutdown(socket.SHUT_RDWR)

    def do_STOR(self, argument):
        super().do_STOR(argument)
        self.request.shutdown(socket.SHUT_RDWR)


@case
def session_ends_after_each_transfer(case):
    server = Server(OneTransfer, {name + '.xml': name.encode() * 100 for name in 'abcd'})
    result = case.run(server, retries=3, timeout=3)
    case.claim('the files arrive', len(result.new) == 4)
    case.claim('no lock stays', not server.store.files)
