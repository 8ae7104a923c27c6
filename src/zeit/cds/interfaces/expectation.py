"""How the setting `expect_within` is written.

Seconds, or several entries of days, hours and seconds; the first that fits an hour counts::

    900
    mon-fri 06-22 900; sat-sun 08-20 3600
"""
import re


DAYS = 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'
DAY = '(?:%s)' % '|'.join(DAYS)
ENTRY = re.compile(
    r'(?:(?P<first>%s)(?:-(?P<last>%s))?\s+)?(?:(?P<begin>\d\d?)-(?P<end>\d\d?)\s+)?'
    r'(?P<seconds>\d+)' % (DAY, DAY))


def entries(text):
    """A list of (set of weekdays, set of hours, seconds); None if the text is wrong.

    Monday is 0.
    """
    found = [_entry(part.strip()) for part in text.split(';')]
    return None if None in found else found


def _entry(text):
    found = ENTRY.fullmatch(text)
    if found is None:
        return None
    days = range(7)
    if found['first']:
        first = DAYS.index(found['first'])
        last = DAYS.index(found['last'] or found['first'])
        days = [day % 7 for day in range(first, last + 1 + (7 if last < first else 0))]
    begin, end = int(found['begin'] or 0), int(found['end'] or 24)
    if begin > 23 or end > 24 or int(found['seconds']) < 1:
        return None
    hours = [hour % 24 for hour in range(begin, end + (24 if end <= begin else 0))]
    return frozenset(days), frozenset(hours), int(found['seconds'])
