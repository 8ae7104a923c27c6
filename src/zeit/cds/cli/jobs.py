"""Several feeds at once, for the option --jobs: each run in a thread of its own.

::

    main thread ── waits, and prints what was told, in the order of the feeds
      ├── Job ── the run of a feed, its report, its metrics
      └── Job ── ...
    Runs ── by which signals stop them all

At a signal, each finishes the file in hand, as a single one does. One that still waits for a server
to let it in has nothing to clean up, and may not hear of the signal for long: nobody waits for it.
"""
import contextlib
import logging
import threading

from zeit.cds.cli.command import BY_SIGNAL, FAILED
from zeit.cds.events import Outcome
from zeit.cds.feed import label
from zeit.cds.interfaces import Progress
from zeit.cds.logfile import run_of_this_thread


log = logging.getLogger('zeit.cds')

LOOK = 0.05     # seconds between looks at who is still connecting, after a signal


class Runs:
    """Runs that are at work at once: for `Signals`, and for a progress bar, one run."""

    connecting = False      # no exception shall end the main thread's waiting

    def __init__(self):
        self.changed = threading.Event()    # a job is over, or all are to stop
        self.error = None                   # what they are to end with then
        self._aborted = False
        self._all = []

    def add(self, run):
        self._all.append(run)
        if self.error is not None:      # too late to be told with the others
            run.stop(self.error)
        if self._aborted:
            run.abort()

    def stop(self, interruption):
        self.error = interruption
        for run in list(self._all):
            run.stop(interruption)
        self.changed.set()

    def abort(self):
        self._aborted = True
        for run in list(self._all):
            run.abort()

    @property
    def progress(self):
        """Of all together, a Progress: how many bytes, only where every server tells it."""
        each = [run.progress for run in list(self._all)]
        told = [one.bytes for one in each if one.files]
        return Progress(
            sum(one.files_done for one in each), sum(one.files for one in each),
            sum(one.bytes_done for one in each), None if None in told else sum(told) or None)


class Job(threading.Thread):
    """The exchange of one feed."""

    def __init__(self, command, feed, runs):
        """
        command -- zeit.cds.cli.runs.Exchange
        """
        super().__init__(daemon=True, name='zeit.cds-job')
        self.label = label(feed)    # whose lines these are
        self.status = None          # int, once it is over
        self.told = ''              # what goes to standard output
        self._command, self._feed, self._runs = command, feed, runs
        self._run, self._has_run = None, False

    def run(self):
        with run_of_this_thread():
            try:
                status = self._command.exchange(self._feed, self._watch, self._put)
            except Exception:
                log.exception('A defect ended the exchange of this feed:')
                status = FAILED
        self.status = status
        self._runs.changed.set()

    @contextlib.contextmanager
    def _watch(self, run):
        if self.is_over:
            raise self._runs.error      # it was given up
        self._run = run
        self._runs.add(run)
        try:
            yield
        finally:
            self._has_run = True

    def _put(self, text):
        self.told += text

    @property
    def is_over(self):
        return self.status is not None

    @property
    def has_nothing_to_clean_up(self):
        return not self._has_run and (self._run is None or self._run.connecting)

    def give_up(self):
        """Tell how it ended, for it won't: it was stopped, and still waits for its server."""
        teller = threading.Thread(target=self._tell_interruption)
        teller.parent = self        # it logs for this run
        teller.start()
        teller.join()

    def _tell_interruption(self):
        outcome = Outcome() if self._run is None else self._run.outcome
        outcome.error = self._runs.error
        log.warning('%s Exiting, the next run takes the rest.', outcome.error)
        self.status = self._command.tell(self._feed, outcome, [], self._put)


def statuses(command, feeds, at_once):
    """Exchange the feeds, `at_once` (int) of them at a time.

    Returns their statuses, list of int; after a signal, that of an interruption for the others.
    """
    runs = Runs()
    command.handler.name_feeds()
    with contextlib.ExitStack() as stack:
        stack.enter_context(command.signals.watch(runs))
        if command.shows_progress:
            from zeit.cds.cli import progress  # cron has no terminal
            stack.enter_context(progress.shown(runs, command.handler))
        return work(command, [Job(command, feed, runs) for feed in feeds], at_once, runs)


def work(command, jobs, at_once, runs):
    """Have the jobs done; returns their statuses."""
    begun, told = 0, 0
    while True:
        working = [job for job in jobs[told:begun] if not job.is_over]
        while begun < len(jobs) and len(working) < at_once and not command.signals.number:
            jobs[begun].start()
            working.append(jobs[begun])
            begun += 1
        while told < begun and jobs[told].is_over:
            if jobs[told].told:
                command.put(jobs[told].told)
            told += 1
        if told == len(jobs) or (told == begun and command.signals.number):
            return [job.status if n < begun else BY_SIGNAL + command.signals.number
                    for n, job in enumerate(jobs)]
        runs.changed.wait(None if runs.error is None else LOOK)
        runs.changed.clear()
        if runs.error is not None:
            for job in working:
                if not job.is_over and job.has_nothing_to_clean_up:
                    job.give_up()
