"""The objects of a spool: requests to its store, many of them at once, and what an error means."""
import contextlib
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from zeit.cds.interfaces import ConfigurationError, SpoolError
from zeit.cds.net.scheduler import in_thread
from zeit.cds.spool.objectstore.location import located, opened
from zeit.cds.text import printable


IDENTITY = 'cdsid'          # metadata; Azure wants identifiers of C#
CONDITIONS = 'tmp/.conditions/'
CHECKED = 'conditions'      # identity of the objects there
PAGE = 1000                 # objects in an answer to LIST, mostly
RANGE = 32 * 2**20          # bytes in one request, whose time is limited as a whole
CREDENTIALS = (
    'The store does not accept the credentials, or they do not allow it. They are looked for in '
    'the environment (AWS_*, AZURE_*, GOOGLE_APPLICATION_CREDENTIALS), in a profile of AWS, and in '
    "the feed's sink.account and sink.secret; they need the rights to list the bucket, and to "
    'read, write and delete objects in it.')
HINTS = {'PermissionDeniedError': CREDENTIALS, 'UnauthenticatedError': CREDENTIALS,
         'FileNotFoundError': 'Is there such a bucket? Make it first.'}
# Whom obstore asks at last, when it has found no credentials elsewhere
NO_CREDENTIALS = '/latest/api/token', 'token request', '/metadata/identity'
OTHERWISE = 'Is the store reachable, and all well with it? What has not arrived yet stays where ' \
            'it is; the next run tries again.'
NOT_HONOURED = (
    'The spool %s cannot be used: its store does not honour conditional writes (%s), without which '
    'an unread file could be overwritten. Use a store, or a newer version, that does; of one that '
    'has its own header for a conditional copy, set AWS_COPY_IF_NOT_EXISTS as obstore describes.')


class Found(NamedTuple):
    """An object, as HEAD tells of it."""

    size: int
    modified: int           # when it was written, nanoseconds since 1970
    e_tag: str
    metadata: dict

    @property
    def identity(self):
        return self.metadata.get(IDENTITY)

    @property
    def state(self):
        """What tells it from a newer one of its key: a list that JSON keeps."""
        return [self.e_tag, self.modified]

    @classmethod
    def of(cls, result):
        """The Found of obstore's GetResult."""
        meta = result.meta
        return cls(meta['size'], _nanoseconds(meta['last_modified']), _e_tag(meta),
                   {name.lower(): value for name, value in result.attributes.items()})


class Objects:
    """The objects whose keys begin with the spool's prefix. A context manager.

    Its verbs raise SpoolError, and do not know of tasks but where they say so.
    """

    def __init__(self, url, own, seconds, retries):
        """
        own -- ISettings
        seconds -- float: limit of a request
        retries -- int: further tries of what can pass by itself
        """
        self.location = located(url)
        self.url, self.own = self.location.url, own
        self._store, self._once = opened(self.location, own, seconds, retries)
        self._threads, self._lock = None, threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Wait for all that is underway; may be called twice."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(cancel_futures=True)

    # ------------------------------------------------------------ many at once

    def begin(self, function, *args):
        """Have a function called in another thread. Returns its Future."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.own.requests, 'zeit.cds-store')
        return self._threads.submit(function, *args)

    def each(self, function, values):
        """What a function gives for each of the values, in their order: a list.

        In a task of a Scheduler, others go on meanwhile.
        """
        futures = [self.begin(function, value) for value in values]
        return in_thread(lambda: [future.result() for future in futures], join=True)

    # ------------------------------------------------------------ requests

    def error(self, error, doing):
        """The SpoolError of what obstore raised."""
        result = SpoolError('Spool %s: %s: %s' % (
            self.url, doing, printable(_first_line(error))))
        kind = type(error).__name__
        if any(word in str(error) for word in NO_CREDENTIALS):
            kind = 'UnauthenticatedError'
        result.add_note(HINTS.get(kind, OTHERWISE))
        return result

    @contextlib.contextmanager
    def _errors(self, verb, key):
        exceptions = _library().exceptions
        try:
            yield
        except (exceptions.BaseError, FileNotFoundError, OSError, ValueError) as e:
            raise self.error(e, '%s %s' % (verb, printable(key))) from e

    def put(self, key, data, metadata):
        """Make an object, durably. Raises FileExistsError if there is one that isn't this one.

        metadata -- dict of str
        """
        try:
            self._create(key, data, metadata)
        except FileExistsError:
            # Obstore tries again, also what was done, but got no answer.
            identity = metadata.get(IDENTITY)
            if identity is None or self._identity(key) != identity:
                raise

    def _create(self, key, data, metadata):
        library = _library()
        with self._errors('PUT', key):
            try:
                library.put(self._store, key, data, mode='create', attributes=metadata,
                            use_multipart=False)
                return
            except library.exceptions.AlreadyExistsError:
                pass
        raise FileExistsError(key)

    def stream(self, key, pieces, metadata, size):
        """Make an object of an iterable of pieces; if that raises, there will be none.

        size -- int: bytes of a part
        """
        with self._errors('PUT', key):
            _library().put(self._store, key, pieces, attributes=metadata, use_multipart=True,
                           chunk_size=size, max_concurrency=2)

    def copy(self, source, target, identity):
        """Copy an object. Raises FileExistsError if there is another one at the target.

        identity -- of the object, str; None: it has none
        A target with that identity is the very copy.
        """
        library = _library()
        with self._errors('COPY', source):
            try:
                return library.copy(self._once, source, target, overwrite=False)
            except library.exceptions.AlreadyExistsError:
                pass
            except library.exceptions.GenericError:
                # Nobody knows whether it was done.
                if identity is None or self._identity(target) != identity:
                    raise
                return None
        if identity is None or self._identity(target) != identity:
            raise FileExistsError(target)

    def _identity(self, key):
        found = self.head(key)
        return found and found.identity

    def head(self, key):
        """A Found; None if there is no object of that key."""
        with self._errors('HEAD', key):
            try:
                return Found.of(_library().get(self._store, key, options={'head': True}))
            except FileNotFoundError:
                return None

    def read(self, key, most):
        """(a Found, its contents, bytes); instead of these None if they are more bytes than `most`,
        and None twice if there is no such object."""
        with self._errors('GET', key):
            try:
                result = _library().get(self._store, key)
            except FileNotFoundError:
                return None, None
            found = Found.of(result)
            return found, bytes(result.bytes()) if found.size <= most else None

    def list(self, prefix):
        """Iterate over (key, size, when it was written, e_tag) of the objects below a prefix."""
        with self._errors('LIST', prefix):
            for chunk in _library().list(self._store, prefix, chunk_size=PAGE):
                for meta in chunk:
                    yield (meta['path'], meta['size'], _nanoseconds(meta['last_modified']),
                           _e_tag(meta))

    def pieces(self, key, size, found=None):
        """Iterate over an object's contents, by about so many bytes.

        found -- Found: raises SpoolError if it is not that one any more; None: the present one
        """
        with self._errors('GET', key):
            found = found or Found.of(_library().get(self._store, key, options={'head': True}))
            for start in range(0, found.size, RANGE):
                options = {'if_match': '"%s"' % found.e_tag,
                           'range': (start, min(start + RANGE, found.size))}
                result = _library().get(self._store, key, options=options)
                if _e_tag(result.meta) != found.e_tag:      # some stores heed no condition here
                    raise SpoolError('%s was replaced while it was read' % printable(key))
                for piece in result.stream(min_chunk_size=size):
                    yield memoryview(piece)

    def delete(self, keys):
        """Remove objects; those which are not there are no error."""
        keys = list(keys)
        if not keys:
            return
        with self._errors('DELETE', keys[0]):
            try:
                _library().delete(self._store, keys)
            except FileNotFoundError:
                for key in keys:        # it stopped at the first that was not there
                    with contextlib.suppress(FileNotFoundError):
                        _library().delete(self._store, key)

    # ------------------------------------------------------------ conditional writes

    def check(self):
        """Does the store honour conditional writes? Raises ConfigurationError, SpoolError."""
        checks = {'PUT': self._refuses_put, 'COPY': self._refuses_copy,
                  'metadata that a COPY keeps': self._keeps_metadata}
        for _ in range(3):      # the first time there is nothing to copy, and nothing in the way
            answers = self.each(lambda check: check(), checks.values())
            if all(answers):
                return
        raise ConfigurationError(NOT_HONOURED % (self.url, ', '.join(
            name for name, answer in zip(checks, answers) if not answer)))

    def _refuses_put(self):
        """Once there is that object, another one has to be refused. bool"""
        try:
            self._create(CONDITIONS + 'put', b'', {IDENTITY: CHECKED})
        except FileExistsError:
            return True
        return False

    def _refuses_copy(self):
        try:
            self.copy(CONDITIONS + 'put', CONDITIONS + 'copy', None)
        except FileExistsError:
            return True
        except SpoolError as e:
            if isinstance(e.__cause__, FileNotFoundError) or _cannot(e.__cause__):
                return False
            raise
        return False

    def _keeps_metadata(self):
        return self._identity(CONDITIONS + 'copy') == CHECKED


@functools.cache
def _library():
    import obstore
    import obstore.exceptions
    return obstore


def _cannot(error):
    """Does an error say that the store has no such request? bool"""
    return type(error).__name__ == 'NotSupportedError' or any(
        status in str(error) for status in ('501 Not Implemented', '405 Method Not Allowed'))


def _first_line(error):
    text = str(error).partition('\n')[0]
    return text if len(text) < 500 else text[:500] + '...'


def _nanoseconds(when):
    return int(when.timestamp()) * 10**9 + when.microsecond * 1000


def _e_tag(meta):
    return (meta['e_tag'] or '').strip('"')
