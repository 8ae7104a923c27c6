"""The watch: one process that looks at many feeds again and again, over sessions that stay open.

A look needs no lock and no login. When it finds something to exchange, an ordinary run begins on
the session that is kept::

    connecting ──▶ waiting ──▶ looking ──▶ exchanging (a run: lock, recovery, files, events)
        ▲            ▲           │ │            │
        │            └───────────┘ └─▶ locked   │     by others: looked at again soon
        │            └──────────────────────────┘
        └── backing off ◀── whatever fails, with growing pauses

Each feed has its own thread, so that a server which hangs delays no other.
"""
import zope.interface


STATES = ('connecting', 'waiting', 'looking', 'exchanging', 'locked', 'backing off', 'stopped')


class IWatched(zope.interface.Interface):
    """A feed that is watched, and how it is. Any thread may read it; each attribute by itself is
    right.

    Points in time are seconds since 1970 (UTC), float.
    """

    feed = zope.interface.Attribute('The IFeed, as it was given, perhaps with its password')
    state = zope.interface.Attribute('One of STATES. str')
    last_look = zope.interface.Attribute(
        'When the last look that succeeded came to its end; None: there was none yet')
    last_file = zope.interface.Attribute(
        'When the last file was exchanged, by this watch, or by what the journal knows; None: none '
        'yet')
    files = zope.interface.Attribute('Number of files exchanged since it is watched. int')
    waiting = zope.interface.Attribute(
        'Number of files that are there and were not exchanged: unread names, files that failed, '
        "others' lock. int; None: not known yet")
    round_trip = zope.interface.Attribute(
        'How long it takes to the server and back, in seconds. float; None: not known')
    backing_off_until = zope.interface.Attribute(
        'When it is tried again after a failure; None: nothing has failed')
    error = zope.interface.Attribute(
        'What failed last, and what to do about it: printable lines. str; None: nothing has '
        'failed, or it is over')
    failure = zope.interface.Attribute('The exception that `error` tells of; None')
    last_try = zope.interface.Attribute(
        'When the last look or run came to its end, whatever came of it; None: none did yet')
    locked_since = zope.interface.Attribute(
        'Since when others have been seen to hold the directory locked; None: they do not')
    late = zope.interface.Attribute(
        'Is the last look that succeeded much longer ago than it should be? bool')
    outcome = zope.interface.Attribute('The IOutcome of its last run; None: there was none')
    silence = zope.interface.Attribute(
        'By what the journal knew a short while ago: for how many seconds no file has come while '
        'one was expected, and how many that may be; (float, int). The second is None if nothing '
        'is expected now. None: no journal is kept, or nothing is expected of this feed')
    silent = zope.interface.Attribute('Is it silent for longer than it may be? bool')
    waiting_since = zope.interface.Attribute(
        'The same: when the file was seen first that has waited longest; None: none does')


class IWatch(zope.interface.Interface):
    """The watch over some feeds. Any thread may call its verbs."""

    feeds = zope.interface.Attribute('Tuple of IWatched, in the order in which they were given')
    alive = zope.interface.Attribute(
        'Does each feed still have a thread that works on it, or waits? Servers that hang make no '
        'difference. bool')
    busy = zope.interface.Attribute('Is any file in hand? bool')

    def run():
        """Watch until `stop`; with `once`, until each feed was looked at, and what was there was
        exchanged.

        Returns when all is cleaned up: files in hand finished, locks removed, sessions closed.
        """

    def stop(interruption):
        """Finish the files in hand, begin no others, and end.

        interruption -- the Interrupted that runs end with which are cut short
        Returns at once.
        """

    def abort():
        """Drop the files in hand as well. Called after `stop`. Returns at once."""

    def replace(feeds):
        """Watch these feeds (an iterable of IFeed) from now on.

        Those with the same settings as before keep their sessions and their state. The others are
        ended in order, files in hand finished; a feed that uses the spool of one that is ended
        begins when that has come to its end. Returns at once, and `feeds` are the new ones then.
        """

    def look(feed=None):
        """Look at once, also at what is backing off.

        feed -- IWatched; None: at all of them
        """
