"""A journal with what a test tells it, and names as hostile as names of files can be."""
import itertools
import time

from zeit.cds.journal.sql import SQLJournal


COUNT = itertools.count()
SECOND = 10**9
HOUR = 3600 * SECOND
HOSTILE = (
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'.xml",
    '${structure: 1}.xml',
    '</style><style>*{display:none}',
    'evil\u202egpj.exe',
    '\u05d0\u05d1\u05d2 (1).jpg',
    'tab\there\x1b[31m\x85.xml',
    'no text \udcfc\udcff.xml',
    '\u00fc' * 127 + '!',
    'x' * 255,
    '&lt;b&gt;&amp;amp;.xml',
    '%3Cscript%3E#?&=+ .xml',
)


def journal(path):
    """An empty one, in a file of that path."""
    return SQLJournal(str(path))


def tell(journal, feed, *names, direction='import', ago=0, size=1000, took=2, failed=(),
         waiting=(), error=None, now=None, untaken=None):
    """A run in which files of these names were published.

    ago -- seconds since then
    took -- seconds since the server had them
    failed, waiting -- pairs of a name and a reason
    untaken -- names that are in `new`; None: nobody has looked
    """
    now = (now or time.time_ns()) - int(ago * SECOND)
    run = 'run-%d-%d' % (now, next(COUNT))
    lines = [('run', run, feed, direction, '/spool/' + feed, 'host', 1, now - SECOND, 0)]
    for number, name in enumerate(names):
        key = '%s:%d' % (run, number)
        lines.append(('whole', key, name, number + 1, size, None, None, now - int(took * SECOND),
                      now, now))
        lines.append(('published', key, now))
    lines += [('left', name, reason, True, now) for name, reason in failed]
    lines += [('left', name, reason, False, now) for name, reason in waiting]
    lines.append(('end', now, len(names), size * len(names), len(waiting), len(failed),
                  len(waiting), error))
    journal.load([lines], untaken)
