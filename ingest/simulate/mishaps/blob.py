"""A lump of plastic grows around the nozzle: it smears what is laid and leaves bits on the part."""

from __future__ import annotations

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Pieces
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.plate import Plate
from ingest.simulate.strands import lump
from ingest.simulate.toolpath import Toolpath

SIZE_MM = (4.0, 10.0)  # radius at severity 1
LEAST_MM = 1.0
GROWS_S = 45.0  # at least: it takes its filament from what comes out
TAKES = 0.3  # share of what comes out that stays on the lump
SMEAR_MM = 0.12  # by how much lines are off, per mm of the lump
BIT_EVERY_S = 7.0
BIT_MM = (0.4, 2.2)  # radius
LOST = 0.03  # share of the lines that stick to the lump instead, per mm of it


class Blob(Mishap):
    """``Plate.nozzle_blob_mm`` grows."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        self._size_mm = float(self.rng.uniform(*SIZE_MM))
        self._bit_s = fault.at_s

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        if not pieces.area_mm2.any():
            return pieces
        grown = min((now_s - self.fault.at_s) / GROWS_S, 1.0)
        size_mm = max(self._size_mm * self.fault.severity_at(now_s) * grown, LEAST_MM * grown)
        plate.nozzle_blob_mm = max(plate.nozzle_blob_mm, size_mm)
        if now_s >= self._bit_s:
            self._bit_s = now_s + float(self.rng.exponential(BIT_EVERY_S))
            self._leave_a_bit(plate, pieces)
        return self._smeared(pieces, size_mm)

    def _leave_a_bit(self, plate: Plate, pieces: Pieces) -> None:
        size_mm = min(float(self.rng.uniform(*BIT_MM)), max(0.3 * plate.nozzle_blob_mm, BIT_MM[0]))
        plate.strands.add(lump(pieces.end[-1], size_mm, self.rng), size_mm)

    def _smeared(self, pieces: Pieces, size_mm: float) -> Pieces:
        count = len(pieces.begin)
        off = self.rng.normal(0.0, SMEAR_MM * size_mm, (2, count, 3)) * (1.0, 1.0, 0.0)
        thick = self.rng.uniform(0.4, 1.3, count) * (1.0 - TAKES)
        lost = self.rng.random(count) < LOST * size_mm
        return pieces._replace(
            begin=pieces.begin + off[0],
            end=pieces.end + off[1],
            area_mm2=pieces.area_mm2 * thick,
            loose=pieces.loose | lost,
        )
