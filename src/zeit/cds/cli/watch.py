"""The command cds-watch: all feeds in one process, looked at again and again."""
import sys

from zeit.cds.cli.console import starting


def watch():
    """The command cds-watch; returns its exit status."""
    with starting():
        from zeit.cds.cli.command import command
        from zeit.cds.cli.watching import Watching
    return command('cds-watch', lambda prog, signals: Watching(prog, signals, sys.argv[1:]).run())
