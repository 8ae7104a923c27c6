"""When a feed ought to have had a file, and did not: the setting `expect_within`.

Hours are those of this machine's clock; outside of all entries nothing is expected. A feed that
wakes up has as much time as it has between two files.
"""
import datetime
from typing import NamedTuple

from zeit.cds.interfaces.expectation import entries


HOUR = datetime.timedelta(hours=1)
WEEK = 7 * 24           # hours


class Silence(NamedTuple):
    """How a feed is."""

    seconds: float          # for so long it has been silent, while something was expected
    allowed: int | None     # so long it may be; None: nothing is expected at this hour

    @property
    def is_late(self):
        return self.allowed is not None and self.seconds > self.allowed


class Expectation:
    """What `expect_within` says."""

    def __init__(self, text, zone=None):
        """
        text -- as IFeed has it
        zone -- tzinfo; None: that of this machine
        """
        self._entries, self._zone = entries(text), zone

    def allowed(self, when):
        """So many seconds of silence are allowed at a time, int; None: any number.

        when -- datetime, aware
        """
        when = when.astimezone(self._zone)
        for days, hours, seconds in self._entries:
            if when.weekday() in days and when.hour in hours:
                return seconds
        return None

    def silence(self, last, now):
        """The Silence of a feed.

        last -- when its last file came, or it was first looked at: seconds since 1970
        now -- seconds since 1970
        """
        moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
        allowed = self.allowed(moment)
        if allowed is None:
            return Silence(0.0, None)
        # Of this zone: in some, hours begin in the middle of those of UTC.
        begun = moment.astimezone(self._zone).replace(minute=0, second=0, microsecond=0).astimezone(
            datetime.UTC)
        for _ in range(WEEK):
            if begun.timestamp() <= last or self.allowed(begun - HOUR) is None:
                break
            begun -= HOUR
        else:
            return Silence(max(0.0, now - last), allowed)       # it never sleeps
        return Silence(max(0.0, now - max(last, begun.timestamp())), allowed)
