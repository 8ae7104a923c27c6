"""A large journal, and how fast it answers.

Run by tools/large-journal, and in short by the tests.
"""
import argparse
import functools
import hashlib
import os
import sys
import tempfile
import time

from zeit.cds.journal.columns import pending
from zeit.cds.journal.database import files, runs
from zeit.cds.journal.sql import SQLJournal
from zeit.cds.web.facts import Sources
from zeit.cds.web.pages import Pages


FEEDS = 20
FILES_A_RUN = 100
SOME = 50_000       # rows that are written in one transaction
HOUR = 3600 * 10**9     # nanoseconds
DAYS = 400


def row(number, when):
    feed = number % FEEDS
    state = ('published' if number % 100_003 == 0 else 'failed' if number % 100_019 == 0
             else 'taken')
    return dict(
        id=number + 1, key='r%d:%d' % (number // FILES_A_RUN, number), feed='feed-%d' % feed,
        direction='import', name='article-%d.xml' % number, state=state, size=4000 + number % 1000,
        digest=hashlib.sha256(b'%d' % number).digest(), modified=when - 30 * 10**9, seen=when,
        whole=when, published=None if state == 'failed' else when,
        taken=when + 10**9 if state == 'taken' else None, changed=when, tries=1,
        reason='it could not be fetched' if state == 'failed' else None,
        pending=pending(state, 'import'),
        run='r%d' % (number // FILES_A_RUN), host='host', spool='/srv/cds/feed-%d' % feed)


def write(connection, rows):
    """Faster than SQLAlchemy, which would look at each value."""
    compiled = files.insert().compile(dialect=connection.dialect)
    if compiled.positional:
        rows = [tuple(map(row.get, compiled.positiontup)) for row in rows]
    connection.exec_driver_sql(str(compiled), rows)


def fill(journal, number, now):
    """Write so many files, of the last DAYS."""
    step = DAYS * 24 * HOUR // number
    with journal.database.writing() as connection:
        for index in files.indexes:     # faster made at the end
            index.drop(connection)
    for start in range(0, number, SOME):
        some = range(start, min(number, start + SOME))
        with journal.database.writing() as connection:
            write(connection, [row(n, now - (number - n) * step) for n in some])
            connection.execute(runs.insert(), [
                dict(run='r%d' % (n // FILES_A_RUN), feed='feed-%d' % (n // FILES_A_RUN % FEEDS),
                     direction='import', host='host', pid=1, begun=now - (number - n) * step,
                     ended=now - (number - n) * step, files=FILES_A_RUN, bytes=1, skipped=0,
                     failed=0, waiting=0, error=None, noted=1)
                for n in some if n % FILES_A_RUN == 0])
    for index in files.indexes:
        with journal.database.writing() as connection:
            index.create(connection)


def questions(number, now):
    """{what: function of an IQueries}: those of cds-log, and those of a page."""
    middle = number // 2
    digest = hashlib.sha256(b'%d' % middle).hexdigest()
    feed = 'feed-3'
    return {
        'a file by its name': lambda queries: queries.files(name='article-%d.xml' % middle),
        'a file by its digest': lambda queries: queries.files(digest=digest),
        'the newest files': lambda queries: queries.files(limit=100),
        'the newest files of a feed': lambda queries: queries.files(feed=feed, limit=100),
        'the files of the last day': lambda queries: queries.files(
            since=now - 24 * HOUR, limit=100),
        'what failed': lambda queries: queries.files(states=['failed'], limit=100),
        'what waits': lambda queries: queries.files(states=['waiting', 'whole'], limit=100),
        'what waits in a feed': lambda queries: queries.files(feed=feed, states=['waiting']),
        'files whose names begin alike': lambda queries: queries.files_like(
            'article-12', feed, 'import', 100),
        'files of a feed by name': lambda queries: queries.files_like('', feed, 'import', 100),
        'files of one direction': lambda queries: queries.files(feed=feed, direction='export'),
        'the newest runs': lambda queries: queries.runs(),
        'the newest runs of a feed': lambda queries: queries.runs(feed, 30, 'import'),
        'the last file of each feed': lambda queries: queries.last(),
        'counts': lambda queries: queries.counts(),
        'a day in hours': lambda queries: queries.hours(feed, 'import', now - 24 * HOUR, now),
        'delays of a day': lambda queries: queries.delays(feed, 'import', now - 24 * HOUR),
    }


def pages(journal):
    """{what: function without arguments}: pages of the web."""
    answer = Pages(Sources(lambda: journal))

    def page(path, asked=''):
        told = []
        answer({'REQUEST_METHOD': 'GET', 'PATH_INFO': path, 'QUERY_STRING': asked},
               lambda status, headers: told.append(status))
        if told != ['200 OK']:
            raise AssertionError(told)
    feed = 'feed=feed-3&direction=import'
    return {
        'the page of all feeds': lambda: page('/'),
        'the page of a feed': lambda: page('/feed', feed),
        'the page of a search': lambda: page('/feed', feed + '&name=article-12'),
    }


def measured(journal, number, now):
    """{what: seconds} that each question takes, the best of three."""

    def asked(ask):
        with journal.ask() as queries:
            ask(queries)
    found = {what: best(functools.partial(asked, ask))
             for what, ask in questions(number, now).items()}
    return found | {what: best(ask) for what, ask in pages(journal).items()}


def best(function):
    found = []
    for _ in range(3):
        begun = time.monotonic()
        function()
        found.append(time.monotonic() - begun)
    return min(found)


def main():
    parser = argparse.ArgumentParser(prog='large-journal', description=__doc__)
    parser.add_argument('--files', type=int, default=10_000_000)
    parser.add_argument('--journal', metavar='URL', help='an empty one (default: a file of SQLite)')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'journal')
        journal, now = SQLJournal(options.journal or path), time.time_ns()
        begun = time.monotonic()
        fill(journal, options.files, now)
        print('%d files written in %.0f s%s' % (
            options.files, time.monotonic() - begun,
            '' if options.journal else ', %.1f GB' % (os.path.getsize(path) / 10**9)), flush=True)
        worst = 0.0
        for what, seconds in measured(journal, options.files, now).items():
            worst = max(worst, seconds)
            print('%8.1f ms  %s' % (seconds * 1000, what), flush=True)
    return 0 if worst <= 0.3 else 1


if __name__ == '__main__':
    sys.exit(main())
