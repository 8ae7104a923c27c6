"""The command cds-status: how feeds are, by the journal."""
import argparse
import functools
import sys

from zeit.cds.cli import report, site
from zeit.cds.cli.command import complain, FAILED, MISCONFIGURED, OK, unwritten
from zeit.cds.cli.console import open_standard_files, silence
from zeit.cds.cli.log import at
from zeit.cds.feed import label
from zeit.cds.interfaces import CDSError, ConfigurationError, IJournal
from zeit.cds.registry import registered
from zeit.cds.text import printable


PROG = 'cds-status'
EPILOG = '''\
With --check it is a plugin for Nagios, Icinga and the like: one line, and status
0 OK, 1 WARNING (files failed), 2 CRITICAL (a feed is silent for longer than its
expect_within), 3 UNKNOWN (the journal cannot be asked).
Exit status: 0 all is well; 1 it is not, or another error; 2 wrong usage;
78 wrong configuration.
'''
WORDS = 'OK', 'WARNING', 'CRITICAL', 'UNKNOWN'
WELL, WARNING, CRITICAL, UNKNOWN = range(4)
TROUBLE = 'failed', 'unknown', 'aside'
TITLE = '%-8s  %-19s  %8s  %7s  %7s  %s\n' % (
    'STATE', 'LAST FILE (UTC)', 'SILENT', 'WAITING', 'FAILED', 'FEED')


def status():
    """The command cds-status; returns its exit status."""
    open_standard_files()
    options = parser().parse_args(sys.argv[1:])
    try:
        found = tell(options)
        sys.stdout.flush()
        return found
    except CDSError as e:
        if options.check:
            print('CDS UNKNOWN - %s' % one_line(e))
            return UNKNOWN
        complain(PROG, e)
        return MISCONFIGURED if isinstance(e, ConfigurationError) else FAILED
    except BrokenPipeError:
        silence(1)
        return OK
    except OSError as e:
        unwritten(PROG, e)
        return UNKNOWN if options.check else FAILED


def tell(options):
    if options.version or options.man:
        from zeit.cds.cli import manual
        print(manual.version(PROG) if options.version else manual.man_page(parser()))
        return OK
    if wrong := misused(options):
        parser().error(wrong)
    if options.http or options.html:
        from zeit.cds.cli import page  # most are asked by a terminal or a monitor
        return page.show(PROG, options)
    feeds = site.feeds(options.zcml, options.names or None)
    journal = registered(IJournal, '')
    if journal is None:
        raise ConfigurationError('%s declares no <cds:journal url="..."/>.' % options.zcml)
    from zeit.cds.journal.lateness import tell as looked_at
    found = looked_at(journal, feeds)
    if options.check:
        return check(found)
    for one in found if options.json else ():
        sys.stdout.write(report.line(as_dict(one)))
    if not options.json:
        sys.stdout.write(TITLE + ''.join(map(shown, found)))
    return FAILED if max(map(state, found), default=WELL) else OK


def misused(options):
    """What is wrong with the options, str or None."""
    shown = sum(map(bool, (options.check, options.json, options.http, options.html)))
    if shown > 1:
        return '--check, --json, --http and --html are for one at a time'
    if options.journal and not (options.http or options.html):
        return 'with --journal there is --http or --html'
    if options.journal and options.names:
        return 'NAME is for feeds that --zcml declares'
    if bool(options.zcml) == bool(options.journal):
        return '--zcml FILE is wanted%s' % (
            ', or --journal URL' if options.http or options.html else '')


def state(one):
    """WELL, WARNING or CRITICAL. one -- zeit.cds.journal.lateness.Heard"""
    if one.silence.is_late:
        return CRITICAL
    return WARNING if any(map(one.counts.get, TROUBLE)) else WELL


def failed(one):
    return sum(one.counts.get(name, 0) for name in TROUBLE)


def waiting(one):
    return sum(one.counts.get(name, 0) for name in ('waiting', 'whole'))


def as_dict(one):
    return {
        'feed': label(one.feed), 'direction': one.feed.direction, 'state': WORDS[state(one)],
        'last': one.last and one.last.published, 'silent': round(one.silence.seconds),
        'allowed': one.silence.allowed, 'counts': one.counts, 'oldest': one.oldest,
    }


def shown(one):
    return '%-8s  %-19s  %8s  %7d  %7d  %s\n' % (
        WORDS[state(one)], at(one.last and one.last.published),
        '-' if one.silence.allowed is None else round(one.silence.seconds), waiting(one),
        failed(one), printable(label(one.feed)))


# ---------------------------------------------------------------- for a monitor

def check(found):
    """Print what a monitor wants; returns the status that it wants."""
    worst = max(map(state, found), default=WELL)
    texts = [trouble(one) for one in found if state(one) == worst] if worst else [
        '%d feeds' % len(found)]
    print('CDS %s - %s | %s' % (
        WORDS[worst], one_line('; '.join(texts)), ' '.join(map(figures, found))))
    return worst


def trouble(one):
    if one.silence.is_late:
        return '%s: silent for %d s, %d s are allowed' % (
            label(one.feed), one.silence.seconds, one.silence.allowed)
    given_up = one.counts.get('aside', 0)
    return '%s: %d files failed%s' % (
        label(one.feed), failed(one), ', %d of them given up' % given_up if given_up else '')


def figures(one):
    """Performance data, as Nagios has them: no quote and no = is in a label."""
    name = ''.join(c if c.isalnum() or c in '-_.' else '_' for c in printable(label(one.feed)))
    silent = "'%s_silent'=%ds;;%s" % (
        name, one.silence.seconds, '' if one.silence.allowed is None else one.silence.allowed)
    return "%s '%s_waiting'=%d '%s_failed'=%d;0" % (silent, name, waiting(one), name, failed(one))


def one_line(text):
    """Without what ends a line, or begins performance data."""
    return printable(str(text)).replace('|', '/')


def parser():
    from zeit.cds.cli.options import Parser, place, PURPOSE, USAGE
    result = Parser(
        prog=PROG, usage=USAGE[PROG], description=PURPOSE[PROG], epilog=EPILOG, add_help=False,
        allow_abbrev=False, formatter_class=functools.partial(
            argparse.RawDescriptionHelpFormatter, max_help_position=27))
    add = result.add_argument_group('feeds and output').add_argument
    add('names', nargs='*', metavar='NAME', help='Only these feeds')
    add('--zcml', metavar='FILE', help='The ZCML file that declares the feeds and the journal')
    add('--check', action='store_true', help='Be a plugin for a monitor')
    add('--json', action='store_true', help='Print an object (JSON) for each feed')
    add('--http', metavar='[HOST:]PORT', type=place, help='Answer there: a page for a browser')
    add('--html', metavar='FILE', help='Write that page into a file')
    add('--journal', metavar='URL', help='Of --http and --html: the journal, without any ZCML')
    add('--man', action='store_true', help='Print the manual page')
    add('--version', action='store_true', help='Print the version')
    add('-h', '--help', action='help', help='Print this help')
    return result
