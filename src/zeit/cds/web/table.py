"""The table of the feeds that are watched: one for the log, the page, and whoever else asks."""
import time
from typing import NamedTuple

from zeit.cds.feed import label
from zeit.cds.text import printable


NONE = '-'
ENDS = '.', ':', '?', '!'
HEADINGS = ('Feed', 'Direction', 'State', 'Last look', 'Last file', 'Files', 'Waiting',
            'Round trip', 'Backing off until')


class Row(NamedTuple):
    """A feed, for a person: one line of printable text each. There is no password in it."""

    cells: tuple        # of str, one for each of HEADINGS
    late: bool
    trouble: str        # what is wrong, and what to do about it; '' if nothing is


def rows(watch):
    """The Row of each feed of an IWatch, a list."""
    return [row(watched) for watched in watch.feeds]


def row(watched):
    """The Row of an IWatched."""
    feed, trip = watched.feed, watched.round_trip
    return Row((
        printable(label(feed)), feed.direction, ', '.join(
            [watched.state, *(['late'] * watched.late), *(['silent'] * bool(watched.silent))]),
        at(watched.last_look), at(watched.last_file), str(watched.files),
        NONE if watched.waiting is None else str(watched.waiting),
        NONE if trip is None else '%.1f ms' % (trip * 1000), at(watched.backing_off_until),
    ), watched.late, in_a_line(watched.error or ''))


def in_a_line(text):
    """Lines of text as sentences that follow each other, printable: str"""
    return ' '.join(printable(line) if line.endswith(ENDS) else printable(line) + '.'
                    for line in text.split('\n') if line)


def at(when):
    """A point in time, for a person who is where this machine is: str."""
    return NONE if when is None else time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(when))


def counted(watch):
    """How many feeds there are, in words."""
    return '%d feed%s' % (len(watch.feeds), 's'[len(watch.feeds) == 1:])


def text(watch):
    """The table in columns, with what is wrong below each feed: str of several lines."""
    found = rows(watch)
    widths = [max(map(len, column)) for column in zip(HEADINGS, *(one.cells for one in found))]
    lines = [aligned(HEADINGS, widths)]
    for one in found:
        lines.append(aligned(one.cells, widths))
        if one.trouble:
            lines.append('    ' + one.trouble)
    return '\n'.join(lines)


def aligned(cells, widths):
    return '  '.join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
