"""A run whose worker can't show that it lives is ended, before others take it for dead."""
import threading
import unittest

from zeit.cds.fleet.crew import Tuning
from zeit.cds.fleet.pulse import clock, Pulse
from zeit.cds.interfaces import Interrupted, JournalError
from zeit.cds.testing import recorded


FAST = Tuning(beat=0.01, fence=0.1, dead=0.2)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == 'zeit.cds-pulse']


class Run:
    """What a Pulse knows of a run."""

    def __init__(self):
        self.error, self.ended = None, threading.Event()

    def stop(self, error):
        self.error = error

    def abort(self):
        self.ended.set()


class Pulses(unittest.TestCase):

    def setUp(self):
        self.run, self.beats = Run(), 0
        self.enough = threading.Event()

    def tearDown(self):
        for thread in threads():
            thread.join(10)
            self.assertFalse(thread.is_alive())

    def beat(self):
        self.beats += 1
        if self.beats == 20:
            self.enough.set()
        return True

    def pulse(self, beat=None, tuning=FAST):
        return Pulse(self.run, beat or self.beat, clock(), tuning)

    def test_a_run_that_beats_goes_on(self):
        with self.pulse():
            self.assertTrue(self.enough.wait(10))
        self.assertFalse(self.run.ended.is_set())

    def test_it_beats_no_more_when_the_run_is_over(self):
        with self.pulse():
            self.assertTrue(self.enough.wait(10))
            self.assertNotEqual([], threads())
        for thread in threads():
            thread.join(10)
        self.assertEqual([], threads())

    def test_who_can_not_beat_ends_the_run(self):
        def beat():
            raise JournalError('it is away')
        with recorded() as log, self.pulse(beat):
            self.assertTrue(self.run.ended.wait(10))
        self.assertIsInstance(self.run.error, Interrupted)
        self.assertIn('could not show', str(self.run.error))
        self.assertIn('Is the database of the journal within reach?', log.text)

    def test_a_beat_that_hangs_ends_the_run_as_well(self):
        forever = threading.Event()
        with recorded(), self.pulse(lambda: forever.wait(60)):
            self.assertTrue(self.run.ended.wait(10))
            forever.set()

    def test_who_has_lost_the_claim_ends_the_run_at_once(self):
        with recorded(), self.pulse(lambda: False, FAST._replace(fence=1000.0)):
            self.assertTrue(self.run.ended.wait(10))
        self.assertIn('another worker', str(self.run.error))

    def test_who_began_late_has_less_time(self):
        tuning = FAST._replace(beat=1000.0, fence=1000.0)
        with recorded(), Pulse(self.run, self.beat, clock() - 1000, tuning):
            self.assertTrue(self.run.ended.wait(10))
