"""The command lines."""
import os
import sys

from zeit.cds.feed import Feed
from zeit.cds.main import run_import


def import_(*arguments):
    """With the six arguments of zeit.cds.main.import_, as buildout's scripts pass them: import, and return the exit status."""
    names = ('store_dir', 'hostname', 'port', 'user', 'password', 'ftp_dir', 'logfile')
    outcome = run_import(Feed(**dict(zip(names, arguments))))
    return 0 if outcome.successful else 1


if __name__ == '__main__':
    host, port, user, password, dest = sys.argv[1:6]
    settings = dict(pair.split('=') for pair in sys.argv[6:])
    outcome = run_import(Feed(store_dir=dest, hostname=host, port=int(port), user=user, password=password,
                              **{key: int(value) for key, value in settings.items()}))
    sys.exit(0 if outcome.successful else 1)
