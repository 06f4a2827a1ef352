"""Starvation: the host is too slow, the head stands again and again and melts a little lump into the part."""

from __future__ import annotations

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.plate import Plate
from ingest.simulate.ranges import between
from ingest.simulate.strands import lump
from ingest.simulate.toolpath import Position, Toolpath

STANDS_S = (0.5, 4.0)
GOES_S = (12.0, 2.0)  # between two halts at severity 0 and 1, mean
LUMP_MM = (0.25, 0.6)  # radius
LUMP_SHARE = 0.7  # of the halts


class Starvation(Mishap):
    """The job stands and goes on."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        self._stands = False
        self._change_s = fault.at_s

    def stands(self, plate: Plate, nozzle: Position, now_s: float) -> bool:
        if now_s >= self._change_s:
            self._stands = not self._stands
            self._change_s = now_s + self._lasts_s(now_s)
            if self._stands and self.rng.random() < LUMP_SHARE:
                size_mm = float(self.rng.uniform(*LUMP_MM))
                at = np.array(nozzle[:3]) + plate.axis_shift_mm
                plate.strands.add(lump(at, size_mm, self.rng), size_mm)
        return self._stands

    def _lasts_s(self, now_s: float) -> float:
        if self._stands:
            return float(self.rng.uniform(*STANDS_S))
        mean_s = between(GOES_S, self.fault.severity_at(now_s))
        return float(self.rng.exponential(mean_s)) + 0.2
