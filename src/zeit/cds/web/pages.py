"""What is answered: a WSGI application (PEP 3333).

==========  ====================================================================
/           all feeds, for a person
/feed       one feed: ?feed=NAME&direction=import, of a search &name=BEGINNING
/style.css  how these look
/health     200 if all is well, 503 with the feeds that are late: text, or JSON for who wants it
/metrics    for Prometheus
==========  ====================================================================

It only tells, and changes nothing. Nothing in it can be given to a browser to execute. The last two
are there if there is a watch.
"""
import json
import logging
from urllib.parse import parse_qs

from zeit.cds.feed import label
from zeit.cds.text import printable
from zeit.cds.web.rendering import CSS, encoded, HEADERS, HTML, Renderer, STYLE
from zeit.cds.web.table import in_a_line


log = logging.getLogger('zeit.cds')

TEXT, JSON = 'text/plain; charset=utf-8', 'application/json; charset=utf-8'
REFRESH = 10        # seconds


class Pages:
    """The application."""

    def __init__(self, sources, watch=None, metrics=None):
        """
        sources -- zeit.cds.web.facts.Sources
        watch -- IWatch
        metrics -- function without arguments: (content type, what Prometheus is to read, bytes)
        """
        self._sources, self._watch, self._metrics = sources, watch, metrics
        self._pages = {'/': self._overview, '/feed': self._feed, '/style.css': self._style}
        if watch is not None:
            self._pages.update({'/health': self._health, '/metrics': self._numbers})

    def __call__(self, environ, start_response):
        status, headers, body = self._answer(environ)
        if isinstance(body, str):
            body = encoded(body)
        start_response(status, [*headers, *HEADERS, ('Content-Length', str(len(body)))])
        return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else body]

    def _answer(self, environ):
        page = self._pages.get(environ.get('PATH_INFO') or '/')
        if page is None:
            return '404 Not Found', [('Content-Type', TEXT)], 'There is %s.\n' % ', '.join(
                self._pages)
        if environ['REQUEST_METHOD'] not in ('GET', 'HEAD'):
            return ('405 Method Not Allowed', [('Content-Type', TEXT), ('Allow', 'GET, HEAD')],
                    'This can only be looked at.\n')
        try:
            return page(environ)
        except Exception:
            log.exception('A page cannot be shown:')
            return ('500 Internal Server Error', [('Content-Type', TEXT), *again(True)],
                    'A defect of the program. Its log tells more.\n')

    # ------------------------------------------------------------ pages

    def _overview(self, environ):
        paused = 'pause' in fields(environ.get('QUERY_STRING', ''))
        return '200 OK', [('Content-Type', HTML), *again(not paused)], Renderer(
            refresh=REFRESH).overview(self._sources.overview(), paused)

    def _feed(self, environ):
        asked = fields(environ.get('QUERY_STRING', ''))
        name, direction = asked.get('feed', ''), asked.get('direction', 'import')
        beginning, paused = asked.get('name'), 'pause' in asked
        told = self._sources.feed(name, direction, beginning)
        if not told.found:
            return '404 Not Found', [('Content-Type', TEXT)], 'There is no such feed.\n'
        return ('200 OK', [('Content-Type', HTML), *again(beginning is None and not paused)],
                Renderer(refresh=REFRESH).feed(told, beginning, paused))

    @staticmethod
    def _style(environ):
        return '200 OK', [('Content-Type', CSS)], STYLE.read_bytes()

    def _health(self, environ):
        late = [watched for watched in self._watch.feeds if watched.late]
        well = self._watch.alive and not late
        status = '200 OK' if well else '503 Service Unavailable'
        told = [{'feed': label(watched.feed), 'direction': watched.feed.direction,
                 'state': watched.state, 'last_look': watched.last_look, 'error': watched.error}
                for watched in late]
        if 'application/json' in environ.get('HTTP_ACCEPT', ''):
            return status, [('Content-Type', JSON)], json.dumps(
                {'healthy': well, 'alive': self._watch.alive, 'late': told}) + '\n'
        lines = ['late: %s: %s' % (printable(one['feed']), in_a_line(one['error'] or one['state']))
                 for one in told]
        if not self._watch.alive:
            lines.append('The watch of a feed has ended by itself. Start the program again.')
        return status, [('Content-Type', TEXT)], ''.join(
            '%s\n' % line for line in lines or ['All is well.'])

    def _numbers(self, environ):
        kind, body = self._metrics()
        return '200 OK', [('Content-Type', kind)], body


def again(wanted, seconds=REFRESH):
    """The header by which a browser asks anew, in a list."""
    return [('Refresh', str(seconds))] if wanted else []


def fields(query):
    """What stands behind the ? of the URL: {name: value}, str; what is wrong there is not asked.

    Bytes that are no text are surrogates, as in names of files. A field `of` has fields in itself.
    """
    asked = parsed(query)
    return {**parsed(asked.pop('of', '')), **asked}


def parsed(query):
    try:
        found = parse_qs(query, keep_blank_values=True, max_num_fields=10,
                         errors='surrogateescape')
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}
