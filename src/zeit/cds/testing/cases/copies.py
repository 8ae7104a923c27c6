"""Transfers of which all bytes come through, whatever else fails."""
import calendar
import re
import socket
import time

from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import Server, Session


ARTICLES = {name + '.xml': name.encode() * 100_000 for name in 'abcd'}


class LateReply(Session):
    """226 comes later than `timeout`: a virus scanner."""

    def do_RETR(self, argument):
        if not argument.endswith('.xml'):
            return super().do_RETR(argument)
        self.say('150 here')
        with self.connection() as connection:
            connection.sendall(self.store.files[argument])
        time.sleep(2)
        self.say('226 scanned, no virus')


@case
def last_reply_later_than_timeout(case):
    """The size is known from the listing: the file arrives, or the message names the setting."""
    result = case.run(Server(LateReply, {'a.xml': b'a' * 1000}), retries=2, timeout=1)
    case.claim('the file arrives, or the message names the setting',
               sorted(result.new) == ['a.xml'] or 'timeout' in result.log)


class OneTime(Session):
    """A mailbox: a file is gone once it was fetched."""

    def do_RETR(self, argument):
        super().do_RETR(argument)
        if argument.endswith('.xml'):
            self.store.files.pop(argument, None)


@case
def file_is_gone_once_it_was_fetched(case):
    case.arrives(Server(OneTime, {'a.xml': b'a' * 1000, 'b.xml': b'b'}), 'a.xml', 'b.xml')


class OneTimeWithABadEnd(OneTime):
    """It removes the file before the transfer's last reply, which then says that there is none."""

    last = '550 File not found.'

    def do_RETR(self, argument):
        if not argument.endswith('.xml') or argument not in self.store.files:
            return Session.do_RETR(self, argument)
        self.say('150 here')
        with self.connection() as connection:
            connection.sendall(self.store.files.pop(argument))
        self.say(self.last)


class OneTimeCutShort(OneTimeWithABadEnd):

    last = '426 Connection closed; transfer aborted.'


@case
def file_is_gone_before_the_last_reply(case):
    """All bytes that were announced have come, whatever is said of them then."""
    for kind in OneTimeWithABadEnd, OneTimeCutShort:
        case.arrives(Server(kind, {'a.xml': b'a' * 1000, 'b.xml': b'b'}), 'a.xml', 'b.xml')


class Cut(Session):
    """The control connection dies in the middle of each file's first transfer: a firewall that
    forgets connections on which nothing goes on. The data come nevertheless."""

    def do_RETR(self, argument):
        if argument not in ARTICLES or argument in self.server.cut:
            return super().do_RETR(argument)
        self.server.cut.append(argument)
        self.say('150 here')
        data = self.store.files[argument]
        with self.connection() as connection:
            connection.sendall(data[:len(data) // 2])
            time.sleep(0.05)
            self.request.shutdown(socket.SHUT_RDWR)
            connection.sendall(data[len(data) // 2:])


@case
def control_connection_dies_during_a_transfer(case):
    for connections in '1', '4':
        server = Server(Cut, ARTICLES)
        server.cut = []
        case.arrives(server, *ARTICLES, connections=connections)
        case.claim('each file was fetched once: %s' % server.store.said('RETR'),
                   len(set(server.store.said('RETR'))) == len(server.store.said('RETR')))
        case.emptied(server)


class CutSTOR(Session):
    """The same in an export: all data arrive, the reply does not."""

    def do_STOR(self, argument):
        if not argument.endswith('.part'):
            return super().do_STOR(argument)
        self.keep(self.path(argument), self.receive())
        self.request.shutdown(socket.SHUT_RDWR)


@case
def control_connection_dies_during_an_upload(case):
    for connections in '1', '4':
        server = Server(CutSTOR)
        result = case.export(server, ARTICLES, connections=connections, retries=0)
        case.claim('the status is 0', result.status == 0)
        case.claim('all are there, and nothing else', server.store.files == ARTICLES)
        sent = [line for line in server.store.said('STOR') if line.endswith('.part')]
        case.claim('each was sent once: %s' % sent, len(sent) == len(ARTICLES))


class LateSTOR(Session):
    """226 comes later than `timeout`."""

    def do_STOR(self, argument):
        if not argument.endswith('.part'):
            return super().do_STOR(argument)
        self.keep(self.path(argument), self.receive())
        time.sleep(2)
        self.say('226 scanned, no virus')


@case
def last_reply_to_an_upload_later_than_timeout(case):
    server, files = Server(LateSTOR), {'a.xml': b'a' * 1000}
    result = case.export(server, files, retries=1, timeout=1)
    case.claim('the status is 0', result.status == 0)
    case.claim('it is there', server.store.files == files)


class OneTimeWithoutMLSD(OneTime):
    """The same where a listing has names only."""

    features = 'SIZE', 'MDTM', 'EPSV'

    def do_MLST(self, argument):
        self.say('500 What?')

    do_MLSD = do_MLST


class OneTimeThenLost(OneTime):
    """The same, and each fetch ends the session."""

    def do_RETR(self, argument):
        super().do_RETR(argument)
        if argument.endswith('.xml'):
            self.request.shutdown(socket.SHUT_RDWR)


@case
def mailboxes(case):
    for kind in OneTimeWithoutMLSD, OneTimeThenLost:
        for connections in '1', '4':
            case.arrives(Server(kind, ARTICLES), *ARTICLES, connections=connections)


class TruncatesOneTime(OneTime):
    """It breaks off in the middle, says that all is well, and removes the file."""

    def send_data(self, data, first='150 here it comes', last='226 done'):
        super().send_data(data[:100] if len(data) == 1000 else data, first, last)


@case
def mailbox_that_gives_a_part(case):
    """Nothing can be done, but a part is no article."""
    result = case.run(Server(TruncatesOneTime, {'a.xml': b'a' * 1000}))
    case.claim('nothing arrives', not result.new)
    case.claim('the log tells', 'a.xml' in result.log and 'vanished' in result.log)


# -------------------------------------------------------------------- two clocks

def _hours(stamp, hours):
    moment = calendar.timegm(time.strptime(stamp[:14], '%Y%m%d%H%M%S')) + hours * 3600
    return time.strftime('%Y%m%d%H%M%S', time.gmtime(moment)) + stamp[14:]


class ListsInAnotherZone(Session):

    hours = 2

    def entries(self):
        return re.sub(rb'modify=(\d+)', lambda match: b'modify=' + _hours(
            match[1].decode(), self.hours).encode(), super().entries())


class TellsInAnotherZone(Session):

    def do_MLST(self, argument):
        path, stamp = self.path(argument), self.store.stamp
        if path not in self.store.files:
            return super().do_MLST(argument)
        self.say('250-Listing\n type=file;size=%d;modify=%s; /%s\n250 End' % (
            len(self.store.files[path]), _hours(stamp(path), -5), path))


class TellsMilliseconds(TellsInAnotherZone):

    def do_MLST(self, argument):
        path = self.path(argument)
        if path not in self.store.files:
            return super().do_MLST(argument)
        self.say('250-Listing\n type=file;size=%d;modify=%s.250; /%s\n250 End' % (
            len(self.store.files[path]), self.store.stamp(path), path))


@case
def clocks_of_listing_and_file_differ(case):
    for kind in ListsInAnotherZone, TellsInAnotherZone, TellsMilliseconds:
        for connections in '1', '4':
            server = Server(kind, ARTICLES)
            case.arrives(server, *ARTICLES, connections=connections)
            case.claim('each file was fetched once',
                       len(server.store.said('RETR')) == len(ARTICLES))


class Rewritten(ListsInAnotherZone):
    """a.xml gets other contents of the same size while it is fetched."""

    def do_RETR(self, argument):
        super().do_RETR(argument)
        if argument == 'a.xml':
            self.store.files[argument] = b'z' * len(ARTICLES[argument])
            self.store.times[argument] = int(time.time())


@case
def file_changes_where_clocks_differ(case):
    result = case.run(Server(Rewritten, ARTICLES))
    case.claim('it waits', sorted(result.new) == ['b.xml', 'c.xml', 'd.xml'])
    case.claim('the log says so', 'a.xml: it changed while' in result.log)
