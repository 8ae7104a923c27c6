"""The commands of a :class:`~zeit.cds.testing.faulty.FaultyServer` that use
a data connection."""

import itertools
from functools import partial

from zeit.cds.testing.faulty.commands import command, COMMANDS
from zeit.cds.testing.faulty.script import Blocks, Cut, Enough
from zeit.cds.testing.faulty.sockets import Data, DataLost, Gone, Passive
from zeit.cds.testing.faulty.store import Content, Entry, listing


#: Seconds that a transfer waits for its data connection.
CONNECTION_LIMIT = 1


# The life of a data connection

def transfer(session, plan, move, hold, at_once=False):
    """Open the data connection, let `move(data)` run, and return the last
    reply, which is what `move` returns if nothing interferes.

    With `hold` that waits until the client has closed its side. With
    `at_once` the preliminary reply does not wait for the data connection.
    """
    preliminary = plan.preliminary or ('150 Opening data connection.',)
    if at_once:
        for reply in preliminary:
            session.say(reply)
    data = session.data = _open(session)
    if data is None:
        return '425 Failed to establish connection.'
    if not at_once:
        for reply in preliminary:
            session.say(reply)
    plan.happen(session, 'preliminary')
    try:
        replies = _run(session, plan, data, move, hold)
    except Cut as cut:
        replies = cut.replies
        data.close(cut.reset)
    except DataLost:
        # Another command that closed it has answered for it.
        replies = () if data.closed else session.character.early_close
        data.close()
    session.data = None
    return replies


def _open(session):
    """Return the data connection, or None if the client made none."""
    if session.passive is None:
        return None
    passive = isinstance(session.passive, Passive)
    sock = session.passive.accept(CONNECTION_LIMIT)
    if session.gone.is_set():
        raise Gone('the server ends')
    session.close_passive()
    if sock is None:
        if passive:
            session.violation('no data connection a second after the command')
        return None
    if session.server.tls and not session.protected:
        session.violation('data connection without PROT P')
    meanwhile = MEANWHILE[session.character.meanwhile]
    if meanwhile is None:
        return Data(sock)
    return Data(sock, session.control, partial(meanwhile, session))


def _run(session, plan, data, move, hold):
    if session.protected:
        data.encrypt(session.server.tls)
        if session.character.reuse and not data.sock.session_reused:
            data.finish()
            return session.character.reuse
    try:
        reply = move(data)
    except Enough:
        reply = session.character.complete
    data.finish(plan.close_notify, hold)
    return reply


def _swallow(session):
    if not session.control.discard():
        raise Gone('closed while a transfer ran')
    session.say('500 Unknown command')


def _run_commands(session):
    session.next_command()
    session.run_arrived()


MEANWHILE = {'queue': None, 'swallow': _swallow, 'run': _run_commands}


def _move(session, plan, read, write):
    for source in plan.sources:
        read = source(read)
    return plan.pump(session, 'data', read, write)


# Files

@command('RETR')
def retr(session, argument, plan):
    offset, session.offset = session.offset, 0
    path, character = session.path(argument), session.character
    content = session.server.files.get(path)
    if content is None:
        return '550 Failed to open file.'
    size = len(content.data)
    if offset > size and character.rest_beyond:
        return character.rest_beyond
    session.fetching = path

    def move(data):
        moved = _move(session, plan, content.reader(offset), data.send)
        short = offset + moved < size and not plan.sources
        return character.shrunk if short else character.complete
    return transfer(session, plan, move, character.holds_226)


def _store(append, session, argument, plan):
    offset, session.offset = session.offset, 0
    path, server = session.path(argument), session.server
    if not path or path in server.directories:
        return '553 Could not create file.'
    with server.lock:
        content = server.files.get(path) or Content(mtime=server.now())
        server.files[path] = content
    if not append:
        content.data = content.data[:offset]

    def write(block):
        content.data += bytes(block)
        content.mtime = server.now()

    def move(data):
        if (not session.protected and session.character.early is None
                and data.sent_early):
            session.violation('data sent before the 1xx')
        _move(session, plan, data.receive, write)
        return session.character.complete
    # What is left away of an upload has to be read nevertheless.
    return transfer(session, plan, move, hold=True,
                    at_once=session.character.early == 'STOR')


COMMANDS['STOR'] = partial(_store, False)
COMMANDS['APPE'] = partial(_store, True)


# Listings

def _list(verb, session, argument, plan):
    character = session.character
    if verb == 'MLSD' and not character.mlsd:
        return '500 Unknown command.'
    options, name = _options(argument)
    path = session.path(name) if name else session.directory
    entries = session.server.entries(path)
    if entries is None:
        missing = (character.missing_mlsd if verb == 'MLSD'
                   else character.missing_nlst)
        if missing is not None:
            return missing.format(name=name)
        entries = []
    entries = iter(_visible(verb, options, character, entries))
    for change in plan.listings:
        entries = iter(change(entries))

    def move(data):
        shown = itertools.islice(entries, character.limit)
        read = Blocks(listing(verb, shown, character.facts)).read
        _move(session, plan, read, data.send)
        if next(entries, None) is not None:
            return character.truncated.format(limit=character.limit)
        return character.complete
    return transfer(session, plan, move, character.holds_226)


def _options(argument):
    """Split ``-la name`` as servers do for ``ls``."""
    if argument.startswith('-'):
        options, _, argument = argument.partition(' ')
        return options, argument
    return '', argument


def _visible(verb, options, character, entries):
    """Yield what this server shows of a directory."""
    if verb == 'MLSD':
        if character.mlsd_dots:
            yield Entry('.', None, type='cdir')
            yield Entry('..', None, type='pdir')
        yield from entries
        return
    if 'a' in options or character.nlst_dots:
        yield Entry('.', type='dir')
        yield Entry('..', type='dir')
    for entry in entries:
        if (entry.name.startswith('.') and character.hides_dotfiles
                and 'a' not in options):
            continue
        yield entry


for verb in ('NLST', 'LIST', 'MLSD'):
    COMMANDS[verb] = partial(_list, verb)
