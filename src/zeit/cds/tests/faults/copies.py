"""A copy is whole, whatever became of its original, of the session, or of the clocks."""
import datetime

from zeit.cds.testing.faulty import On, rewrite, vanish
from zeit.cds.tests.faults.fault import AGAIN, changes, Fault, FILES, harmless, NAMES, SILENT


ONCE_ONLY = tuple(On('RETR', name).call(vanish(name)) for name in NAMES)
LOST = AGAIN + ' at once, since all of '


def shifted(stamp, hours):
    """A time as MLSD tells it, in another zone."""
    time = datetime.datetime.strptime(stamp, '%Y%m%d%H%M%S')
    return (time + datetime.timedelta(hours=hours)).strftime('%Y%m%d%H%M%S')


def in_zone(hours):
    """All that the listing shows is some hours off. A function for `On.relist`."""
    return lambda entries: (
        entry._replace(modify=shifted(entry.modify, hours)) for entry in entries)


def in_milliseconds(entries):
    return (entry._replace(modify=entry.modify + '.123') for entry in entries)


def described_in_zone(reply):
    """The reply to MLST, an hour off. A function for `On.shape`."""
    head, found, tail = reply.partition(b'modify=')
    return head + found + shifted(tail[:14].decode(), 1).encode() + tail[14:] if found else reply


COPIES = [
    # The original is gone
    harmless('mailbox that gives each file once', *ONCE_ONLY, commands={'RETR': 6}),
    harmless('mailbox without MLSD', *ONCE_ONLY, server={'character': 'vsftpd'},
             commands={'RETR': 6}),
    harmless('mailbox that tells no size', *ONCE_ONLY,
             server={'character': 'vsftpd', 'without': ['SIZE', 'MDTM']},
             commands={'RETR c.xml': 1}),
    harmless('mailbox that ends the session', On('RETR', 'c.xml').call(vanish('c.xml')),
             On('RETR', 'c.xml').drop_control(at='done'), says=(LOST,), commands={'RETR c.xml': 1}),
    harmless('file vanishes while it comes',
             On('RETR', 'c.xml', times=1).call(vanish('c.xml'), after_bytes=1000)),
    Fault('file vanishes and is not whole', (
        On('RETR', 'c.xml', times=1).truncate(1000).call(vanish('c.xml')),),
          taken=('c.xml',), skipped=('c.xml',), says=('it vanished while it was fetched',)),

    # The session is lost at the end
    *(harmless('session ends %s' % name, On('RETR', '*.xml').drop_control(at=at), says=says,
               may_say=(AGAIN,), commands={'RETR': 6})
      for name, at, says in (('before each last reply', 'done', (LOST,)),
                             ('after each last reply', 'replied', ()))),
    harmless('session ends before each last reply, no retries',
             On('RETR', '*.xml').drop_control(at='done'), says=(LOST,), commands={'RETR': 6},
             settings={'retries': 0}),
    harmless('last replies never come', On('RETR', 'c.xml').stall(at='done'), settings=SILENT,
             may_say=(LOST, AGAIN + ' at once, one command at a time'), commands={'RETR c.xml': 1}),

    # Two clocks
    harmless('listed with another time', On('MLSD').facts('c.xml', modify='20200101000000')),
    *(harmless('listing %+d hours off' % hours, On('MLSD').relist(in_zone(hours)),
               commands={'RETR': 6}) for hours in (1, -5)),
    harmless('listing in milliseconds', On('MLSD').relist(in_milliseconds), commands={'RETR': 6}),
    harmless('facts an hour off', On('MLST').shape(described_in_zone), commands={'RETR': 6}),
    changes('file rewritten, listing an hour off', On('MLSD').relist(in_zone(1)),
            On('RETR', 'c.xml', times=1).call(rewrite('c.xml', b'y' * len(FILES['c.xml'])))),
]
