"""What is answered: a WSGI application (PEP 3333) with three pages.

==========  ====================================================================
/           the table of the feeds, for a person
/health     200 if all is well, 503 with the feeds that are late: text, or JSON for who wants it
/metrics    for Prometheus
==========  ====================================================================

It only tells, and changes nothing. Nothing in it can be given to a browser to execute.
"""
import base64
import hashlib
import html
import json
import logging

from zeit.cds.feed import label
from zeit.cds.text import printable
from zeit.cds.web.table import counted, HEADINGS, in_a_line, rows


log = logging.getLogger('zeit.cds')

TEXT, HTML, JSON = ('%s; charset=utf-8' % kind for kind in (
    'text/plain', 'text/html', 'application/json'))
REFRESH = 10        # seconds
STYLE = '''\
body { font-family: sans-serif; margin: 2em }
table { border-collapse: collapse }
th, td { border-bottom: 1px solid #ccc; padding: .3em .8em; text-align: left; white-space: nowrap }
.late { background: #fdd }
.trouble { white-space: normal; color: #900 }
'''
HEADERS = [
    ('Cache-Control', 'no-store'),
    ('Content-Security-Policy', "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'" % base64.b64encode(
         hashlib.sha256(STYLE.encode('utf-8')).digest()).decode('ascii')),
    ('Cross-Origin-Resource-Policy', 'same-origin'),
    ('Referrer-Policy', 'no-referrer'),
    ('X-Content-Type-Options', 'nosniff'),
]
PAGE = '''\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>zeit.cds: {title}</title><style>{style}</style></head>
<body>
<h1>{title}</h1>
<table>
<thead><tr>{headings}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
'''


class Pages:
    """The application."""

    def __init__(self, watch, metrics):
        """
        watch -- IWatch
        metrics -- function without arguments: (content type, what Prometheus is to read, bytes)
        """
        self._watch, self._metrics = watch, metrics
        self._pages = {'/': self._table, '/health': self._health, '/metrics': self._numbers}

    def __call__(self, environ, start_response):
        status, headers, body = self._answer(environ)
        if isinstance(body, str):
            body = body.encode('utf-8', 'backslashreplace')
        start_response(status, [*headers, *HEADERS, ('Content-Length', str(len(body)))])
        return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else body]

    def _answer(self, environ):
        page = self._pages.get(environ.get('PATH_INFO') or '/')
        if page is None:
            return '404 Not Found', [('Content-Type', TEXT)], 'There is /, /health and /metrics.\n'
        if environ['REQUEST_METHOD'] not in ('GET', 'HEAD'):
            return ('405 Method Not Allowed', [('Content-Type', TEXT), ('Allow', 'GET, HEAD')],
                    'This can only be looked at.\n')
        try:
            return page(environ)
        except Exception:
            log.exception('A page cannot be shown:')
            return ('500 Internal Server Error', [('Content-Type', TEXT)],
                    'A defect of the program. Its log tells more.\n')

    # ------------------------------------------------------------ pages

    def _table(self, environ):
        found = rows(self._watch)
        late = sum(one.late for one in found)
        title = '%s, %d late' % (counted(self._watch), late)
        return '200 OK', [('Content-Type', HTML), ('Refresh', str(REFRESH))], PAGE.format(
            title=title, style=STYLE, headings=cells('th', HEADINGS),
            rows='\n'.join(map(table_row, found)))

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


def table_row(row):
    """An element of HTML, str; what is wrong has a line of its own."""
    text = '<tr%s>%s</tr>' % (' class="late"' if row.late else '', cells('td', row.cells))
    if row.trouble:
        text += '\n<tr><td colspan="%d" class="trouble">%s</td></tr>' % (
            len(HEADINGS), html.escape(row.trouble))
    return text


def cells(element, texts):
    return ''.join('<%s>%s</%s>' % (element, html.escape(text), element) for text in texts)
