"""What runs noted, put into the tables: each line once, however often it is handed over."""
import time

from sqlalchemy import and_, bindparam, func, select

from zeit.cds.journal.database import files, OPEN, PENDING, runs, silences, written


GONE = 'it is not there any more'
SOME = 500          # keys that are asked for at once
RUN = 'run', 'feed', 'direction', 'spool', 'host', 'pid', 'begun', 'number'
END = 'ended', 'files', 'bytes', 'skipped', 'failed', 'waiting', 'error'
COLUMNS = [column.name for column in files.columns]
NEW = files.insert()
CHANGE = files.update().where(files.c.id == bindparam('of_id')).values(
    {name: bindparam(name) for name in COLUMNS if name != 'id'})
TAKE = files.update().where(files.c.id == bindparam('of_id')).values(
    state='taken', pending=None, taken=bindparam('now'))


def load(connection, sections, untaken=None):
    """
    connection -- of a transaction that may write
    sections -- list of lists of events, see `notes`
    untaken -- names in new, a set of str; None: not known
    """
    take_turns(connection, {section[0][2] for section in sections})
    for section in sections:
        Section(connection, dict(zip(RUN, section[0][1:])), section[1:]).load()
    if sections and untaken is not None:
        take(connection, dict(zip(RUN, sections[-1][0][1:])), untaken)


def take_turns(connection, feeds):
    """Hosts that tell of one feed do so one after the other; in SQLite all writers do."""
    if connection.dialect.name == 'postgresql':
        for feed in sorted(feeds):
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(written(feed)))))


def heed(connection, feed, direction, silent):
    """See IJournal."""
    take_turns(connection, [feed])
    ours = silences.c.feed == feed, silences.c.direction == direction
    was_silent = connection.scalar(select(func.count()).select_from(silences).where(*ours)) > 0
    if silent and not was_silent:
        connection.execute(silences.insert(), dict(feed=feed, direction=direction))
    elif was_silent and not silent:
        connection.execute(silences.delete().where(*ours))
    return silent != was_silent


class Section:
    """Some lines of a run."""

    def __init__(self, connection, run, events):
        """
        run -- dict of RUN
        events -- those after the one that begins the section
        """
        self._connection, self._run, self._events = connection, run, events
        self._by_key, self._by_name = {}, {}    # rows as dicts; the latter are no ends
        self._changed = {}                      # {key: row}
        self._end = {}

    def load(self):
        noted, first = self._begin(), self._run['number'] + 1
        events = list(enumerate(self._events, first))[max(0, noted - first):]
        if events:
            self._find([event for _, event in events])
            for number, (kind, *fields) in events:
                if (handle := getattr(self, 'on_' + kind, None)) is not None:
                    handle(number, *fields)
            self._write()
            self._connection.execute(runs.update().where(runs.c.run == self._run['run']).values(
                noted=events[-1][0] + 1, **self._end))

    def _begin(self):
        """So many lines of the run are in the tables."""
        run = self._run
        noted = self._connection.scalar(select(runs.c.noted).where(runs.c.run == run['run']))
        if noted is None:
            noted = 0
            self._connection.execute(runs.insert(), dict(
                noted=0, **{name: run[name] for name in RUN if name not in ('spool', 'number')}))
        return noted

    def _find(self, events):
        """The rows that these events may be about."""
        names = {event[2] if event[0] == 'whole' else event[1] for event in events
                 if event[0] in ('whole', 'left')}
        keys = {event[1] for event in events
                if event[0] in ('whole', 'published', 'back', 'unknown')}
        for some in parts(names):
            self._remember(and_(*self._of_feed, files.c.pending.in_(OPEN), files.c.name.in_(some)))
        for some in parts(keys):
            self._remember(files.c.key.in_(some))

    @property
    def _of_feed(self):
        return files.c.feed == self._run['feed'], files.c.direction == self._run['direction']

    def _remember(self, condition):
        for found in self._connection.execute(select(files).where(condition)).mappings():
            row = self._by_key.setdefault(found['key'], dict(found))
            if row['state'] in OPEN and (row['state'] != 'whole' or row['spool'] == self._place):
                self._by_name[row['name']] = row

    @property
    def _place(self):
        return self._run['spool']

    # ------------------------------------------------------------ events

    def on_whole(self, number, key, name, inode, size, temporary, digest, modified, seen, when):
        row = self._by_key.get(key)
        if row is None:
            row = self._by_name.get(name)
            if row is None or row['state'] == 'whole':
                row = self._new(name)
            row['key'] = key
        self._change(row, 'whole', when)
        row.update(size=size, digest=digest and bytes.fromhex(digest), whole=when, reason=None,
                   modified=row['modified'] if modified is None else modified,
                   tries=row['tries'] + 1, seen=min(seen, row['seen'] or seen))

    def on_published(self, number, key, when):
        if (row := self._by_key.get(key)) is not None:
            self._change(row, 'published', when)
            row.update(published=when, reason=None)

    def on_back(self, number, key):
        if (row := self._by_key.get(key)) is not None:
            self._change(row, 'whole', row['changed'])
            row.update(published=None)

    def on_unknown(self, number, key, reason):
        if (row := self._by_key.get(key)) is not None:
            self._change(row, 'unknown', row['changed'])
            row.update(reason=reason)

    def on_left(self, number, name, reason, failed, when):
        row = self._by_name.get(name)
        if row is None:
            row = self._new(name)
            row.update(key='%s:%d' % (self._run['run'], number), seen=when)
        if row['state'] == 'whole':     # it is here, and can't be published yet
            self._change(row, 'whole', when)
        else:
            self._change(row, 'failed' if failed else 'waiting', when)
            row['tries'] += bool(failed)
        row.update(reason=reason)

    def on_end(self, number, *values):
        self._end = dict(zip(END, values))

    def _new(self, name):
        row = dict.fromkeys(COLUMNS)
        row.update(name=name, feed=self._run['feed'], direction=self._run['direction'], tries=0)
        return row

    def _change(self, row, state, when):
        row.update(state=state, changed=when, run=self._run['run'], host=self._run['host'],
                   spool=self._run['spool'])
        self._by_key[row['key']] = self._changed[row['key']] = row
        if state in OPEN:
            self._by_name[row['name']] = row
        elif self._by_name.get(row['name']) is row:
            del self._by_name[row['name']]

    # ------------------------------------------------------------ the tables

    def _write(self):
        rows = list(self._changed.values())
        for row in rows:
            row['pending'] = pending(row['state'], row['direction'])
        if new := [row for row in rows if row['id'] is None]:
            for row in new:
                del row['id']
            self._connection.execute(NEW, new)
        if known := [row for row in rows if 'id' in row]:
            self._connection.execute(CHANGE, [
                {**{name: row[name] for name in COLUMNS if name != 'id'}, 'of_id': row['id']}
                for row in known])
        if self._end and self._told_all:
            self._forget_others()

    @property
    def _told_all(self):
        """Did the run tell of all files that wait? bool"""
        end, left = self._end, sum(event[0] == 'left' for event in self._events)
        return (end['error'] is None and end['waiting'] is not None
                and end['waiting'] <= left == end['skipped'] + end['failed'])

    def _forget_others(self):
        """What was left earlier, and is not told of any more, is gone."""
        ours = [files.c.host == self._run['host']] if self._run['direction'] == 'export' else []
        self._connection.execute(files.update().where(
            *self._of_feed, *ours, files.c.pending.in_(('waiting', 'failed')),
            files.c.run != self._run['run'], files.c.changed < self._run['begun']).values(
                state='gone', pending=None, reason=GONE, changed=self._end['ended']))


def take(connection, run, untaken):
    """What is not in new any more was taken.

    run -- dict of RUN
    """
    seen, taken = set(), []
    for found in connection.execute(
            select(files.c.id, files.c.name).where(
                files.c.feed == run['feed'], files.c.direction == 'import',
                files.c.pending == 'published', files.c.host == run['host'],
                files.c.spool == run['spool']).order_by(files.c.id.desc())):
        if found.name not in untaken or found.name in seen:     # an older one of that name
            taken.append(dict(of_id=found.id, now=time.time_ns()))
        seen.add(found.name)
    if taken:
        connection.execute(TAKE, taken)


def pending(state, direction):
    """The column of this name."""
    is_waited_for = (state, direction) == ('published', 'import')
    return state if state in PENDING or is_waited_for else None


def parts(names):
    """The names in lists of a size that any database takes."""
    names = sorted(names)
    return [names[start:start + SOME] for start in range(0, len(names), SOME)]
