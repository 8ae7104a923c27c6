"""The pages, without a server."""
import base64
import hashlib
import json
import re
import unittest
import wsgiref.util
import wsgiref.validate

from zeit.cds.testing.logs import recorded
from zeit.cds.web.pages import Pages
from zeit.cds.web.tests.watched import some, Watch, Watched


class Asked(unittest.TestCase):

    def ask(self, path, method='GET', watch=None, **environ):
        """Status, headers and body of an answer."""
        wsgiref.util.setup_testing_defaults(environ)
        environ.update(PATH_INFO=path, REQUEST_METHOD=method, SCRIPT_NAME='')
        environ.setdefault('QUERY_STRING', '')
        pages = Pages(watch or some(), lambda: ('text/plain; version=0.0.4', b'cds 1\n'))
        told = []
        answer = wsgiref.validate.validator(pages)(
            environ, lambda status, headers: told.extend((status, dict(headers))))
        body = b''.join(answer).decode('utf-8')
        answer.close()
        return *told, body

    # ------------------------------------------------------------ the table

    def test_the_table_has_each_feed_and_what_is_wrong(self):
        status, headers, body = self.ask('/')
        self.assertEqual('200 OK', status)
        self.assertEqual('text/html; charset=utf-8', headers['Content-Type'])
        self.assertEqual(1 + 3 + 1, body.count('<tr'))
        self.assertIn('<td>dpa</td><td>import</td><td>waiting</td>', body)
        self.assertIn('<tr class="late"><td>afp</td>', body)
        self.assertIn('class="trouble">It is down. Ask its operator.</td>', body)
        self.assertIn('<h1>3 feeds, 1 late</h1>', body)

    def test_names_are_text(self):
        _, _, body = self.ask('/')
        self.assertIn('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;', body)
        self.assertNotIn('<script', body)
        self.assertNotIn('\x1b', body)
        _, _, body = self.ask('/', watch=Watch(Watched('x', error='<img src=x>', late=True)))
        self.assertIn('&lt;img src=x&gt;', body)

    def test_a_browser_executes_nothing_of_it(self):
        _, headers, body = self.ask('/')
        style = re.search('<style>(.*?)</style>', body, re.DOTALL)[1].encode('utf-8')
        self.assertEqual(
            ["default-src 'none'", "style-src 'sha256-%s'" % base64.b64encode(
                hashlib.sha256(style).digest()).decode('ascii'),
             "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
            headers['Content-Security-Policy'].split('; '))
        for path in '/', '/health', '/metrics', '/other':
            _, headers, _ = self.ask(path)
            self.assertEqual('nosniff', headers['X-Content-Type-Options'])
            self.assertEqual('no-store', headers['Cache-Control'])
            self.assertIn("default-src 'none'", headers['Content-Security-Policy'])

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
        for path in '/', '/health', '/metrics', '/other':
            status, headers, body = self.ask(path)
            self.assertEqual((status, headers, ''), self.ask(path, 'HEAD'))
            self.assertEqual(str(len(body.encode('utf-8'))), headers['Content-Length'])

    def test_what_is_not_there(self):
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
            status, _, body = self.ask('/', watch=watch)
        self.assertEqual('500 Internal Server Error', status)
        self.assertNotIn('Traceback', body)
        self.assertIn('A page cannot be shown:', str(log.lines))
