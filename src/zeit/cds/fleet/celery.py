"""The Celery application for sites that have none::

    celery -A zeit.cds.fleet worker
    celery -A zeit.cds.fleet beat

In the environment: CDS_ZCML is the file with the feeds, CDS_JOURNAL the URL of the journal, and
CELERY_BROKER_URL that of the broker.
"""
import celery
import celery.signals

from zeit.cds.fleet import site
from zeit.cds.fleet.schedule import route


# A run that takes longer is handed to a second worker, who finds it claimed. Redis only.
VISIBLE_AFTER = 300.0   # seconds

app = celery.Celery('zeit.cds.fleet')
app.conf.update(
    imports=['zeit.cds.fleet.tasks'],
    task_routes=[route],
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={'visibility_timeout': VISIBLE_AFTER},
    beat_scheduler='zeit.cds.fleet.schedule:Scheduler',
    # Between its ticks beat sleeps for so long at most. Else a feed waits for others' pauses.
    beat_max_loop_interval=1.0,
)


@celery.signals.worker_init.connect
def load_for_worker(sender, **_):
    if sender.app is app:
        site.load_or_exit()
