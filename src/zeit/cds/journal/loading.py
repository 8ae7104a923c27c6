"""What runs noted, put into the tables: each line once, however often it is handed over."""
import socket
import time

from zeit.cds.interfaces import FileRow
from zeit.cds.journal.columns import bounded, OPEN, pending
from zeit.cds.journal.compiled import COLUMNS
from zeit.cds.journal.kept import parts, remember


GONE = 'it is not there any more'
TROUBLE = ['failed', 'aside']
MOST = 10_000       # files that failed
RUN = 'run', 'feed', 'direction', 'spool', 'host', 'pid', 'begun', 'number'
END = 'ended', 'files', 'bytes', 'skipped', 'failed', 'waiting', 'error'


def load(writing, sections, untaken=None):
    """
    writing -- zeit.cds.journal.statements.Writing, or one that does the same
    sections -- list of lists of events, see `notes`
    untaken -- names in new, a set of str; None: not known
    """
    writing.take_turns({section[0][2] for section in sections})
    for section in sections:
        Section(writing, dict(zip(RUN, section[0][1:])), section[1:]).load()
    if sections and untaken is not None:
        take(writing, dict(zip(RUN, sections[-1][0][1:])), untaken)


def heed(writing, feed, direction, silent):
    """See IJournal."""
    writing.take_turns([feed])
    ours = dict(of_feed=feed, of_direction=direction)
    [found] = writing.run('silent', ours)
    was_silent = found['number'] > 0
    if silent and not was_silent:
        writing.run('be silent', dict(feed=feed, direction=direction))
    elif was_silent and not silent:
        writing.run('speak', ours)
    return silent != was_silent


def failures(writing, feed, direction):
    """See IJournal."""
    # An export's is whole on the server before its name is refused; an import's is ours then.
    states = [*TROUBLE, 'whole'] if direction == 'export' else TROUBLE
    rows = writing.run('failures', dict(
        of_feed=feed, of_direction=direction, states=states, some=MOST))
    return [FileRow(**{
        name: row[name].hex() if name == 'digest' and row[name] else row[name]
        for name in FileRow._fields}) for row in rows]


def retry(writing, name, feed):
    """See IJournal."""
    ours = {} if feed is None else {'of_feed': feed}
    return writing.run('retry of feed' if ours else 'retry', dict(
        ours, of_name=name, changed=time.time_ns()))


class Section:
    """Some lines of a run."""

    def __init__(self, writing, run, events):
        """
        run -- dict of RUN
        events -- those after the one that begins the section
        """
        self._writing, self._run, self._events = writing, run, events
        self._by_key, self._by_name = {}, {}    # rows as dicts; the latter are no ends
        self._changed = {}                      # {key: row}
        self._end, self._kept = {}, {}          # {name: (size, modified)}
        self._not_aside = set()                 # names of which no earlier version is set aside

    def load(self):
        noted, first = self._begin(), self._run['number'] + 1
        events = list(enumerate(self._events, first))[max(0, noted - first):]
        if events:
            self._find([event for _, event in events])
            for number, (kind, *fields) in events:
                if (handle := getattr(self, 'on_' + kind, None)) is not None:
                    handle(number, *fields)
            self._write()
            self._writing.run('end' if self._end else 'go on', dict(
                of_run=self._run['run'], noted=events[-1][0] + 1, **self._end))

    def _begin(self):
        """So many lines of the run are in the tables."""
        run = self._run
        for found in self._writing.run('noted', dict(of_run=run['run'])):
            return found['noted']
        self._writing.run('begin', dict(
            noted=0, files=0, bytes=0, skipped=0, failed=0,
            **{name: run[name] for name in RUN if name not in ('spool', 'number')}))
        return 0

    def _find(self, events):
        """The rows that these events may be about."""
        names = {event[2] if event[0] == 'whole' else event[1] for event in events
                 if event[0] in ('whole', 'left', 'aside')}
        keys = {event[1] for event in events
                if event[0] in ('whole', 'published', 'back', 'unknown')}
        for some in parts(names):
            self._remember('open', dict(self._of_feed, states=list(OPEN), names=some))
        for some in parts(keys):
            self._remember('of keys', dict(keys=some))

    @property
    def _of_feed(self):
        return {'of_' + name: self._run[name] for name in ('feed', 'direction')}

    def _remember(self, name, parameters):
        for found in self._writing.run(name, parameters):
            row = self._by_key.setdefault(found['key'], found)
            if row['state'] in OPEN and (row['state'] != 'whole' or row['spool'] == self._place):
                self._by_name[row['name']] = row

    @property
    def _place(self):
        return self._run['spool']

    # ------------------------------------------------------------ events

    def on_whole(self, number, key, name, inode, size, temporary, digest, modified, seen, when,
                 task=None):
        row = self._by_key.get(key)
        if row is None:
            row = self._by_name.get(name)
            if row is None or row['state'] == 'whole':
                row = self._new(name)
            row['key'] = key
        self._not_aside.add(name)
        self._change(row, 'whole', when)
        row.update(size=size, digest=digest and bytes.fromhex(digest), whole=when, reason=None,
                   modified=row['modified'] if modified is None else bounded(modified),
                   tries=row['tries'] + 1, seen=min(seen, row['seen'] or seen))

    def on_kept(self, number, name, size, modified):
        self._kept[name] = bounded(size), bounded(modified)

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

    def on_aside(self, number, name, size, modified, tries, reason, when):
        row = self._by_name.get(name)
        if row is None:
            row = self._new(name)
            row.update(key='%s:%d' % (self._run['run'], number), seen=when)
        self._not_aside.add(name)
        self._change(row, 'aside', when)
        row.update(size=bounded(size), modified=bounded(modified), tries=tries, reason=reason)

    def on_gone(self, number, name, when):
        self._not_aside.add(name)

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
        if self._not_aside:
            self._end_asides()
        rows = list(self._changed.values())
        for row in rows:
            row['pending'] = pending(row['state'], row['direction'])
        if new := [row for row in rows if 'id' not in row]:
            self._writing.run('new', new)
        if known := [{**row, 'of_id': row['id']} for row in rows if 'id' in row]:
            for row in known:
                del row['id']
            self._writing.run('change', known)
        if self._kept:
            remember(self._writing, self._run['feed'], self._kept)
        if self._end and self._told_all:
            self._forget_others()

    def _end_asides(self):
        """Versions that were set aside, and are not there any more."""
        if self._writing.run('is aside', self._of_feed):
            for some in parts(self._not_aside):
                self._writing.run('end asides', dict(
                    self._of_feed, names=some, reason=GONE, changed=time.time_ns()))

    @property
    def _told_all(self):
        """Did the run tell of all files that wait? bool"""
        end, left = self._end, sum(event[0] in ('left', 'aside') for event in self._events)
        return (end['error'] is None and end['waiting'] is not None
                and end['waiting'] <= left == end['skipped'] + end['failed'])

    def _forget_others(self):
        """What was left earlier, and is not told of any more, is gone."""
        ours = {'of_host': self._run['host']} if self._run['direction'] == 'export' else {}
        self._writing.run('forget of host' if ours else 'forget', dict(
            self._of_feed, **ours, states=['waiting', 'failed'], of_run=self._run['run'],
            begun=self._run['begun'], reason=GONE, changed=self._end['ended']))


def take(writing, run, untaken):
    """What is not in new any more was taken.

    run -- dict of RUN
    """
    _take(writing, _untaken(writing, run), untaken)


def notice(writer, feed, place, untaken):
    """See IJournal. untaken -- function that gives names in new; None: not known"""
    run = dict(feed=feed, host=socket.gethostname(), spool=place)
    with writer.reading() as reading:
        rows = _untaken(reading, run)       # before others get there
    names = untaken() if rows else None
    if names is None or all(row['name'] in names for row in rows):
        return 0
    with writer.writing() as writing:
        return _take(writing, rows, names)


def _untaken(reading, run):
    return reading.run('untaken', {'of_' + name: run[name] for name in ('feed', 'host', 'spool')})


def _take(writing, rows, untaken):
    """Returns how many were taken."""
    seen, taken, now = set(), [], time.time_ns()
    for found in rows:
        if found['name'] not in untaken or found['name'] in seen:   # an older one of that name
            taken.append(dict(of_id=found['id'], taken=now, changed=now))
        seen.add(found['name'])
    if taken:
        writing.run('take', taken)
    return len(taken)
