"""The option --probe: what a server is, bears and lacks, and what the program will do there.

That is what one sends with a bug report. There is no password in it.
"""
import platform
import textwrap
import time

from zeit.cds import main
from zeit.cds.cli import manual, report
from zeit.cds.cli.command import log, OK, status_of
from zeit.cds.feed import address, label
from zeit.cds.interfaces import CDSError
from zeit.cds.text import in_words


WIDTH = 100         # columns
INDENT = 20


def work(command, feed):
    """The status of --probe for one feed.

    command -- the Command
    """
    found, error, status = [], None, OK
    try:
        found = main.probe(feed, command.ask)
    except CDSError as e:
        log.error('%s', in_words(e))
        error, status = e, status_of(e, command.signals)
    found = [(subject, without_password(feed, text)) for subject, text in [
        *here(command, feed), *found]]
    if command.options.json:
        command.put(report.line({
            'feed': label(feed), 'server': address(feed), 'status': status,
            'error': report.of_error(error), 'found': [list(pair) for pair in found]}))
    else:
        command.put(''.join(map(line, found)))
    return status


def here(command, feed):
    """What is asked, and by what."""
    return [
        ('probe', '%s, %s' % (address(feed), time.strftime('%Y-%m-%d %H:%M:%S %z'))),
        ('asked by', '%s, Python %s, %s' % (
            manual.version(command.prog), platform.python_version(), platform.system())),
        ('settings', 'security %s, active %s, timeout %g, quirks %s' % (
            feed.security, feed.active, feed.timeout, ', '.join(feed.quirks) or 'none'))]


def without_password(feed, text):
    """A server may quote it."""
    return text.replace(feed.password, '***') if feed.password else text


def line(pair):
    subject, text = pair
    return '%s\n' % textwrap.fill(
        text, WIDTH, initial_indent=(subject + ':').ljust(INDENT), subsequent_indent=' ' * INDENT,
        break_long_words=False, break_on_hyphens=False)
