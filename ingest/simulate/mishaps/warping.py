"""Warping: a part's corners come up; when they are high the nozzle scrapes over them."""

from __future__ import annotations

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Pieces
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.plate import Plate
from ingest.simulate.toolpath import Toolpath

LIFT_MM = (4.0, 8.0)  # at severity 1
RISES_S = 90.0  # how slow corners rise at least: plastic shrinks while it cools
SCRAPES_MM = 2.0
OUTER = 0.75  # where corners are, share of the part's radius
TORN = 0.015  # share of the lines out there that are torn off, per mm of lift beyond scraping


class Warping(Mishap):
    """``Plate.warps_mm`` grows."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        own = self.befallen(path.part) & (path.melted_mm_s > 0.0)
        places = path.points[1:][own, :2] if own.any() else np.zeros((1, 2))
        self._low, self._high = places.min(axis=0), places.max(axis=0)
        self._lift_mm = float(self.rng.uniform(*LIFT_MM))

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        risen = min((now_s - self.fault.at_s) / RISES_S, 1.0)
        lift_mm = max(1.0, self._lift_mm * self.fault.severity) * risen
        if self.fault.growth_s > 0.0:
            lift_mm *= self.fault.severity_at(now_s) / max(self.fault.severity, 1e-9)
        plate.warps_mm[self.part] = max(plate.warps_mm.get(self.part, 0.0), lift_mm)
        return self._scraped(pieces, lift_mm) if lift_mm > SCRAPES_MM else pieces

    def _scraped(self, pieces: Pieces, lift_mm: float) -> Pieces:
        middle, half = (self._low + self._high) / 2.0, np.maximum((self._high - self._low) / 2.0, 1.0)
        out = np.sqrt((((pieces.begin[:, :2] - middle) / half) ** 2).sum(axis=1)) > OUTER
        torn = self.rng.random(len(out)) < TORN * (lift_mm - SCRAPES_MM)
        return pieces._replace(loose=pieces.loose | (out & torn & self.befallen(pieces.part)))
