"""Pictures of the pages for the manual. Run by tools/screenshots.

The feeds are made up, and have exchanged files for two days.
"""
import argparse
import math
import os
import random
import tempfile
import time

from zeit.cds.testing.browser import Chromium, PHONE
from zeit.cds.web.facts import Sources
from zeit.cds.web.pages import Pages
from zeit.cds.web.server import Server
from zeit.cds.web.tests.journals import HOUR, journal, SECOND, tell
from zeit.cds.web.tests.watched import Watch, Watched


HOURS = 48
WIDE = dict(viewport={'width': 1200, 'height': 760}, device_scale_factor=1.5)
PICTURES = {        # name: path of the page, options of the browser
    'status-light': ('', dict(color_scheme='light', **WIDE)),
    'status-dark': ('', dict(color_scheme='dark', **WIDE)),
    'status-feed': ('feed?feed=dpa&direction=import', dict(color_scheme='light', **WIDE)),
    'status-phone': ('', dict(color_scheme='light', **{**PHONE, 'device_scale_factor': 1})),
}
FEEDS = {           # name: files in a busy hour, bytes of one, seconds that it takes
    'dpa': (60, 6_000, 1.5), 'dpa-pictures': (25, 2_400_000, 4.0), 'afp': (30, 5_000, 2.5),
    'sid': (12, 4_000, 1.2), 'weather': (2, 40_000, 20.0)}
SUBJECTS = 'flood', 'vote', 'storm', 'strike', 'bridge', 'summit', 'harvest', 'derby'


def fill(to, now):
    """Two days of all feeds."""
    chance = random.Random(7)
    for feed, (busy, size, took) in FEEDS.items():
        number = 0
        for hour in range(HOURS, -1, -1):
            begun = now - hour * HOUR
            day = max(.08, math.sin((time.localtime(begun / SECOND).tm_hour - 5) / 18 * math.pi))
            for _ in range(3):
                names = []
                for _ in range(round(busy * day * chance.uniform(.1, .5))):
                    number += 1
                    names.append('%s-%s-%04d.%s' % (
                        feed[:3], chance.choice(SUBJECTS), number,
                        'jpg' if 'pictures' in feed else 'xml'))
                tell(to, feed, *names, now=min(now, begun + chance.randrange(HOUR)),
                     size=round(size * chance.uniform(.5, 2)), untaken=() if hour else None,
                     took=took * chance.lognormvariate(0, .7))
    tell(to, 'dpa-pictures', now=now, failed=[
        ('dpa-flood-9001.jpg', 'The server refuses it: 550 dpa-flood-9001.jpg: Permission denied')])
    tell(to, 'partner', 'ours-summit-0001.xml', 'ours-vote-0002.xml', direction='export',
         ago=7 * 3600, took=4)


def watch():
    now = time.time()

    def watched(name, feed=(), **how):
        return Watched(name, feed, **{
            'last_look': now - 1, 'waiting': 0, 'round_trip': .0123, **how})
    return Watch(
        watched('dpa', {'expect_within': '900'}), watched('dpa-pictures', waiting=1),
        watched('afp', state='exchanging'), watched('sid', round_trip=.034),
        watched('weather', state='backing off', late=True, last_look=now - 1900,
                backing_off_until=now + 40, round_trip=None,
                error='The server ftp.weather.example, port 21, cannot be reached: Connection '
                      'refused\nIs it running?'),
        watched('partner', {'direction': 'export', 'expect_within': '3600'}))


def main():
    parser = argparse.ArgumentParser(prog='screenshots', description=__doc__)
    parser.add_argument('directory', nargs='?', default=os.path.join('docs', '_static'))
    options = parser.parse_args()
    if Chromium.missing():
        parser.error(Chromium.missing())
    with tempfile.TemporaryDirectory() as directory:
        made = journal(os.path.join(directory, 'journal'))
        fill(made, time.time_ns())
        found = watch()
        take(Pages(Sources(lambda: made, found), found, None), options.directory)


def take(pages, directory):
    """Write the pictures of an application's pages."""
    server, browser = Server('127.0.0.1', 0), Chromium()
    server.start(pages)
    browser.start()
    try:
        for name, (path, settings) in PICTURES.items():
            with browser.page(**settings) as page:
                page.goto(server.url + path)
                page.screenshot(path=os.path.join(directory, name + '.png'))
                if page.complaints:
                    raise SystemExit('\n'.join(page.complaints))
            print(os.path.join(directory, name + '.png'))
    finally:
        browser.stop()
        server.stop()
