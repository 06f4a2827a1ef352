"""Where the nozzle is at any moment of a print: square rings, one inside the other, layer upon layer.

Left out: acceleration (corners are taken at full speed), retraction, and the planner's queue.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CENTRE_MM = (110.0, 110.0)  # of a 220 x 220 mm bed
SIDES_MM = (40.0, 39.1, 38.2, 30.0, 20.0, 10.0)  # three walls, then something like infill
LAYER_MM = 0.3
LINE_MM = 0.45
PRINT_MM_S = 50.0
TRAVEL_MM_S = 150.0
FILAMENT_MM2 = math.pi * (1.75 / 2) ** 2
E_PER_MM = LINE_MM * LAYER_MM / FILAMENT_MM2  # mm of filament for a mm of line


class Position(NamedTuple):
    """Where the nozzle is, mm; ``e_mm`` is the filament pushed since the print's start."""

    x_mm: float
    y_mm: float
    z_mm: float
    e_mm: float


class Toolpath:
    """A print's path, by print time: seconds of printing at 100 % speed since its first layer began."""

    def __init__(self) -> None:
        points, extruding = _layer()
        lengths = np.hypot(*np.diff(points, axis=0).T)
        speeds = np.where(extruding, PRINT_MM_S, TRAVEL_MM_S)
        self._points = points  # [corners, 2]
        self._times_s = np.concatenate([[0.0], np.cumsum(lengths / speeds)])
        self._e_mm = np.concatenate([[0.0], np.cumsum(lengths * extruding * E_PER_MM)])
        self._feeds_mm_s = extruding * PRINT_MM_S * E_PER_MM
        self.layer_s = float(self._times_s[-1])
        self.mean_filament_mm_s = float(self._e_mm[-1]) / self.layer_s

    def at(self, print_s: float) -> Position:
        """The nozzle's position at a print time."""
        layer, rest_s = divmod(print_s, self.layer_s)
        x, y = (float(np.interp(rest_s, self._times_s, axis)) for axis in self._points.T)
        e = layer * float(self._e_mm[-1]) + float(np.interp(rest_s, self._times_s, self._e_mm))
        return Position(x, y, (layer + 1) * LAYER_MM, e)

    def filament_mm_s(self, print_s: float) -> float:
        """Speed of the filament at a print time, mm/s."""
        rest_s = print_s % self.layer_s
        segment = int(np.searchsorted(self._times_s, rest_s, side="right")) - 1
        return float(self._feeds_mm_s[min(segment, len(self._feeds_mm_s) - 1)])


def _layer() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Corners of one layer, [corners, 2] mm, back to the first; and which of the segments between extrude."""
    corners: list[tuple[float, float]] = []
    extruding: list[bool] = []
    for side in SIDES_MM:
        corners += _ring(side)
        extruding += [True, True, True, True, False]
    corners.append(corners[0])
    return np.array(corners), np.array(extruding)


def _ring(side_mm: float) -> list[tuple[float, float]]:
    half = side_mm / 2
    turns = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    return [(CENTRE_MM[0] + half * x, CENTRE_MM[1] + half * y) for x, y in turns]
