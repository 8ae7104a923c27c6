"""Facts, as a person reads them: printable text, and nothing that a template had to reckon."""
import time

from zeit.cds.text import duration, printable
from zeit.cds.web import plots
from zeit.cds.web.facts import FAILED, OVERVIEW, SECOND, WAITING, WRONG
from zeit.cds.web.table import at, in_a_line, NONE


LEVELS = 'ok', 'off', 'warn', 'bad'     # each worse than the one before
UNITS = 'B', 'kB', 'MB', 'GB', 'TB'
LONG = 6 * 3600 * SECOND                # no run takes so long


def moment(nanoseconds):
    """A point in time, local, str."""
    return at(None if nanoseconds is None else nanoseconds / SECOND)


def iso(nanoseconds):
    """The same for a program, as HTML has it."""
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(nanoseconds / SECOND))


def size(number):
    """So many bytes, str."""
    if number is None:
        return NONE
    for unit in UNITS:
        if number < 1000 or unit == UNITS[-1]:
            return ('%d %s' if unit == 'B' or number >= 100 else '%.1f %s') % (number, unit)
        number /= 1000


def seconds(value):
    """How long something took, str."""
    if value is None:
        return NONE
    return '%.1f s' % value if value < 10 else duration(value)


class File:
    """A FileRow for a person."""

    def __init__(self, row):
        self.name = printable(row.name)
        self.state = 'exported' if (row.state, row.direction) == (
            'published', 'export') else row.state
        self.level = 'bad' if row.state in WRONG else 'warn' if row.state in WAITING else 'ok'
        self.size, self.reason = size(row.size), printable(row.reason or '')
        self.at = moment(row.taken or row.published or row.whole or row.seen)
        self.tries = '%d %s' % (row.tries, 'try' if row.tries == 1 else 'tries')
        took = row.published and row.modified and (row.published - row.modified) / SECOND
        self.took = NONE if took is None else seconds(max(0, took))


class Run:
    """A RunRow for a person."""

    def __init__(self, row, now):
        self.begun, self.files, self.size = moment(row.begun), row.files, size(row.bytes)
        self.failed, self.waiting = row.failed, NONE if row.waiting is None else row.waiting
        self.error, self.host = in_a_line(row.error or ''), printable(row.host)
        if row.ended is not None:
            self.took = seconds((row.ended - row.begun) / SECOND)
        else:
            self.took = 'it runs' if now - row.begun < LONG else 'no end known'
        self.level, self.state = (
            ('bad', 'failed') if row.error else ('warn', 'some files failed') if row.failed
            else ('ok', 'done') if row.ended is not None
            else ('ok', 'running') if now - row.begun < LONG else ('warn', 'no end known'))


class Card:
    """A feed for a person."""

    def __init__(self, facts, now, url):
        """
        facts -- Facts
        url -- of its own page, str
        """
        self._facts, self._now, self.url = facts, now, url
        known = facts.known
        self.name, self.direction = printable(known.name), known.direction
        self.badges = list(self._badges())
        self.level = max((level for level, _ in self.badges), key=LEVELS.index)
        self.trouble = in_a_line(known.watched.error or '') if known.watched else (
            in_a_line(facts.run.error or '') if facts.run else '')
        self.wrong = [File(row) for row in facts.wrong]
        self.more = facts.number(*WRONG) - len(self.wrong)
        self.lines = list(self._lines())
        self.spark = self._spark() if facts.hours else ''

    def _badges(self):
        """Pairs of one of LEVELS and a word or two."""
        facts, watched = self._facts, self._facts.known.watched
        if watched is not None:
            yield {'backing off': 'warn', 'stopped': 'off'}.get(watched.state, 'ok'), watched.state
            if watched.late:
                yield 'bad', 'late'
        elif facts.run is not None:
            run = Run(facts.run, self._now)
            yield run.level, run.state
        else:
            yield 'off', 'no run known'
        if facts.silence is not None and facts.silence.is_late:
            yield 'bad', 'silent'
        if number := facts.number(*FAILED):
            yield 'warn', '%d failed' % number
        if number := facts.number('aside'):
            yield 'warn', '%d set aside' % number

    def _lines(self):
        """Pairs of what it is, and how it is."""
        facts, watched = self._facts, self._facts.known.watched
        last = facts.last and facts.last.published
        if last is None and watched is not None and watched.last_file is not None:
            last = int(watched.last_file * SECOND)
        yield 'Last file', moment(last) if facts.last is None else '%s, %s' % (
            moment(last), printable(facts.last.name))
        yield 'Silence', self._silence(last)
        yield 'Waiting', self._waiting()
        if facts.has_journal and facts.known.direction == 'import':
            yield 'Unread in new', self._counted('published')
        if watched is not None:
            trip = watched.round_trip
            yield 'Last look', at(watched.last_look) + (
                '' if trip is None else ', round trip %.1f ms' % (trip * 1000))
            if watched.backing_off_until is not None:
                yield 'Tried again', at(watched.backing_off_until)
        elif facts.run is not None:
            yield 'Last run', moment(facts.run.begun)

    def _silence(self, last):
        text = NONE if last is None else duration(max(0, self._now - last) / SECOND)
        silence = self._facts.silence
        if silence is None:
            return text
        if silence.allowed is None:
            return text + '; none is expected now'
        return text + '; expected within ' + duration(silence.allowed)

    def _waiting(self):
        watched = self._facts.known.watched
        if watched is not None and watched.waiting is not None:
            return str(watched.waiting)
        return self._counted(*WAITING) if self._facts.has_journal else NONE

    def _counted(self, *states):
        facts = self._facts
        oldest = min((facts.counts[state][1] for state in states
                      if state in facts.counts and facts.counts[state][1]), default=None)
        return str(facts.number(*states)) + ('' if oldest is None else ', the oldest for %s' % (
            duration(max(0, self._now - oldest) / SECOND)))

    def _spark(self):
        hours = self._facts.hours[-OVERVIEW:]
        return plots.spark([hour.files for hour in hours], '%d files, %s in %d hours' % (
            sum(hour.files for hour in hours), size(sum(hour.bytes for hour in hours)), OVERVIEW))

    @property
    def day(self):
        """What the small plot shows, in words."""
        hours = self._facts.hours[-OVERVIEW:]
        return '%d files, %s in %d h' % (sum(hour.files for hour in hours),
                                         size(sum(hour.bytes for hour in hours)), OVERVIEW)


class Page:
    """A feed's own page."""

    def __init__(self, detail, now, url):
        self.card = Card(detail.facts, now, url)
        self.files = [File(row) for row in detail.files]
        self.runs = [Run(row, now) for row in detail.runs]
        self.taken = self.card.direction == 'import'    # do files have a consumer?
        self.hours = [Hour(hour) for hour in reversed(detail.facts.hours)
                      if hour.files]
        self.plots = list(self._plots(detail.facts.hours)) if detail.facts.hours else []

    def _plots(self, hours):
        """Triples of a heading, the plot, and the names of its curves."""
        times = [hour.begun for hour in hours]
        files, total = [hour.files for hour in hours], [hour.bytes for hour in hours]
        yield 'Files per hour', plots.bars(
            times, files, 'Files per hour: %d in %d hours, at most %d' % (
                sum(files), len(hours), max(files)), lambda value: '%g' % value), ()
        yield 'Bytes per hour', plots.bars(
            times, total, 'Bytes per hour: %s in %d hours, at most %s' % (
                size(sum(total)), len(hours), size(max(total))), size), ()
        delays = [hour.delays for hour in hours]
        if self.taken:
            yield delayed("From the server's time to publication", times, delays)
            yield delayed("From the server's time to the consumer", times,
                          [hour.taken for hour in hours])
        else:
            yield delayed('From the time of the file to the server', times, delays)


def delayed(heading, times, delays):
    """See Page._plots."""
    worst = max((some[-1] for some in delays if some and some[-1] is not None), default=None)
    label = '%s: 99 %% of the files within %s in the slowest hour' % (heading, seconds(worst))
    return heading, plots.curves(times, delays, label), zip(
        plots.CURVES, ('50 % of the files', '90 %', '99 %'))


class Hour:
    """An Hourly for a person."""

    def __init__(self, hour):
        self.begun = moment(hour.begun)[:-3]
        self.files, self.size = hour.files, size(hour.bytes)
        self.delays = [seconds(value) for value in (*hour.delays, *hour.taken)]
