"""The entry points of the commands cds-import and cds-export."""
import sys

from zeit.cds.cli.console import end, starting


def cds_import(*arguments, **settings):
    """The script cds-import: does `import_`, and the process has ended with its exit status."""
    end(import_(*arguments, **settings))


def cds_export(*arguments, **settings):
    """The script cds-export: does `export`, and the process has ended with its exit status."""
    end(export(*arguments, **settings))


def import_(*arguments, **settings):
    """The command cds-import; returns its exit status.

    With arguments, as buildout's scripts pass them: import by these settings. They are those of
    `main.import_`. Options of the command line outweigh them.
    """
    return _exchange('cds-import', arguments, settings)


def export(*arguments, **settings):
    """The command cds-export; returns its exit status. Arguments are those of `main.export`."""
    return _exchange('cds-export', arguments, settings)


def _exchange(prog, arguments, settings):
    with starting():
        from zeit.cds.cli.runs import exchange
    return exchange(prog, sys.argv[1:], arguments, settings)


if __name__ == '__main__':
    cds_import()
