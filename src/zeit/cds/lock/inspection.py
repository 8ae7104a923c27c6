"""The locks of others: whose they are, whether they may be broken, and breaking them.

Only who finds one needs this.
"""
import logging

from zeit.cds.interfaces import Locked, LockInfo, PermanentError, ReplyError
from zeit.cds.lock.directory import contents, locked, MUTEX, present, RENEWAL
from zeit.cds.lock.token import Owner
from zeit.cds.text import phrase, printable


log = logging.getLogger(__name__)


# ---------------------------------------------------------------- what is there

def inspect(session):
    """See ILockFile."""
    return [info for name in (*present(session), MUTEX)
            if (info := current(session, name)) is not None]


def current(session, name, clock=True):
    """The LockInfo of what has that name now; None if there is nothing.

    clock -- shall it tell the age? The server's clock is not to be had for nothing.
    """
    if name == MUTEX:
        return mutex(session)
    held, error = look(session, name)
    if error is not None:
        held = b''
    # What tells one lock of a foreign program from the next is mostly its time: asked for last.
    entry = session.stat(name)
    if held is None or entry is None:
        return None
    owner, since = parsed(held), entry.modified
    now = session.clock() if clock and since is not None else None
    return LockInfo(name, str(owner or unknown(held, error)), owner is not None, since,
                    None if now is None else now - since, held)


def unknown(held, error):
    """What there is to say of the owner of a lock file that names none: str"""
    if error is not None:
        return 'unknown (it cannot be read)'
    if not held:
        return 'unknown (it is empty, or just being created)'
    return 'unknown (it is just being created)' if Owner.begun(held) else 'unknown'


def mutex(session):
    """The LockInfo of the mutex; None if there is none."""
    if not session.exists(MUTEX):
        return None
    if (entry := session.stat(MUTEX)) is not None:
        return LockInfo(MUTEX, 'nobody (it is a file, and keeps all others out)', False,
                        entry.modified, contents=b'')
    try:
        names = sorted(session.names(MUTEX))
    except ReplyError as e:
        log.debug('The mutex has just been left: %s', e)
        return None
    owners = [str(Owner.parse(name) or 'unknown') for name in names]
    return LockInfo(MUTEX, ', '.join(owners) or 'unknown', True,
                    contents='\n'.join(names).encode('utf-8', 'surrogateescape'))


def parsed(held):
    """The Owner that a lock file's contents (bytes) name; None if it is foreign."""
    return Owner.parse(held.decode('ascii', 'replace'))


# ---------------------------------------------------------------- breaking it by request

def break_(session, lock):
    """See ILockFile."""
    now = current(session, lock.name, clock=False)
    if now is None:
        raise PermanentError('The lock %s is not there any more.' % printable(lock.name))
    if not same(lock, now):
        error = Locked('The lock %s is another one now, held by %s. It was not removed.' % (
            printable(lock.name), now.owner))
        error.add_note('See who holds it now, and decide again.')
        raise error
    if lock.name == MUTEX and lock.ours:
        for name in filter(None, names_in(lock)):
            session.remove_directory('%s/%s' % (MUTEX, name))
        session.remove_directory(MUTEX)
    else:
        session.remove(lock.name)


def same(shown, now):
    """Are these two LockInfo of one lock? bool

    Our contents differ each time. Those of other programs need not: there it is the time that
    tells, as far as the server does.
    """
    if shown.contents != now.contents:
        return False
    return now.ours or None in (shown.since, now.since) or shown.since == now.since


def names_in(lock):
    return lock.contents.decode('utf-8', 'surrogateescape').split('\n')


# ---------------------------------------------------------------- breaking it since its owner died

def break_dead(session, name, stale_after):
    """Remove a lock file that a process of ours left when it died.

    stale_after -- seconds after which one of another host that was not renewed may be broken
    Raises Locked if it is somebody else's.
    """
    if (judged := judge(session, name, stale_after)) is not None:
        log.warning('Lock file %s was left by %s: %s. Removing it.', name, *judged)
        session.remove(name)
        try:
            session.remove(RENEWAL)
        except ReplyError as e:
            log.debug('It was not renewing it: %s', e)


def remove_begun(session, owner):
    """Remove what is there of a lock file whose owner died in the mutex while storing it: an empty
    one tells nobody whose it is, but for the name in the mutex."""
    held, _ = look(session, owner.lock)
    token = owner.token.encode('ascii')
    if held is not None and len(held) < len(token) and token.startswith(held):
        log.warning('Lock file %s was begun by the same process. Removing it.', owner.lock)
        session.remove(owner.lock)


def judge(session, name, stale_after):
    """Owner of a lock file, and why it may be broken; None if it is gone.

    Raises Locked if it may not be broken.
    """
    held, error = look(session, name)
    owner = None if held is None else parsed(held)
    if owner and (reason := owner.over or stale(session, name, owner, stale_after)):
        return (owner, reason) if name in present(session) else None
    if owner is None and name not in present(session):
        return None     # its owner has removed it since we looked, and ended
    raise locked(name, in_words(held, error))


def look(session, name):
    """What a lock file holds, bytes, and None; or None, and why it can't be read, a ReplyError.

    None for both: it is gone.
    """
    try:
        return contents(session, name), None
    except ReplyError as e:
        log.debug('Lock file %s cannot be read: %s', name, e)
        return None, e


def found(session, name):
    """The exception for a lock file that is not ours, which shows for whatever reason."""
    return locked(name, in_words(*look(session, name)))


def in_words(held, error):
    """Who holds a lock file that holds this, and what a person can do: str.

    Only what was read, and is none of ours, is called foreign: it must not be broken because its
    owner was just writing it.
    """
    if error is not None:
        return ('Who holds it cannot be told, for the server does not let us read it: %s. '
                'cds-lock shows since when it is there.' % phrase(error))
    if held is None:
        return 'It has just come, or gone.'
    if owner := parsed(held):
        return 'It is held by %s.' % (owner,)
    if not held:
        return ('It is empty: somebody is just creating it, or writes nothing into theirs. '
                'cds-lock shows since when it is there.')
    if Owner.begun(held):
        return ('It has only been begun: somebody is just creating it. cds-lock shows since when '
                'it is there.')
    return 'It is foreign. If its owner has died, cds-lock --break removes it.'


def stale(session, name, owner, stale_after):
    """Why this lock file may be broken although its owner may live, str; '' if it may not."""
    if owner.here:
        return ''
    entry = session.stat(name)
    clock = entry and session.clock()
    if clock is None or entry.modified is None or clock - entry.modified <= stale_after * 10**9:
        return ''
    return 'it was not renewed for %d s' % ((clock - entry.modified) // 10**9)
