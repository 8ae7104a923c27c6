"""The pages as views of a Zope application: see zope.zcml.

They need nothing of Zope but a request. The feeds are those that are registered, or, if there are
none, all that the journal knows.
"""
import abc

import zope.component

from zeit.cds.interfaces import IFeed, IJournal
from zeit.cds.web.facts import Sources
from zeit.cds.web.pages import again, fields
from zeit.cds.web.rendering import CSS, encoded, HEADERS, HTML, Links, Renderer, STYLE


REFRESH = 30        # seconds


class ViewLinks(Links):
    """Relative to each other; and no other object can hide them."""

    overview, feed, style = '@@cds-status', '@@cds-feed', '@@cds-status.css'


class View(abc.ABC):
    """A page."""

    def __init__(self, context, request):
        self.context, self.request = context, request

    def __call__(self):
        """The page, bytes: it says itself how they are encoded."""
        kind, body, more = self.page(asked_of(self.request))
        for name, value in (('Content-Type', kind), *HEADERS, *more):
            self.request.response.setHeader(name, value)
        return body

    @abc.abstractmethod
    def page(self, asked):
        """Its type, contents (bytes), and further headers. asked -- what `asked_of` returns"""


class Overview(View):

    def page(self, asked):
        paused = 'pause' in asked
        return HTML, encoded(renderer().overview(sources().overview(), paused)), again(
            not paused, REFRESH)


class Feed(View):

    def page(self, asked):
        beginning, paused = asked.get('name'), 'pause' in asked
        told = sources().feed(asked.get('feed', ''), asked.get('direction', 'import'), beginning)
        if not told.found:
            self.request.response.setStatus(404)
            return 'text/plain; charset=utf-8', b'There is no such feed.\n', []
        return HTML, encoded(renderer().feed(told, beginning, paused)), again(
            beginning is None and not paused, REFRESH)


class Style(View):

    def page(self, asked):
        return CSS, STYLE.read_bytes(), []


def renderer():
    return Renderer(ViewLinks, REFRESH)


def sources():
    return Sources(lambda: zope.component.queryUtility(IJournal), feeds=lambda: [
        feed for _, feed in sorted(zope.component.getUtilitiesFor(IFeed))])


def asked_of(request):
    """What was asked: not as the form that Zope makes of it, for names of files are any bytes."""
    environ = getattr(request, 'environ', None)
    if environ is None:         # zope.publisher
        environ = getattr(request, 'environment', {})
    return fields(environ.get('QUERY_STRING', ''))
