"""When feeds are looked at, and by whom: beat's schedule, and the queues of the tasks.

An application with a Celery app of its own takes both over::

    app.conf.task_routes = ['zeit.cds.fleet.schedule.route']
    app.conf.beat_scheduler = 'zeit.cds.fleet.schedule:Scheduler'
"""
import datetime
import time
import zlib

import celery.beat
import celery.schedules

from zeit.cds.fleet import site
from zeit.cds.interfaces import ConfigurationError
from zeit.cds.registry import registered_feed


TASKS = {'import': 'zeit.cds.import_feed', 'export': 'zeit.cds.export_feed'}
TELL = 'zeit.cds.tell'
TELL_EVERY = 5.0        # seconds
DROP_AFTER = 60.0, 600.0        # seconds until a task that nobody took is dropped: least and most
SENT = 'cds_sent'       # header of a task: when beat sent it, seconds since 1970


def beat_schedule(app, feeds=None):
    """A schedule for Celery: {name: entry}.

    feeds -- iterable of IFeed; by default those that are registered
    """
    feeds = list(site.feeds() if feeds is None else feeds)
    schedule = {'zeit.cds: %s' % feed.name: entry(app, feed) for feed in feeds}
    if any(feed.tell for feed in feeds):
        schedule['zeit.cds: tell'] = {
            'task': TELL, 'schedule': every(app, TELL_EVERY), 'kwargs': zope_arguments(app),
            'options': {'expires': TELL_EVERY}}
    return schedule


def entry(app, feed):
    """The entry of a feed in the schedule, a dict."""
    return {
        'task': TASKS[feed.direction], 'schedule': every(app, feed.every),
        'args': (feed.name,), 'kwargs': zope_arguments(app),
        'options': {'expires': drop_after(feed)},
        'last_run_at': app.now() - datetime.timedelta(seconds=feed.every * phase(feed.name)),
    }


def drop_after(feed):
    """Seconds after which a task is dropped. Before that, those that pile up behind a slow run, or
    because there are too few workers, are merged: so each feed has its turn.
    """
    least, most = DROP_AFTER
    return max(feed.every, least, min(10 * feed.every, most))


def every(app, seconds):
    return celery.schedules.schedule(datetime.timedelta(seconds=seconds), app=app)


def phase(name):
    """Which part of its period is over when beat starts, lest all are looked at at once: 0 to 1."""
    return zlib.crc32(name.encode('utf-8', 'surrogateescape')) / 2 ** 32


def route(name, args, kwargs, options, task=None, **_):
    """A router for `task_routes`: the feed's `queue`."""
    if name not in TASKS.values():
        return None
    try:
        feed = registered_feed((args or [None])[0] or (kwargs or {})['name'])
    except (ConfigurationError, KeyError):
        return None         # who sends it need not know the feeds
    return {'queue': feed.queue} if feed.queue else None


def zope_arguments(app):
    """What z3c.celery's tasks want to be told, for which no transaction sends them: a dict."""
    if not hasattr(app.Task, 'run_in_worker'):
        return {}
    return {'_run_asynchronously_': True, '_principal_id_': app.conf.get('cds_principal')}


def computed(arg):
    """An argument of an application's entry, which may be one that is only now known."""
    return arg() if isinstance(arg, celery.beat.BeatLazyFunc) else arg


class Scheduler(celery.beat.Scheduler):
    """Has the feeds beside what the application schedules, and keeps no file: there may be two, on
    two hosts.

    If no feeds are registered, those of the ZCML file are that CDS_ZCML names. It sends by name,
    without the task's own class: z3c.celery's sends when a transaction commits, and beat has none.
    """

    def setup_schedule(self):
        super().setup_schedule()
        if not site.feeds():
            site.load_or_exit()
        self.merge_inplace({**self.app.conf.beat_schedule, **beat_schedule(self.app)})

    def schedules_equal(self, old_schedules, new_schedules):
        """It never changes. To compare thousands of feeds at each tick would take longer than to
        send their tasks.
        """
        return old_schedules is not None

    def apply_async(self, entry, producer=None, advance=True, **kw):
        entry = self.reserve(entry) if advance else entry
        try:
            options = dict(entry.options)
            headers = {**(options.pop('headers', None) or {}), SENT: time.time()}
            kwargs = {name: computed(arg) for name, arg in (entry.kwargs or {}).items()}
            return self.send_task(entry.task, [computed(arg) for arg in entry.args or ()], kwargs,
                                  producer=producer, headers=headers, **options)
        except Exception as e:
            raise celery.beat.SchedulingError('%s could not be sent: %s' % (entry.name, e)) from e
