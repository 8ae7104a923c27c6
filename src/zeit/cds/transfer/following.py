"""The jobs that a worker has taken already while it transfers another one."""
import collections

from zeit.cds.interfaces import Entry


class Following:
    """See above: in their order, and what a session is told of them.

    It is the `then` of IPipelined.read, too, an iterator: a session that can begin several files
    before their turn draws from it, and what it has drawn is a job of this worker.
    """

    def __init__(self, jobs, strategy):
        """
        jobs -- Jobs
        strategy -- Strategy
        """
        self._jobs, self._strategy = jobs, strategy
        self._taken = collections.deque()   # pairs of a job and the IPending of `ask_before`
        self._told = 0              # so many of these the session knows of
        self._batch = None          # IBatch, for questions about further ones
        self._asked = None, None    # the pair of the job that was handed out last

    def take(self):
        """The first Job; None if there is none."""
        if not self._taken:
            return None
        self._told = max(0, self._told - 1)
        self._asked = self._taken.popleft()
        return self._asked[0]

    def asked(self, job):
        """The IPending that tells of the job that was taken last, or None."""
        return self._asked[1] if self._asked[0] is job else None

    def forget(self):
        """There is another session: it knows of none of them, and was asked nothing."""
        self._asked, self._told = (None, None), 0
        self._taken = collections.deque((job, None) for job, _ in self._taken)

    def put_back(self):
        """The worker ends."""
        for job, _ in self._taken:
            self._jobs.put_back(job)
        self._taken.clear()

    # ------------------------------------------------------------ what a session is told

    def first(self, batch):
        """What `also` returns: see IPipelined."""
        self._batch = batch
        if not self._taken and not self._take_one():
            return None
        self._told = max(self._told, 1)
        return hint(self._taken[0][0])

    def __iter__(self):
        return self

    def __next__(self):
        if self._told >= len(self._taken) and not self._take_one():
            raise StopIteration
        job = self._taken[self._told][0]
        self._told += 1
        return hint(job)

    def _take_one(self):
        job = self._jobs.take(wait=False)
        if job is None:
            return False
        self._taken.append((job, self._strategy.ask_before(self._batch, job)))
        return True


def hint(job):
    """The Entry of a job, as a session is told of it."""
    entry = job.entry
    plain = entry.kind == 'file' and entry.size and job.before is None
    return entry if plain else Entry(entry.name)
