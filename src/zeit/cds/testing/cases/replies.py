"""Replies that are not quite what RFC 959 says."""
from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import NoMLSD, Server, Session


ARTICLE = {'a.xml': b'a' * 100}


class ByteOrderMark(Session):

    def hello(self):
        self.request.sendall(b'\xef\xbb\xbf220 ready\r\n')


@case
def greeting_with_a_byte_order_mark(case):
    case.arrives(Server(ByteOrderMark, ARTICLE), 'a.xml')


class TwoHundredFirst(NoMLSD):

    features = 'SIZE', 'EPSV'

    def send_data(self, data, first='150 here it comes', last='226 done'):
        self.say('200 Command okay.')
        super().send_data(data, first, last)


@case
def reply_200_before_150(case):
    """Python's ftplib has a workaround for it."""
    case.arrives(Server(TwoHundredFirst, ARTICLE), 'a.xml', timeout=3)


class LoginAs220(Session):

    def do_PASS(self, argument):
        self.say('220 User logged in, proceed.')


@case
def login_answered_with_220(case):
    """A .NET server."""
    case.arrives(Server(LoginAs220, ARTICLE), 'a.xml')


class LoginTwice(Session):

    def do_PASS(self, argument):
        self.say('230 Welcome to our site.\n230 Logged in.')


@case
def login_answered_twice(case):
    case.arrives(Server(LoginTwice, ARTICLE), 'a.xml', timeout=3)


class BareCR(Session):

    def say(self, text):
        self.request.sendall(self.encode(text.replace('\n', '\r') + '\r'))


@case
def lines_end_with_cr_alone(case):
    result = case.run(Server(BareCR, ARTICLE), retries=0)
    case.claim('it ends soon', result.seconds < 20)
    case.claim('the message tells of the line end', 'silent' not in result.log)


class SilentMLST(Session):

    def do_MLST(self, argument):
        pass


@case
def mlst_is_never_answered(case):
    """uftpd 2.13; MLSD and SIZE work."""
    result = case.run(Server(SilentMLST, ARTICLE), retries=2, timeout=1)
    case.claim('the file arrives', sorted(result.new) == ['a.xml'])


class MLSTOverData(Session):
    """MLST sends its answer over a data connection if one is prepared."""

    def do_MLST(self, argument):
        path = self.path(argument)
        known = path in self.store.files or path in self.store.dirs
        if self.passive is None or not known:
            return super().do_MLST(argument)
        self.send_data(self.encode(' %s %s\r\n' % (self.store.facts(path), argument)),
                       '125 Data connection already open; transfer starting.')


@case
def mlst_over_the_data_connection(case):
    """uftpd 2.17, FubarDev."""
    server = Server(MLSTOverData, ARTICLE)
    case.arrives(server, 'a.xml', retries=2)
    case.emptied(server)
