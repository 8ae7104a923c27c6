"""Whether a journal can be where its URL says. No database is loaded for that."""
import importlib.util

from zeit.cds.interfaces import ConfigurationError


WANTED = ('A journal is kept in SQLite or PostgreSQL: sqlite:////DIRECTORY/FILE, or '
          'postgresql://USER@HOST/DATABASE.')
NEEDED = {
    'sqlite': {'sqlalchemy': 'journal'},
    'postgresql': {'sqlalchemy': 'postgresql', 'psycopg': 'postgresql'},
}


def checked(url):
    """The URL; of a path, that of SQLite. Raises ConfigurationError."""
    scheme, is_url, _ = url.partition('://')
    kind = scheme.partition('+')[0] if is_url else 'sqlite'
    if not url or kind not in NEEDED:
        raise ConfigurationError(WANTED)
    for module, extra in NEEDED[kind].items():
        if importlib.util.find_spec(module) is None:
            raise ConfigurationError('The journal needs %s: pip install "zeit.cds[%s]"' % (
                module, extra))
    return url
