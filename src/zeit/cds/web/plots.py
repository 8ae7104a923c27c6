"""Plots, as SVG that stands in a page: colours and fonts are those of the page's style.

Nothing in them is a style or a script of its own. Whoever does not see them has the figures in a
table, and a label that sums up.
"""
import html
import math
import time

import drawsvg


WIDTH, HEIGHT = 360, 150        # units, which are about pixels on a phone
LEFT, RIGHT, TOP, BOTTOM = 46, 4, 12, 18
FONT, MARK = 11, 56              # of letters; the width of a day and an hour in them
SPARK = 240, 32                 # width and height of a small plot
SECONDS = (0.1, '0.1 s'), (1, '1 s'), (10, '10 s'), (60, '1 min'), (600, '10 min'), (
    3600, '1 h'), (36000, '10 h'), (864000, '10 days')
CURVES = 'median', 'most', 'nearly-all'      # their classes


def drawing(size, label, kind, **more):
    # drawsvg writes attributes as they are
    return drawsvg.Drawing(
        *size, **{'class': 'plot ' + kind, 'role': 'img', 'aria-label': html.escape(label), **more})


def text(plot):
    """The plot's XML, str."""
    return plot.as_svg(header='', skip_js=True, skip_css=True)


def spark(values, label):
    """A small plot of bars, str.

    values -- numbers, at least one
    label -- what it shows, str
    """
    width, height = SPARK
    plot = drawing(SPARK, label, 'spark', preserveAspectRatio='none')
    most, step = max(values), width / len(values)
    plot.append(drawsvg.Line(0, height - .5, width, height - .5, class_='axis'))
    for number, value in enumerate(values):
        if value:
            high = max(2, value / most * (height - 2))
            plot.append(drawsvg.Rectangle(
                round(number * step + .5, 2), round(height - high, 2), round(step - 1, 2),
                round(high, 2), class_='bar'))
    return text(plot)


class Frame:
    """A plot over hours, with its axes."""

    def __init__(self, times, label, marks):
        """
        times -- when each hour begins, list of nanoseconds since 1970
        marks -- of the axis upward: pairs of a share of the height, from 0 to 1, and a str
        """
        self.plot = drawing((WIDTH, HEIGHT), label, 'full')
        self.step = (WIDTH - LEFT - RIGHT) / len(times)
        for share, mark in marks:
            self._line(share, mark)
        for number, begun in enumerate(times):
            moment = time.localtime(begun / 10**9)
            x = self.left(number)
            if moment.tm_hour % 12 == 0 and x < WIDTH - MARK:
                self.plot.append(drawsvg.Line(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4,
                                              class_='axis'))
                self.plot.append(drawsvg.Text(
                    time.strftime('%a %H:%M', moment), FONT, x + 2, HEIGHT - 4, class_='mark'))

    def left(self, number):
        return round(LEFT + number * self.step, 2)

    @staticmethod
    def up(share):
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 2)

    def _line(self, share, mark):
        y = self.up(share)
        self.plot.append(drawsvg.Line(
            LEFT, y, WIDTH - RIGHT, y, class_='grid' if share else 'axis'))
        self.plot.append(drawsvg.Text(
            mark, FONT, LEFT - 4, y + 4, text_anchor='end', class_='mark'))


def bars(times, values, label, shown):
    """A plot of a number for each hour, str.

    shown -- function: a number as a person reads it, str
    """
    top = round_up(max(values))
    frame = Frame(times, label, [(share, shown(top * share)) for share in (0, .5, 1)])
    for number, value in enumerate(values):
        if value:
            high = max(1, value / top * (HEIGHT - BOTTOM - TOP))
            bar = drawsvg.Rectangle(
                frame.left(number), round(HEIGHT - BOTTOM - high, 2), round(frame.step - 1, 2),
                round(high, 2), class_='bar')
            bar.append_title('%s: %s' % (
                time.strftime('%a %H:%M', time.localtime(times[number] / 10**9)), shown(value)))
            frame.plot.append(bar)
    return text(frame.plot)


def curves(times, values, label):
    """A plot of times that something took, str: its axis grows tenfold from mark to mark.

    values -- for each hour a tuple of seconds (float), one for each of CURVES, or an empty one
    """
    known = [value for some in values for value in some if value is not None] or [1]
    marks = [mark for mark, _ in SECONDS]
    low = max(mark for mark in marks[:-1] if mark <= max(marks[0], min(known)))
    high = min((mark for mark in marks if mark > low and mark >= max(known)), default=marks[-1])

    def share(seconds):
        inside = min(high, max(low, seconds))
        return math.log(inside / low) / math.log(high / low)

    frame = Frame(times, label, [
        (share(mark), word) for mark, word in SECONDS if low <= mark <= high])
    for number, kind in enumerate(CURVES):
        curve(frame, kind, [share(some[number]) if some and some[number] is not None else None
                            for some in values])
    return text(frame.plot)


def curve(frame, kind, shares):
    """A dot for each hour; those of hours that follow each other are connected."""
    path, before = drawsvg.Path(class_='curve ' + kind), None
    for number, share in enumerate(shares):
        if share is not None:
            x, y = round(frame.left(number) + frame.step / 2, 2), frame.up(share)
            (path.M if before is None else path.L)(x, y)
            frame.plot.append(drawsvg.Circle(x, y, 2, class_='dot ' + kind))
        before = share
    if path.args.get('d'):
        frame.plot.append(path)


def round_up(value):
    """The next number of 1, 2, 4 or 6 times a power of ten, so that half of it is one as well."""
    power = 10 ** math.floor(math.log10(max(value, 1)))
    return next(power * factor for factor in (1, 2, 4, 6, 10) if power * factor >= max(value, 2))
