"""How high things stand on the bed: what was laid, and the loose filament that has piled up on it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.deposit import Deposit
from ingest.simulate.laying import Bools, Pieces
from ingest.simulate.moment import Pose
from ingest.simulate.repeats import repeats
from ingest.simulate.toolpath import Floats

CELL_MM = 2.0
SAMPLE_MM = 1.5  # lines are looked at this often
MARGIN_MM = 20.0  # around the bed: what hangs over its edge
HOLD_MM = 0.6  # a line higher than this above all that is below it finds no hold
REACH = np.ones((3, 3), np.uint8)  # cells around that hold a line, too: overhangs of some mm print well
DRAPES_MM = 2.0  # a line that falls less than this fills the gap somehow
CARRIES_MM2 = 0.03  # a line thinner than this carries no other
PACKING = 0.045  # share of a heap of strands that is filament


class Heap:
    """Heights over a bed of ``bed_mm``, mm above it, in cells of ``CELL_MM``."""

    def __init__(self, bed_mm: tuple[float, float]) -> None:
        columns, rows = (int((size + 2 * MARGIN_MM) / CELL_MM) + 1 for size in bed_mm)
        self.solid = np.zeros((rows, columns), np.float32)
        self.loose = np.zeros((rows, columns), np.float32)
        self.bed_mm = bed_mm
        self._poses: dict[int, Pose] = {}
        self._seen = 0  # lines of the deposit that ``solid`` knows

    def catch_up(self, deposit: Deposit) -> None:
        """Take note of the lines that were laid since the last time."""
        first, self._seen = self._seen, deposit.count
        if first < deposit.count:
            carries = deposit.area_mm2[first:] > CARRIES_MM2
            self._raise(deposit.begin[first:][carries], deposit.end[first:][carries])

    def move_part(self, deposit: Deposit, part: int, pose: Pose) -> None:
        """Look at all the lines again: a part has moved."""
        self._poses[part] = pose
        self.solid[:] = 0.0
        self._seen = deposit.count
        carries = deposit.area_mm2 > CARRIES_MM2
        stand = carries & ~np.isin(deposit.part, list(self._poses))
        self._raise(deposit.begin[stand], deposit.end[stand])
        for moved, there in self._poses.items():
            own = carries & (deposit.part == moved)
            begin, end = (ends[own] @ there[:3, :3].T + there[:3, 3] for ends in (deposit.begin, deposit.end))
            self._raise(begin, end)

    def holds(self, pieces: Pieces) -> Bools:
        """Which lines have something below both ends of their move, [n]."""
        near = np.asarray(cv2.dilate(self.solid, REACH), np.float32)
        return self._near(near, pieces.move_begin) & self._near(near, pieces.move_end)

    def drape(self, falling: Pieces) -> None:
        """Lines that fall not far lie badly, but what comes after them finds something."""
        rows, columns = self._cells(falling.end)
        near = falling.end[:, 2] - self.solid[rows, columns] < DRAPES_MM
        if near.any():
            low = np.array([0.0, 0.0, HOLD_MM / 2.0])
            begin, end = falling.begin[near] - low, falling.end[near] - low
            self._raise(begin.astype(np.float32), end.astype(np.float32))

    def at(self, x_mm: float, y_mm: float) -> float:
        """The height of what is there, mm."""
        row, column = self._cell(x_mm, y_mm)
        return float(self.solid[row, column]) + float(self.loose[row, column])

    def solid_at(self, x_mm: float, y_mm: float) -> float:
        """The same without loose filament."""
        return float(self.solid[self._cell(x_mm, y_mm)])

    def pile(self, x_mm: float, y_mm: float, volume_mm3: float) -> None:
        """Put loose filament there."""
        self.loose[self._cell(x_mm, y_mm)] += volume_mm3 / PACKING / CELL_MM**2

    def slump(self) -> None:
        """Loose filament spreads: heaps have no steep sides."""
        spread = cv2.blur(self.loose, (3, 3))
        self.loose = np.asarray(0.6 * self.loose + 0.4 * spread, np.float32)

    def _near(self, heights: npt.NDArray[np.float32], ends: Floats) -> Bools:
        rows, columns = self._cells(ends)
        return np.asarray(ends[:, 2] - heights[rows, columns] <= HOLD_MM)

    def _raise(self, begin: npt.NDArray[np.float32], end: npt.NDArray[np.float32]) -> None:
        lengths_mm = np.sqrt(((end - begin) ** 2).sum(axis=1))
        counts = (lengths_mm / SAMPLE_MM).astype(np.int64) + 2
        which, number = repeats(counts)
        share = (number / (counts[which] - 1)).astype(np.float32)[:, None]
        points = begin[which] + share * (end[which] - begin[which])
        rows, columns = self._cells(points)
        np.maximum.at(self.solid, (rows, columns), points[:, 2])

    def _cells(self, points: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        rows, columns = self.solid.shape
        cells = ((points[:, :2] + MARGIN_MM) / CELL_MM).astype(np.intp)
        return cells[:, 1].clip(0, rows - 1), cells[:, 0].clip(0, columns - 1)

    def _cell(self, x_mm: float, y_mm: float) -> tuple[int, int]:
        rows, columns = self.solid.shape
        row, column = int((y_mm + MARGIN_MM) / CELL_MM), int((x_mm + MARGIN_MM) / CELL_MM)
        return min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)
