"""What a run did, for programs: an object of JSON, one a run, on standard output."""
import json
import os

from zeit.cds.feed import address, label


AT_MOST = 1000      # files that are named in each list: a hostile listing may have a million


def of_run(feed, outcome, status, names=()):
    """An object as a dict. `files`: number of files exchanged; `seconds`: how long it took.

    names -- of the files exchanged: list of str
    """
    return {
        'feed': label(feed), 'direction': feed.direction, 'server': address(feed),
        'spool': feed.store_dir, 'status': status, 'files': outcome.files, 'bytes': outcome.bytes,
        'seconds': round(outcome.seconds, 3), 'waiting': outcome.waiting, 'aside': outcome.aside,
        'names': names[:AT_MOST], 'skipped': reasons(outcome.skipped),
        'failed': reasons(outcome.failed), 'unheard': reasons(outcome.unheard),
        'error': of_error(outcome.error),
        'unnamed': sum(max(0, count - AT_MOST) for count in (
            outcome.files, len(outcome.skipped), len(outcome.failed), len(outcome.unheard))),
    }


def of_preview(feed, entries, outcome, status):
    """The same for --dry-run: `files` is the list of the files that a run would take."""
    result = of_run(feed, outcome, status)
    del result['names']
    result['dry_run'] = True
    result['files'] = [dict(name=entry.name, size=entry.size, modified=seconds(entry.modified))
                       for entry in entries]
    result['bytes'] = sum(entry.size or 0 for entry in entries)
    return result


def of_locks(feed, locks, error, status):
    """What cds-lock found: `locks` are LockInfo."""
    return {
        'feed': label(feed), 'server': address(feed), 'status': status, 'error': of_error(error),
        'locks': [dict(name=lock.name, owner=lock.owner, ours=lock.ours,
                       since=seconds(lock.since), age=seconds(lock.age)) for lock in locks],
    }


def reasons(pairs):
    return [dict(name=name, reason=reason) for name, reason in pairs[:AT_MOST]]


def of_error(error):
    """None, or what ended the run: its kind, its text, and what to do about it."""
    if error is None:
        return None
    return dict(type=type(error).__name__, text=str(error),
                advice='\n'.join(getattr(error, '__notes__', ())))


def seconds(nanoseconds):
    return None if nanoseconds is None else nanoseconds / 10**9


def line(data):
    """One line. Bytes of names that are not UTF-8 appear as \\udcXX, as Python's os.fsdecode has
    them."""
    return json.dumps(data) + os.linesep
