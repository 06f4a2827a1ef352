"""How high what lies on the bed reaches: tells which lines nothing covers, and how deep a place lies."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.render.segments import Segments

Floats: TypeAlias = npt.NDArray[np.float32]
Flags: TypeAlias = npt.NDArray[np.bool_]

CELL_MM = 0.5  # about a line's width
COARSE_CELLS = 4  # … and of what tells how deep a place lies, which looks over gaps between lines
AROUND_CELLS = 5  # coarse ones, across, that a place's surroundings are
MARGIN_MM = 30.0  # around the bed, where lines may still lie
COVERED_LAYERS = 0.5  # so much higher filament hides a line that it lies on …
WIDELY_COVERED_LAYERS = 3.0  # … or that is in the same coarse cells
LEVELS_PER_MM = 20  # lines are drawn together that are as high as each other to this
_SHARES = np.array([0.08, 0.3, 0.5, 0.7, 0.92], np.float32)  # where along a line we look
_BITS = 3  # of a cell's fraction, that lines are drawn with


class Heights:
    """A map of the highest filament, in cells of ``CELL_MM``."""

    def __init__(self, bed_mm: tuple[float, float]) -> None:
        self._shape = tuple(int((side + 2 * MARGIN_MM) / CELL_MM) + 1 for side in (bed_mm[1], bed_mm[0]))
        self._top: Floats = np.zeros(self._shape, np.float32)
        self._coarse: Floats | None = None  # the highest filament in coarse cells, once somebody asked

    def add(self, segments: Segments) -> None:
        """Note segments that were laid, each over those before it."""
        if not len(segments.part):
            return
        self._coarse = None
        ends = np.stack([segments.begin[:, :2], segments.end[:, :2]], axis=1)
        lines = np.rint(((ends + MARGIN_MM) / CELL_MM - 0.5) * 2**_BITS).astype(np.int32)
        levels = np.rint(np.maximum(segments.begin[:, 2], segments.end[:, 2]) * LEVELS_PER_MM).astype(
            np.int64
        )
        for level in np.unique(levels).tolist():
            own = list(lines[levels == level])
            cv2.polylines(self._top, own, False, level / LEVELS_PER_MM, 1, cv2.LINE_8, _BITS)

    def covers(self, segments: Segments) -> Flags:
        """Which segments are hidden from above all along: by a line on them, or by much around them."""
        close, wide = (np.ones(len(segments.part), bool) for _ in range(2))
        coarse = self._in_coarse_cells()
        for share in _SHARES:
            points = segments.begin * (1 - share) + segments.end * share
            over = self._top[self._cells(points, CELL_MM)] - points[:, 2]
            close &= over > COVERED_LAYERS * segments.layer_mm
            over = coarse[self._cells(points, COARSE_CELLS * CELL_MM)] - points[:, 2]
            wide &= over > WIDELY_COVERED_LAYERS * segments.layer_mm
        return close | wide

    def depths_mm(self, points: Floats) -> Floats:
        """By how much the surroundings of points [n, 3] rise above them, [n] mm, 0 at least."""
        around = cv2.blur(self._in_coarse_cells(), (AROUND_CELLS, AROUND_CELLS))
        depths: Floats = np.maximum(around[self._cells(points, COARSE_CELLS * CELL_MM)] - points[:, 2], 0.0)
        return depths

    def _in_coarse_cells(self) -> Floats:
        if self._coarse is None:
            highest = cv2.dilate(self._top, np.ones((COARSE_CELLS, COARSE_CELLS), np.uint8), anchor=(0, 0))
            self._coarse = np.ascontiguousarray(highest[::COARSE_CELLS, ::COARSE_CELLS])
        return self._coarse

    def _cells(self, points: Floats, cell_mm: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        cells = ((points[:, :2] + MARGIN_MM) / cell_mm).astype(np.int64)
        rows, columns = (int((size - 1) * CELL_MM / cell_mm) for size in self._shape)
        return np.clip(cells[:, 1], 0, rows), np.clip(cells[:, 0], 0, columns)
