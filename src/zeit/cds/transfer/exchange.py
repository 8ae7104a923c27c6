"""The exchange of some files by workers, one in each session.

The run itself makes durable what they transferred, and settles what is at its end.
"""
from zeit.cds.interfaces import FileRefused, IBatches
from zeit.cds.transfer.jobs import Dropped, Jobs
from zeit.cds.transfer.sessions import further_sessions
from zeit.cds.transfer.worker import Worker


MOST = 64       # files that are published at once, see IBatches


class Exchange:
    """One way to the end for some files: `run`."""

    def __init__(self, entries, strategy, directory, spool, record, stop, tuning):
        """
        entries -- list of Entry in the order of publication
        strategy -- function of a Jobs that gives what the workers do: a Download, or an Upload
        directory -- Directory, whose lock is held
        spool -- ISpool, or IOutbox
        record -- IRecord
        stop -- Stop
        tuning -- Tuning
        """
        self.jobs = Jobs(entries, directory.feed.retries, tuning)
        self._directory, self._spool, self._record, self._stop = directory, spool, record, stop
        self._tick, self._keeps = tuning.tick, directory.feed.afterwards == 'keep'
        self._committing = False
        self._batches = Batches(spool, self.jobs) if IBatches.providedBy(spool) else None
        number = further_sessions(directory, len(entries),
                                  sum(entry.size or 0 for entry in entries), tuning)
        strategy = strategy(self.jobs)
        directory.sessions.expect(number)
        self._workers = [Worker(self.jobs, strategy, directory, first=n == 0)
                         for n in range(1 + number)]

    @property
    def moved(self):
        """Bytes of files transferred so far, int. Any thread may ask."""
        return sum(worker.moved for worker in self._workers)

    def run(self, settle):
        """Returns when all files are at their end; else raises what ends the run.

        settle -- is called with each job that is at its end, in the order of publication
        """
        tasks, jobs = self._directory.tasks, self.jobs
        for worker in self._workers:
            tasks.spawn(worker.run)
        try:
            while jobs.unfinished or self._committing:
                self._turn(tasks, jobs)
                for job in self._settled(tasks):
                    settle(job)
        except BaseException as e:
            self._break_off(e)
            raise

    def _turn(self, tasks, jobs):
        deadline, stop = self._directory.deadline, self._stop
        tasks.turn(min(self._tick, deadline.left, jobs.seconds_to_commit))
        if stop.error is not None:
            jobs.stop(stop.error)
        if stop.aborted:
            raise stop.error
        deadline.check()
        if not self._committing and jobs.seconds_to_commit <= 0:
            self._committing = True
            tasks.spawn(self._commit)

    def _settled(self, tasks):
        if self._batches is None:
            return self.jobs.settled()
        self._batches.begin(tasks)
        return self.jobs.settled(self._batches.is_done)

    def _break_off(self, error):
        self.jobs.abandon(error)
        self._stop.event.set()
        self._directory.sessions.abort()
        self._directory.tasks.end()
        discard(self.jobs.to_commit())

    def _commit(self):
        jobs = self.jobs.to_commit()
        try:
            while jobs and (refused := self._refused(jobs)) is not None:
                jobs.remove(refused)
            self._record.whole([job.file for job in jobs],
                               [job.entry for job in jobs] if self._keeps else ())
        except BaseException:
            discard(jobs)
            raise
        finally:
            self._committing = False
        self.jobs.durable(jobs)

    def _refused(self, jobs):
        """Commit; None if all are durable, else one of them, which was refused and is dropped: the
        others have to be committed once more."""
        try:
            self._spool.commit([job.file for job in jobs])
        except FileRefused as e:
            job = next((job for job in jobs if job.file is e.incoming), None)
            if job is None:
                raise
            job.file.discard()
            self.jobs.drop(job, Dropped(str(e), True))
            return job
        return None


class Batches:
    """Lets a spool publish several files at once: those that are at their end while earlier ones
    are published. See IBatches."""

    def __init__(self, spool, jobs):
        self._spool, self._jobs = spool, jobs
        self._done = set()      # names of files that are about to be settled
        self._busy = False

    def begin(self, tasks):
        if not self._busy and (names := self._jobs.finalized_first(MOST, self._done)):
            self._busy = True
            tasks.spawn(lambda: self._run(names))

    def _run(self, names):
        try:
            self._spool.batch(names)
            self._done.update(names)
        finally:
            self._busy = False

    def is_done(self, job):
        """Is it to be settled now, once it is the first in order? bool"""
        if job.dropped is None and job.name not in self._done:
            return False
        self._done.discard(job.name)
        return True


def discard(jobs):
    for job in jobs:
        job.file.discard()
