"""The pages, without a server."""
import html
import json
import re
import tempfile
import unittest
import wsgiref.util
import wsgiref.validate
from urllib.parse import urlencode

from zeit.cds.journal.sql import SQLJournal
from zeit.cds.testing.logs import recorded
from zeit.cds.text import printable
from zeit.cds.web.facts import Sources
from zeit.cds.web.pages import Pages
from zeit.cds.web.tests.journals import HOSTILE, journal, tell
from zeit.cds.web.tests.watched import some, Watch, Watched


class Asked(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.journal = journal(directory.name + '/journal')

    def ask(self, path, method='GET', watch=None, **environ):
        """Status, headers and body of an answer."""
        wsgiref.util.setup_testing_defaults(environ)
        environ.update(PATH_INFO=path, REQUEST_METHOD=method, SCRIPT_NAME='')
        environ.setdefault('QUERY_STRING', '')
        watch = watch or some()
        pages = Pages(Sources(lambda: self.journal, watch), watch,
                      lambda: ('text/plain; version=0.0.4', b'cds 1\n'))
        told = []
        answer = wsgiref.validate.validator(pages)(
            environ, lambda status, headers: told.extend((status, dict(headers))))
        body = b''.join(answer).decode('utf-8')
        answer.close()
        return *told, body

    # ------------------------------------------------------------ feeds

    def test_all_feeds(self):
        status, headers, body = self.ask('/')
        self.assertEqual('200 OK', status)
        self.assertEqual('text/html; charset=utf-8', headers['Content-Type'])
        self.assertEqual('10', headers['Refresh'])
        self.assertIn('<h1>3 feeds, 1 late, silent or failed</h1>', body)
        self.assertEqual(3, body.count('<article'))
        self.assertIn('<p class="trouble">It is down. Ask its operator.</p>', body)

    def test_one_feed(self):
        tell(self.journal, 'dpa', 'flood.jpg')
        status, headers, body = self.ask('/feed', QUERY_STRING='feed=dpa&direction=import')
        self.assertEqual('200 OK', status)
        self.assertEqual('10', headers['Refresh'])
        self.assertIn('<h1>dpa</h1>', body)
        self.assertIn('<bdi>flood.jpg</bdi>', body)

    def test_who_searches_keeps_what_he_types(self):
        tell(self.journal, 'dpa', 'flood.jpg', 'storm.jpg')
        _, headers, body = self.ask('/feed', QUERY_STRING='feed=dpa&direction=import&name=sto')
        self.assertNotIn('Refresh', headers)
        self.assertIn('<bdi>storm.jpg</bdi>', body)
        self.assertNotIn('flood.jpg', body)
        _, headers, body = self.ask('/feed', QUERY_STRING='feed=dpa&direction=import&name=')
        self.assertNotIn('Refresh', headers)
        self.assertIn('flood.jpg', body)

    def test_who_reads_slowly_stops_that(self):
        for path, asked in ('/', ''), ('/feed', 'feed=dpa&direction=import'):
            _, headers, body = self.ask(path, QUERY_STRING=asked)
            [link] = re.findall('href="([^"]*pause=1)"', body)
            _, headers, body = self.ask(path, QUERY_STRING=html.unescape(link).partition('?')[2])
            self.assertNotIn('Refresh', headers)
            self.assertIn('Refresh by itself', body)

    def test_no_such_feed(self):
        for asked in ('', 'feed=none&direction=import', 'feed=dpa&direction=export', 'feed=%FF',
                      '&'.join('a=%d' % n for n in range(20))):
            status, _, body = self.ask('/feed', QUERY_STRING=asked)
            self.assertEqual('404 Not Found', status)
            self.assertEqual('There is no such feed.\n', body)

    def test_a_feed_with_a_hostile_name_has_its_page(self):
        for name in HOSTILE:
            watch = Watch(Watched(name))
            _, _, body = self.ask('/', watch=watch)
            [link] = re.findall('<h2[^>]*><a href="feed[?]([^"]*)"', body)
            status, _, body = self.ask('/feed', watch=watch, QUERY_STRING=html.unescape(link))
            self.assertEqual('200 OK', status)
            self.assertEqual(printable(name), html.unescape(re.search('<h1>(.*)</h1>', body)[1]))
            _, _, body = self.ask('/feed', watch=watch, QUERY_STRING=html.unescape(link) + '&name=')
            [of] = re.findall('<input type="hidden" name="of" value="([^"]*)"', body)
            status, _, _ = self.ask('/feed', watch=watch, QUERY_STRING=urlencode(
                {'of': html.unescape(of), 'name': 'x'}))
            self.assertEqual('200 OK', status)

    def test_a_journal_that_is_away_is_told(self):
        self.journal = SQLJournal('/nowhere/journal')
        status, headers, body = self.ask('/')
        self.assertEqual(('200 OK', '10'), (status, headers['Refresh']))
        self.assertIn('cannot be used: unable to open database file</p>', body)
        self.assertIn('dpa', body)

    def test_how_they_look(self):
        status, headers, body = self.ask('/style.css')
        self.assertEqual('text/css; charset=utf-8', headers['Content-Type'])
        self.assertIn('prefers-color-scheme: dark', body)

    def test_names_are_text(self):
        _, _, body = self.ask('/')
        self.assertIn('&lt;script&gt;alert("x")&lt;/script&gt;&amp;\\x1b[31m', body)
        self.assertNotIn('<script', body)
        self.assertNotIn('\x1b', body)
        _, _, body = self.ask('/', watch=Watch(Watched('x', error='<img src=x>', late=True)))
        self.assertIn('&lt;img src=x&gt;', body)

    def test_a_browser_executes_nothing_of_it(self):
        tell(self.journal, 'dpa', 'flood.jpg')
        for path in '/', '/feed', '/health', '/metrics', '/other', '/style.css':
            _, headers, body = self.ask(path, QUERY_STRING='feed=dpa&direction=import')
            self.assertEqual(
                ["default-src 'none'", "style-src 'self'", 'img-src data:', "form-action 'self'",
                 "base-uri 'none'", "frame-ancestors 'none'"],
                headers['Content-Security-Policy'].split('; '))
            self.assertEqual('nosniff', headers['X-Content-Type-Options'])
            self.assertEqual('no-referrer', headers['Referrer-Policy'])
            self.assertEqual('no-store', headers['Cache-Control'])
            for wrong in '<style', ' style=', '<script', ' onload=', 'javascript:', 'http':
                self.assertNotIn(wrong, body.replace('http://www.w3.org/', ''))

    def test_no_password_is_told(self):
        for path in '/', '/health', '/metrics':
            self.assertNotIn('secret', self.ask(path)[2])

    # ------------------------------------------------------------ health

    def test_all_is_well(self):
        for watch in Watch(), Watch(Watched('dpa'), Watched('afp', state='backing off')):
            self.assertEqual(('200 OK', 'All is well.\n'), self.ask('/health', watch=watch)[::2])
        status, headers, body = self.ask('/health', watch=Watch(), HTTP_ACCEPT='application/json')
        self.assertEqual('application/json; charset=utf-8', headers['Content-Type'])
        self.assertEqual({'healthy': True, 'alive': True, 'late': []}, json.loads(body))

    def test_who_is_late_is_named(self):
        status, headers, body = self.ask('/health')
        self.assertEqual('503 Service Unavailable', status)
        self.assertEqual('text/plain; charset=utf-8', headers['Content-Type'])
        self.assertEqual('late: afp: It is down. Ask its operator.\n', body)
        _, _, body = self.ask('/health', watch=Watch(Watched('a\x1b', state='looking', late=True)))
        self.assertEqual('late: a\\x1b: looking.\n', body)
        status, _, body = self.ask('/health', HTTP_ACCEPT='text/html, application/json;q=0.9')
        self.assertEqual('503 Service Unavailable', status)
        self.assertEqual([{
            'feed': 'afp', 'direction': 'import', 'state': 'backing off',
            'last_look': 1_800_000_000.0, 'error': 'It is down\nAsk its operator.'}],
            json.loads(body)['late'])

    def test_a_watch_that_has_died_is_not_well(self):
        watch = Watch(Watched('dpa'))
        watch.alive = False
        status, _, body = self.ask('/health', watch=watch)
        self.assertEqual('503 Service Unavailable', status)
        self.assertIn('has ended by itself', body)

    # ------------------------------------------------------------ all else

    def test_metrics(self):
        status, headers, body = self.ask('/metrics')
        self.assertEqual(('200 OK', 'cds 1\n'), (status, body))
        self.assertEqual('text/plain; version=0.0.4', headers['Content-Type'])

    def test_head_is_a_get_without_the_body(self):
        for path in '/style.css', '/health', '/metrics', '/other':
            status, headers, body = self.ask(path)
            self.assertEqual((status, headers, ''), self.ask(path, 'HEAD'))
            self.assertEqual(str(len(body.encode('utf-8'))), headers['Content-Length'])

    def test_what_is_not_there(self):
        self.assertEqual('There is /, /feed, /style.css, /health, /metrics.\n', self.ask('/x')[2])
        for path in '/favicon.ico', '/health/', '/../etc/passwd', '/metrics/x', '//':
            self.assertEqual('404 Not Found', self.ask(path)[0])
        self.assertEqual('200 OK', self.ask('/health', watch=Watch(), QUERY_STRING='a=b')[0])

    def test_nothing_can_be_changed(self):
        for method in 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH':
            status, headers, _ = self.ask('/', method)
            self.assertEqual('405 Method Not Allowed', status)
            self.assertEqual('GET, HEAD', headers['Allow'])

    def test_a_defect_is_for_the_log_only(self):
        watch = Watch(Watched('dpa', round_trip='x'))
        with recorded() as log:
            status, headers, body = self.ask('/', watch=watch)
        self.assertEqual('10', headers['Refresh'])
        self.assertEqual('500 Internal Server Error', status)
        self.assertNotIn('Traceback', body)
        self.assertIn('A page cannot be shown:', str(log.lines))
