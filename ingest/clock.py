"""Clocks of sources: event times that never run backwards, whatever the machine's or the log's clock does."""

from __future__ import annotations

import time
from collections.abc import Callable

from ingest.records import NS_PER_S


class AnchoredClock:
    """UTC read once when the source opens, carried on by the monotonic clock: it never jumps or goes back.

    ``utc_ns`` and ``monotonic_ns`` are the machine's clocks; a test passes its own.
    """

    def __init__(
        self,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._offset_ns = utc_ns() - monotonic_ns()

    def now_ns(self) -> int:
        """The time now, ns UTC as anchored."""
        return self._monotonic_ns() + self._offset_ns


class SteadyStamps:
    """Turns recorded stamps into times that never run backwards.

    A step back by less than ``tolerance_ns`` is jitter: the time stands still. A larger one is a clock that
    was set (NTP, daylight saving, a reboot): the stamps that follow are shifted so that time goes on from
    where it was, and ``jumps`` counts it.
    """

    def __init__(self, tolerance_ns: int = NS_PER_S) -> None:
        self.jumps = 0
        self._tolerance_ns = tolerance_ns
        self._shift_ns = 0
        self._last_ns: int | None = None

    def steady(self, stamp_ns: int) -> int:
        """The time of a stamp, ns, not before any that was given earlier."""
        at_ns = stamp_ns + self._shift_ns
        if self._last_ns is not None and at_ns < self._last_ns:
            if self._last_ns - at_ns > self._tolerance_ns:
                self._shift_ns += self._last_ns - at_ns
                self.jumps += 1
            at_ns = self._last_ns
        self._last_ns = at_ns
        return at_ns
