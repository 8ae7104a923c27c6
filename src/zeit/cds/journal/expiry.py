"""What is old is forgotten."""
from sqlalchemy import delete, select

from zeit.cds.journal.database import ENDS, files, outbox, runs


def expire(database, before, some, most):
    """Remove what came to its end before a time. Returns how many files, int.

    database -- Database
    before -- nanoseconds since 1970
    some -- so many in one transaction
    most -- so many at most; None: all
    """
    removed = 0
    while most is None or removed < most:
        with database.writing() as connection:
            old = select(files.c.id).where(
                files.c.changed < before, files.c.state.in_(ENDS)).limit(some)
            count = connection.execute(delete(files).where(files.c.id.in_(old))).rowcount
            removed += count
            if count < some:
                connection.execute(delete(runs).where(runs.c.begun < before))
                connection.execute(delete(outbox).where(outbox.c.told < before))
                break
    return removed
