"""What an application adds to the workers of the tests: a task for each file, and a lock that tells
who holds it. Both write lines of JSON into the directory CDS_OBSERVED; one line is one write.
"""
import contextlib
import json
import os
import socket
import time

from celery import shared_task

from zeit.cds.fleet import crew, tasks
from zeit.cds.fleet.celery import app
from zeit.cds.lock.lockfile import LockFile


if 'CDS_TUNING' in os.environ:
    crew.TUNING = crew.Tuning(*map(float, os.environ['CDS_TUNING'].split()))


def note(name, *values):
    """Append a line to the file of that name."""
    path = os.path.join(os.environ['CDS_OBSERVED'], name)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, json.dumps(values).encode() + b'\n')
    finally:
        os.close(handle)


def noted(directory, name):
    """The lines of such a file: a list of lists."""
    try:
        with open(os.path.join(directory, name)) as f:
            return [json.loads(line) for line in f]
    except FileNotFoundError:
        return []


class ObservedLock(LockFile):
    """Tells when it is held, by which process of which host."""

    @contextlib.contextmanager
    def hold(self, session, name, feed, *args, **kw):
        with super().hold(session, name, feed, *args, **kw) as held:
            self._note('held', feed)
            try:
                yield held
            finally:
                self._note('free', feed)

    @staticmethod
    def _note(what, feed):
        note('locks', time.monotonic(), what, feed.name, socket.gethostname(), os.getpid())


def observed_claim(name, sent=None, claimed=tasks.claimed):
    """See zeit.cds.fleet.tasks.claimed."""
    claim = claimed(name, sent)
    if claim is not None:
        note('locks', time.monotonic(), 'claimed', name, socket.gethostname(), os.getpid())
        release = claim.release

        def released(outcome):
            note('locks', time.monotonic(), 'released', name, socket.gethostname(), os.getpid())
            return release(outcome)
        claim.release = released
    return claim


if 'CDS_OBSERVED' in os.environ:
    tasks.claimed = observed_claim
    # Lest the feeds wait behind them.
    app.conf.task_routes = [*app.conf.task_routes, {'application.*': 'application'}]


@shared_task(name='application.arrived', acks_late=True)
def arrived(key, feed, name, **_):
    note('arrived', key, feed, name)
