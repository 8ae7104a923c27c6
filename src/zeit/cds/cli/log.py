"""The command cds-log: what became of files, and of runs."""
import argparse
import datetime
import functools
import re
import sys
import time

from zeit.cds.cli import report
from zeit.cds.cli.command import complain, FAILED, MISCONFIGURED, OK, unwritten
from zeit.cds.cli.console import open_standard_files, silence
from zeit.cds.interfaces import ConfigurationError, IJournal, JournalError
from zeit.cds.registry import registered
from zeit.cds.text import printable


PROG = 'cds-log'
EPILOG = '''\
WHEN is a time (UTC) such as 2026-11-26 or "2026-11-26 03:00", or how long ago:
90m, 12h, 3d.
Exit status: 0 found; 1 there is none, or another error; 2 wrong usage;
78 wrong configuration.
'''
WAITING = 'waiting', 'failed', 'whole'
FAILED_STATES = 'failed', 'aside', 'unknown'
UNITS = {'m': 60, 'h': 3600, 'd': 86400}
SECOND = 10**9          # nanoseconds
LATEST = 2**63 - 1      # a database knows no later time
LIFE = (('modified', "the server's time"), ('seen', 'seen first'), ('whole', 'whole, and durable'),
        ('published', 'published'), ('taken', 'taken by the consumer (noticed)'))


def log_():
    """The command cds-log; returns its exit status."""
    open_standard_files()
    try:
        found = look(sys.argv[1:])
        sys.stdout.flush()
        return found
    except ConfigurationError as e:
        complain(PROG, e)
        return MISCONFIGURED
    except JournalError as e:
        complain(PROG, e)
        return FAILED
    except BrokenPipeError:
        silence(1)
        return OK
    except OSError as e:
        unwritten(PROG, e)
        return FAILED


def look(arguments):
    options = parser().parse_args(arguments)
    if options.version or options.man:
        from zeit.cds.cli import manual
        print(manual.version(PROG) if options.version else manual.man_page(parser()))
        return OK
    if options.retry is not None:
        return retry(options)
    with journal_of(options).ask() as queries:
        if options.runs:
            found = queries.runs(options.feed, options.most)
            show, title = show_run, RUNS
        else:
            found = files(queries, options)
            show, title = (show_life, '') if options.name else (show_file, FILES)
    if options.json:
        for row in found:
            sys.stdout.write(report.line(row._asdict()))
    elif found:
        sys.stdout.write(title + ''.join(show(row) for row in reversed(found)))
    return OK if found else FAILED


def retry(options):
    """Have files tried again that were given up."""
    count = journal_of(options).retry(options.retry, options.feed)
    print('The next run tries it again.' if count else
          'No file of this name is given up%s.' % (' there' if options.feed else ''))
    return OK if count else FAILED


def files(queries, options):
    """What the options ask for: a list of FileRow, newest first."""
    states = (*(WAITING if options.waiting else ()), *(FAILED_STATES if options.failed else ()))
    return queries.files(options.name, options.feed, options.since, states, options.digest,
                         options.most)


def journal_of(options):
    """The IJournal that is meant. Raises ConfigurationError."""
    if options.journal:
        from zeit.cds.journal.sql import existing
        return existing(options.journal)
    from zeit.cds.cli import site
    site.load(options.zcml)
    journal = registered(IJournal, '')
    if journal is None:
        raise ConfigurationError('%s declares no <cds:journal url="..."/>.' % options.zcml)
    return journal


def parser():
    from zeit.cds.cli.options import Parser, PURPOSE, USAGE
    result = Parser(
        prog=PROG, usage=USAGE[PROG], description=PURPOSE[PROG],
        epilog=EPILOG, add_help=False, allow_abbrev=False, formatter_class=functools.partial(
            argparse.RawDescriptionHelpFormatter, max_help_position=27))
    add = result.add_argument_group('what to show').add_argument
    add('name', nargs='?', metavar='NAME', help='Only files of this name, with their whole lives')
    add('--feed', metavar='NAME', help='Only those of this feed')
    add('--since', metavar='WHEN', type=moment, help='Only what happened since then')
    add('--failed', action='store_true', help='Only those with which something is wrong')
    add('--waiting', action='store_true', help='Only those that wait for their publication')
    add('--digest', metavar='HEX', type=digest, help='Only those with this SHA-256')
    add('--runs', action='store_true', help='Show runs instead of files')
    add('--retry', metavar='NAME', help='Have this file tried again, which was given up')
    add('--limit', metavar='N', type=int, default=1000, dest='most', help='The newest N (1000)')
    add = result.add_argument_group('the journal and the output').add_argument
    add('--journal', metavar='URL', help='The journal, or the path of its file')
    add('--zcml', metavar='FILE', help='The ZCML file that declares the journal')
    add('--json', action='store_true', help='Print an object (JSON) for each')
    add('--man', action='store_true', help='Print the manual page')
    add('--version', action='store_true', help='Print the version')
    add('-h', '--help', action='help', help='Print this help')
    checked = result.parse_args

    def parse_args(arguments):
        options = checked(arguments)
        if not (options.version or options.man) and bool(options.journal) == bool(options.zcml):
            result.error('either --journal URL or --zcml FILE is wanted')
        return options
    result.parse_args = parse_args
    return result


def moment(text):
    """Nanoseconds since 1970 of a WHEN."""
    if ago := re.fullmatch(r'(\d+)([mhd])', text):
        return max(0, time.time_ns() - int(ago[1]) * UNITS[ago[2]] * SECOND)
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError('%r is no time' % text) from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    return min(max(0, int(when.timestamp()) * SECOND), LATEST)


def digest(text):
    if not re.fullmatch(r'[0-9a-fA-F]{64}', text):
        raise argparse.ArgumentTypeError('64 hexadecimal digits are wanted')
    return text.lower()


# ---------------------------------------------------------------- for a person

FILES = '%-19s  %-9s  %12s  %s\n' % ('TIME (UTC)', 'STATE', 'BYTES', 'FEED: NAME')
RUNS = '%-19s  %8s  %6s  %12s  %s\n' % ('BEGUN (UTC)', 'SECONDS', 'FILES', 'BYTES', 'FEED')


def at(nanoseconds):
    """A time as it is shown: str."""
    if nanoseconds is None:
        return '-'
    return time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(nanoseconds // SECOND))


def state(row):
    return 'exported' if (row.state, row.direction) == ('published', 'export') else row.state


def last(row):
    """When something happened last: the time to show."""
    return row.taken or row.published or row.whole or row.seen


def show_file(row):
    text = '%s  %-9s  %12s  %s: %s\n' % (
        at(last(row)), state(row), '' if row.size is None else row.size, printable(row.feed),
        printable(row.name))
    return text + ('%21s%s\n' % ('', printable(row.reason)) if row.reason else '')


def show_life(row):
    """Of one file, all that is known."""
    lines = ['%s (%s, %s)' % (printable(row.name), printable(row.feed), row.direction)]
    for name, text in LIFE:
        when = getattr(row, name)
        if when is not None:
            lines.append('  %s  %s' % (at(when), text if name != 'published'
                                       or row.direction == 'import' else 'exported'))
    lines.append('  state %s, tries %d' % (state(row), row.tries))
    if row.reason:
        lines.append('  left because: %s' % printable(row.reason))
    if row.size is not None:
        lines.append('  %d bytes, SHA-256 %s' % (row.size, row.digest or 'not known'))
    lines.append('  run %s on %s, spool %s' % (row.run, printable(row.host), printable(row.spool)))
    return '\n'.join(lines) + '\n'


def show_run(row):
    text = '%s  %8s  %6d  %12d  %s (%s)' % (
        at(row.begun), '-' if row.ended is None else '%.1f' % ((row.ended - row.begun) / SECOND),
        row.files, row.bytes, printable(row.feed), row.direction)
    if row.failed or row.waiting:
        text += ', %d failed, %s waiting' % (row.failed, row.waiting)
    if row.error:
        text += '\n%21s%s' % ('', printable(row.error))
    return text + '\n'
