"""Metrics of the last runs, for the text file collector of the Prometheus node exporter.

Several commands may share one file: each run writes the series of its own feed, and keeps those
of the others.
"""
import contextlib
import fcntl
import os

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from zeit.cds.feed import label


LABELS = ('feed', 'direction')
LAST_RUN = 'cds_last_run_timestamp_seconds'
LAST_SUCCESS = 'cds_last_success_timestamp_seconds'
GAUGES = {
    LAST_RUN: 'When the last run ended, seconds since 1970.',
    LAST_SUCCESS: 'When the last run ended that succeeded, seconds since 1970; 0 if none did.',
    'cds_last_run_status': 'Exit status of the last run.',
    'cds_last_run_seconds': 'How long the last run took.',
    'cds_last_run_files': 'Files that the last run exchanged.',
    'cds_last_run_bytes': 'Bytes that the last run exchanged.',
    'cds_last_run_failures': 'Files that the last run did not exchange since something is wrong '
                             'with them.',
    'cds_waiting_files': 'Files that the last run left for a later one.',
    'cds_lock_age_seconds': "Age of the lock that kept the last run out, by the server's clock; "
                            '0 if none did.',
}


def write(path, feed, outcome, status, lock_age, ended):
    """Put the run of a feed into the file, at once (by a rename), unless a later run is in it.

    lock_age -- seconds
    ended -- when the run ended, seconds since 1970
    Raises OSError.
    """
    path = os.path.abspath(path)
    with locked(os.path.dirname(path)):
        series = read(path)
        mine = label(feed), feed.direction
        before = series.get(mine, {})
        if before.get(LAST_RUN, 0) > ended:
            return
        series[mine] = {
            **values(outcome, status, lock_age, ended),
            LAST_SUCCESS: ended if status == 0 else before.get(LAST_SUCCESS, 0)}
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
        'cds_lock_age_seconds': lock_age,
    }


def registry(series):
    """A CollectorRegistry of {(feed, direction): {name of the metric: value, or None}}."""
    result = CollectorRegistry()
    gauges = {name: Gauge(name, text, LABELS, registry=result) for name, text in GAUGES.items()}
    for labels, its in series.items():
        for name, value in its.items():
            if value is not None:
                gauges[name].labels(*labels).set(value)
    return result


def read(path):
    """The series in an earlier file, as `registry` takes them; what is no such file has none."""
    series = {}
    try:
        with open(path, encoding='utf-8') as f:
            families = list(text_string_to_metric_families(f.read()))
    except (OSError, ValueError):
        return series
    for sample in (sample for family in families for sample in family.samples):
        if sample.name in GAUGES and sample.labels.keys() == set(LABELS):
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
