"""Metrics of the last run, for the text file collector of the Prometheus node exporter."""
import os
import time

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from zeit.cds.cli.report import label


LABELS = ('feed', 'direction')
LAST_SUCCESS = 'cds_last_success_timestamp_seconds'
GAUGES = {
    'cds_last_run_timestamp_seconds': 'When the last run ended, seconds since 1970.',
    LAST_SUCCESS: 'When the last run ended that succeeded, seconds since 1970.',
    'cds_last_run_status': 'Exit status of the last run.',
    'cds_last_run_seconds': 'How long the last run took.',
    'cds_last_run_files': 'Files that the last run exchanged.',
    'cds_last_run_bytes': 'Bytes that the last run exchanged.',
    'cds_last_run_failures': 'Files that the last run did not exchange since something is wrong with them.',
    'cds_waiting_files': 'Files that the last run left for a later one.',
    'cds_lock_age_seconds': "Age of the lock that kept the last run out, by the server's clock; 0 if none did.",
}


def write(path, results):
    """Write the file at once (by a rename). The success of an earlier run is kept from the file that is there.

    results -- iterable of (feed, outcome, status, lock_age), the last in seconds
    Raises OSError.
    """
    registry = CollectorRegistry()
    gauges = {name: Gauge(name, text, LABELS, registry=registry) for name, text in GAUGES.items()}
    before = last_successes(path)
    for feed, outcome, status, lock_age in results:
        labels = label(feed), feed.direction
        for name, value in values(outcome, status, lock_age).items():
            if value is not None:
                gauges[name].labels(*labels).set(value)
        success = time.time() if status == 0 else before.get(labels)
        if success is not None:
            gauges[LAST_SUCCESS].labels(*labels).set(success)
    write_to_textfile(os.fspath(path), registry)


def values(outcome, status, lock_age):
    return {
        'cds_last_run_timestamp_seconds': time.time(),
        'cds_last_run_status': status,
        'cds_last_run_seconds': outcome.seconds,
        'cds_last_run_files': outcome.files,
        'cds_last_run_bytes': outcome.bytes,
        'cds_last_run_failures': len(outcome.failed),
        'cds_waiting_files': outcome.waiting,
        'cds_lock_age_seconds': lock_age,
    }


def last_successes(path):
    """{(feed, direction): seconds since 1970} from an earlier file; what is no such file tells nothing."""
    try:
        with open(path, encoding='utf-8') as f:
            families = list(text_string_to_metric_families(f.read()))
    except (OSError, ValueError):
        return {}
    return {tuple(sample.labels.get(name) for name in LABELS): sample.value
            for family in families for sample in family.samples if sample.name == LAST_SUCCESS}
