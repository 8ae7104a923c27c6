"""What is old is forgotten."""
import time

from sqlalchemy import delete, select

from zeit.cds.journal.database import ENDS, files, outbox, runs


EMPTY = 7 * 86400 * 10**9   # nanoseconds after which a run that had nothing to do is forgotten


def expire(database, before, some, most):
    """Remove what came to its end before a time. Returns how many files, int.

    database -- Database
    before -- nanoseconds since 1970
    some -- so many in one transaction
    most -- so many at most; None: all
    """
    removed, now = 0, time.time_ns()
    while most is None or removed < most:
        with database.writing() as connection:
            old = select(files.c.id).where(
                files.c.changed < before, files.c.state.in_(ENDS)).limit(some)
            count = connection.execute(delete(files).where(files.c.id.in_(old))).rowcount
            removed += count
            if count < some:
                connection.execute(delete(runs).where(runs.c.begun < before))
                connection.execute(delete(outbox).where(outbox.c.told < before))
                connection.execute(delete(runs).where(
                    runs.c.begun > now - 2 * EMPTY, runs.c.begun < now - EMPTY,
                    runs.c.files == 0, runs.c.failed == 0, runs.c.error.is_(None)))
                break
    return removed
