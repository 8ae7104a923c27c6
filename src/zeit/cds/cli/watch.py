"""The command cds-watch: all feeds in one process, looked at again and again."""
import gc
import sys

from zeit.cds.cli.console import starting


def watch():
    """The command cds-watch; returns its exit status."""
    usual = gc.get_threshold()
    with starting():
        from zeit.cds.cli.command import command
        from zeit.cds.cli.watching import Watching
    gc.set_threshold(*usual)    # it lives for long: what many runs leave would become too much
    return command('cds-watch', lambda prog, signals: Watching(prog, signals, sys.argv[1:]).run())
