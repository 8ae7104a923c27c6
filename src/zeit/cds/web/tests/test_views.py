"""The views, as any publisher calls them: what they need of a request, and where their links lead.

test_zope.py has them in a real application.
"""
import re
import tempfile
import unittest

import zope.component
import zope.component.testing

from zeit.cds.feed import Feed
from zeit.cds.interfaces import IFeed, IJournal
from zeit.cds.web import views
from zeit.cds.web.tests.journals import journal, tell


class Response:

    status = 200

    def __init__(self):
        self.headers = {}
        self.setHeader = self.headers.__setitem__

    def setStatus(self, status):
        self.status = status


class Request:
    """One of Zope's."""

    def __init__(self, query=''):
        self.environ, self.response = {'QUERY_STRING': query}, Response()


class OtherRequest:
    """One of zope.publisher's."""

    def __init__(self, query=''):
        self.environment, self.response = {'QUERY_STRING': query}, Response()


class Views(unittest.TestCase):

    def setUp(self):
        zope.component.testing.setUp()
        self.addCleanup(zope.component.testing.tearDown)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.journal = journal(directory.name + '/journal')
        zope.component.provideUtility(self.journal, IJournal)
        tell(self.journal, 'dpa', 'flood.jpg', 'storm.jpg')
        tell(self.journal, 'afp', 'vote.xml')

    def call(self, view, request):
        body = view(object(), request)()
        self.assertIsInstance(body, bytes)
        return body.decode('utf-8')

    def test_any_publisher(self):
        for kind in Request, OtherRequest:
            request = kind('feed=dpa&direction=import&name=sto')
            text = self.call(views.Feed, request)
            self.assertIn('storm.jpg', text)
            self.assertNotIn('flood.jpg', text)
            self.assertEqual('text/html; charset=utf-8', request.response.headers['Content-Type'])

    def test_headers(self):
        request = Request()
        self.call(views.Overview, request)
        self.assertEqual('30', request.response.headers['Refresh'])
        self.assertIn("default-src 'none'", request.response.headers['Content-Security-Policy'])
        for view, query in ((views.Overview, 'pause=1'), (views.Style, ''),
                            (views.Feed, 'feed=dpa&name=')):
            request = Request(query)
            self.call(view, request)
            self.assertNotIn('Refresh', request.response.headers)

    def test_links_are_views(self):
        for text in (self.call(views.Overview, Request()),
                     self.call(views.Feed, Request('feed=dpa&direction=import')),
                     self.call(views.Feed, Request('feed=dpa&direction=import&name='))):
            for link in re.findall('(?:href|action)="([^"]*)"', text):
                self.assertRegex(link, r'^(@@cds-(status|feed|status\.css)($|\?)|#|data:,|\?)')

    def test_registered_feeds_are_meant(self):
        self.assertIn('<h1>2 feeds, ', self.call(views.Overview, Request()))
        feed = Feed(name='dpa', store_dir='/spool', hostname='x', user='x')
        zope.component.provideUtility(feed, IFeed, 'dpa')
        text = self.call(views.Overview, Request())
        self.assertIn('<h1>1 feed, ', text)
        self.assertNotIn('afp', text)

    def test_no_such_feed(self):
        request = Request('feed=none')
        self.assertEqual('There is no such feed.\n', self.call(views.Feed, request))
        self.assertEqual(404, request.response.status)

    def test_without_a_journal(self):
        zope.component.getGlobalSiteManager().unregisterUtility(self.journal, IJournal)
        self.assertIn('No feed is known.', self.call(views.Overview, Request()))
