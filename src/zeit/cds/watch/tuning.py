"""Figures of the watch that may be other ones."""
from typing import NamedTuple


class Tuning(NamedTuple):
    """Times are in seconds (float)."""

    # after a failure, the pauses until it is tried again: doubled each time
    first_pause: float = 1.0
    longest_pause: float = 300.0
    jitter: float = 0.25            # such a part of a pause, at most, is added by chance, or taken
                                    # off: many feeds of one server shall not come back all at once

    # a directory that others hold locked
    first_locked: float = 0.2       # it is looked at again after so long; doubled each time, up to
    longest_locked: float = 1.0
    patient: float = 5.0            # so long before a run tries what can be done about the lock,
    tries_again: float = 60.0       # and so long before another one does

    # files that a run has left where they were
    first_left: float = 5.0         # after so long another run tries; doubled each time, up to
    longest_left: float = 300.0

    lists_again: float = 30.0       # a directory that seems unchanged is listed after so long

    # sessions
    longest_kept: float = 600.0     # then another one is opened, in case the directory is another
    longest_kept_here: float = 60.0     # the same on this machine, where it costs nothing

    # exports
    gather: float = 0.02            # files that come to the spool so soon after another go with it
    kept_awake: float = 60.0        # a session without files to send is looked after that often
    expires: float = 3600.0         # what `keep` says is done that often

    listens: float = 30.0           # the journal is asked that often which feeds are silent, and
                                    # told what consumers have taken

    start: float = 0.01             # for each feed: over so long their first looks are spread
    late: float = 3.0               # a feed is late after so many times the time it may take, and
    least_late: float = 30.0        # after that at the earliest
    farewell: float = 1.0           # at the end, who has nothing in hand gets so long


TUNING = Tuning()
