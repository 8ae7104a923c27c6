"""A worker's whole surroundings, which do as they are told. A support module."""
import contextlib

from zeit.cds.interfaces import ConnectionLost, Entry, PermanentError, TemporaryError
from zeit.cds.transfer.jobs import Jobs
from zeit.cds.transfer.tests.plain import QUICK
from zeit.cds.transfer.worker import Strategy, Worker


NO, LATER, LOST = PermanentError('550 No.'), TemporaryError('450 Later.'), ConnectionLost('Lost.')


class Pending:

    def __init__(self, error=None):
        self.error = error

    def get(self):
        if self.error is not None:
            raise self.error


class File:

    size, discarded = 0, 0

    def discard(self):
        self.discarded += 1


class Line:
    """A session, and its IPipelined."""

    def __init__(self, place):
        self.place, self.session, self.alive = place, self, True

    def __conform__(self, interface):
        return self

    @contextlib.contextmanager
    def batch(self):
        yield self.place
        if self.place.batch_error is not None:
            self.alive = False
            raise self.place.batch_error


class Place(Strategy):
    """It is the strategy, the sessions and the lock as well; `done` tells what was asked of it."""

    failure, uncertain, finalizations = 'failed: %s', 'uncertain: %s', 2
    offset, size = 0, 5

    def __init__(self):
        self.done, self.opened, self.taken, self.paused = [], [], [], []
        self.errors = {}        # {verb: exceptions, for one call after the other; None: none}
        self.batch_error = None
        self.begins = None      # what `also` gave
        self.over = False       # is it no use to try again?

    def worker(self, *entries, first=True, retries=1, **tuning):
        self.jobs = Jobs([entry if isinstance(entry, Entry) else Entry(entry, 5, 1, 'file')
                          for entry in entries], retries, QUICK._replace(**tuning))
        return Worker(self.jobs, self, self, first)

    def fail(self, verb, *errors):
        self.errors[verb] = list(errors)

    def tell(self, verb, *args):
        self.done.append((verb, *args))
        error = self.errors[verb].pop(0) if self.errors.get(verb) else None
        if isinstance(error, ConnectionLost):
            self.opened[-1].alive = False
        if error is not None:
            raise error

    def told(self, *verbs):
        return [args[1:] for args in self.done if args[0] in verbs]

    # ------------------------------------------------------------ the directory

    @property
    def sessions(self):
        return self

    policy = held = sessions

    def renewed(self):
        self.opened.append(Line(self))
        self.tell('renewed')
        return self.opened[-1]

    def open(self, instead=None):
        self.opened.append(Line(self))
        self.tell('open', instead)
        return self.opened[-1]

    def take(self):
        return self.taken.pop() if self.taken else None

    def give_back(self, session):
        self.tell('give back', session)

    def call(self, verb):
        try:
            return verb()
        except (TemporaryError, ConnectionLost):
            if self.over:
                raise
            return verb()

    @property
    def is_over(self):
        return self.over

    def pause(self, failures):
        self.paused.append(failures)
        return 0.0 if self.over else 0.001

    def wait(self, seconds):
        """In the place of the run, too, which commits meanwhile."""

    def refresh(self, session):
        self.tell('refresh', session)

    def look(self, batch):
        self.tell('look')

    # ------------------------------------------------------------ the strategy

    def create(self, job):
        self.tell('create', job.name)
        return File()

    def prepare(self, line, job, asked):
        self.tell('prepare', job.name, asked)
        return self.offset

    def transfer(self, line, job, offset, also, then):
        self.tell('transfer', job.name, offset)
        job.file.size = self.size
        self.begins = also(self)
        self.tell('transferred', job.name)

    def moved(self, job):
        return job.file.size == 5

    def verify(self, line, job, asked, resumed):
        self.tell('verify', job.name, asked, resumed)

    def ask_before(self, batch, job):
        return 'before %s' % job.name

    def ask_after(self, batch, job):
        return 'after %s' % job.name

    def finalize(self, batch, job):
        errors = self.errors.get('finalize')
        self.done.append(('finalize', job.name))
        return Pending(errors.pop(0) if errors else None)

    def finalized(self, job):
        self.tell('finalized', job.name)

    def refused(self, line, job, error):
        self.tell('refused', job.name, error)
        return self.size == 5

    def dropped(self, session, job):
        self.tell('dropped', session, job.name)
