"""What the G-code that a printer was given tells of its motion. Pure: time comes in as an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ingest.records import NS_PER_S
from ingest.telemetry.gcode.interpreter import GCode


class _Totals(NamedTuple):
    at_ns: int
    pushed_mm: float
    melt_j: float


class Track:
    """The state after the commands so far (``gcode``), told as channels.

    Filament and heat are averaged over ``span_ns``: commands come in bursts.
    """

    def __init__(self, span_ns: int) -> None:
        self.gcode = GCode()
        self._span_ns = span_ns
        self._lately: deque[_Totals] = deque()

    def mark(self, at_ns: int) -> None:
        """Averages may begin here: all commands up to ``at_ns`` have been taken."""
        if not self._lately or at_ns > self._lately[-1].at_ns:
            self._lately.append(_Totals(at_ns, self.gcode.pushed_mm, self.gcode.melt_j))
        while len(self._lately) > 1 and self._lately[1].at_ns <= at_ns - self._span_ns:
            self._lately.popleft()

    def average_anew(self) -> None:
        """Averages are to hold nothing of what was so far."""
        self._lately.clear()

    def readings(self, at_ns: int) -> Iterator[tuple[str, float]]:
        """Channels and their values at ``at_ns``; none of the motion before the first move."""
        gcode = self.gcode
        self.mark(at_ns)
        if gcode.layer is not None:
            yield "layer", float(gcode.layer)
        if gcode.distance_mm:
            yield from (("x_mm", gcode.x), ("y_mm", gcode.y), ("z_mm", gcode.z), ("e_mm", gcode.e))
            yield "feed_mm_s", gcode.feed_mm_s
            yield from self._rates(at_ns)

    def _rates(self, at_ns: int) -> Iterator[tuple[str, float]]:
        first = self._lately[0]
        span_s = (at_ns - first.at_ns) / NS_PER_S
        if span_s > 0:
            yield "extrusion_mm_s", (self.gcode.pushed_mm - first.pushed_mm) / span_s
            yield "melt_w", (self.gcode.melt_j - first.melt_j) / span_s
