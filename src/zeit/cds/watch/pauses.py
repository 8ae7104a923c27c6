"""Pauses that grow."""
import random


class Pauses:
    """Each is twice as long as the one before, up to the longest."""

    def __init__(self, first, longest, jitter=0.0):
        """
        first, longest -- seconds
        jitter -- such a part of each is added or taken off by chance, at most
        """
        self._first, self._longest, self._jitter = first, longest, jitter
        self._next = first

    def next(self):
        """How long to wait now: seconds, float."""
        seconds, self._next = self._next, min(2 * self._next, self._longest)
        return min(seconds, self._longest) * (1 + random.uniform(-self._jitter, self._jitter))

    def begin_anew(self):
        self._next = self._first
