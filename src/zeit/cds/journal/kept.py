"""Which files were taken of those that stay on the server."""
import logging
import time

from sqlalchemy import select

from zeit.cds.feed import label
from zeit.cds.interfaces import JournalError
from zeit.cds.journal.database import kept
from zeit.cds.journal.notes import parsed, sections


log = logging.getLogger('zeit.cds')

SOME = 500          # names in one statement


def known(database, feed, spool, entries):
    """See IJournal."""
    name = label(feed)
    noted = noted_of(spool, name)
    listed = {entry.name: entry for entry in entries}
    found = {name for name, version in noted.items()
             if name in listed and is_same(listed[name], version)}
    came, went = [], []
    with database.reading() as connection:
        rows = connection.execution_options(yield_per=SOME).execute(
            select(kept.c.name, kept.c.size, kept.c.modified, kept.c.gone).where(
                kept.c.feed == name))
        for row in rows:
            entry = listed.get(row.name)
            if (entry is None) != (row.gone is not None):
                (went if entry is None else came).append(row.name)
            if entry is not None and row.name not in noted and is_same(
                    entry, (row.size, row.modified)):
                found.add(row.name)
    if came or went:
        note_gone(database, name, came, went)
    return found


def noted_of(spool, feed):
    """What a spool has noted, and the journal perhaps has not: {name: (size, modified)}."""
    return {event[1]: tuple(event[2:])
            for section in sections(parsed(spool.notes.read())) if section[0][2] == feed
            for event in section if event[0] == 'kept'}


def is_same(entry, version):
    """Is an Entry the version (size, modified) that was taken, as far as both are known? bool"""
    return all(None in (now, then) or now == then
               for now, then in zip((entry.size, entry.modified), version))


def note_gone(database, feed, came, went):
    """So that what is gone for long can be forgotten, see `expiry`."""
    try:
        with database.writing() as connection:
            for names, gone in (came, None), (went, time.time_ns()):
                for some in parts(names):
                    connection.execute(kept.update().where(
                        kept.c.feed == feed, kept.c.name.in_(some)).values(gone=gone))
    except JournalError as e:
        log.debug('It will be noted later which files are gone: %s', e)


def remember(connection, feed, versions):
    """These were taken. versions -- {name: (size, modified)}"""
    for some in parts(versions):
        connection.execute(kept.delete().where(kept.c.feed == feed, kept.c.name.in_(some)))
        connection.execute(kept.insert(), [
            dict(feed=feed, name=name, size=versions[name][0], modified=versions[name][1],
                 gone=None) for name in some])


def parts(names):
    """The names in lists of a size that any database takes."""
    names = sorted(names)
    return [names[start:start + SOME] for start in range(0, len(names), SOME)]
