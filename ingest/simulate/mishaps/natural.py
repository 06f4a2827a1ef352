"""What sound prints show as well: a hair now and then, a curl of oozed filament beside the purge line."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.laying import Pieces
from ingest.simulate.mishaps.stringing import NATURAL, Ways, ooze
from ingest.simulate.plate import Plate
from ingest.simulate.strands import MOST_POINTS
from ingest.simulate.toolpath import Floats

HAIRY = 0.35  # share of the prints with natural hairs
MOST_HAIRS = 0.012  # share of the ways that leave one there
HAIRS_AT_ONCE = 30  # of what was printed before the simulation begins
CURLED = 0.4  # share of the prints with a curl where the first line began
CURL_MM = (1.0, 3.5)
CURL_RADIUS_MM = 0.15
LOW_MM = 0.6  # a print that is higher has begun long ago


class Natural:
    """The little untidiness of a sound print; it changes nothing of what is laid."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._hairs = float(rng.uniform(0.0, MOST_HAIRS)) if rng.random() < HAIRY else 0.0
        self._curls = bool(rng.random() < CURLED)
        self._ways = Ways()

    def act(self, plate: Plate, pieces: Pieces) -> None:
        """Leave what a sound nozzle leaves on the way."""
        if self._curls and pieces.area_mm2.any():
            self._curls = False
            self._curl(plate, pieces)
        if not self._hairs:
            return
        begins, ends = self._ways.take(pieces)
        drawn = (self.rng.random(len(begins)) < self._hairs).nonzero()[0][:HAIRS_AT_ONCE]
        for begin, end in zip(begins[drawn], ends[drawn], strict=True):
            ooze(plate, begin, end, NATURAL, self.rng)

    def _curl(self, plate: Plate, pieces: Pieces) -> None:
        first = int(np.argmax(pieces.area_mm2 > 0.0))
        if pieces.begin[first, 2] < LOW_MM:
            points = curl(pieces.begin[first], float(self.rng.uniform(*CURL_MM)), self.rng)
            plate.strands.add(points, CURL_RADIUS_MM)


def curl(begin: Floats, radius_mm: float, rng: np.random.Generator) -> Floats:
    """A coil that lies beside a place [3], [n, 3] mm."""
    turns = float(rng.uniform(0.8, 2.5)) * 2.0 * math.pi
    phase = np.linspace(0.0, turns, int(0.6 * MOST_POINTS))
    drift = phase[:, None] / turns * rng.normal(0.0, 2.5 * radius_mm, 2)
    xy = begin[:2] + drift + radius_mm * np.column_stack([np.cos(phase) - 1.0, np.sin(phase)])
    return np.column_stack([xy, CURL_RADIUS_MM + 0.02 * phase])
