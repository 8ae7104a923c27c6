"""The commands of a :class:`~zeit.cds.testing.faulty.FaultyServer`, done
properly; what goes wrong with them is said by the script.

Each takes the session, its argument and the plan, and returns its last
reply.  RFC 959, RFC 2389 (FEAT), RFC 2428 (EPSV, EPRT), RFC 3659 (MLSD,
SIZE, MDTM, REST), RFC 4217 (TLS), draft-somers-ftp-mfxx (MFMT).
"""

from zeit.cds.testing.faulty.sockets import Calling, LOOPBACK, Passive
from zeit.cds.testing.faulty.store import mlsd_facts, stamp, unstamp


COMMANDS = {}

MISSING = '550 No such file or directory.'


def command(*verbs):
    """Register a function as the one that executes `verbs`."""
    def register(function):
        COMMANDS.update(dict.fromkeys(verbs, function))
        return function
    return register


def quoted(path):
    return '"/{}"'.format(path.replace('"', '""'))


# Log-in

@command('GREETING')
def greeting(session, argument, plan):
    if session.refused and session.server.too_many.startswith('421'):
        return session.server.too_many
    return session.character.greeting


@command('USER')
def user(session, argument, plan):
    if session.server.require_tls and not session.control.encrypted:
        return '530 Sessions must use encryption.'
    session.user = argument
    session.logged_in = False
    return '331 Please specify the password.'


@command('PASS')
def password(session, argument, plan):
    server = session.server
    if server.tls and not session.control.encrypted:
        session.violation('the password was sent in clear')
    if session.refused:
        return server.too_many
    if (session.user, argument) != (server.user, server.password):
        if session.character.refuses_late:
            session.run_arrived()
        return session.character.login_failed
    session.logged_in = True
    return '230 Login successful.'


@command('QUIT')
def leave(session, argument, plan):
    session.leaving = True
    return '221 Goodbye.'


@command('AUTH')
def auth(session, argument, plan):
    if session.server.tls is None or session.control.encrypted:
        return '502 AUTH not available.'
    if argument.upper() not in ('TLS', 'TLS-C', 'SSL'):
        return '504 Unknown AUTH type.'
    session.upgrade = True
    return '234 Proceed with negotiation.'


@command('PBSZ')
def pbsz(session, argument, plan):
    return '200 PBSZ=0' if session.control.encrypted else (
        '503 PBSZ only after AUTH.')


@command('PROT')
def prot(session, argument, plan):
    if not session.control.encrypted:
        return '503 PROT only after AUTH.'
    if argument.upper() not in ('C', 'P'):
        return '504 Only C and P.'
    session.protected = argument.upper() == 'P'
    return '200 PROT now %s.' % argument.upper()


# About the server

@command('SYST')
def syst(session, argument, plan):
    return '215 UNIX Type: L8'


@command('NOOP')
def noop(session, argument, plan):
    return '200 NOOP ok.'


@command('OPTS')
def opts(session, argument, plan):
    return '200 OPTS ok.'


@command('FEAT')
def feat(session, argument, plan):
    character, server = session.character, session.server
    facts = ''.join(f'{fact}*;' for fact in character.facts)
    features = {'EPSV': 'EPSV', 'MDTM': 'MDTM', 'MFMT': 'MFMT',
                'MLSD': f'MLST {facts}', 'PASV': 'PASV',
                'REST': 'REST STREAM', 'SIZE': 'SIZE'}
    if not character.mlsd:
        del features['MLSD']
    names = [feature for verb, feature in features.items()
             if verb not in server.without] + ['TVFS', 'UTF8']
    if server.tls:
        names += ['AUTH TLS', 'PBSZ', 'PROT']
    lines = ''.join(f' {name}\r\n' for name in names)
    return f'211-Features:\r\n{lines}211 End'


@command('TYPE')
def type_(session, argument, plan):
    kind = argument.upper()[:1]
    if kind not in ('A', 'I'):
        return '504 Unknown TYPE.'
    session.type = kind
    return f'200 Switching to TYPE {kind}.'


# Directories

@command('PWD', 'XPWD')
def pwd(session, argument, plan):
    return f'257 {quoted(session.directory)} is the current directory'


@command('CWD')
def cwd(session, argument, plan):
    path = session.path(argument)
    if path and path not in session.server.directories:
        return session.character.cwd_failed.format(name=argument)
    session.directory = path
    return '250 Directory successfully changed.'


@command('CDUP')
def cdup(session, argument, plan):
    return cwd(session, '..', plan)


@command('MKD', 'XMKD')
def mkd(session, argument, plan):
    path, server = session.path(argument), session.server
    with server.lock:
        if not path or path in server.directories or path in server.files:
            return '550 Create directory operation failed.'
        server.directories.add(path, server.now())
    return f'257 {quoted(path)} created'


@command('RMD', 'XRMD')
def rmd(session, argument, plan):
    path, server = session.path(argument), session.server
    with server.lock:
        inside = any(name.startswith(path + '/')
                     for name in [*server.files, *server.directories])
        if path not in server.directories or inside:
            return '550 Remove directory operation failed.'
        server.directories.discard(path)
    return '250 Remove directory operation successful.'


# Files

@command('SIZE')
def size(session, argument, plan):
    content = session.file(argument)
    if content is None:
        return '550 Could not get file size.'
    if session.type == 'A' and not session.character.size_in_ascii:
        return '550 SIZE not allowed in ASCII mode.'
    return f'213 {len(content.data)}'


@command('MDTM')
def mdtm(session, argument, plan):
    content = session.file(argument)
    return MISSING if content is None else f'213 {stamp(content.mtime)}'


@command('MFMT')
def mfmt(session, argument, plan):
    when, _, name = argument.partition(' ')
    content = session.file(name)
    if content is None:
        return MISSING
    try:
        content.mtime = unstamp(when)
    except ValueError:
        return '501 Not a time.'
    return f'213 Modify={when}; {name}'


@command('MLST')
def mlst(session, argument, plan):
    if not session.character.mlsd:
        return '500 Unknown command.'
    path, server = session.path(argument), session.server
    entry = server.entry(path)
    if entry is None:
        return MISSING
    facts = mlsd_facts(entry, session.character.facts)
    return f'250-Listing\r\n {facts} /{path}\r\n250 End'


@command('DELE')
def dele(session, argument, plan):
    path, server = session.path(argument), session.server
    if server.is_fetched(path):
        session.violation(f'DELE before the 226 of {argument!r}')
    if server.files.pop(path, None) is None:
        return session.character.dele_failed.format(name=argument)
    return '250 Delete operation successful.'


@command('RNFR')
def rnfr(session, argument, plan):
    path = session.path(argument)
    if path not in session.server.files and (
            path not in session.server.directories):
        return MISSING
    session.renamed = path
    return '350 Ready for RNTO.'


@command('RNTO')
def rnto(session, argument, plan):
    source, session.renamed = session.renamed, None
    server = session.server
    if source is None:
        return '503 RNFR required first.'
    with server.lock:
        content = server.files.pop(source, None)
        if content is None:
            return MISSING
        server.files[session.path(argument)] = content
    return '250 Rename successful.'


# Before and after a transfer

def listen(session, decoy=None):
    """Listen for a data connection in place of the one before."""
    session.close_passive()
    if session.data is not None:
        # Only where commands are executed while a transfer runs.
        session.data.close()
    session.passive = Passive(decoy)
    return session.passive.port


def call(session, host, port):
    """Connect to the client with the next transfer."""
    session.close_passive()
    if host != LOOPBACK:
        session.violation('a data connection to somebody else')
    session.passive = Calling(host, port)


@command('EPSV')
def epsv(session, argument, plan):
    port = listen(session)
    return f'229 Entering Extended Passive Mode (|||{plan.port or port}|)'


@command('PASV')
def pasv(session, argument, plan):
    port = listen(session, plan.host)
    port = plan.port or port
    host = (plan.host or LOOPBACK).replace('.', ',')
    return f'227 Entering Passive Mode ({host},{port >> 8},{port & 255}).'


@command('EPRT')
def eprt(session, argument, plan):
    _, _, host, port, _ = argument.split(argument[0])
    call(session, host, int(port))
    return '200 EPRT command successful.'


@command('PORT')
def port(session, argument, plan):
    *host, high, low = argument.split(',')
    call(session, '.'.join(host), int(high) * 256 + int(low))
    return '200 PORT command successful.'


@command('REST')
def rest(session, argument, plan):
    if not argument.isdecimal():
        return '501 Not a number.'
    session.offset = int(argument)
    return f'350 Restart position accepted ({argument}).'


@command('ABOR')
def abor(session, argument, plan):
    if session.data is None:
        return '225 No transfer to abort.'
    session.data.close()
    return ('426 Transfer aborted.', '226 Abort successful.')
