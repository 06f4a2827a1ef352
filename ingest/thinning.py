"""Keeps at most so many pictures per second of a source that gives more. Pure: time is an argument."""

from __future__ import annotations

from ingest.records import NS_PER_S

EARLY_SHARE = 0.5
"""A picture that comes this much of an interval early is still taken."""


class Thinning:
    """When the next picture of a source is due; with ``fps`` infinite each one is."""

    def __init__(self, fps: float) -> None:
        self._interval_ns = round(NS_PER_S / fps)
        self._next_ns = 0

    def is_early(self, at_ns: int) -> bool:
        """Whether a picture of this time is to be left out."""
        return at_ns < self._next_ns - self._interval_ns * EARLY_SHARE

    def kept(self, at_ns: int) -> None:
        """A picture of this time was kept."""
        self._next_ns = max(self._next_ns, at_ns) + self._interval_ns
