"""Listings that are understood by nobody but their server."""
from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import NoMLSD, Server, Session


ARTICLE = {'a.xml': b'a' * 100}


class DotSlash(NoMLSD):

    def path(self, name):
        return super().path(name.removeprefix('./'))

    def do_NLST(self, argument):
        lines = self.names(self.path(argument) if argument else self.cwd).splitlines(True)
        self.send_data(b''.join(b'./' + line for line in lines if not line.startswith(b'.')))


@case
def nlst_with_dot_slash(case):
    server = Server(DotSlash, ARTICLE)
    case.arrives(server, 'a.xml')
    case.emptied(server)


class FullPaths(NoMLSD):

    def names(self, directory):
        return b''.join(b'/%s/%s' % (directory.encode(), line)
                        for line in super().names(directory).splitlines(True))


@case
def nlst_with_whole_paths(case):
    """SFTPGo before 2.3.5."""
    server = Server(FullPaths, {'out/a.xml': b'a' * 100}, ['out'])
    case.arrives(server, 'a.xml', directory='/out')
    case.emptied(server)


class BlanksBetweenFacts(Session):

    def entries(self):
        return super().entries().replace(b';', b'; ').replace(b';  ', b'; ')


@case
def mlsd_with_blanks_between_facts(case):
    server = Server(BlanksBetweenFacts, ARTICLE)
    case.arrives(server, 'a.xml')
    case.emptied(server)


class NoSemicolon(Session):

    def entries(self):
        return super().entries().replace(b'; ', b' ')


class LeadingBlank(Session):

    def entries(self):
        return b''.join(b' ' + line for line in super().entries().splitlines(True))


@case
def mlsd_without_last_semicolon(case):
    """libunftp."""
    case.arrives(Server(NoSemicolon, ARTICLE), 'a.xml')


@case
def mlsd_with_leading_blank(case):
    case.arrives(Server(LeadingBlank, ARTICLE), 'a.xml')


class Unreadable(NoMLSD):
    """vsftpd: a directory that may be entered, but not read."""

    greeting = '220 (vsFTPd 3.0.3)'
    features = 'EPRT', 'EPSV', 'MDTM', 'PASV', 'REST STREAM', 'SIZE', 'TVFS'

    def do_NLST(self, argument):
        self.send_data(b'', '150 Here comes the directory listing.',
                       '226 Transfer done (but failed to open directory).')


@case
def directory_that_may_not_be_read(case):
    result = case.run(Server(Unreadable, ARTICLE))
    case.claim('the status is not 0', result.status != 0)
    case.claim('the log quotes the server', 'failed to open directory' in result.log)


class Milliseconds(Session):

    def entries(self):
        return super().entries().replace(b'20;', b'20.123;')


@case
def listing_with_milliseconds(case):
    """Two clocks for one file are no reason to say that it changed."""
    case.arrives(Server(Milliseconds, ARTICLE), 'a.xml')


class NeedsArgument(NoMLSD):

    def do_NLST(self, argument):
        if not argument:
            return self.say('500 Syntax error: NLST requires an argument.')
        super().do_NLST('' if argument == '.' else argument)


@case
def nlst_needs_an_argument(case):
    """Twisted."""
    case.arrives(Server(NeedsArgument, ARTICLE), 'a.xml')


class ZOS(NoMLSD):
    """No SIZE, no MDTM; an empty listing is an error."""

    greeting = ('220-FTPD1 IBM FTP CS V2R4 at MVS.EXAMPLE.COM, 16:48:12 on 2024-02-11.\n'
                '220 Connection will close if idle for more than 5 minutes.')
    features = 'AUTH TLS', 'PBSZ', 'PROT'
    do_SIZE = do_MDTM = NoMLSD.do_MLST

    def do_NLST(self, argument):
        if not set(self.store.children(self.cwd)) - self.store.dirs:
            return self.say('550 No data sets found.')
        super().do_NLST(argument)


@case
def empty_directory_as_550(case):
    server = Server(ZOS)
    result = case.run(server)
    case.claim('the status is 0', result.status == 0)
    case.claim('it says that there is nothing', 'No new files' in result.log)
    case.emptied(server)


class SIZEWithout5(NoMLSD):
    """SIZE of a missing file is answered with what looks as if it passed."""

    features = 'SIZE', 'EPSV'
    missing = '450 path not found'

    def do_SIZE(self, argument):
        if self.path(argument) in self.store.files:
            return super().do_SIZE(argument)
        self.say(self.missing)


class SIZEWith451(SIZEWithout5):

    missing = '451 Error opening file for size retrieval'


@case
def size_450_for_a_missing_file(case):
    """rclone and others of goftp.io, fineFTP, nodeftpd."""
    _both_ways(case, SIZEWithout5)


@case
def size_451_for_a_missing_file(case):
    _both_ways(case, SIZEWith451)


def _both_ways(case, kind):
    server = Server(kind, ARTICLE)
    case.arrives(server, 'a.xml')
    exported = case.export(server, {'x.xml': b'x' * 500})
    case.claim('the export stores its file', 'x.xml' in server.store.files)
    case.claim('its status is 0', exported.status == 0)


class UTF8OnDemand(NoMLSD):
    """IIS speaks UTF-8 after OPTS UTF8 ON, and has question marks for what its code page lacks."""

    features = 'SIZE', 'MDTM', 'UTF8', 'EPSV'
    utf8 = False

    def do_OPTS(self, argument):
        self.utf8 = argument.upper() == 'UTF8 ON'
        self.say('200 UTF8 encoding now ON.' if self.utf8 else '501 no')

    def decode(self, data):
        return super().decode(data) if self.utf8 else data.decode('cp1252', 'replace')

    def encode(self, text):
        return super().encode(text) if self.utf8 else text.encode('cp1252', 'replace')


@case
def utf8_on_demand(case):
    names = 'Köln.xml', 'Łódź.xml', 'plain.xml'
    case.arrives(Server(UTF8OnDemand, dict.fromkeys(names, b'a' * 100)), *names)


class IIS(NoMLSD):
    """SIZE and NLST of directories, names without regard to case, 125."""

    greeting = '220 Microsoft FTP Service'
    features = 'LANG EN*', 'UTF8', 'AUTH TLS;TLS-C;SSL;TLS-P;', 'SIZE', 'MDTM', 'REST STREAM'

    def do_SIZE(self, argument):
        if self.path(argument) in self.store.dirs:
            return self.say('550 Access is denied. ')
        super().do_SIZE(argument)

    def send_data(self, data, first='', last='226 Transfer complete.'):
        super().send_data(data, '125 Data connection already open; Transfer starting.', last)


@case
def directory_beside_the_files(case):
    files = {'a.xml': b'a' * 100, 'sub/x.xml': b'x'}
    server = Server(IIS, files, ['sub'])
    result = case.arrives(server, 'a.xml')
    case.claim('the log says what sub is', 'sub' in result.log)
    case.claim('the directory stays', server.store.dirs == {'sub'})
    excluded = case.run(Server(IIS, files, ['sub']), '--exclude', 'sub')
    case.claim('with --exclude the status is 0', excluded.status == 0)
    exported = case.export(server, {'x.xml': b'x' * 500})
    case.claim('the export succeeds', exported.status == 0 and 'x.xml' in server.store.files)


class SizedDirectories(NoMLSD):
    """ftp-srv, rclone, Twisted: SIZE takes a directory for a file, RETR does not."""

    features = 'SIZE', 'MDTM', 'UTF8'

    def do_SIZE(self, argument):
        if argument == '.' or self.path(argument) in self.store.dirs:
            return self.say('213 4096')
        super().do_SIZE(argument)

    def do_RETR(self, argument):
        if self.path(argument) in self.store.dirs:
            return self.say('551 not a file')
        super().do_RETR(argument)


@case
def directory_that_has_a_size(case):
    server = Server(SizedDirectories, {'a.xml': b'a' * 100, 'sub/x.xml': b'x'}, ['sub'])
    result = case.arrives(server, 'a.xml')
    case.claim('the log says what sub is', 'sub: it is a directory' in result.log)


@case
def dry_run_knows_directories(case):
    for kind in IIS, SizedDirectories:
        server = Server(kind, {'a.xml': b'a' * 100, 'b.xml': b'', 'sub/x.xml': b'x'}, ['sub'])
        result = case.run(server, '--dry-run')
        case.claim('the status is 0', result.status == 0)
        case.claim('it says what sub is', 'sub: it is a directory' in result.log)
        case.claim('it lists the file', '100  a.xml' in result.log)
        case.claim('it lists the empty file', '0  b.xml' in result.log)
