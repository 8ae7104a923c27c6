"""A watch that is as a test wants it."""
import zope.interface

from zeit.cds.feed import Feed
from zeit.cds.interfaces import IWatch, IWatched


WHEN = 1_800_000_000.0      # seconds since 1970


@zope.interface.implementer(IWatched)
class Watched:

    state, files = 'waiting', 0
    last_look = last_file = waiting = round_trip = backing_off_until = error = outcome = None
    failure = last_try = locked_since = None
    silence = waiting_since = None
    late = silent = False

    def __init__(self, name='', feed=(), **how):
        self.feed = Feed(**{'name': name, 'store_dir': '/spool', 'hostname': 'example.org',
                            'user': 'me', 'password': 'secret', **dict(feed)})
        self.__dict__.update(how)


@zope.interface.implementer(IWatch)
class Watch:

    alive, busy = True, False

    def __init__(self, *feeds):
        self.feeds = feeds

    def run(self):
        """See IWatch."""

    def stop(self, interruption):
        """See IWatch."""

    def abort(self):
        """See IWatch."""

    def replace(self, feeds):
        """See IWatch."""

    def look(self, feed=None):
        """See IWatch."""


def some():
    """A watch over three feeds: all is well, one is late, one has a name that is hostile."""
    return Watch(
        Watched('dpa', last_look=WHEN, last_file=WHEN - 60, files=7, waiting=2, round_trip=0.01234),
        Watched('afp', state='backing off', last_look=WHEN, late=True, round_trip=0.1,
                backing_off_until=WHEN + 90, error='It is down\nAsk its operator.'),
        Watched('<script>alert("x")</script>&\x1b[31m', feed={'direction': 'export'}))
