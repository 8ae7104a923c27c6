"""What cds-status shows to a browser: by a server of its own, or as a file."""
import signal
import sys

from zeit.cds.cli import site
from zeit.cds.cli.command import OK
from zeit.cds.interfaces import CDSError, ConfigurationError, IJournal
from zeit.cds.registry import registered
from zeit.cds.text import printable


def show(prog, options):
    """The exit status of a command.

    options -- with `http`, `html`, `journal`, `zcml` and `names`, as parsed
    Raises ConfigurationError.
    """
    sources = sources_of(options)
    if options.html:
        return write(prog, sources, options.html)
    return serve(prog, sources, options.http)


def sources_of(options):
    """Sources. Raises ConfigurationError."""
    from zeit.cds.web.facts import Sources
    if options.journal:
        from zeit.cds.journal.sql import existing
        journal = existing(options.journal)
        return Sources(lambda: journal)
    feeds = site.feeds(options.zcml, options.names or None)
    journal = registered(IJournal, '')
    if journal is None:
        raise ConfigurationError('%s declares no <cds:journal url="..."/>.' % options.zcml)
    return Sources(lambda: journal, feeds=lambda: feeds)


def write(prog, sources, path):
    """Write a page that needs nothing else."""
    from zeit.cds.web import rendering
    page = rendering.Renderer(refresh=0)
    told = sources.everything()
    if told.trouble:        # a page that is older tells more
        raise CDSError(told.trouble)
    try:
        rendering.write(path, page.file(told))
    except OSError as e:
        raise CDSError('%s cannot be written: %s' % (printable(path), e.strerror)) from e
    return OK


def serve(prog, sources, place):
    """Answer until a signal comes."""
    from zeit.cds.web import rendering, server
    from zeit.cds.web.pages import Pages
    rendering.templates()       # what is missing is missed now
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)       # for all threads that begin now
    listening = server.Server(*server.place(place))
    listening.start(Pages(sources))
    print('%s: answering at %s' % (prog, listening.url), file=sys.stderr, flush=True)
    signal.sigwait(signals)
    listening.stop()
    return OK
