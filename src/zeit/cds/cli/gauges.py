"""Metrics of the watch, for a Prometheus that asks: the series that cds-import writes with
--metrics, and the watch's own.

A look that found nothing to exchange counts as a run that found nothing.
"""
import threading
import time

import zope.event
from prometheus_client import CollectorRegistry, generate_latest, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from zeit.cds.cli.command import FAILED, LOCKED, OK, status_of
from zeit.cds.cli.metrics import (
    LABELS,
    LAST_FILE,
    LAST_RUN,
    LAST_SUCCESS,
    Series,
    silence_of,
    unread,
    values,
)
from zeit.cds.feed import label
from zeit.cds.interfaces import IRunFinished
from zeit.cds.text import printable


OWN = {
    'cds_watch_look_age_seconds': 'For how long no look at the feed has succeeded.',
    'cds_watch_late': '1 if that is much longer than it should be, else 0.',
    'cds_watch_backing_off': '1 if it is tried again after pauses, for something has failed, '
                             'else 0.',
    'cds_watch_oldest_waiting_timestamp_seconds':
        'When the file was seen first that has waited longest, seconds since 1970.',
    'cds_watch_round_trip_seconds': 'How long it takes to the server and back.',
}


class NoSignal:
    number = None


class Run:
    """What the runs of a feed have come to so far."""

    values = {}         # of the last one
    status = OK
    files = bytes = 0
    well_until = None   # when it failed for the first time since one succeeded

    def add(self, outcome, ended):
        self.status = status_of(outcome.error, NoSignal) or (
            FAILED if outcome.failed or outcome.unheard else OK)
        self.values = values(outcome, self.status, 0.0, ended)
        self.files += outcome.files
        self.bytes += outcome.bytes
        self.well_until = None if self.status == OK else self.well_until or ended


class Gauges:
    """Call it for what Prometheus is to read: (content type, bytes)."""

    def __init__(self, watch):
        """
        watch -- IWatch
        """
        self._watch, self._since = watch, time.time()
        self._runs, self._lock = {}, threading.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        zope.event.subscribers.append(self._hear)

    def __call__(self):
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)

    def _hear(self, event):
        if IRunFinished.providedBy(event):
            with self._lock:
                self._runs.setdefault(of(event.feed), Run()).add(event.outcome, time.time())

    def collect(self):
        """See prometheus_client."""
        now, feeds = time.time(), {of(watched.feed): watched for watched in self._watch.feeds}
        yield from Series({labels: self._as_runs(watched, now)
                           for labels, watched in feeds.items()}).collect()
        each = [(labels, self._own(watched, now)) for labels, watched in feeds.items()]
        for name, text in OWN.items():
            family = GaugeMetricFamily(name, text, labels=LABELS)
            for labels, its in each:
                if its[name] is not None:
                    family.add_metric(labels, its[name])
            yield family

    def _own(self, watched, now):
        return {
            'cds_watch_look_age_seconds': max(0.0, now - (watched.last_look or self._since)),
            'cds_watch_late': float(watched.late),
            'cds_watch_backing_off': float(watched.backing_off_until is not None),
            'cds_watch_oldest_waiting_timestamp_seconds': watched.waiting_since,
            'cds_watch_round_trip_seconds': watched.round_trip,
        }

    def _as_runs(self, watched, now):
        """The series of cli.metrics for an IWatched: a dict."""
        with self._lock:
            run = self._runs.setdefault(of(watched.feed), Run())
        locked, failure = watched.locked_since, watched.failure
        status = LOCKED if locked else status_of(failure, NoSignal) if failure else run.status
        well = [when for when in (watched.last_look, run.well_until, locked) if when is not None]
        return {
            **run.values, **unread(watched.feed, now),
            **(silence_of(watched.silence) if watched.silence is not None else {}),
            LAST_RUN: watched.last_try,
            LAST_FILE: watched.last_file or 0,
            LAST_SUCCESS: 0 if watched.last_look is None else min(well),
            'cds_last_run_status': status,
            'cds_waiting_files': watched.waiting,
            'cds_lock_age_seconds': now - locked if locked else 0.0,
            'cds_files_total': run.files,
            'cds_bytes_total': run.bytes,
        }


def of(feed):
    """The labels of its series."""
    return printable(label(feed)), feed.direction
