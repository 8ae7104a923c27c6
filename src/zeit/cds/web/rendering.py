"""The pages as HTML: templates of Chameleon, which write whatever they are given as text."""
import base64
import contextlib
import errno
import functools
import hashlib
import os
import stat
import time
from pathlib import Path
from urllib.parse import quote

from zeit.cds.interfaces import ConfigurationError
from zeit.cds.text import printable
from zeit.cds.web.facts import DETAIL, FOUND
from zeit.cds.web.shown import Card, iso, LEVELS, moment, Page


HERE = Path(__file__).parent
STYLE = HERE / 'style.css'
HEADERS = (
    ('Cache-Control', 'no-store'),
    ('Cross-Origin-Resource-Policy', 'same-origin'),
    ('Referrer-Policy', 'no-referrer'),
    ('X-Content-Type-Options', 'nosniff'),
    ('Content-Security-Policy',
     "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
     "frame-ancestors 'none'"),
)
HTML, CSS = ('%s; charset=utf-8' % kind for kind in ('text/html', 'text/css'))
DOCTYPE = '<!DOCTYPE html>\n'     # it stands outside of what a template takes from another
POLICY = ("default-src 'none'; style-src 'sha256-%s'; img-src data:; form-action 'none'; "
          "base-uri 'none'")


class Links:
    """Where the pages are, each relative to all others."""

    overview, feed, style = './', 'feed', 'style.css'
    action = fields = search = whole = paused = resumed = None

    def of_feed(self, known, **more):
        """The page of a feed, a Known."""
        return '%s?%s' % (self.feed, query(feed=known.name, direction=known.direction, **more))


def query(**fields):
    """What stands behind the ? of a URL. A name that is no text is its bytes there."""
    return '&'.join('%s=%s' % (name, quote(value.encode('utf-8', 'surrogateescape'), safe=''))
                    for name, value in fields.items() if value is not None)


class Renderer:
    """Writes pages, str."""

    def __init__(self, links=Links, refresh=10):
        """
        links -- class of Links
        refresh -- seconds after which a page is asked for anew; 0: never
        """
        self._templates = templates()
        self._links, self._refresh = links, refresh

    def overview(self, told, paused=False):
        """The page of all feeds. told -- of Facts"""
        links = self._links()
        cards = [Card(facts, told.now, links.of_feed(facts.known)) for facts in told.found]
        if self._refresh:
            links.paused, links.resumed = '?pause=1', paused and links.overview
        return self._page('overview.pt', told, summary(cards), links, paused,
                          cards=worst_first(cards))

    def feed(self, told, beginning=None, paused=False):
        """The page of a feed. told -- of one Detail; beginning -- what is searched for, str"""
        links, known = self._links(), told.found[0].facts.known
        links.whole, links.search = links.of_feed(known), links.of_feed(known, name='')
        # A form sends its fields only, and none can hold a name that is no text.
        links.action, links.fields = links.feed, [
            ('of', query(feed=known.name, direction=known.direction))]
        if self._refresh and beginning is None:
            links.paused = links.of_feed(known, pause='1')
            links.resumed = paused and links.whole
        page = Page(told.found[0], told.now, links.whole)
        found = 'The newest %d' % len(page.files)
        if beginning is not None:
            found = '%s%d, in the order of names' % (
                'The first ' if len(page.files) == FOUND else '', len(page.files))
        return self._page(
            'feed.pt', told, page.card.name, links, paused or beginning is not None, page=page,
            beginning=printable(beginning or ''), searching=beginning is not None,
            found=found, hours=DETAIL)

    def file(self, told):
        """All in one page, which needs nothing else. told -- of Details"""
        pages = [Page(detail, told.now, '#feed-%d' % number)
                 for number, detail in enumerate(told.found, 1)]
        style = STYLE.read_text(encoding='utf-8')
        return self._page(
            'file.pt', told, summary([page.card for page in pages]), self._links(), True,
            pages=pages, style=style, policy=POLICY % digest(style))

    def _page(self, name, told, title, links, still, **more):
        page = self._templates[name](**{
            'templates': self._templates, 'title': title, 'links': links, 'style': None,
            'policy': None, 'trouble': printable(told.trouble), 'now': moment(told.now),
            'now_iso': iso(told.now), 'zone': time.strftime('%Z'),
            'refresh': 0 if still else self._refresh, **more})
        return DOCTYPE + page.strip() + '\n'


@functools.cache
def templates():
    """They are compiled once. Raises ConfigurationError."""
    try:
        from chameleon import PageTemplateLoader  # who only wants /metrics needs none
    except ImportError:
        raise ConfigurationError(
            'The page needs Chameleon and drawsvg: pip install "zeit.cds[page]"') from None
    return PageTemplateLoader(str(HERE / 'templates'), restricted_namespace=False)


def summary(cards):
    """How all is, in a line."""
    number = len(cards)
    bad = sum(card.level == 'bad' for card in cards)
    warn = sum(card.level == 'warn' for card in cards)
    return '%d feed%s, %s' % (number, '' if number == 1 else 's', ', '.join(
        text for count, text in ((bad, '%d late, silent or failed' % bad),
                                 (warn, '%d with a warning' % warn)) if count) or 'all well')


def worst_first(cards):
    return sorted(cards, key=lambda card: -LEVELS.index(card.level))


def digest(style):
    return base64.b64encode(hashlib.sha256(style.encode('utf-8')).digest()).decode('ascii')


def encoded(page):
    """The bytes of a page: a name that is no text was made one before, see `printable`."""
    return page.encode('utf-8', 'backslashreplace')


def write(path, page):
    """Put a page in the place of a file at once. Raises OSError, also for what is no file (a rename
    would put one in the place of /dev/null).
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(errno.EINVAL, 'That is no file', path)
    fresh = '%s.%d' % (path, os.getpid())
    try:
        with open(fresh, 'wb') as f:
            f.write(encoded(page))
            f.flush()
            os.fsync(f.fileno())
        os.replace(fresh, path)
    except BaseException:
        if os.path.exists(fresh):
            os.unlink(fresh)
        raise
