"""Axes that are off: skipped steps at once, or a belt that slips a little with every layer."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Pieces
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.plate import Plate
from ingest.simulate.toolpath import Floats, Toolpath

SHIFT_MM = (3.0, 25.0)
SHIFT_SHARE = (0.1, 0.6)  # of the part's width: beyond, all of it would fall
FAST_TRAVEL_MM = 4.0  # a travel this long in one control step or piece is fast enough to skip steps
PATIENCE_S = 20.0  # after that any move will do
AGAIN = 0.4  # share of those that skip once more
AGAIN_S = (40.0, 400.0)
SLIP_MM = (0.2, 1.0)
SLIPS = 0.8  # share of the layers with a slip
SLIPS_BACK = 0.15  # share of the slips that go the other way


class LayerShift(Mishap):
    """The next fast travel ends elsewhere; so does all that follows."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        self._due_s: float | None = fault.at_s
        own = self.befallen(path.part) & (path.melted_mm_s > 0.0)
        places = path.points[1:][own] if own.any() else np.zeros((1, 3))
        self._size_mm = np.ptp(places, axis=0)

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        if self._due_s is None or now_s < self._due_s or not len(pieces.begin):
            return pieces
        fast = (pieces.area_mm2 == 0.0) & (pieces.lengths_mm > FAST_TRAVEL_MM)
        if not fast.any() and now_s < self._due_s + PATIENCE_S:
            return pieces
        first = int(np.argmax(fast)) + 1 if fast.any() else 0
        again = float(self.rng.uniform()) < AGAIN
        self._due_s = now_s + float(self.rng.uniform(*AGAIN_S)) if again else None
        return shifted(plate, pieces, first, self._skip())

    def _skip(self) -> Floats:
        low, high = SHIFT_SHARE
        share = low + (high - low) * self.fault.severity * float(self.rng.uniform(0.5, 1.0))
        way = _along_an_axis(1.0, self.rng)
        return way * float(np.clip(share * (np.abs(way) @ self._size_mm), *SHIFT_MM))


class BeltSlip(Mishap):
    """Small slips, mostly one way, with most layers."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        self._way = _along_an_axis(1.0, self.rng)
        self._layer: int | None = None

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        if not len(pieces.layer):
            return pieces
        last, self._layer = self._layer, int(pieces.layer[-1])
        if last is None or last == self._layer or self.rng.random() > SLIPS:
            return pieces
        size_mm = float(self.rng.uniform(*SLIP_MM)) * self.fault.severity_at(now_s)
        back = -1.0 if self.rng.random() < SLIPS_BACK else 1.0
        return shifted(plate, pieces, int(np.argmax(pieces.layer == self._layer)), back * size_mm * self._way)


def shifted(plate: Plate, pieces: Pieces, first: int, by_mm: Floats) -> Pieces:
    """Shift the axes from piece ``first`` on by so much, [3] mm."""
    plate.axis_shift_mm = plate.axis_shift_mm + by_mm
    plate.unsound = True  # what hangs over too far falls
    later = (np.arange(len(pieces.begin)) >= first)[:, None]
    return pieces.moved(later * by_mm)


def _along_an_axis(size_mm: float, rng: np.random.Generator) -> Floats:
    """[3] mm along x or y, either way."""
    angle = float(rng.integers(4)) * math.pi / 2.0
    return np.round(np.array([math.cos(angle), math.sin(angle), 0.0])) * size_mm
