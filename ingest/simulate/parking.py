"""Where a machine puts its head while the job is paused, and the way there and back."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ingest.simulate.toolpath import Position

XY_MM_S, Z_MM_S = 100.0, 5.0  # NOZZLE_PARK_XY_FEEDRATE, NOZZLE_PARK_Z_FEEDRATE
EDGE_MM = 10.0  # from the bed's edges: NOZZLE_PARK_POINT
RAISES_MM = (10.0, 20.0)  # range; NOZZLE_PARK_POINT's z is 20 mm, slicers take 10 mm
TIMEOUT_S = 45.0  # PAUSE_PARK_NOZZLE_TIMEOUT: so long the hot end is kept hot while the board waits
KEEPS_HOT_SHARE = 0.5  # of the machines: vendors that keep it hot
PARKS_SHARE = 0.5  # of the machines: with PARK_HEAD_ON_PAUSE, or hosts with a script for it


class Parking(NamedTuple):
    """One machine's way of pausing."""

    x_mm: float
    y_mm: float
    raise_mm: float
    timeout_s: float  # until the hot end is let cool while the board waits for somebody; inf: never
    on_pause: bool  # whether a mere pause parks the head, too

    def over(self, position: Position) -> Position:
        """Where the head waits when it comes from a position."""
        return position._replace(x_mm=self.x_mm, y_mm=self.y_mm, z_mm=position.z_mm + self.raise_mm)


def draw_parking(rng: np.random.Generator, bed_mm: tuple[float, float]) -> Parking:
    """The settings of some machine with a bed of that size."""
    spots = (
        (EDGE_MM, EDGE_MM),
        (EDGE_MM, bed_mm[1] - EDGE_MM),  # Marlin's own
        (bed_mm[0] / 2.0, EDGE_MM),
    )
    x_mm, y_mm = spots[int(rng.integers(len(spots)))]
    raise_mm = float(rng.uniform(*RAISES_MM))
    keeps_hot, parks = rng.random(2) < (KEEPS_HOT_SHARE, PARKS_SHARE)
    return Parking(x_mm, y_mm, raise_mm, math.inf if keeps_hot else TIMEOUT_S, bool(parks))


class Trip:
    """A way of the head: to its parking place up first, back again down last. Takes ``seconds``."""

    def __init__(self, begin: Position, end: Position) -> None:
        rises = end.z_mm > begin.z_mm
        corner = begin._replace(z_mm=end.z_mm) if rises else end._replace(z_mm=begin.z_mm)
        self._points = (begin, corner, end)
        spans_s = [_seconds(a, b) for a, b in pairwise(self._points)]
        self._times_s = (0.0, spans_s[0], sum(spans_s))
        self.seconds = self._times_s[-1]

    def at(self, into_s: float) -> Position:
        """Where the head is so long after it set off."""
        places = zip(*self._points, strict=True)
        return Position(*(float(np.interp(into_s, self._times_s, place)) for place in places))


def _seconds(begin: Position, end: Position) -> float:
    flat_mm = math.dist(begin[:2], end[:2])
    return flat_mm / XY_MM_S + abs(end.z_mm - begin.z_mm) / Z_MM_S
