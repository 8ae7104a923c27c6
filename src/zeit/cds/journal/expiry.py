"""What is old is forgotten."""
import time

from zeit.cds.journal.columns import ENDS


EMPTY = 7 * 86400 * 10**9   # nanoseconds after which a run that had nothing to do is forgotten


def expire(database, before, some, most):
    """Remove what came to its end before a time. Returns how many files, int.

    database -- zeit.cds.journal.embedded.Embedded, or one that does the same
    before -- nanoseconds since 1970
    some -- so many in one transaction
    most -- so many at most; None: all
    """
    removed, now = 0, time.time_ns()
    while most is None or removed < most:
        with database.writing() as writing:
            count = writing.run('expire files', dict(before=before, states=list(ENDS), some=some))
            removed += count
            if count < some:
                writing.run('expire runs', dict(before=before))
                writing.run('expire kept', dict(before=before))
                writing.run('expire tasks', dict(before=before))
                writing.run('expire empty runs', dict(after=now - 2 * EMPTY, before=now - EMPTY))
                break
    return removed
