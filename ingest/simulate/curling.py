"""How free filament curls: loops whose size, plane and sense wander from point to point of a thread."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

COIL_MM = (1.8, 11.0)  # radius of the loops
USUAL_MM = (2.2, 7.0)  # range of a print's usual one
RETURNS, LOOPS_VARY_MM = 0.03, 0.28  # from point to point: back to the usual size of loops, and off it
TURNS_RAD, TILTS_RAD = 0.15, 0.12  # by how much a loop's plane turns and tilts from point to point
UPRIGHT_RAD = 1.5
UNEVEN = 0.35  # of the speed with which it curls
KINK = 2.2  # standard deviations: beyond it, about every 70th point, the thread curls the other way
STANDS = 0.6  # share of an upright loop's radius that lifts its middle off what it lies on
DRIFTS, WANDERS_MM = 0.9, 0.16  # a loop's middle drifts: what it keeps of that, and what is added
DRAWS = 7  # normal draws for a point


class Curling:
    """The loop that a thread is in. ``follow`` it point by point."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._usual_mm = float(rng.uniform(*USUAL_MM))
        self._loop_mm = self._usual_mm
        self._size = 1.0  # of this stretch's loops, in usual ones
        self._phase = self._turn = self._tilt = 0.0
        self._sense = 1.0  # which way it curls
        self.drift_mm = (0.0, 0.0)

    def begin(self, tilt_rad: float, size: float = 1.0) -> None:
        """Begin a stretch with loops of another plane and size: 0 flat, ``UPRIGHT_RAD`` standing."""
        self._tilt, self._size = tilt_rad, size

    def follow(self, step_mm: float, draws: Sequence[float]) -> None:
        """Go on by so much thread; ``draws`` [DRAWS] are normal."""
        low_mm, high_mm = COIL_MM
        loop_mm = self._loop_mm + RETURNS * (self._usual_mm - self._loop_mm) + LOOPS_VARY_MM * draws[0]
        self._loop_mm = min(max(loop_mm, low_mm), high_mm)
        self._turn += TURNS_RAD * draws[1]
        self._tilt = min(max(self._tilt + TILTS_RAD * draws[2], 0.0), UPRIGHT_RAD)
        if draws[4] > KINK:
            self._sense = -self._sense
        self._phase += self._sense * step_mm / (self._size * self._loop_mm) * (1.0 + UNEVEN * draws[3])
        x_mm, y_mm = self.drift_mm
        self.drift_mm = DRIFTS * x_mm + WANDERS_MM * draws[5], DRIFTS * y_mm + WANDERS_MM * draws[6]

    def place(self, curl: float) -> tuple[float, float, float]:
        """Where the thread is from its loop's middle, mm; ``curl`` 0: pulled straight, 1: a whole loop."""
        reach_mm = curl * self._size * self._loop_mm
        along, across = reach_mm * math.cos(self._phase), reach_mm * math.sin(self._phase)
        flat, cos, sin = across * math.cos(self._tilt), math.cos(self._turn), math.sin(self._turn)
        return along * cos - flat * sin, along * sin + flat * cos, across * math.sin(self._tilt)

    def stands_mm(self, curl: float) -> float:
        """How high the loop's middle is above what it lies on."""
        return STANDS * curl * self._size * self._loop_mm * math.sin(self._tilt)
