"""Spaghetti: what is laid for a part finds no hold any more, on one side of it or everywhere."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Bools, Pieces
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.plate import Plate
from ingest.simulate.toolpath import Floats, Toolpath

LEAST_LOST = 0.4  # share of the part's width that finds no hold at the least severity
WHOLLY = 0.6  # share of prints in which all of it is lost at once
STICKS_S = (0.5, 4.0)  # now and then some lines stick for so long
FALLS_S = (4.0, 40.0)
SPREADS_S = (0.0, 120.0)  # until the mess has swept the other parts off the bed, at severity 1
SPREADS = 0.8  # share of prints in which it does


class Spaghetti(Mishap):
    """Lines beyond an edge through the part fall; some stick for a while."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        angle = float(self.rng.uniform(0.0, 2.0 * math.pi))
        self._across = np.array([math.cos(angle), math.sin(angle)])
        self._wholly = float(self.rng.uniform()) < WHOLLY
        own = self.befallen(path.part) & (path.melted_mm_s > 0.0)
        reach_mm = path.points[1:][own, :2] @ self._across
        low_mm, high_mm = np.percentile(reach_mm, (2, 98)).tolist() if len(reach_mm) else (0.0, 1.0)
        self._from_mm, self._to_mm = float(low_mm), float(high_mm)
        self._sticks = False
        self._change_s = 0.0
        spreads_s = float(self.rng.uniform(*SPREADS_S)) / max(fault.severity, 0.1)
        spreads = self.rng.random() < SPREADS
        self._spreads_s = fault.at_s + fault.growth_s + spreads_s if spreads else math.inf

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        plate.unsound = True  # what does not stick now will not carry later
        if now_s >= self._change_s:
            self._sticks = not self._sticks
            self._change_s = now_s + float(self.rng.uniform(*(STICKS_S if self._sticks else FALLS_S)))
        if self._sticks:
            return pieces
        if now_s >= self._spreads_s:
            return pieces._replace(loose=np.ones_like(pieces.loose))
        lost = self.befallen(pieces.part) & self._beyond(pieces.begin, self.fault.severity_at(now_s))
        return pieces._replace(loose=pieces.loose | lost)

    def _beyond(self, places: Floats, severity: float) -> Bools:
        if self._wholly:
            return np.full(len(places), severity > 0.0)
        lost = LEAST_LOST + (1.0 - LEAST_LOST) * severity
        edge_mm = self._to_mm - lost * (self._to_mm - self._from_mm)
        return np.asarray(places[:, :2] @ self._across > edge_mm)
