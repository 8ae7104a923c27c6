"""An application gets a task for each file that arrived: at least once, after any crash.

::

    published ──one transaction──▶ due ──sent──▶ waited for ──the task was done──▶ told
                of the journal      ▲                 │
                                    └─────────────────┘ a pause that grows

A message that was sent counts for nothing: a broker may lose it, a worker may be killed with it.
The key of the file is the same each time; it is an argument, and the id of the task is made of it.
Who looks whether the key was seen before does nothing twice.
"""
import logging
import time
import uuid

import celery.signals
import kombu.exceptions
from sqlalchemy import bindparam, select, update

from zeit.cds.fleet import crew, site
from zeit.cds.fleet.schedule import zope_arguments
from zeit.cds.interfaces import JournalError
from zeit.cds.journal.database import files, outbox


log = logging.getLogger('zeit.cds')

SECOND = 10 ** 9
LONGEST_PAUSE = 3600                        # seconds between two tries
MOST = 500                                  # rows at once
HEADER = 'cds_key'
TASK_IDS = uuid.UUID('6a0b4c1e-52a5-4f6b-9b9e-2f1f4d6f8a57')
CHANGE = update(outbox).where(outbox.c.key == bindparam('of')).values(
    due=bindparam('due'), tries=bindparam('tries'))
COLUMNS = 'feed', 'direction', 'name', 'spool', 'size', 'modified', 'published'


def send(app, database, pause=None):
    """Send the tasks that are due. Returns how many were (int).

    Raises JournalError, and what Celery raises if the broker is away.

    app -- celery.Celery
    database -- Database, or None
    pause -- seconds until a task is sent again for the first time, if nobody did it; by default,
             that of crew.TUNING
    """
    count, pause = 0, crew.TUNING.told if pause is None else pause
    while database is not None and (rows := take(database, pause)):
        sent = 0
        try:
            with app.producer_or_acquire() as producer:
                for row in rows:
                    send_one(app, producer, row)
                    sent += 1
        except (kombu.exceptions.OperationalError, OSError):
            give_back(database, rows[sent:])
            raise
        count += sent
    return count


def take(database, pause):
    """Rows that are due, as dicts; nobody else is given them before a pause is over."""
    now = time.time_ns()
    with database.writing() as connection:
        found = select(outbox.c.key, outbox.c.task, outbox.c.tries).where(
            outbox.c.told.is_(None), outbox.c.due <= now).order_by(outbox.c.due).limit(MOST)
        rows = [dict(row) for row in connection.execute(
            found.with_for_update(skip_locked=True)).mappings()]
        if rows:
            connection.execute(CHANGE, [dict(
                of=row['key'], tries=row['tries'] + 1, due=now + int(SECOND * min(
                    pause * 2 ** min(row['tries'], 20), LONGEST_PAUSE))) for row in rows])
        about = connection.execute(select(files).where(
            files.c.key.in_([row['key'] for row in rows]))).mappings()
        about = {found['key']: dict(found) for found in about}
    return [{**about.get(row['key'], {}), **row} for row in rows]


def give_back(database, rows):
    """They could not be sent: they are due as before."""
    with database.writing() as connection:
        connection.execute(CHANGE, [
            dict(of=row['key'], tries=row['tries'], due=time.time_ns()) for row in rows])


def send_one(app, producer, row):
    arguments = {name: row.get(name) for name in COLUMNS}
    digest = row.get('digest')
    app.send_task(
        row['task'], producer=producer, task_id=str(uuid.uuid5(TASK_IDS, row['key'])),
        headers={HEADER: row['key']},
        kwargs=dict(key=row['key'], digest=digest and digest.hex(), **arguments,
                    **zope_arguments(app)))


def acknowledge(database, key):
    """The task for the file was done. Raises JournalError."""
    with database.writing() as connection:
        connection.execute(update(outbox).where(
            outbox.c.key == key, outbox.c.told.is_(None)).values(told=time.time_ns()))


@celery.signals.task_success.connect
def done(sender, **_):
    """A task was done, by whichever application: one of ours?"""
    key = (sender.request.headers or {}).get(HEADER)
    if key is None:
        return
    try:
        if (database := site.database()) is not None:
            return acknowledge(database, key)
        sender.app.send_task('zeit.cds.told', [key], kwargs=zope_arguments(sender.app))
    except (JournalError, kombu.exceptions.OperationalError, OSError) as e:
        log.warning('That the task %s was done could not be noted, so it is sent again: %s',
                    sender.name, e)
