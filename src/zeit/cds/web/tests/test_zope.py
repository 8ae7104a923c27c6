"""The pages as views of a real Zope application: who has the permission sees them."""
import html
import re
from urllib.parse import urlencode

from zeit.cds.testing.layers import ServerTestCase
from zeit.cds.text import printable
from zeit.cds.web.tests.journals import HOSTILE, tell
from zeit.cds.web.tests.zopeapp import ZOPE_LAYER


class Application(ServerTestCase):

    layer = ZOPE_LAYER
    level = 2

    def ask(self, path, user='operator'):
        return self.server.ask(path, user)

    def test_who_has_the_permission_sees_them(self):
        tell(self.server.journal, 'dpa', 'flood.jpg')
        status, headers, body = self.ask('/@@cds-status')
        self.assertEqual(200, status)
        self.assertEqual('text/html; charset=utf-8', headers['Content-Type'])
        self.assertEqual('30', headers['Refresh'])
        self.assertEqual('no-store', headers['Cache-Control'])
        self.assertIn("default-src 'none'; style-src 'self'", headers['Content-Security-Policy'])
        self.assertIn('<h1>1 feed, all well</h1>', body)
        self.assertIn('flood.jpg', body)
        [link] = re.findall('<h2[^>]*><a href="([^"]*)"', body)
        status, headers, body = self.ask('/' + html.unescape(link))
        self.assertEqual(200, status)
        self.assertIn('<h1>dpa</h1>', body)
        [style] = re.findall('<link rel="stylesheet" href="([^"]*)"', body)
        status, headers, body = self.ask('/' + style)
        self.assertEqual((200, 'text/css; charset=utf-8'), (status, headers['Content-Type']))

    def test_nobody_else_does(self):
        tell(self.server.journal, 'dpa', 'flood.jpg')
        for user in None, 'stranger', 'nobody':
            for path in ('/@@cds-status', '/cds-status', '/@@cds-feed?feed=dpa&direction=import',
                         '/@@cds-status.css', '/@@cds-status/page', '/@@cds-status/__call__',
                         '/acl_users/@@cds-status'):
                status, _, body = self.ask(path, user)
                self.assertIn(status, (401, 404), path)
                self.assertNotIn('flood.jpg', body)
            self.assertEqual(401, self.ask('/@@cds-status', user)[0])

    def test_hostile_names(self):
        for name in HOSTILE:
            tell(self.server.journal, name, *HOSTILE)
        _, _, body = self.ask('/@@cds-status')
        self.assertNotIn('<script', body)
        links = re.findall('<h2[^>]*><a href="([^"]*)"', body)
        self.assertEqual(len(HOSTILE), len(links))
        found = set()
        for link in links:
            status, _, body = self.ask('/' + html.unescape(link) + '&name=')
            self.assertEqual(200, status)
            found.add(html.unescape(re.search('<h1>(.*)</h1>', body)[1]))
            [of] = re.findall('<input type="hidden" name="of" value="([^"]*)"', body)
            status, _, body = self.ask('/@@cds-feed?' + urlencode(
                {'of': html.unescape(of), 'name': 'x'}))
            self.assertIn('x' * 255, body)
        self.assertEqual(set(map(printable, HOSTILE)), found)

    def test_no_such_feed(self):
        self.assertEqual(404, self.ask('/@@cds-feed?feed=none')[0])
