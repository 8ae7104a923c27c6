"""When a feed ought to have had a file, and did not: the setting `expect_within`.

A text: seconds, or, for wires that sleep at night, several entries of days, hours and seconds, the
first of which that fits an hour counts::

    900
    mon-fri 06-22 900; sat-sun 08-20 3600

Hours are those of this machine's clock; outside of all entries nothing is expected. A feed that
wakes up has as much time as it has between two files.
"""
import datetime
import re
from typing import NamedTuple

from zeit.cds.interfaces import ConfigurationError


DAYS = 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'
DAY = '(?:%s)' % '|'.join(DAYS)
ENTRY = re.compile(
    r'(?:(?P<first>%s)(?:-(?P<last>%s))?\s+)?(?:(?P<begin>\d\d?)-(?P<end>\d\d?)\s+)?'
    r'(?P<seconds>\d+)' % (DAY, DAY))
WANTED = ('expect_within is wrong: %r. Seconds are wanted, such as 900, or a table, such as '
          'mon-fri 06-22 900; sat-sun 08-20 3600.')
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

    def __init__(self, text):
        """Raises ConfigurationError."""
        self._entries = [self._entry(part.strip(), text) for part in text.split(';')]

    @staticmethod
    def _entry(part, text):
        found = ENTRY.fullmatch(part)
        if found is None:
            raise ConfigurationError(WANTED % text)
        days = range(7)
        if found['first']:
            first = DAYS.index(found['first'])
            last = DAYS.index(found['last'] or found['first'])
            days = [day % 7 for day in range(first, last + 1 + (7 if last < first else 0))]
        begin, end = int(found['begin'] or 0), int(found['end'] or 24)
        if begin > 23 or end > 24 or int(found['seconds']) < 1:
            raise ConfigurationError(WANTED % text)
        hours = [hour % 24 for hour in range(begin, end + (24 if end <= begin else 0))]
        return frozenset(days), frozenset(hours), int(found['seconds'])

    def allowed(self, when):
        """So many seconds of silence are allowed at a time, int; None: any number.

        when -- datetime, aware
        """
        when = when.astimezone() if self.zone is None else when.astimezone(self.zone)
        for days, hours, seconds in self._entries:
            if when.weekday() in days and when.hour in hours:
                return seconds
        return None

    zone = None         # tzinfo; None: that of this machine

    def silence(self, last, now):
        """The Silence of a feed.

        last -- when its last file came, or it was first looked at: seconds since 1970
        now -- seconds since 1970
        """
        moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
        allowed = self.allowed(moment)
        if allowed is None:
            return Silence(0.0, None)
        begun = moment.replace(minute=0, second=0, microsecond=0)
        for _ in range(WEEK):
            if begun.timestamp() <= last or self.allowed(begun - HOUR) is None:
                break
            begun -= HOUR
        else:
            return Silence(max(0.0, now - last), allowed)       # it never sleeps
        return Silence(max(0.0, now - max(last, begun.timestamp())), allowed)
