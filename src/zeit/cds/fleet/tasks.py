"""Tasks for any Celery application: have it import this module."""
import logging

import kombu.exceptions
from celery import shared_task

from zeit.cds import main
from zeit.cds.fleet import site, telling
from zeit.cds.fleet.crew import Crew, NoClaim, TUNING
from zeit.cds.fleet.schedule import drop_after, SENT
from zeit.cds.interfaces import JournalError, Locked
from zeit.cds.registry import registered_feed
from zeit.cds.text import printable


log = logging.getLogger('zeit.cds')

# A worker that dies has not acknowledged: somebody else gets its task.
CERTAIN = dict(acks_late=True, reject_on_worker_lost=True, ignore_result=True)
RUNS = {'import': main.run_import, 'export': main.run_export}


@shared_task(name='zeit.cds.import_feed', bind=True, **CERTAIN)
def import_feed(self, name):
    """Import by the settings of the registered feed of this name. Returns what `exchange` does."""
    return exchange(self, name, 'import')


@shared_task(name='zeit.cds.export_feed', bind=True, **CERTAIN)
def export_feed(self, name):
    """Export by the settings of the registered feed of this name. Returns what `exchange` does."""
    return exchange(self, name, 'export')


@shared_task(name='zeit.cds.tell', bind=True, ignore_result=True)
def tell(self):
    """Send the tasks that applications want for files. Returns how many were sent (int)."""
    return telling.send(self.app, site.database())


@shared_task(name='zeit.cds.told', ignore_result=True, acks_late=True)
def told(key):
    """The task for the file with this key was done: who works without zeit.cds says so by this."""
    telling.acknowledge(site.database(), key)


def exchange(task, name, direction):
    """One run of a feed, unless one goes on anywhere. Returns a dict, or None.

    It has `files`, `bytes`, `failed` (numbers), `waiting` (number, or None) and `error` (str, or
    None). None: somebody else works on the feed, and will have it looked at once more. Raises
    ConfigurationError.
    """
    feed = registered_feed(name, direction)
    site.prepare()
    headers = task.request.headers or {}
    claim = claimed(name, headers.get(SENT))
    if claim is None:
        if (task.request.delivery_info or {}).get('redelivered'):
            # Whoever had it before may have died in a run of this feed, and that is not known yet.
            send_quietly(task, name, countdown=TUNING.dead, expires=TUNING.dead + drop_after(feed),
                         headers={SENT: headers[SENT]} if SENT in headers else {})
        return None
    log.info('Feed: %s', printable(name))   # a worker's log has those of many
    outcome = None
    try:
        outcome = RUNS[direction](feed, watch=claim.watch)
    finally:
        again = claim.release(outcome)
    if outcome.files and feed.tell:
        send_quietly(tell)
    if again:
        send_quietly(task, name, expires=drop_after(feed))
    return result(outcome)


def claimed(name, sent=None):
    """The Claim of a feed; None if it is not to be looked at now.

    sent -- when that was asked for: seconds since 1970; None: it is to be now
    """
    database = site.database()
    if database is None:
        return NoClaim()
    try:
        claim = Crew(database).claim(name, sent)
    except JournalError as e:
        log.error('The feed %s is not looked at, for whether another worker does cannot be told: '
                  '%s', printable(name), e)
        return None
    if claim is None:
        log.debug('Another run of the feed %s goes on, or has been meanwhile.', printable(name))
    return claim


def send_quietly(task, *args, **options):
    """Send a task. If it can't be done, beat's next one does as well."""
    try:
        task.apply_async(args, retry=False, **options)
    except (kombu.exceptions.OperationalError, OSError) as e:
        log.debug('%s is not sent: %s', task.name, e)


def result(outcome):
    error = outcome.error
    return {'files': outcome.files, 'bytes': outcome.bytes, 'failed': len(outcome.failed),
            'waiting': outcome.waiting,
            'error': None if error is None else '%s%s' % (
                '' if isinstance(error, Locked) else type(error).__name__ + ': ', error)}
