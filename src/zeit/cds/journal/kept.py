"""Which files were taken of those that stay on the server."""
import logging
import time

from zeit.cds.feed import label
from zeit.cds.interfaces import JournalError
from zeit.cds.journal.notes import parsed, sections


log = logging.getLogger('zeit.cds')

SOME = 500          # names in one statement
PAGE = 5000         # rows that are read at once


def known(writer, feed, spool, entries):
    """See IJournal. writer -- zeit.cds.journal.statements.Writer, or one that does the same"""
    name = label(feed)
    noted = noted_of(spool, name)
    listed = {entry.name: entry for entry in entries}
    found = {name for name, version in noted.items()
             if name in listed and is_same(listed[name], version)}
    came, went = [], []
    with writer.reading() as reading:
        for row in rows(reading, name):
            entry = listed.get(row['name'])
            if (entry is None) != (row['gone'] is not None):
                (went if entry is None else came).append(row['name'])
            if entry is not None and row['name'] not in noted and is_same(
                    entry, (row['size'], row['modified'])):
                found.add(row['name'])
    if came or went:
        note_gone(writer, name, came, went)
    return found


def rows(reading, feed):
    """Iterate over what was taken of a feed, however much that is."""
    beyond, page = '', True
    while page:
        page = reading.run('kept', dict(of_feed=feed, beyond=beyond, some=PAGE))
        yield from page
        beyond = page[-1]['name'] if page else None


def noted_of(spool, feed):
    """What a spool has noted, and the journal perhaps has not: {name: (size, modified)}."""
    return {event[1]: tuple(event[2:])
            for section in sections(parsed(spool.notes.read())) if section[0][2] == feed
            for event in section if event[0] == 'kept'}


def is_same(entry, version):
    """Is an Entry the version (size, modified) that was taken, as far as both are known? bool"""
    return all(None in (now, then) or now == then
               for now, then in zip((entry.size, entry.modified), version))


def note_gone(writer, feed, came, went):
    """So that what is gone for long can be forgotten, see `expiry`."""
    try:
        with writer.writing() as writing:
            for names, gone in (came, None), (went, time.time_ns()):
                for some in parts(names):
                    writing.run('kept are gone', dict(of_feed=feed, names=some, gone=gone))
    except JournalError as e:
        log.debug('It will be noted later which files are gone: %s', e)


def remember(writing, feed, versions):
    """These were taken. versions -- {name: (size, modified)}"""
    for some in parts(versions):
        writing.run('forget kept', dict(of_feed=feed, names=some))
        writing.run('keep', [
            dict(feed=feed, name=name, size=versions[name][0], modified=versions[name][1])
            for name in some])


def parts(names):
    """The names in lists of a size that any database takes."""
    names = sorted(names)
    return [names[start:start + SOME] for start in range(0, len(names), SOME)]
