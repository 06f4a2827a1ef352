"""Stringing: filament oozes out on the way from one line to the next and is drawn to a hair."""

from __future__ import annotations

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Pieces
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.plate import Plate
from ingest.simulate.strands import hair, whisker
from ingest.simulate.toolpath import Floats, Toolpath

SHORTEST_WAY_MM = 2.5
GAP_MM = 1.0  # so much lower is what the way leads over: the hair is to be seen
RADIUS_MM = (0.02, 0.08)
HAIRS = (0.10, 0.85)  # share of the ways that leave a hair, at severity 0 and 1
MORE = 1.0  # hairs beside the first, at the worst
WHISKERS = 0.25  # share of the hairs over no gap that stick out at the line's end instead
WHISKER_MM = (1.5, 8.0)
BREAKS = 0.3  # share of the hairs that do not reach the other side


class Ways:
    """Finds the ways from where one line ended to where the next begins."""

    def __init__(self) -> None:
        self._last: Floats | None = None

    def take(self, pieces: Pieces) -> tuple[Floats, Floats]:
        """Begin and end, each [m, 3] mm, of the ways that end within these pieces."""
        laid = (pieces.area_mm2 > 0.0).nonzero()[0]
        if not len(laid):
            return np.empty((0, 3)), np.empty((0, 3))
        begins, ends = pieces.begin[laid], pieces.end[laid]
        last = begins[0] if self._last is None else self._last
        self._last = ends[-1]
        froms = np.concatenate([last[None], ends[:-1]])
        far = ((begins - froms)[:, :2] ** 2).sum(axis=1) > SHORTEST_WAY_MM**2
        return froms[far], begins[far]


class Stringing(Mishap):
    """Hairs, the more and the thicker the worse."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        self._ways = Ways()

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        severity = self.fault.severity_at(now_s)
        low, high = HAIRS
        share = low + (high - low) * severity if severity > 0.0 else 0.0
        for begin, end in zip(*self._ways.take(pieces), strict=True):
            for _ in range(self._hairs(share)):
                ooze(plate, begin, end, 0.3 + 0.7 * severity, self.rng)
        return pieces

    def _hairs(self, share: float) -> int:
        """How many hairs a way leaves: the more there are already, the more stay hanging."""
        if self.rng.random() >= share:
            return 0
        return 1 + int(self.rng.poisson(MORE * share))


def ooze(plate: Plate, begin: Floats, end: Floats, thickness: float, rng: np.random.Generator) -> None:
    """Leave a hair on a way [3] mm to [3] mm, or a whisker where the way leads over the part itself."""
    radius_mm = RADIUS_MM[0] + (RADIUS_MM[1] - RADIUS_MM[0]) * thickness * float(rng.uniform())
    plate.heap.catch_up(plate.deposit)
    middle = (begin + end) / 2.0
    way = end - begin
    length_mm = float(np.linalg.norm(way))
    if plate.heap.solid_at(float(middle[0]), float(middle[1])) < middle[2] - GAP_MM:
        reach = float(rng.uniform(0.2, 0.9)) if rng.random() < BREAKS else 1.0
        sag_mm = float(rng.uniform(0.1, 0.6)) + 0.06 * length_mm * float(rng.uniform())
        plate.strands.add(hair(begin, begin + reach * way, sag_mm), radius_mm)
    elif rng.random() < WHISKERS:
        sideways = way / max(length_mm, 1e-9) + rng.normal(0.0, 0.8, 3) * (1.0, 1.0, 0.2)
        plate.strands.add(whisker(begin, sideways, float(rng.uniform(*WHISKER_MM)), rng), radius_mm)
