"""How high what lies on the bed reaches: tells which lines nothing covers, and how deep a place lies."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.render.segments import Segments

Floats: TypeAlias = npt.NDArray[np.float32]
Flags: TypeAlias = npt.NDArray[np.bool_]

CELL_MM = 2.0
MARGIN_MM = 30.0  # around the bed, where lines may still lie
COVERED_LAYERS = 3.0  # so much filament above hides a line
_SHARES = np.array([0.08, 0.5, 0.92], np.float32)  # where along a line we look


class Heights:
    """A map of the highest filament, in cells of ``CELL_MM``."""

    def __init__(self, bed_mm: tuple[float, float]) -> None:
        self._shape = tuple(int((side + 2 * MARGIN_MM) / CELL_MM) + 1 for side in (bed_mm[1], bed_mm[0]))
        self._top: Floats = np.zeros(self._shape, np.float32)

    def add(self, segments: Segments) -> None:
        """Note segments that were laid."""
        lengths = np.linalg.norm(segments.end - segments.begin, axis=1)
        steps = np.maximum(np.ceil(lengths / (CELL_MM * 0.7)).astype(np.int64), 1)
        which = np.repeat(np.arange(len(steps)), steps)
        ordinal = np.arange(len(which)) - np.repeat(np.cumsum(steps) - steps, steps)
        share = ((ordinal + 0.5) / steps[which]).astype(np.float32)[:, None]
        points = segments.begin[which] * (1 - share) + segments.end[which] * share
        np.maximum.at(self._top, self._cells(points), points[:, 2])

    def covers(self, segments: Segments) -> Flags:
        """Which segments are hidden from above all along."""
        covered = np.ones(len(segments.begin), bool)
        for share in _SHARES:
            points = segments.begin * (1 - share) + segments.end * share
            over = self._top[self._cells(points)] - points[:, 2]
            covered &= over > COVERED_LAYERS * segments.layer_mm
        return covered

    def depths_mm(self, points: Floats) -> Floats:
        """By how much the surroundings of points [n, 3] rise above them, [n] mm, 0 at least."""
        around = cv2.blur(self._top, (5, 5))
        depths: Floats = np.maximum(around[self._cells(points)] - points[:, 2], 0.0)
        return depths

    def _cells(self, points: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        cells = ((points[:, :2] + MARGIN_MM) / CELL_MM).astype(np.int64)
        rows = np.clip(cells[:, 1], 0, self._shape[0] - 1)
        return rows, np.clip(cells[:, 0], 0, self._shape[1] - 1)
