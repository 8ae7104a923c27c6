"""Metrics of the last runs, for the text file collector of the Prometheus node exporter.

Several commands may share one file: each run writes the series of its own feed, and keeps those
of the others.
"""
import contextlib
import errno
import fcntl
import os
import stat

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from zeit.cds.feed import label
from zeit.cds.text import printable


LABELS = ('feed', 'direction')
LAST_RUN = 'cds_last_run_timestamp_seconds'
LAST_SUCCESS = 'cds_last_success_timestamp_seconds'
LAST_FILE = 'cds_last_file_timestamp_seconds'
SILENCE = {         # of feeds with `expect_within`
    'cds_silence_seconds': 'For how long no file has come while one was expected.',
    'cds_silence_allowed_seconds': 'For how long that may be; not there if none is expected at '
                                   'this hour.',
    'cds_silent': '1 if it is longer than it may be, else 0.',
}
GAUGES = {
    **SILENCE,
    LAST_FILE: 'When the last run ended that exchanged a file, seconds since 1970; 0 if none did.',
    LAST_RUN: 'When the last run ended, seconds since 1970.',
    LAST_SUCCESS: 'When the last run ended that succeeded, seconds since 1970; 0 if none did.',
    'cds_last_run_status': 'Exit status of the last run.',
    'cds_last_run_seconds': 'How long the last run took.',
    'cds_last_run_files': 'Files that the last run exchanged.',
    'cds_last_run_bytes': 'Bytes that the last run exchanged.',
    'cds_last_run_failures': 'Files that the last run did not exchange since something is wrong '
                             'with them.',
    'cds_waiting_files': 'Files that the last run left for a later one.',
    'cds_aside_files': 'Files that are given up: not tried again before cds-log --retry.',
    'cds_lock_age_seconds': "Age of the lock that kept the last run out, by the server's clock; "
                            '0 if none did.',
    'cds_unread_files': "Files in the spool's new when the last run ended: those that nobody has "
                        'read yet, or that an export has not sent.',
    'cds_unread_oldest_age_seconds': 'For how long the oldest of these had been there; '
                                     '0 if there was none.',
}
COUNTERS = {
    'cds_files_total': 'Files that all runs exchanged.',
    'cds_bytes_total': 'Bytes that all runs exchanged.',
}
NAMES = {*GAUGES, *COUNTERS}


def write(path, feed, outcome, status, lock_age, ended):
    """Put the run of a feed into the file, at once (by a rename).

    If a later run is in it, this one is added to the counters, and changes nothing else.

    lock_age -- seconds
    ended -- when the run ended, seconds since 1970
    Raises OSError, also for what is no file (a rename would put one in the place of /dev/null).
    """
    path = os.path.abspath(path)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(errno.EINVAL, 'That is no file', path)
    with locked(os.path.dirname(path)):
        series = read(path)
        mine = printable(label(feed)), feed.direction
        before = series.get(mine, {})
        last = max(before.get(LAST_FILE, 0), ended if outcome.files else 0)
        series[mine] = {
            **(before if before.get(LAST_RUN, 0) > ended else {
                **values(outcome, status, lock_age, ended),
                **unread(feed, ended),
                **silence(feed, last, ended),
                LAST_SUCCESS: ended if status == 0 else before.get(LAST_SUCCESS, 0)}),
            LAST_FILE: last,
            'cds_files_total': before.get('cds_files_total', 0) + outcome.files,
            'cds_bytes_total': before.get('cds_bytes_total', 0) + outcome.bytes,
        }
        write_to_textfile(path, registry(series))


def values(outcome, status, lock_age, ended):
    return {
        LAST_RUN: ended,
        'cds_last_run_status': status,
        'cds_last_run_seconds': outcome.seconds,
        'cds_last_run_files': outcome.files,
        'cds_last_run_bytes': outcome.bytes,
        'cds_last_run_failures': len(outcome.failed),
        'cds_waiting_files': outcome.waiting,
        'cds_aside_files': outcome.aside,
        'cds_lock_age_seconds': lock_age,
    }


def silence(feed, last, now):
    """How a feed is by its `expect_within`: nothing for one without, or which never had a file.

    last, now -- seconds since 1970; 0: none came yet
    """
    if not feed.expect_within or not last:
        return {}
    from zeit.cds.journal.expectation import Expectation
    return silence_of(Expectation(feed.expect_within).silence(last, now))


def silence_of(found):
    """found -- seconds of silence, and those that are allowed, or None"""
    seconds, allowed = found
    return {'cds_silence_seconds': seconds, 'cds_silence_allowed_seconds': allowed,
            'cds_silent': float(allowed is not None and seconds > allowed)}


def unread(feed, now):
    """What waits in `new`; nothing for a spool that is no directory with a `new` in it.

    A file is there since its last change of status: its time of modification is that of the
    server's, and a rename (ours, and that of whoever fills `new` for an export) changes the other.
    """
    since = []
    try:
        with os.scandir(os.path.join(feed.store_dir, 'new')) as found:
            for entry in found:
                with contextlib.suppress(FileNotFoundError):    # it is being read just now
                    if entry.is_file(follow_symlinks=False) and not entry.name.startswith('.'):
                        since.append(entry.stat(follow_symlinks=False).st_ctime)
    except OSError:
        return {}
    return {'cds_unread_files': len(since),
            'cds_unread_oldest_age_seconds': max(0, now - min(since, default=now))}


class Series:
    """A collector of {(feed, direction): {name of the metric: value, or None}}."""

    def __init__(self, series):
        self.series = series

    def collect(self):
        for metrics, family in (GAUGES, GaugeMetricFamily), (COUNTERS, CounterMetricFamily):
            for name, text in metrics.items():
                result = family(name, text, labels=LABELS)
                for labels, its in self.series.items():
                    if its.get(name) is not None:
                        result.add_metric(labels, its[name])
                yield result


def registry(series):
    """A CollectorRegistry of series, see `Series`."""
    result = CollectorRegistry()
    result.register(Series(series))
    return result


def read(path):
    """The series in an earlier file, as `Series` takes them; what is no such file has none."""
    series = {}
    try:
        with open(path, encoding='utf-8') as f:
            families = list(text_string_to_metric_families(f.read()))
    except (OSError, ValueError):
        return series
    for sample in (sample for family in families for sample in family.samples):
        if sample.name in NAMES and sample.labels.keys() == set(LABELS):
            labels = tuple(sample.labels[name] for name in LABELS)
            series.setdefault(labels, {})[sample.name] = sample.value
    return series


@contextlib.contextmanager
def locked(directory):
    """In the block, no other command of ours works on a file of the directory."""
    fd = os.open(directory, os.O_RDONLY)    # the collector need not see one more file there
    try:
        with contextlib.suppress(OSError):      # some file systems have no locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
