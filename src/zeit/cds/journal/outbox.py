"""Files for which an application wants a task, noted in the transaction that notes that they were
published: so none is forgotten, whatever dies. Who sends these tasks is zeit.cds.fleet.telling.
"""
import time

from sqlalchemy import insert, select

from zeit.cds.journal.database import files, outbox
from zeit.cds.journal.loading import parts


def add(connection, sections, task):
    """Have a task be sent for each file that these sections published.

    connection -- of a transaction that may write
    sections -- list of lists of events, see `notes`
    task -- its name, str
    """
    published = {event[1] for section in sections for event in section if event[0] == 'published'}
    for keys in parts(published):
        known = set(connection.scalars(select(outbox.c.key).where(outbox.c.key.in_(keys))))
        there = connection.scalars(select(files.c.key).where(files.c.key.in_(keys)))
        rows = [dict(key=key, task=task, added=time.time_ns(), due=0, tries=0)
                for key in there if key not in known]
        if rows:
            connection.execute(insert(outbox), rows)
